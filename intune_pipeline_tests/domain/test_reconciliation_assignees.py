"""MDM-driven assignee updates and the duplicate shield, rule by rule."""

from dataclasses import replace
from typing import Any

import pytest

from intune_pipeline.domain.assignees import Assignees
from intune_pipeline.domain.assignments import Assignment, Candidate, EmployeeHold, Evidence, HeldEmployee, PrimaryUser
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.lifecycle import DeviceMemory
from intune_pipeline.domain.people import EmployeeDirectory, Person
from intune_pipeline.domain.policy import Policy
from intune_pipeline_tests.syncing import device, directory, employee, judged

JANE, BO, ANN = "jane.doe@acme.example", "bo.ek@acme.example", "ann.lee@acme.example"
KNOWN = directory(employee(1, "Jane", "Doe", JANE), employee(2, "Bo", "Ek", BO), employee(3, "Ann", "Lee", ANN))
ON = Policy(mdm_assignee_updates=True)
CONFIRMED = PrimaryUser(f"id-of-{JANE}")


def decide(
    *devices: ManagedDevice,
    status: str = "allocated",
    assignee: int | None = 2,
    primary: PrimaryUser | str | None = CONFIRMED,
    policy: Policy = ON,
    memory: DeviceMemory | None = None,
    known: EmployeeDirectory = KNOWN,
    holds: dict[str, EmployeeHold] | None = None,
    pending: frozenset[int] = frozenset(),
) -> Assignment:
    """What becomes of the assignee of asset 10, whose device is the first."""
    first = devices[0] if devices else device("d1", user=JANE)
    answers = {} if isinstance(primary, str) else {first.intune_device_id: primary}
    assignees = Assignees(judged(devices or [first]), known, holds or {}, pending, policy, Evidence(answers))
    return assignees.for_existing_asset(first, 10, status, assignee, memory)


def test_the_confirmed_user_of_the_list_becomes_the_assignee() -> None:
    assert decide().employee == 1


@pytest.mark.parametrize("assignee", [None, 2, 3])
def test_with_the_switch_off_the_assignee_stays_even_when_there_is_none(assignee: int | None) -> None:
    assert decide(assignee=assignee, policy=Policy()) == Assignment()


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("allocated", True), ("transferred", True), ("in_inventory", False), ("pending_allocation", False),
        ("processing", False), ("locked", False), ("retired", False), ("disposed", False), ("lost", False),
    ],
)  # fmt: skip
def test_only_allocated_and_transferred_assets_change(status: str, changes: bool) -> None:
    assert (decide(status=status).employee == 1) is changes


def test_an_empty_user_never_unassigns() -> None:
    assert decide(device("d1")).employee is None


def test_the_assignee_seen_again_changes_nothing_and_is_not_asked_about() -> None:
    one = device("d1", user=JANE)
    assignees = Assignees(judged([one]), KNOWN, {}, frozenset(), ON, Evidence())
    assert not assignees.needs_primary_user(one, "allocated", 1)
    assert assignees.needs_primary_user(one, "allocated", 2)
    assert assignees.for_existing_asset(one, 10, "allocated", 1, None) == Assignment()


@pytest.mark.parametrize(
    "primary",
    [
        PrimaryUser(f"ID-OF-{JANE}".upper()),
        PrimaryUser("another-id", email=JANE.upper()),
        PrimaryUser("another-id", user_principal_name=JANE),
    ],
)
def test_the_same_id_or_address_confirms(primary: PrimaryUser) -> None:
    assert decide(primary=primary).employee == 1


def test_another_user_known_by_email_wins() -> None:
    assert decide(primary=PrimaryUser("id-of-ann", email=ANN)).employee == 3


def test_another_user_known_only_by_id_wins_when_the_list_shows_his_email_elsewhere() -> None:
    fleet = [device("d1", user=JANE), device("d2", user=ANN)]
    assert decide(*fleet, primary=PrimaryUser(f"id-of-{ANN}")).employee == 3


def test_another_user_nobody_knows_by_email_changes_nothing() -> None:
    assert decide(primary=PrimaryUser("who")).employee is None


def test_another_user_who_is_the_assignee_changes_nothing() -> None:
    assert decide(primary=PrimaryUser("id-of-bo", email=BO)).employee is None


def test_a_passing_failure_means_no_change_this_time_and_forgets_nothing() -> None:
    memory = DeviceMemory("d1", "SN-D1", candidate_user=JANE, candidate_syncs=1)
    decided = decide(primary="unanswered", memory=memory)
    assert decided.employee is None
    assert decided.candidate == Candidate(JANE, 1)


def test_a_definite_no_means_the_lists_user_stands() -> None:
    assert decide(primary=None).employee == 1


def test_a_user_must_be_seen_in_consecutive_syncs_when_the_connection_says_so() -> None:
    policy = replace(ON, assignee_confirmations=3)
    memory = DeviceMemory("d1", "SN-D1")
    for syncs in (1, 2):
        decided = decide(policy=policy, memory=memory)
        assert decided.employee is None
        assert decided.candidate == Candidate(JANE, syncs)
        memory = replace(memory, candidate_user=JANE, candidate_syncs=syncs)
    assert decide(policy=policy, memory=memory).employee == 1


