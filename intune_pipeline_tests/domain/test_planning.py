"""The steps to a plan: what Graph is asked, who is decided about, what ends, what is remembered and what a plan says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from intune_pipeline.domain.assignments import Candidate
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.kept import KeptValue
from intune_pipeline.domain.lifecycle import Absence, GoneDevice
from intune_pipeline.domain.people import Employee, EmployeeDirectory, KnownUser
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import (
    Asset,
    Change,
    DeviceMemory,
    EmployeeHold,
    Ending,
    Evidence,
    LifecycleHold,
    Listing,
    NeededEvidence,
    PersonDecision,
    Plan,
    PrimaryUser,
    State,
    decide_people,
    needed_evidence,
    plan,
)
from intune_pipeline.domain.vocabulary import KeptKind, PersonAction
from intune_pipeline_tests.syncing import NOW, counted, device, directory, employee, judged

JANE, BO, KIM = "jane.doe@acme.example", "bo.ek@acme.example", "kim.oh@acme.example"
KNOWN = directory(employee(1, "Jane", "Doe", JANE), employee(2, "Bo", "Ek", BO))
ON = Policy(mdm_assignee_updates=True)
LIST = Listing(NOW)
YESTERDAY = NOW - timedelta(days=1)
LONG_AGO = NOW - timedelta(days=9)


def asset(
    asset_id: int, serial: str, assignee_id: int | None = None, status: str = "allocated", device_id: str | None = None
) -> Asset:
    """An asset that holds what `device` says."""
    made = plan(judged([device(device_id or f"d{asset_id}", serial)]), State(1, 1), Policy(), LIST).steps[0]
    said = {change.field: change.new for change in made.changes}
    empty = dict.fromkeys(("imei", "memory_gb", "color", "activation_lock_bypass_code", "display_size", "release_date"))
    return Asset(asset_id, serial, serial, status, assignee_id, {**empty, **said})


def state(
    *assets: Asset, known: EmployeeDirectory = KNOWN, memory: tuple[DeviceMemory, ...] = (), **given: Any
) -> State:
    remembered = {one.intune_device_id: one for one in memory}
    return State(5, 6, {one.serial_key: one for one in assets}, known, remembered, **given)


def absent(number: int, **given: Any) -> DeviceMemory:
    """A device that once was synced and that the last two lists did not hold."""
    values = {"was_synced": True, "absent_lists": 2, "absent_since": LONG_AGO, **given}
    return DeviceMemory(f"d{number}", f"SN-{number}", **values)


# -- what Graph is asked -------------------------------------------------------------------------------------------


def test_graph_is_asked_about_users_that_would_change_and_devices_that_may_be_gone() -> None:
    fleet = judged(
        [
            device("d4", "SN-4", BO),
            device("d1", "SN-1", JANE),
            device("d2", "SN-2", JANE),
            device("d3", "SN-3", JANE, model="OptiPlex 7010"),
            device("d5", "SN-5", JANE),
        ]
    )
    assets = (asset(1, "SN-1", 2), asset(2, "SN-2", 1), asset(3, "SN-3", 2), asset(4, "SN-4", 1))
    twin = DeviceMemory("d9", "SN-8", was_synced=False)
    known = state(*assets, memory=(absent(8), twin, absent(7), DeviceMemory("d1", "SN-1", was_synced=True)))
    assert needed_evidence(fleet, known, ON, LIST) == NeededEvidence(("d1", "d4"), ("d7", "d8", "d9"))
    assert needed_evidence(fleet, known, Policy(), LIST) == NeededEvidence((), ())
    incomplete = Listing(NOW, complete=False)
    assert needed_evidence(fleet, known, ON, incomplete) == NeededEvidence(("d1", "d4"), ())


def test_graph_is_not_asked_where_a_persons_choice_stands_or_an_operator_dropped_the_ending() -> None:
    chosen = replace(asset(1, "SN-1", 2), assigned_by_person_at=NOW)
    remembered = DeviceMemory("d1", "SN-1", was_synced=True, listed_user=JANE, listed_user_since=YESTERDAY)
    dropped = LifecycleHold(1, frozenset({"d8"}), "dropped", NOW)
    known = state(chosen, memory=(remembered, absent(8)), lifecycle_holds=(dropped,))
    fleet = judged([device("d1", "SN-1", JANE)])
    assert needed_evidence(fleet, known, ON, LIST) == NeededEvidence((), ())
    forgotten = state(chosen, memory=(), lifecycle_holds=())
    assert needed_evidence(fleet, forgotten, ON, LIST) == NeededEvidence(("d1",), ())


# -- who is decided about ------------------------------------------------------------------------------------------


def decisions(fleet: list[ManagedDevice], known: State, policy: Policy = ON, **evidence: PrimaryUser | None) -> Any:
    made = decide_people(judged(fleet), known, policy, Evidence(evidence))
    return [(one.person.email, one.devices, one.employee and one.employee.id, one.action) for one in made.steps]


def test_people_of_eligible_devices_are_matched_created_or_left_by_e_mail() -> None:
    fleet = [
        device("d0", "SN-0", "zoe.fox@acme.example", model="OptiPlex 7010"),
        device("d1", "SN-1", KIM),
        device("d2", "SN-2", KIM),
        device("d3", "SN-3", JANE),
        device("d4", "SN-4", "lee.ray@acme.example"),
        device("d5", "SN-5"),
    ]
    assert decisions(fleet, state(asset(4, "SN-4"), asset(1, "SN-1"))) == [
        (JANE, 1, 1, "matched"),
        (KIM, 2, None, "create"),
        ("lee.ray@acme.example", 1, None, "none"),
    ]


def test_a_user_who_becomes_the_assignee_of_an_existing_asset_is_created_when_microsoft_confirms() -> None:
    fleet = [device("d4", "SN-4", KIM)]
    known = state(asset(4, "SN-4", 2))
    assert decisions(fleet, known, d4=None) == [(KIM, 1, None, "create")]
    assert decisions(fleet, known) == [(KIM, 1, None, "none")]
    assert decisions(fleet, known, Policy(), d4=None) == [(KIM, 1, None, "none")]
    lee = PrimaryUser("id-of-lee", email="lee.ray@acme.example", display_name="Lee Ray")
    assert decisions(fleet, known, d4=lee) == [
        (KIM, 1, None, "none"),
        ("lee.ray@acme.example", 0, None, "create"),
    ]


def test_without_answers_nobody_is_confirmed() -> None:
    fleet, known = judged([device("d4", "SN-4", KIM)]), state(asset(4, "SN-4", 2))
    assert [one.action for one in decide_people(fleet, known, ON).steps] == ["none"]
    assert plan(fleet, known, ON, LIST).counts.employees_created == 0
    assert plan(fleet, known, ON, LIST, Evidence({"d4": None})).counts.employees_created == 1


def test_a_device_that_cannot_be_decided_about_keeps_nobody_else_from_being_decided_about() -> None:
    unreadable: Any = "no asset at all"
    known = replace(state(), assets={"SN-1": unreadable})
    fleet = judged([device("d1", "SN-1", KIM), device("d2", "SN-2", JANE)])
    assert [one.person.email for one in decide_people(fleet, known, ON).steps] == [JANE]
    failed, done = plan(fleet, known, ON, LIST).steps
    assert (failed.judged, failed.outcome) == (fleet[0], "failed")
    assert failed.reason == "The device could not be read (AttributeError); please report this."
    assert done.outcome == "synced"


def test_people_read_once_are_not_read_again() -> None:
    fleet = judged([device("d1", "SN-1", KIM)])
    read = decide_people(fleet, state(), ON)
    assert set(read.everybody) == {KIM}
    made = plan(fleet, state(), ON, LIST, people=read)
    assert made.read is read
    assert made.people is read.steps
    assert made.decided == read.decisions == (PersonDecision(KIM, ("Kim", "Oh"), None, PersonAction.CREATE),)
    assert made.decider.assignees.people is read.everybody
    assert all(person.conventions is read.conventions for person in read.everybody.values())
    anew = plan(fleet, state(), ON, LIST, decided=read.decisions)
    assert (anew.read, anew.decided) == (None, read.decisions)
    assert anew.people == read.steps


def test_an_employee_is_created_as_decided_before_even_if_the_name_is_read_otherwise_now() -> None:
    fleet = judged([device("d1", "SN-1", KIM)])
    decided = (PersonDecision(KIM, ("Kimberly", "Oh"), None, PersonAction.CREATE),)
    new = plan(fleet, state(), ON, LIST, decided=decided).steps[0].new_employee
    assert new is not None
    assert new.name == ("Kimberly", "Oh")
    held = (PersonDecision(KIM, ("Kimberly", "Oh"), None, PersonAction.HELD),)
    new = plan(fleet, state(), ON, LIST, decided=held).steps[0].new_employee
    assert new is not None
    assert new.name == ("Kim", "Oh")


# -- what was decided before and does not hold any more ------------------------------------------------------------


def redecided(known: State, policy: Policy = ON, **decided: Any) -> dict[tuple[str, str], int]:
    """What is decided otherwise about Kim, who has a new device, than before."""
    values = {"name": ("Kim", "Oh"), "employee_id": None, "action": PersonAction.CREATE, **decided}
    made = plan(judged([device("d1", "SN-1", KIM)]), known, policy, LIST, decided=(PersonDecision(KIM, **values),))
    return dict(made.redecided)


def test_what_was_decided_and_still_holds_is_not_decided_again() -> None:
    assert redecided(state()) == {}
    kim = directory(employee(3, "Kim", "Oh", KIM))
    assert redecided(state(known=kim), action=PersonAction.MATCHED, employee_id=3) == {}
    home = directory(employee(3, "Kim", "Oh", "kim@home.example", kind="personal"))
    shield = Policy(hold_lookalike_employees=True)
    assert redecided(state(known=home), shield, action=PersonAction.HELD) == {}


def test_what_does_not_hold_any_more_is_counted_by_what_became_of_it() -> None:
    kim = directory(employee(3, "Kim", "Oh", KIM))
    assert redecided(state(known=kim)) == {("create", "matched"): 1}
    assert redecided(state(), action=PersonAction.MATCHED, employee_id=3) == {("matched", "create"): 1}
    assert redecided(state(known=kim), action=PersonAction.MATCHED, employee_id=4) == {("matched", "matched"): 1}
    home = directory(employee(3, "Kim", "Oh", "kim@home.example", kind="personal"))
    assert redecided(state(known=home), Policy(hold_lookalike_employees=True)) == {("create", "held"): 1}
    assert redecided(state(), action=PersonAction.HELD) == {("held", "create"): 1}
    assert redecided(state(asset(1, "SN-1", 2))) == {("create", "none"): 1}


def test_people_nobody_decided_about_before_are_counted_too() -> None:
    fleet = judged([device("d1", "SN-1", KIM), device("d2", "SN-2", JANE)])
    made = plan(fleet, state(), ON, LIST, decided=())
    assert dict(made.redecided) == {("none", "create"): 1, ("none", "matched"): 1}
    assert [one.person.email for one in made.people] == [JANE, KIM], "as it is now"


# -- people, as the plan shows them --------------------------------------------------------------------------------


def test_held_people_are_listed_with_the_employee_they_could_be_or_as_shared_accounts() -> None:
    home = directory(employee(3, "Kim", "Oh", "kim@home.example", kind="personal"))
    desk = device("d2", "SN-2", userDisplayName="Reception", emailAddress="reception@acme.example")
    fleet = judged([device("d1", "SN-1", KIM), desk, device("d3", "SN-3", JANE, userDisplayName="Kim Oh")])
    shield = Policy(hold_lookalike_employees=True)
    known = directory(
        *(employee(3, "Kim", "Oh", "kim@home.example", kind="personal"), employee(1, "Jane", "Doe", JANE))
    )
    made = plan(fleet, state(known=known), shield, LIST)
    assert not made.redecided
    assert plan(fleet, state(known=known), shield, LIST, decided=()).people == made.people
    assert [(one.person.email, one.action, one.lookalike_id) for one in made.lookalikes] == [(KIM, "held", 3)]
    (shared,) = made.shared_accounts
    assert (shared.person.email, shared.action, shared.lookalike) == ("reception@acme.example", "held", None)
    assert shared.shared_reason == shared.person.verdict.reason
    assert counted(made.counts) == {
        "devices_listed": 3, "devices_synced": 3, "assets_created": 3, "lookalikes_held": 2,
    }  # fmt: skip
    created = plan(judged([device("d1", "SN-1", KIM)]), state(known=home), Policy(), LIST)
    assert [(one.action, one.lookalike_id) for one in created.lookalikes] == [("create", 3)]


def remembering(*users: KnownUser, **emails: str) -> EmployeeDirectory:
    people = [employee(1, "Jane", "Doe", emails.get("jane", JANE)), employee(2, "Bo", "Ek", BO)]
    return EmployeeDirectory(people, users)


def test_users_whose_employee_is_not_remembered_yet_are_remembered() -> None:
    fleet = judged([device("d1", "SN-1", JANE), device("d2", "SN-2", KIM), device("d3", "SN-3", BO)])
    bo = KnownUser(f"id-of-{BO}", BO, 2)
    made = plan(fleet, state(known=remembering(bo)), ON, LIST)
    assert made.users_to_remember() == [
        {"user_id": f"id-of-{JANE}", "principal_name": JANE, "email_key": JANE, "employee_id": 1},
        {"user_id": f"id-of-{KIM}", "principal_name": KIM, "email_key": KIM, "employee_id": None},
    ]
    assert made.new_addresses() == []


@pytest.mark.parametrize(
    ("before", "is_news"),
    [
        (KnownUser(f"id-of-{JANE}", JANE, 1), False),
        (KnownUser(f"id-of-{JANE}", JANE, 2), True),
        (KnownUser(f"id-of-{JANE}", "jane.roe@acme.example", 1), True),
    ],
)
def test_a_user_who_is_another_employee_or_has_another_principal_name_is_remembered_anew(
    before: KnownUser, is_news: bool
) -> None:
    # Kim, who is new, makes the plan look at everybody.
    fleet = judged([device("d1", "SN-1", JANE, userId=f"ID-OF-{JANE}"), device("d2", "SN-2", KIM)])
    found = plan(fleet, state(known=remembering(before)), ON, LIST).users_to_remember()
    shown = {"user_id": f"id-of-{JANE}", "principal_name": JANE, "email_key": JANE, "employee_id": 1}
    assert (shown in found) is is_news
    assert len(found) == 1 + is_news


def test_users_without_an_id_or_without_an_employee_are_not_remembered() -> None:
    fleet = judged(
        [device("d1", "SN-1", BO, userId=""), device("d2", "SN-2", "kim.abe@acme.example"), device("d3", user=JANE)]
    )
    known = state(asset(2, "SN-2", 2), known=remembering())
    assert [one["employee_id"] for one in plan(fleet, known, ON, LIST).users_to_remember()] == [1]


def test_the_principal_name_is_remembered_beside_the_e_mail() -> None:
    fleet = judged([device("d1", "SN-1", JANE, userPrincipalName="doe@acme.example")])
    (found,) = plan(fleet, state(known=remembering()), ON, LIST).users_to_remember()
    assert (found["principal_name"], found["email_key"]) == ("doe@acme.example", JANE)


def test_an_employee_known_by_the_users_id_gets_the_new_address() -> None:
    married = remembering(KnownUser(f"id-of-{JANE}", JANE, 1))
    new = "jane.roe@acme.example"
    fleet = judged([device("d1", "SN-1", new, userId=f"id-of-{JANE}", userDisplayName="Jane Roe")])
    made = plan(fleet, state(known=married), ON, LIST)
    assert made.new_addresses() == [{"employee_id": 1, "email": new}]
    assert [one.action for one in made.people] == ["matched"]


def test_nobody_is_looked_at_again_while_every_user_is_remembered() -> None:
    known = remembering(KnownUser(f"id-of-{JANE}", JANE, 1))
    made = plan(judged([device("d1", "SN-1", JANE), device("d2", "SN-2")]), state(known=known), ON, LIST)
    assert (made.users_to_remember(), made.new_addresses()) == ([], [])


# -- what ends -----------------------------------------------------------------------------------------------------

GONE = "the device is gone from Intune: absent from the list for long, and unknown when asked for"
HERE = tuple(DeviceMemory(f"h{n}", f"SN-H{n}", was_synced=True) for n in range(30))
LISTED = judged([device(one.intune_device_id, one.serial_key) for one in HERE])
HELD_BY_NOBODY = tuple(asset(100 + n, f"SN-H{n}", device_id=f"h{n}") for n in range(30))


def ended(*memory: DeviceMemory, gone: set[str], policy: Policy = ON, listing: Listing = LIST, **given: Any) -> Plan:
    """The plan for a fleet of 30 listed devices and the devices that are remembered beside them."""
    assets = (*HELD_BY_NOBODY, *given.pop("assets", (asset(1, "SN-1", 2), asset(2, "SN-2"))))
    known = state(*assets, memory=(*HERE, *memory), **given)
    return plan(LISTED, known, policy, listing, Evidence(gone=gone))


def test_a_device_that_is_proven_gone_ends_with_its_reason() -> None:
    made = ended(absent(1), absent(2), gone={"d1", "d2"})
    assert made.endings == (
        Ending(
            GoneDevice("SN-1", ("d1",)),
            asset(1, "SN-1", 2),
            (Change("status", "allocated", "transferred", GONE), Change("assignee_id", 2, None, GONE)),
        ),
        Ending(GoneDevice("SN-2", ("d2",)), asset(2, "SN-2"), (Change("status", "allocated", "transferred", GONE),)),
    )
    assert counted(made.counts) == {
        "devices_listed": 30, "devices_synced": 30, "devices_gone": 2, "assets_unchanged": 30, "assets_updated": 2,
        "lifecycle_transitions": 2,
    }  # fmt: skip
    assert made.changes() == [
        {
            "serial_number": "SN-1",
            "action": "update",
            "fields": {"status": ["allocated", "transferred"], "assignee_id": [2, None]},
        },
        {"serial_number": "SN-2", "action": "update", "fields": {"status": ["allocated", "transferred"]}},
    ]
    assert (made.held_endings, made.hold_reason) == ((), None)


@pytest.mark.parametrize("field", ["status", "assignee_id"])
def test_an_ending_leaves_a_locked_asset_as_it_is(field: str) -> None:
    kept = {"SN-1": {field: [KeptValue(1, KeptKind.LOCKED)]}}
    (ending,) = ended(absent(1), gone={"d1"}, kept=kept).endings
    assert ending == Ending(GoneDevice("SN-1", ("d1",)), asset(1, "SN-1", 2), ())
    undone = {"SN-1": {field: [KeptValue(1, KeptKind.UNDONE, "2")]}, "SN-2": {field: [KeptValue(1, KeptKind.LOCKED)]}}
    assert len(ended(absent(1), gone={"d1"}, kept=undone).endings[0].changes) == 2


def test_an_ending_without_an_asset_that_would_change_is_counted_as_no_transition() -> None:
    for assets in ((), (asset(1, "SN-1", 2, status="retired"),)):
        made = ended(absent(1), gone={"d1"}, assets=assets)
        assert made.endings == (Ending(GoneDevice("SN-1", ("d1",)), assets[0] if assets else None, ()),)
        assert (made.counts.lifecycle_transitions, made.counts.assets_updated, made.counts.devices_gone) == (0, 0, 1)
        assert made.changes() == []


def test_nothing_ends_that_is_not_proven_gone_or_while_the_switch_is_off_or_the_list_incomplete() -> None:
    assert ended(absent(1), gone=set()).endings == ()
    assert ended(absent(1), gone={"d1"}, policy=Policy()).endings == ()
    assert ended(absent(1, absent_lists=0), gone={"d1"}).endings == ()
    incomplete = ended(absent(1), gone={"d1"}, listing=Listing(NOW, complete=False))
    assert (incomplete.endings, incomplete.absences, incomplete.counts.devices_gone) == ((), (), 0)


def test_a_serial_that_is_listed_again_has_not_ended() -> None:
    before = replace(absent(1), serial_key="SN-H3")
    assert ended(before, gone={"d1"}).endings == ()


def test_too_many_endings_at_once_are_held_with_the_reason() -> None:
    memory = tuple(absent(n) for n in range(1, 6))
    assets = tuple(asset(n, f"SN-{n}") for n in range(1, 6))
    made = ended(*memory, gone={f"d{n}" for n in range(1, 6)}, assets=assets)
    assert made.endings == ()
    assert [one.device.serial_key for one in made.held_endings] == [f"SN-{n}" for n in range(1, 6)]
    assert [one.changes[0].new for one in made.held_endings] == ["transferred"] * 5
    assert made.hold_reason == "5 of 35 synced devices would end at once; up to 10% may."
    assert (made.counts.lifecycle_held, made.counts.lifecycle_transitions, made.counts.devices_gone) == (5, 0, 5)


def test_devices_that_ended_before_are_no_part_of_the_fleet_that_limits_endings() -> None:
    memory = tuple(absent(n) for n in range(1, 5))
    assets = tuple(asset(n, f"SN-{n}") for n in range(1, 5))
    before = tuple(DeviceMemory(f"e{n}", f"SN-e{n}", was_synced=True, ended=True) for n in range(30))
    never = tuple(DeviceMemory(f"n{n}", f"SN-n{n}") for n in range(30))
    made = ended(*memory, *before, *never, gone={f"d{n}" for n in range(1, 5)}, assets=assets)
    assert made.hold_reason == "4 of 34 synced devices would end at once; up to 10% may."


def test_what_is_remembered_of_absent_devices_is_told_only_where_it_changes() -> None:
    made = ended(
        absent(1, absent_lists=0, absent_since=None),
        absent(2, absent_lists=2, absent_since=NOW - timedelta(hours=30)),
        absent(3, absent_lists=1, absent_since=YESTERDAY),
        gone=set(),
    )
    assert [(one.memory.intune_device_id, one.lists, one.since) for one in made.absences] == [
        ("d1", 1, NOW),
        ("d3", 2, YESTERDAY),
    ]
    off = ended(absent(3), gone=set(), policy=Policy())
    assert off.absences == (Absence(absent(3), 0, None),)


def test_a_hold_none_of_whose_devices_is_absent_any_more_is_moot() -> None:
    holds = (LifecycleHold(1, frozenset({"h1"}), "waiting", None), LifecycleHold(2, frozenset({"d1"}), "waiting", None))
    assert ended(absent(1), gone=set(), lifecycle_holds=holds).moot_holds == (1,)
    unknown = Listing(NOW, complete=False)
    assert ended(absent(1), gone=set(), lifecycle_holds=holds, listing=unknown).moot_holds == ()


# -- the plan as a value -------------------------------------------------------------------------------------------


def test_a_plan_carries_what_it_was_made_from() -> None:
    remembered = DeviceMemory("d1", "SN-1", was_synced=True)
    known = state(memory=(remembered,), open_decisions=(3, 4))
    listing = Listing(NOW, personal=2, unreadable=1)
    made = plan(judged([device("d1", "SN-1")]), known, ON, listing)
    assert (made.connection_id, made.account_id, made.listing) == (5, 6, listing)
    assert (made.memory, made.open_decisions) == ({"d1": remembered}, (3, 4))
    assert made.counts.as_dict() == {
        **dict.fromkeys(made.counts.as_dict(), 0),
        "devices_listed": 4, "devices_synced": 1, "devices_failed": 1, "devices_unreadable": 1, "assets_created": 1,
        "devices_skipped": {"personal": 2},
    }  # fmt: skip
    assert made.decider.directory is KNOWN


def test_steps_are_sorted_by_serial_and_failures_counted() -> None:
    one, two, three = judged([device("d1", "SN-2"), device("d2", "SN-1"), device("d3", "0")])
    broken = replace(two, device=replace(two.device, storage_bytes="many"))
    made = plan([one, broken, three], state(), ON, LIST)
    assert [step.judged.device.intune_device_id for step in made.steps] == ["d3", "d2", "d1"]
    assert [step.outcome for step in made.steps] == ["skipped", "failed", "synced"]
    assert counted(made.counts) == {
        "devices_listed": 3, "devices_synced": 1, "devices_failed": 1, "assets_created": 1,
        "devices_skipped": {"junk_serial": 1},
    }  # fmt: skip


def test_each_device_is_counted() -> None:
    fleet = judged(
        [device(f"d{n}", f"SN-{n}", osVersion="12") for n in range(2)] + [device(f"j{n}", "0") for n in range(2)]
    )
    broken = [
        replace(one, device=replace(one.device, storage_bytes="many")) for one in judged([device("b1"), device("b2")])
    ]
    kept = {f"SN-{n}": {"os_version": [KeptValue(n, KeptKind.LOCKED)]} for n in range(2)}
    made = plan([*fleet, *broken], state(asset(0, "SN-0"), asset(1, "SN-1"), kept=kept), ON, LIST)
    assert counted(made.counts) == {
        "devices_listed": 6, "devices_synced": 2, "devices_failed": 2, "assets_unchanged": 2, "values_kept": 2,
        "devices_skipped": {"junk_serial": 2},
    }  # fmt: skip


def test_two_eligible_devices_of_one_serial_are_a_mistake_of_the_caller() -> None:
    twins = judged([device("d1", "SN-1"), device("d2", "SN-2")])
    twins[1] = replace(twins[1], device=twins[0].device)
    with pytest.raises(ValueError, match=r"^Two eligible devices have the same serial number\.$"):
        plan(twins, state(), ON, LIST)


def test_an_asset_is_called_by_the_serial_it_was_entered_with() -> None:
    entered = replace(asset(1, "SN-1"), serial_number=" sn-1 ", values=asset(1, "SN-1").values | {"os_version": "9"})
    (change,) = plan(judged([device("d1", "SN-1")]), state(entered), ON, LIST).changes()
    assert change == {"serial_number": " sn-1 ", "action": "update", "fields": {"os_version": ["9", "10.0.26100.1"]}}
    made = ended(absent(1), gone={"d1"}, assets=(replace(entered, serial_key="SN-1"),))
    assert [change["serial_number"] for change in made.changes()] == [" sn-1 "]


def test_a_new_asset_without_assignee_says_why() -> None:
    shield = Policy(hold_lookalike_employees=True)
    home = directory(employee(3, "Kim", "Oh", "kim@home.example", kind="personal"))
    (step,) = plan(judged([device("d1", "SN-1", KIM)]), state(known=home), shield, LIST).steps
    assert step.note == "the user's employee waits for a decision: an employee could be the same person"


def test_the_assignee_a_person_chose_stays_in_the_plan() -> None:
    chosen = replace(asset(1, "SN-1", 2), assigned_by_person_at=NOW)
    fleet = judged([device("d1", "SN-1", JANE)])
    known = state(chosen, memory=(DeviceMemory("d1", "SN-1", was_synced=True, listed_user=None),))
    (step,) = plan(fleet, known, ON, LIST, Evidence({"d1": None})).steps
    assert (step.outcome, step.asset, step.changes) == ("synced", chosen, ())
    freely = state(replace(chosen, assigned_by_person_at=None), memory=tuple(known.memory.values()))
    (step,) = plan(fleet, freely, ON, LIST, Evidence({"d1": None})).steps
    assert [(change.field, change.old, change.new) for change in step.changes] == [("assignee_id", 2, 1)]


def test_the_assignee_seen_again_is_no_change_and_nothing_to_say() -> None:
    (step,) = plan(
        judged([device("d1", "SN-1", JANE)]), state(asset(1, "SN-1", 1)), ON, LIST, Evidence({"d1": None})
    ).steps
    assert (step.action, step.note) == ("unchanged", None)


def test_changes_are_counted_by_what_they_are() -> None:
    fleet = judged(
        [
            device("d1", "SN-1", JANE),
            device("d2", "SN-2", osVersion="12"),
            device("d3", "SN-3"),
            device("d4", "SN-4", JANE),
        ]
    )
    known = state(asset(1, "SN-1", 2), asset(2, "SN-2"), asset(3, "SN-3"))
    made = plan(fleet, known, ON, LIST, Evidence({"d1": None}))
    assert counted(made.counts) == {
        "devices_listed": 4, "devices_synced": 4, "assets_created": 1, "assets_updated": 2, "assets_unchanged": 1,
        "assignees_changed": 1,
    }  # fmt: skip
    assert [change["action"] for change in made.changes()] == ["update", "update", "create"]
    assert [change["serial_number"] for change in made.changes()] == ["SN-1", "SN-2", "SN-4"]


def test_a_transferred_asset_that_gets_an_assignee_is_allocated_and_says_why() -> None:
    fleet = judged([device("d1", "SN-1", JANE)])
    (step,) = plan(fleet, state(asset(1, "SN-1", None, "transferred")), ON, LIST, Evidence({"d1": None})).steps
    why = "Intune lists this user for the device, and Microsoft names no primary user"
    assert step.changes == (
        Change("assignee_id", None, 1, why),
        Change("status", "transferred", "allocated", "a transferred asset got an assignee"),
    )
    assert step.note == why


def test_a_step_carries_what_was_decided_about_its_assignee() -> None:
    confirmations = replace(ON, assignee_confirmations=3)
    fleet = judged([device("d1", "SN-1", JANE)])
    remembered = DeviceMemory("d1", "SN-1", was_synced=True, candidate_user=JANE, candidate_syncs=1)
    known = state(asset(1, "SN-1", 2), memory=(remembered,))
    (step,) = plan(fleet, known, confirmations, LIST, Evidence({"d1": None})).steps
    assert (step.candidate, step.note, step.action) == (
        Candidate(JANE, 2),
        "seen in 2 of 3 consecutive syncs",
        "unchanged",
    )
    hold = {KIM: EmployeeHold(1, "skipped", 7)}
    waiting = state(asset(1, "SN-1"), pending_assets=frozenset({1}), employee_holds=hold)
    (step,) = plan(judged([device("d1", "SN-1", KIM)]), waiting, ON, LIST).steps
    assert (step.settles, step.changes) == (True, ())


def test_a_held_employee_is_part_of_the_step_of_an_existing_asset() -> None:
    home = directory(Employee(3, "Kim", "Oh", (("kim@home.example", "personal"),)))
    shield = replace(ON, hold_lookalike_employees=True)
    made = plan(
        judged([device("d1", "SN-1", KIM)]), state(asset(1, "SN-1"), known=home), shield, LIST, Evidence({"d1": None})
    )
    assert made.steps[0].held is not None
    assert made.steps[0].held.lookalike_id == 3
    assert [(one.person.email, one.action) for one in made.people] == [(KIM, "held")]


def test_a_user_for_whom_nothing_happens_shows_what_was_held_before() -> None:
    skipped = EmployeeHold(1, "skipped", 7)
    desk = device("d2", "SN-2", "reception@acme.example", userDisplayName="Reception")
    fleet = judged([device("d1", "SN-1", KIM), desk, device("d3", "SN-3", JANE)])
    known = state(employee_holds={KIM: skipped, JANE: EmployeeHold(2, "linked", 1)})
    made = plan(fleet, known, ON, LIST)
    assert [(one.person.email, one.action, one.hold, one.shared_reason is not None) for one in made.people] == [
        (JANE, "matched", None, False),
        (KIM, "none", skipped, False),
        ("reception@acme.example", "held", None, True),
    ]


def test_users_of_devices_missing_from_a_complete_list_are_no_candidates_any_more() -> None:
    memory = (
        DeviceMemory("d1", "SN-1", candidate_user=JANE, candidate_syncs=1),
        DeviceMemory("d2", "SN-2", candidate_user=JANE, candidate_syncs=1),
        DeviceMemory("d3", "SN-3"),
    )
    fleet = judged([device("d1", "SN-1")])
    assert plan(fleet, state(memory=memory), ON, LIST).forgotten_candidates() == {"d2": None}
    assert plan(fleet, state(memory=memory), ON, Listing(NOW, complete=False)).forgotten_candidates() == {}
