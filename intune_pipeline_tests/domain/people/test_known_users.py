"""Who married or moved to another domain is found again; an account given to somebody else is not taken for its first owner."""

from dataclasses import replace

import pytest

from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.people import Employee, EmployeeDirectory, KnownUser, Person, people_of
from intune_pipeline.domain.people.identity import known, other_spellings, user_key
from intune_pipeline.domain.people.lookalikes import Known

JANE = Employee(1, "Jane", "Doe", (("jane.doe@acme.example", "work"), ("jane@home.example", "personal")))
JOHN = Employee(2, "John", "Roe", (("john@acme.example", "work"),))
MARRIED = Person("jane.lund@acme.example", "jane.lund@acme.example", ("jl@acme.example",), "U1", "Jane Lund")
NEW_OWNER = replace(MARRIED, email="kim@acme.example", email_key="kim@acme.example", display_name="Kim Oh")


def directory(*users: KnownUser) -> EmployeeDirectory:
    return EmployeeDirectory([JOHN, JANE], users)


BY_ID = KnownUser("u1", "old@acme.example", 1)
BY_PRINCIPAL_NAME = KnownUser("u9", "jl@acme.example", 1)
BY_FORMER_EMAIL = KnownUser("u9", "jane.lund@acme.example", 1)


@pytest.mark.parametrize("user", [BY_ID, BY_PRINCIPAL_NAME, BY_FORMER_EMAIL])
def test_who_married_is_the_employee_their_account_stood_for(user: KnownUser) -> None:
    assert directory(user).match(MARRIED) is JANE
    assert directory(user).match_by_address(MARRIED) is None
    assert directory(user).recycled(MARRIED) is None


def test_the_user_id_counts_before_the_principal_name() -> None:
    assert directory(BY_ID, replace(BY_PRINCIPAL_NAME, employee_id=2)).match(MARRIED) is JANE
    assert directory(replace(BY_ID, employee_id=2), BY_PRINCIPAL_NAME).match(replace(MARRIED, display_name="J")) is JOHN


def test_an_account_given_to_somebody_else_stands_for_nobody_any_more() -> None:
    assert directory(BY_ID).match(NEW_OWNER) is None
    assert directory(BY_ID).recycled(NEW_OWNER) is JANE


@pytest.mark.parametrize("shown", ["Jane Lund", "Kim Doe", "Mary-Jane Lund", "Jane", "Reception", None])
def test_one_name_in_common_or_none_that_can_be_read_is_the_same_person(shown: str | None) -> None:
    assert directory(BY_ID).match(replace(MARRIED, display_name=shown)) is JANE
    assert directory(BY_ID).recycled(replace(MARRIED, display_name=shown)) is None


def test_words_without_letters_are_no_name_in_common() -> None:
    employee = replace(JANE, first_name="-", last_name=".")
    assert EmployeeDirectory([employee], [BY_ID]).recycled(NEW_OWNER) is employee


def test_an_address_of_an_employee_counts_before_whom_the_account_stood_for() -> None:
    person = replace(MARRIED, other_keys=("john@acme.example",), display_name="Kim Oh")
    assert directory(BY_ID).match(person) is JOHN
    assert directory(BY_ID).recycled(person) is None


@pytest.mark.parametrize(
    ("users", "person"),
    [
        ((), MARRIED),
        ((KnownUser("u2", "", 1),), replace(MARRIED, user_id=None)),
        ((KnownUser("u2", "x@acme.example", 1),), MARRIED),
        ((replace(BY_ID, employee_id=99),), MARRIED),
        # A user without principal name is not taken for one without e-mail.
        ((KnownUser("u2", "", 1),), replace(MARRIED, user_id=None, email_key="", other_keys=())),
    ],
)
def test_an_account_that_nobody_knows_stands_for_nobody(users: tuple[KnownUser, ...], person: Person) -> None:
    assert directory(*users).match(person) is None
    assert directory(*users).recycled(person) is None


def shown(email: str | None, principal_name: str | None = None, user_id: str | None = "U1") -> ManagedDevice:
    record = {"id": "d1", "emailAddress": email, "userPrincipalName": principal_name, "userId": user_id}
    return managed_device(record)


