"""When a device counts as gone, what is held, and what an operator's decision does."""

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from intune_pipeline.domain.lifecycle import (
    Absence,
    DeviceMemory,
    GoneDevice,
    LifecycleHold,
    absences,
    gone_devices,
    judge_endings,
    moot_holds,
    siblings,
    suspects,
)
from intune_pipeline.domain.policy import Policy
from intune_pipeline_tests.syncing import NOW

ON = Policy(mdm_assignee_updates=True, lifecycle_max_share=1)


def memory(device_id: str, serial: str | None = None, lists: int = 0, since: datetime | None = None) -> DeviceMemory:
    return DeviceMemory(device_id, serial or f"SN-{device_id}", True, absent_lists=lists, absent_since=since)


def after_lists(*hours: float, policy: Policy = ON) -> list[Absence]:
    """The absence of one device after complete lists read at these hours."""
    found, known = [], memory("d1")
    for hour in hours:
        found = absences([known], set(), listed_at=NOW + timedelta(hours=hour), complete=True, policy=policy)
        known = memory("d1", lists=found[0].lists, since=found[0].since)
    return found


def test_one_list_proves_nothing() -> None:
    assert suspects(after_lists(0), [], ON) == []


@pytest.mark.parametrize(
    ("hours", "is_suspect"),
    [((0, 19.9), False), ((0, 20), True), ((0, 1, 2, 3), False), ((0, 1, 20), True), ((0, 24), True)],
)
def test_two_lists_must_lie_twenty_hours_apart(hours: tuple[float, ...], is_suspect: bool) -> None:
    assert bool(suspects(after_lists(*hours), [], ON)) is is_suspect


def test_more_lists_are_asked_for_each_that_far_apart() -> None:
    policy = Policy(mdm_assignee_updates=True, absent_lists=3)
    assert suspects(after_lists(0, 24, 30, policy=policy), [], policy) == []
    assert suspects(after_lists(0, 24, 48, policy=policy), [], policy) == ["d1"]


def test_an_incomplete_list_counts_for_nothing() -> None:
    known = [memory("d1", lists=1, since=NOW)]
    assert absences(known, set(), listed_at=NOW + timedelta(days=9), complete=False, policy=ON) == []


def test_with_the_switch_off_nothing_is_counted_and_what_was_counted_is_forgotten() -> None:
    (found,) = absences([memory("d1", lists=5, since=NOW)], set(), listed_at=NOW, complete=True, policy=Policy())
    assert (found.lists, found.since) == (0, None)
    assert suspects([found], [], Policy()) == []


def test_only_devices_that_were_synced_and_have_not_ended_are_missed() -> None:
    known = [DeviceMemory("skipped", "SN-1"), DeviceMemory("ended", "SN-2", was_synced=True, ended=True), memory("d3")]
    found = absences(known, {"d4"}, listed_at=NOW, complete=True, policy=ON)
    assert [absence.memory.intune_device_id for absence in found] == ["d3"]


def found(*memories: DeviceMemory) -> list[Absence]:
    return [Absence(one, 2, NOW - timedelta(days=1)) for one in memories]


def gone(
    *memories: DeviceMemory, suspected: set[str], proven: set[str], listed: Collection[str] = ()
) -> list[GoneDevice]:
    return gone_devices(suspected, memories, proven_gone=proven, listed_serials=listed)


def test_absence_without_a_404_and_a_404_without_absence_are_no_proof() -> None:
    away = memory("d1"), memory("d2")
    assert gone(*away, suspected={"d2"}, proven={"d1"}) == []
    assert gone(*away, suspected={"d1", "d2"}, proven={"d1"}) == [GoneDevice("SN-d1", ("d1",))]


def test_a_serial_that_is_listed_under_another_record_is_not_gone() -> None:
    assert gone(memory("old", "SN-1"), suspected={"old"}, proven={"old"}, listed={"SN-1"}) == []


def test_a_serial_is_gone_when_all_its_records_are() -> None:
    away = memory("one", "SN-1"), memory("two", "SN-1")
    assert gone(*away, suspected={"one", "two"}, proven={"one"}) == []
    assert gone(*away, suspected={"one"}, proven={"one", "two"}) == []
    assert gone(*away, suspected={"one", "two"}, proven={"one", "two"}) == [GoneDevice("SN-1", ("one", "two"))]


def test_a_record_that_was_never_synced_must_be_proven_gone_too_and_is_asked_about() -> None:
    known = memory("synced", "SN-1"), DeviceMemory("skipped", "SN-1"), DeviceMemory("other", "SN-2")
    assert siblings({"synced"}, known) == ["skipped"]
    assert siblings(set(), known) == []
    assert gone(*known, suspected={"synced"}, proven={"synced"}) == []
    assert gone(*known, suspected={"synced"}, proven={"synced", "skipped"}) == [GoneDevice("SN-1", ("synced",))]


