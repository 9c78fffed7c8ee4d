"""What admins are told by e-mail, and when: urgent things at once, the rest as a digest, each once until it clears."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intune_pipeline.domain.mails import NOT_TOLD, Place, at_once, digest_is_due, for_digest, message
from intune_pipeline.domain.needs import AT_ONCE, Need
from intune_pipeline.domain.vocabulary import Digest, NeedKind

PLACE = Place("Acme", "https://p.example/i", "https://p.example/s", "https://p.example/unsubscribe/t")
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
kinds = st.frozensets(st.sampled_from(list(NeedKind)))


def need(kind: NeedKind, what: str = "Something is so. And more.") -> Need:
    return Need(kind, what, MONDAY, 3, "Do it.")


@given(waiting=kinds, told=kinds)
def test_each_thing_is_told_in_one_way_and_once(waiting: frozenset[NeedKind], told: frozenset[NeedKind]) -> None:
    needs = [need(kind) for kind in waiting]
    now = {one.kind for one in at_once(needs, told)}
    later = {one.kind for one in for_digest(needs, told)}
    assert now | later == waiting - told - NOT_TOLD
    assert not now & later
    assert now <= AT_ONCE


@pytest.mark.parametrize(
    ("digest", "last", "now", "due"),
    [
        # What yesterday missed is made up for before this day's hour.
        (Digest.DAILY, MONDAY - timedelta(days=1, hours=1), MONDAY - timedelta(hours=1), True),
        (Digest.DAILY, MONDAY - timedelta(hours=23), MONDAY - timedelta(hours=1), False),
        (Digest.WEEKLY, MONDAY - timedelta(days=6), MONDAY - timedelta(hours=1), False),
        (Digest.WEEKLY, MONDAY - timedelta(days=8), MONDAY - timedelta(hours=1), True),
        (Digest.DAILY, MONDAY - timedelta(hours=1), MONDAY, True),
        (Digest.DAILY, MONDAY, MONDAY + timedelta(hours=23), False),
        (Digest.DAILY, MONDAY, MONDAY + timedelta(hours=24), True),
        (Digest.WEEKLY, MONDAY, MONDAY + timedelta(days=6, hours=23), False),
        (Digest.WEEKLY, MONDAY + timedelta(days=3), MONDAY + timedelta(days=7), True),
    ],
)
def test_a_digest_comes_three_hours_after_the_sync(digest: Digest, last: datetime, now: datetime, due: bool) -> None:
    assert digest_is_due(digest, last, now, sync_hour=5, time_zone="UTC") is due


@example(datetime(2026, 10, 20, 2, tzinfo=UTC), 23, "Europe/Berlin")  # Two o'clock comes twice when summer time ends.
@given(
    start=st.integers(0, 24 * 365).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_a_year_of_looks_has_one_digest_a_day_and_one_a_week(start: datetime, hour: int, zone: str) -> None:
    for digest, days in ((Digest.DAILY, 1), (Digest.WEEKLY, 7)):
        last, sent = start, []
        for step in range(24 * 35):
            now = start + timedelta(hours=step)
            if digest_is_due(digest, last, now, sync_hour=hour, time_zone=zone):
                last = now
                sent.append(now.astimezone(ZoneInfo(zone)))
        assert len(sent) in {35 // days - 1, 35 // days, 35 // days + 1}
        assert len({one.date() for one in sent}) == len(sent)


def test_the_hour_is_that_of_the_connections_time_zone() -> None:
    at_eight_in_tokyo = MONDAY - timedelta(hours=9)
    last = at_eight_in_tokyo - timedelta(hours=1)
    assert digest_is_due(Digest.DAILY, last, at_eight_in_tokyo, sync_hour=5, time_zone="Asia/Tokyo")
    assert not digest_is_due(Digest.DAILY, last, at_eight_in_tokyo, sync_hour=5, time_zone="UTC")


def test_what_came_seconds_late_is_not_sent_again_within_the_minute() -> None:
    for late in (timedelta(seconds=10), timedelta(minutes=10), timedelta(microseconds=10)):
        sent = MONDAY + late
        assert not digest_is_due(Digest.DAILY, sent, sent + late, sync_hour=5, time_zone="UTC")
    assert not digest_is_due(Digest.DAILY, MONDAY, MONDAY, sync_hour=5, time_zone="UTC")


def test_a_sync_late_in_the_evening_has_its_digest_after_midnight() -> None:
    at_two = MONDAY.replace(hour=2)
    assert digest_is_due(Digest.DAILY, at_two - timedelta(hours=1), at_two, sync_hour=23, time_zone="UTC")
    assert not digest_is_due(
        Digest.DAILY, at_two - timedelta(hours=2), MONDAY.replace(hour=1), sync_hour=23, time_zone="UTC"
    )


END = f"""\
Look: {PLACE.page}