@pytest.mark.parametrize(
    ("device", "user", "is_remembered"),
    [
        (shown("Jane.Doe@acme.example"), KnownUser("u1", "jane.doe@acme.example", 1), True),
        (shown("jane.doe@acme.example", "JD@acme.example"), KnownUser("u1", "jd@acme.example", 1), True),
        (shown(None, "jane@home.example"), KnownUser("u1", "jane@home.example", 1), True),
        (shown("jane.doe@acme.example", "JD@acme.example"), KnownUser("u1", "jane.doe@acme.example", 1), False),
        (shown("jane.doe@acme.example"), KnownUser("u1", "jane.doe@acme.example", 2), False),
        (shown("jane.doe@acme.example"), KnownUser("u2", "jane.doe@acme.example", 1), False),
        (shown("jane.doe@acme.example", user_id=None), KnownUser("u1", "jane.doe@acme.example", 1), False),
        (shown("jane.lund@acme.example"), KnownUser("u1", "jane.lund@acme.example", 1), False),
        (shown("jane.doe@acme.example"), None, False),
        (shown(None), None, True),
        (shown("no address", "none either"), KnownUser("u1", "", 1), True),
    ],
)
def test_a_user_is_remembered_when_nothing_about_them_is_new(
    device: ManagedDevice, user: KnownUser | None, is_remembered: bool
) -> None:
    assert directory(*([user] if user else [])).remembers(device) is is_remembered


def test_every_address_of_every_employee_shows_how_a_company_writes_them() -> None:
    assert list(directory().named_addresses) == [
        ("Jane", "Doe", "jane.doe@acme.example"),
        ("Jane", "Doe", "jane@home.example"),
        ("John", "Roe", "john@acme.example"),
    ]
    assert directory().emails_of(1) == ("jane.doe@acme.example", "jane@home.example")
    assert directory().emails_of(9) == ()


def test_look_alikes_compare_work_and_personal_addresses_apart() -> None:
    assert known(JANE) == Known(1, "Jane", "Doe", ("jane.doe@acme.example",), ("jane@home.example",))


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("jane@müller.example", "jane@xn--mller-kva.example"),
        ("jane@xn--mller-kva.example", "jane@müller.example"),
        ("jane@acme.example", None),
        ("jane@xn--.example", None),
        (f"jane@{'ü' * 70}.example", None),
    ],
)
def test_an_internationalised_domain_is_found_in_either_spelling(address: str, other: str | None) -> None:
    person = Person(address, address, (), None, None)
    assert other_spellings(person) == ([other] if other else [])
    employee = Employee(5, "Jane", "Doe", ((other or "x@acme.example", "work"),))
    assert (EmployeeDirectory([employee]).match(person) is employee) is bool(other)
    as_other = Person("x@acme.example", "x@acme.example", (address,), None, None)
    assert other_spellings(as_other) == ([other] if other else [])


def test_the_principal_name_identifies_a_user_only_without_an_e_mail() -> None:
    assert user_key(shown("Jane@acme.example", "jd@acme.example")) == "jane@acme.example"
    assert user_key(shown("nobody", "JD@acme.example")) == "jd@acme.example"
    assert user_key(shown(None)) is None


def test_somebody_may_say_that_a_shared_account_is_a_person() -> None:
    desk = Person("reception@acme.example", "reception@acme.example", (), None, "Reception Berlin")
    assert desk.name is None
    assert desk.verdict.is_shared
    declared = replace(desk, is_declared=True)
    assert declared.name == ("Reception", "Berlin")
    assert declared.verdict.reason == "somebody said that this is a person"
    assert not declared.verdict.is_shared
    # Where no name can be read, saying so does not make one.
    assert replace(desk, display_name="Reception", is_declared=True).name is None
    assert replace(MARRIED, is_declared=True).verdict == MARRIED.verdict


def test_records_without_a_user_id_belong_to_the_last_user_with_their_e_mail() -> None:
    records = [shown("jane@acme.example", user_id=one) for one in (None, "u1", "u2")]
    nameless = people_of(records)["jane@acme.example"]
    assert nameless.user_id == "u2"
    newest = replace(records[0], user_display_name="Jane Doe")
    assert people_of([newest, *records[1:]])["jane@acme.example"].user_id == "u2"
    assert people_of(records[:1])["jane@acme.example"].user_id is None