def test_another_user_in_between_starts_the_count_again() -> None:
    policy = replace(ON, assignee_confirmations=2)
    memory = DeviceMemory("d1", "SN-D1", candidate_user=ANN, candidate_syncs=1)
    assert decide(policy=policy, memory=memory).candidate == Candidate(JANE, 1)
    assert decide(device("d1"), policy=policy, memory=memory).candidate is None


@pytest.mark.parametrize(("devices", "changes"), [(10, True), (11, False)])
def test_the_enrolment_manager_of_many_devices_never_becomes_an_assignee(devices: int, changes: bool) -> None:
    fleet = [device(f"d{n}", user=JANE) for n in range(devices)]
    assert (decide(*fleet, primary=PrimaryUser(f"id-of-{JANE}")).employee == 1) is changes


def test_old_records_of_a_device_do_not_make_an_enrolment_manager() -> None:
    twins = [device(f"t{n}", "SN-d1", JANE, lastSyncDateTime=f"2026-01-{n + 1:02}T00:00:00Z") for n in range(20)]
    assert decide(device("d1", user=JANE), *twins).employee == 1


def test_the_real_user_of_an_enrolment_managers_device_becomes_its_assignee() -> None:
    fleet = [device(f"d{n}", user=JANE) for n in range(30)]
    assert decide(*fleet, primary=PrimaryUser("id-of-ann", email=ANN)).employee == 3


def test_a_user_who_is_no_employee_yet_becomes_one_only_when_he_becomes_the_assignee() -> None:
    created = decide(known=directory(employee(2, "Bo", "Ek", BO)))
    assert isinstance(created.employee, Person)
    assert created.employee.email == JANE
    nameless = decide(device("d1", user=JANE, userDisplayName="Kiosk"), known=directory(), assignee=None)
    assert nameless.employee is None


# -- the duplicate shield ------------------------------------------------------------------------------------------

AT_HOME = directory(employee(7, "Jane", "Doe", "jane@home.example", kind="personal"))
SHIELD = Policy(hold_lookalike_employees=True)


def for_new(policy: Policy, hold: EmployeeHold | None = None) -> Assignment:
    one = device("d1", user=JANE)
    holds = {JANE: hold} if hold else {}
    return Assignees(judged([one]), AT_HOME, holds, frozenset(), policy, Evidence()).for_new_asset(one)


def test_a_lookalike_is_created_by_default_and_held_where_the_connection_says_so() -> None:
    assert isinstance(for_new(Policy()).employee, Person)
    held = for_new(SHIELD)
    assert held.employee is None
    assert isinstance(held.held, HeldEmployee)
    assert held.held.lookalike_id == 7


@pytest.mark.parametrize(
    ("decision", "is_created", "is_held"),
    [("waiting", False, True), ("created", True, False), ("linked", False, False), ("skipped", False, False)],
)
def test_a_decision_binds_whatever_the_setting_is_later(decision: str, is_created: bool, is_held: bool) -> None:
    for policy in (Policy(), SHIELD):
        decided = for_new(policy, hold=EmployeeHold(1, decision, 7))
        assert (isinstance(decided.employee, Person), decided.held is not None) == (is_created, is_held)


def pending(decision: str, **given: Any) -> Assignment:
    """Asset 10 waits for the decision about Jane."""
    holds = {JANE: EmployeeHold(1, decision, 7)}
    return decide(
        **{"policy": SHIELD, "assignee": None, "known": AT_HOME, **given}, holds=holds, pending=frozenset({10})
    )


def test_a_waiting_assignment_is_applied_after_the_decision_with_the_switch_off_too() -> None:
    assert isinstance(pending("created").employee, Person)
    linked = directory(employee(7, "Jane", "Doe", "jane@home.example", JANE))
    assert pending("linked", known=linked).employee == 7
    assert pending("created").settles


def test_a_waiting_assignment_waits_as_long_as_nobody_decides_and_ends_when_skipped() -> None:
    assert (pending("waiting").employee, pending("waiting").settles) == (None, False)
    assert (pending("skipped").employee, pending("skipped").settles) == (None, True)


def test_a_waiting_assignment_is_dropped_when_a_person_assigned_someone_or_took_the_asset_back() -> None:
    for meanwhile in ({"assignee": 2}, {"status": "in_inventory"}):
        decided = pending("created", **meanwhile)
        assert (decided.employee, decided.settles) == (None, True)


@pytest.mark.parametrize(("maker", "model"), [("Yealink", "MeetingBar A30"), ("Oculus", "Quest 3"), ("Pico", "A8110")])
def test_the_user_of_a_room_bar_or_headset_is_never_hired(maker: str, model: str) -> None:
    def user_of(user: str, **record: str) -> Person | None:
        one = device("d1", user=user, operatingSystem="Android", **record)
        return Assignees(judged([one]), KNOWN, {}, frozenset(), ON, Evidence()).user_of(one)

    room = "maple.oak@acme.example"
    assert user_of(room, manufacturer=maker, model=model) is None
    assert user_of(room, manufacturer="Google", model="Pixel 9") is not None
    # Who is an employee already may well hold one.
    assert user_of(JANE, manufacturer=maker, model=model) is not None