You are told of each thing once, until it is over. You have this e-mail because you asked for it in allwhere.
Change that: {PLACE.settings}
No more of these e-mails: {PLACE.unsubscribe}"""


def test_a_message_says_what_to_do_where_to_look_and_how_to_end_it() -> None:
    new = [need(NeedKind.UNKNOWN_MODELS), replace(need(NeedKind.LATE, "It is late."), since=None, to_do="Wait.")]
    told = message(new, new, PLACE, urgent=False)
    assert told.subject == "Acme: 2 things need you (Microsoft Intune)"
    assert told.told == {NeedKind.UNKNOWN_MODELS, NeedKind.LATE}
    assert (
        told.body
        == f"""\
Acme: Microsoft Intune in allwhere

* Something is so. And more. (since 2 March 2026, 08:00 UTC)
  Do it.

* It is late.
  Wait.

{END}"""
    )


@pytest.mark.parametrize(
    ("earlier", "sentence"),
    [
        ([NeedKind.LATE], "1 thing told before still waits."),
        ([NeedKind.LATE, NeedKind.LIFECYCLE_HOLD], "2 things told before still wait."),
        # What the admins did themselves does not count.
        ([NeedKind.LATE, *NOT_TOLD], "1 thing told before still waits."),
    ],
)
def test_what_was_told_before_is_named_in_one_line(earlier: list[NeedKind], sentence: str) -> None:
    new = [need(NeedKind.UNKNOWN_MODELS)]
    told = message(new, [*new, *map(need, earlier)], PLACE, urgent=False)
    assert told.subject == "Acme: 1 thing needs you (Microsoft Intune)"
    assert told.body.endswith(f"  Do it.\n\n{sentence}\n\n{END}")


@pytest.mark.parametrize(
    ("what", "subject"),
    [
        ("Syncs stopped. Nothing is written.", "Acme: Syncs stopped (Microsoft Intune)"),
        ("Syncs stopped.", "Acme: Syncs stopped (Microsoft Intune)"),
        ("Look at X.", "Acme: Look at X (Microsoft Intune)"),
        ("Version 1.2 is out. Look. Now.", "Acme: Version 1.2 is out (Microsoft Intune)"),
        ("x" * 90, f"Acme: {'x' * 90} (Microsoft Intune)"),
        ("x" * 91, f"Acme: {'x' * 89}… (Microsoft Intune)"),
        ("x" * 88 + "  xx", f"Acme: {'x' * 88}… (Microsoft Intune)"),
        ("Two\nlines\x00here", "Acme: Two lines here (Microsoft Intune)"),
    ],
)
def test_what_cannot_wait_is_the_subject_itself_cut_to_a_line(what: str, subject: str) -> None:
    assert message([need(NeedKind.LIFECYCLE_HOLD, what)], (), PLACE, urgent=True).subject == subject


def test_of_several_urgent_things_the_subject_tells_how_many() -> None:
    new = [need(NeedKind.LIFECYCLE_HOLD), need(NeedKind.LATE)]
    assert message(new, (), PLACE, urgent=True).subject == "Acme: 2 things need you (Microsoft Intune)"


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_subject_is_one_line_whatever_a_name_holds(name: str, what: str) -> None:
    place = Place(name, "", "", "")
    subject = message([need(NeedKind.LIFECYCLE_HOLD, what)], (), place, urgent=True).subject
    assert subject.isprintable()
    assert "\n" not in subject
