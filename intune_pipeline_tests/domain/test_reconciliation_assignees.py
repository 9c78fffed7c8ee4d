"""MDM-driven assignee updates and the duplicate shield, rule by rule."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from intune_pipeline.domain.assignees import Assignees
from intune_pipeline.domain.assignments import (
    Assignment,
    Candidate,
    EmployeeHold,
    Evidence,
    HeldEmployee,
    NamedPerson,
    PrimaryUser,
)
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.lifecycle import DeviceMemory
from intune_pipeline.domain.people import EmployeeDirectory, KnownUser, Person, person_of
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.vocabulary import EmployeeHoldKind, LookalikeGrade
from intune_pipeline_tests.syncing import NOW, device, directory, employee, judged

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
    person_at: datetime | None = None,
) -> Assignment:
    """What becomes of the assignee of asset 10, whose device is the first."""
    first = devices[0] if devices else device("d1", user=JANE)
    answers = {} if isinstance(primary, str) else {first.intune_device_id: primary}
    assignees = Assignees(judged(devices or [first]), known, holds or {}, pending, policy, Evidence(answers))
    return assignees.for_existing_asset(first, 10, status, assignee, memory, person_at)


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


KIM = "kim.oh@acme.example"
SAME = "Intune lists this user for the device, and the device's primary user is the same"
NO_PRIMARY_USER = "Intune lists this user for the device, and Microsoft names no primary user"
ANOTHER = "the device's primary user is this one, though Intune lists another for the device"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, Assignment(1, SAME)),
        ({"primary": PrimaryUser("another-id", email=JANE)}, Assignment(1, SAME)),
        ({"primary": None}, Assignment(1, NO_PRIMARY_USER)),
        ({"primary": PrimaryUser("id-of-ann", email=ANN)}, Assignment(3, ANOTHER)),
        (
            {"primary": PrimaryUser("who")},
            Assignment(reason="the device's primary user is somebody else, not known by e-mail"),
        ),
        (
            {"primary": PrimaryUser("id-of-bo", email=BO)},
            Assignment(reason="the device's primary user is the assignee already"),
        ),
        ({"primary": "unanswered"}, Assignment(reason="Microsoft did not say who uses the device")),
        (
            {"policy": replace(ON, assignee_confirmations=3)},
            Assignment(reason="seen in 1 of 3 consecutive syncs", candidate=Candidate(JANE, 1)),
        ),
        (
            {"policy": replace(ON, enrolment_manager_devices=0)},
            Assignment(reason="the user has 1 devices: an enrolment manager"),
        ),
        (
            {"memory": DeviceMemory("d1", "SN-D1"), "person_at": NOW},
            Assignment(reason="a person chose the assignee, and Intune's user is the same as then"),
        ),
    ],
)
def test_every_answer_about_an_existing_asset_says_why(given: dict[str, Any], says: Assignment) -> None:
    assert decide(**given) == says


@pytest.mark.parametrize(
    ("memory", "stays"),
    [
        (None, False),
        (DeviceMemory("d1", "SN-D1", listed_user=None), True),
        (DeviceMemory("d1", "SN-D1", listed_user=JANE, listed_user_since=NOW - timedelta(days=1)), True),
        (DeviceMemory("d1", "SN-D1", listed_user=JANE, listed_user_since=NOW), True),
        (DeviceMemory("d1", "SN-D1", listed_user=JANE, listed_user_since=NOW + timedelta(seconds=1)), False),
        (DeviceMemory("d1", "SN-D1", listed_user=JANE), False),
        (DeviceMemory("d1", "SN-D1", listed_user=ANN, listed_user_since=NOW - timedelta(days=1)), False),
        (DeviceMemory("d1", "SN-D1", listed_user=""), False),
    ],
)
def test_the_assignee_a_person_chose_stays_while_intune_shows_whom_it_showed_then(
    memory: DeviceMemory | None, stays: bool
) -> None:
    one = device("d1", user=JANE)
    assert (decide(one, memory=memory, person_at=NOW).employee is None) is stays
    assert decide(one, memory=memory).employee == 1, "nobody chose"
    assignees = Assignees(judged([one]), KNOWN, {}, frozenset(), ON, Evidence())
    assert assignees.needs_primary_user(one, "allocated", 2, memory, NOW) is not stays


def test_a_primary_user_whom_the_list_does_not_show_is_read_from_microsofts_answer() -> None:
    decided = decide(primary=PrimaryUser("id-of-kim", email=KIM, display_name="Kim Oh"))
    assert isinstance(decided.employee, Person)
    assert (decided.employee.name, decided.employee.user_id) == (("Kim", "Oh"), "id-of-kim")


def test_a_primary_user_whom_the_list_shows_elsewhere_is_read_from_there() -> None:
    fleet = [device("d1", user=JANE), device("d2", user=KIM)]
    decided = decide(*fleet, primary=PrimaryUser("id-of-kim", email=KIM))
    assert isinstance(decided.employee, Person)
    assert decided.employee.name == ("Kim", "Oh")


def test_a_user_is_read_from_the_record_that_tells_most() -> None:
    nameless = device("d1", user=JANE, userDisplayName="")
    assignees = Assignees(judged([nameless, device("d2", user=JANE)]), KNOWN, {}, frozenset(), ON, Evidence())
    user = assignees.user_of(nameless)
    assert user is not None
    assert user.display_name == "Jane Doe"


def test_people_who_have_been_read_already_are_not_read_again() -> None:
    one = device("d1", user=JANE)
    read = person_of(device("d1", user=JANE, userDisplayName="Janet Doe"))
    assert read is not None
    for everybody, name in (({JANE: read}, "Janet Doe"), ({}, "Jane Doe")):
        user = Assignees(judged([one]), KNOWN, {}, frozenset(), ON, Evidence(), everybody=everybody).user_of(one)
        assert user is not None
        assert user.display_name == name


# -- the duplicate shield ------------------------------------------------------------------------------------------

AT_HOME = directory(employee(7, "Jane", "Doe", "jane@home.example", kind="personal"))
SHIELD = Policy(hold_lookalike_employees=True)


def for_new(
    policy: Policy,
    hold: EmployeeHold | None = None,
    known: EmployeeDirectory = AT_HOME,
    names: dict[str, tuple[str, str]] | None = None,
    devices: int = 1,
    **record: Any,
) -> Assignment:
    """The assignee of a new asset whose user is Jane, unless the record says otherwise."""
    fleet = [device(f"d{n}", user=JANE, **record) for n in range(devices)]
    holds = {str(fleet[0].user_email): hold} if hold else {}
    return Assignees(judged(fleet), known, holds, frozenset(), policy, Evidence(), names).for_new_asset(fleet[0])


def user(**record: Any) -> Person:
    """Jane as the list shows her."""
    found = person_of(device("d0", user=JANE, **record))
    assert found is not None
    return found


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


def test_whoever_is_held_is_held_with_the_reason_and_the_employee_they_could_be() -> None:
    waits = "the user's employee waits for a decision: an employee could be the same person"
    held = HeldEmployee(
        user(), 7, reason="the same name, the employee's address fits the name", grade=LookalikeGrade.PROBABLY
    )
    assert for_new(SHIELD) == Assignment(reason=waits, held=held)


def test_a_hold_stays_open_when_its_lookalike_is_gone_and_keeps_naming_them() -> None:
    waits = "the user's employee waits for a decision: an employee could be the same person"
    for lookalike_id in (7, None):
        decided = for_new(SHIELD, EmployeeHold(1, "waiting", lookalike_id), known=directory())
        assert decided == Assignment(reason=waits, held=HeldEmployee(user(), lookalike_id))


def test_a_lookalike_that_would_not_be_held_is_no_reason_of_a_hold() -> None:
    weak = directory(employee(8, "Janet", "Doe", "janet@acme.example"))
    decided = for_new(SHIELD, EmployeeHold(1, "waiting", 7), known=weak)
    assert decided.held == HeldEmployee(user(), 7)
    assert isinstance(for_new(SHIELD, known=weak).employee, Person)


@pytest.mark.parametrize("decision", ["linked", "skipped"])
def test_a_user_whom_a_person_decided_about_says_so(decision: str) -> None:
    assert for_new(SHIELD, EmployeeHold(1, decision, 7)) == Assignment(
        reason=f"the user's employee was {decision} by a person"
    )


RECEPTION = {"userDisplayName": "Reception", "emailAddress": "reception@acme.example", "userPrincipalName": ""}


def test_a_shared_account_is_held_whatever_the_setting_and_says_what_speaks_for_it() -> None:
    for policy in (Policy(), SHIELD):
        decided = for_new(policy, known=directory(), **RECEPTION)
        assert decided.held is not None
        why = decided.held.reason
        assert why
        assert decided == Assignment(
            reason=f"the user {why}; somebody has to decide whether it is a person",
            held=HeldEmployee(user(**RECEPTION), None, EmployeeHoldKind.SHARED, why),
        )


@pytest.mark.parametrize(
    ("shown", "address", "devices", "is_held"),
    [
        ("Table Lamp", "zeta9@acme.example", 10, False),
        ("Table Lamp", "zeta9@acme.example", 11, True),
        ("Blue Whale", "bw1@acme.example", 11, False),
        ("Jane Doe", JANE, 11, False),
    ],
)
def test_one_user_of_many_devices_whose_name_may_be_no_persons_is_held(
    shown: str, address: str, devices: int, is_held: bool
) -> None:
    listed = {"userDisplayName": shown, "emailAddress": address, "userPrincipalName": address}
    decided = for_new(Policy(), known=directory(), devices=devices, **listed)
    assert isinstance(decided.employee, Person) is not is_held
    if is_held:
        why = "looks like a shared account: one user of 11 devices, with a name that may be no person's"
        assert decided.held == HeldEmployee(user(**listed), None, EmployeeHoldKind.SHARED, why)


def test_a_shared_account_that_somebody_calls_a_person_becomes_an_employee() -> None:
    doubtful = {"userDisplayName": "Info Desk", "emailAddress": "info.desk@acme.example", "userPrincipalName": ""}
    assert for_new(Policy(), known=directory(), **doubtful).held is not None
    decided = for_new(Policy(), EmployeeHold(1, "created", None, "shared"), known=directory(), **doubtful)
    assert isinstance(decided.employee, Person)
    assert (decided.employee.is_declared, decided.employee.name) == (True, ("Info", "Desk"))


def test_a_user_without_a_name_is_no_employee_and_the_reason_is_the_names() -> None:
    nameless = {"userDisplayName": "J", "emailAddress": "j@acme.example", "userPrincipalName": ""}
    decided = for_new(Policy(), known=directory(), **nameless)
    verdict = user(**nameless).verdict
    assert not verdict.is_shared
    assert decided == Assignment(reason=f"no employee has the user's e-mail, and {verdict.reason}")


def test_an_account_that_carries_another_name_now_is_held_for_a_person() -> None:
    before = EmployeeDirectory([employee(9, "Ann", "Lee", ANN)], [KnownUser(f"id-of-{JANE}", ANN, 9)])
    assert for_new(Policy(), known=before) == Assignment(
        reason="the user's account may have been given to somebody else",
        held=HeldEmployee(
            user(), 9, reason="Entra's account belonged to this employee; the name is another", grade=None
        ),
    )


def test_an_employee_is_created_under_the_name_that_people_were_shown() -> None:
    shown = for_new(Policy(), known=directory(), names={JANE: ("Janet", "Doe")}).employee
    assert isinstance(shown, NamedPerson)
    assert shown.name == ("Janet", "Doe")
    assert (shown.email, shown.user_id, shown.display_name) == (JANE, f"id-of-{JANE}", "Jane Doe")
    for names in ({JANE: ("Jane", "Doe")}, {BO: ("Bo", "Ek")}):
        assert type(for_new(Policy(), known=directory(), names=names).employee) is Person


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


def test_a_waiting_assignment_that_is_done_with_says_why() -> None:
    linked = directory(employee(7, "Jane", "Doe", "jane@home.example", JANE))
    assert pending("linked", known=linked) == Assignment(
        7, reason="the user's employee had to be decided about first", settles=True
    )
    assert pending("created", assignee=2) == Assignment(
        reason="a person took care of the asset meanwhile", settles=True
    )


def test_a_waiting_assignment_waits_while_the_list_shows_nobody() -> None:
    holds = {JANE: EmployeeHold(1, "skipped", 7)}
    nobody = decide(device("d1"), policy=SHIELD, assignee=None, known=AT_HOME, holds=holds, pending=frozenset({10}))
    assert nobody == Assignment()


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