def judged(
    count: int, synced: int, policy: Policy, *holds: LifecycleHold, untouched: int = 0
) -> tuple[int, int, str | None]:
    away = [GoneDevice(f"SN-d{n:03}", (f"d{n:03}",)) for n in range(count + untouched)]
    verdict = judge_endings(
        away,
        changes_asset={one.serial_key: number < count for number, one in enumerate(away)},
        synced_devices=synced,
        found=found(*(memory(f"d{n:03}") for n in range(count + untouched))),
        holds=holds,
        policy=policy,
    )
    return len(verdict.ending), len(verdict.held), verdict.reason


GUARD = Policy(mdm_assignee_updates=True)


@pytest.mark.parametrize(
    ("count", "synced", "is_held"),
    [(10, 100, False), (11, 100, True), (1, 9, True), (50, 1000, False), (51, 1000, True), (0, 0, False)],
)
def test_more_than_a_tenth_or_more_than_fifty_at_once_are_all_held(count: int, synced: int, is_held: bool) -> None:
    ending, held, reason = judged(count, synced, GUARD)
    assert (ending, held) == ((0, count) if is_held else (count, 0))
    assert (reason is not None) is is_held


def test_assets_that_people_took_care_of_already_are_not_counted() -> None:
    assert judged(2, 100, GUARD, untouched=80) == (82, 0, None)


def hold(decision: str, *ids: str, decided_at: datetime | None = NOW) -> LifecycleHold:
    return LifecycleHold(1, frozenset(ids), decision, None if decision == "waiting" else decided_at)


def test_while_a_hold_waits_everything_is_held() -> None:
    ending, held, reason = judged(1, 100, GUARD, hold("waiting", "d900"))
    assert (ending, held) == (0, 1)
    assert reason is not None


def test_released_devices_end_and_do_not_count_for_the_others() -> None:
    released = hold("released", *(f"d{n:03}" for n in range(60)))
    assert judged(60, 100, GUARD, released) == (60, 0, None)
    assert judged(70, 100, GUARD, released) == (70, 0, None)
    assert judged(71, 100, GUARD, released)[:2] == (60, 11)


def test_a_release_is_about_one_absence_not_about_all_later_ones() -> None:
    old = hold("released", *(f"d{n:03}" for n in range(60)), decided_at=NOW - timedelta(days=30))
    assert judged(60, 100, GUARD, old)[:2] == (0, 60)


def test_dropped_devices_are_not_asked_about_until_they_were_back_and_left_again() -> None:
    away = found(memory("d1"))
    assert suspects(away, [hold("dropped", "d1")], ON) == []
    assert suspects(away, [hold("dropped", "d1", decided_at=NOW - timedelta(days=30))], ON) == ["d1"]


def test_a_released_device_is_asked_about_and_a_dropped_one_is_not_released() -> None:
    away = found(memory("d000"))
    assert suspects(away, [hold("released", "d000")], ON) == ["d000"]
    assert suspects(away, [hold("dropped", "d000", decided_at=away[0].since)], ON) == [], "as soon as it was absent"
    dropped = hold("dropped", *(f"d{n:03}" for n in range(60)))
    assert judged(60, 100, GUARD, dropped)[:2] == (0, 60)


def test_the_last_decision_about_a_device_counts() -> None:
    holds = [hold("dropped", "d1"), hold("dropped", "d1", decided_at=NOW - timedelta(days=30))]
    for given in (holds, holds[::-1]):
        assert suspects(found(memory("d1")), given, ON) == []


def test_a_record_that_ended_before_or_has_no_serial_stands_in_nobodys_way() -> None:
    before = DeviceMemory("d0", "SN-d1", was_synced=True, ended=True)
    unknown = DeviceMemory("d2", None, was_synced=True)
    one = memory("d1")
    assert gone_devices({"d1", "d2"}, [before, one, unknown], proven_gone={"d1", "d2"}, listed_serials=set()) == [
        GoneDevice("SN-d1", ("d1",))
    ]


def test_a_hold_whose_devices_all_came_back_has_nothing_left_to_decide() -> None:
    assert moot_holds([hold("waiting", "d1", "d2")], found(memory("d3"))) == (1,)
    assert moot_holds([hold("waiting", "d1", "d2")], found(memory("d2"))) == ()
    assert moot_holds([hold("dropped", "d1")], []) == ()
