"""People: one person per user, names split only where it is safe, employees found by address and by name."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.people import (
    LONGEST_EMAIL,
    Convention,
    Employee,
    EmployeeDirectory,
    Person,
    Verdict,
    email_key,
    names,
    people_of,
    person_of,
    split_name,
)
from intune_pipeline.domain.people.conventions import Order
from intune_pipeline.domain.people.names import at_a_glance
from intune_pipeline.domain.people.spelling import letters

HEX = "0123456789abcdef0123456789abcdef"


def a_device(
    device_id: str = "d1",
    mail: str | None = "jane.doe@acme.com",
    upn: str | None = None,
    name: str | None = "Jane Doe",
    user_id: str | None = None,
    last_contact: str | None = "2026-03-01T08:00:00Z",
) -> ManagedDevice:
    return managed_device(
        {
            "id": device_id,
            "managedDeviceOwnerType": "company",
            "emailAddress": mail,
            "userPrincipalName": upn,
            "userDisplayName": name,
            "userId": user_id,
            "lastSyncDateTime": last_contact,
        }
    )


@pytest.mark.parametrize(
    ("display_name", "local_part", "first_name", "last_name"),
    [
        # The orders people write names in.
        ("Jane Doe", "jane.doe", "Jane", "Doe"),
        ("Jane Doe", "e10482", "Jane", "Doe"),
        ("Doe, Jane", "e10482", "Jane", "Doe"),
        ("Doe,Jane", "e10482", "Jane", "Doe"),
        ("  Jane \t Doe ", "e10482", "Jane", "Doe"),
        ("DOE Jane", "e10482", "Jane", "Doe"),
        ("Jane DOE", "e10482", "Jane", "Doe"),
        ("Jean DE LA FONTAINE", "e10482", "Jean", "de la Fontaine"),
        ("Wei LI", "e10482", "Wei", "Li"),
        # The local part decides which is the last name.
        ("Saquet Pipin", "pipin.saquet", "Pipin", "Saquet"),
        ("Saquet Pipin", "Pipin_Saquet2", "Pipin", "Saquet"),
        ("Saquet Pipin", "psaquet", "Pipin", "Saquet"),
        ("Saquet Pipin", "ext.pipin.saquet", "Pipin", "Saquet"),
        ("Saquet Pipin", "pipin.saquet+phone", "Pipin", "Saquet"),
        ("Müller Jürgen", "juergen.mueller", "Jürgen", "Müller"),
        ("Østby Åse", "aase.ostby", "Åse", "Østby"),
        ("Smith-Jones Jane", "jane.jones", "Jane", "Smith-Jones"),
        ("De Vries Jan", "jan.devries", "Jan", "De Vries"),
        ("VAN DEN BERG JAN", "jan.vandenberg", "Jan", "van den Berg"),
        ("Nguyen Van An", "an.nguyen", "Van An", "Nguyen"),
        ("Jo Ellen", "joellen", "Jo", "Ellen"),
        # What the local part cannot decide stays as written.
        ("Jane Doe", "janed", "Jane", "Doe"),
        ("Jane Doe", "doej", "Jane", "Doe"),
        ("Jane Doe", "jane", "Jane", "Doe"),
        ("Doe, Jane", "doe.jane", "Jane", "Doe"),
        # Several first or last names.
        ("Mary Ann Smith", "e10482", "Mary Ann", "Smith"),
        ("María García López", "maria.garcia", "María", "García López"),
        ("García López, María", "maria.garcia", "María", "García López"),
        ("María José García", "mariajose.garcia", "María José", "García"),
        ("Jan van der Berg", "e10482", "Jan", "van der Berg"),
        ("van der Berg, Jan", "e10482", "Jan", "van der Berg"),
        ("Anna-Lena Groß-Schmidt", "anna-lena.gross", "Anna-Lena", "Groß-Schmidt"),
        ("Jane Doe–Smith", "e10482", "Jane", "Doe–Smith"),
        ("Lê Thị Hồng", "hong.le", "Thị Hồng", "Lê"),
        ("Kim Min-jun", "minjun.kim", "Min-jun", "Kim"),
        # Titles, suffixes, initials and nicknames are not names; names that are titles elsewhere are.
        ("Dr. Jane Doe PhD", "e10482", "Jane", "Doe"),
        ("John Smith Jr.", "e10482", "John", "Smith"),
        ("Smith, John, Jr.", "e10482", "John", "Smith"),
        ("Jane M. Doe", "e10482", "Jane", "Doe"),
        ('Robert "Bob" Jones', "e10482", "Robert", "Jones"),
        ("Dean Smith", "e10482", "Dean", "Smith"),
        ("King Wong", "e10482", "King", "Wong"),
        ("Al Gore", "al.gore", "Al", "Gore"),
        # Annotations.
        ("Jane Doe (External)", "e10482", "Jane", "Doe"),
        ("Jane Doe [ACME Ltd]", "e10482", "Jane", "Doe"),
        ("Jane Doe (Sales Team, 4th floor", "e10482", "Jane", "Doe"),
        ("Jane Doe - Contractor", "e10482", "Jane", "Doe"),
        ("Contractor Jane Doe", "e10482", "Jane", "Doe"),
        ("EXT-Jane Doe", "e10482", "Jane", "Doe"),
        ("Doe, Jane ext.", "e10482", "Jane", "Doe"),
        ("Jane Doe - Acme Widgets", "jane.doe", "Jane", "Doe"),
        ("Doe, Jane | Acme", "jdoe", "Jane", "Doe"),
        ("Acme Widgets | Jane Doe", "jdoe", "Jane", "Doe"),
        ("Doe, Jane (IT) - Berlin 2", "jane.doe", "Jane", "Doe"),
        ("Jane Doe, Acme", "jane.doe", "Jane", "Doe"),
        # Capitals.
        ("JOHN SMITH", "e10482", "John", "Smith"),
        ("john mcdonald", "e10482", "John", "McDonald"),
        ("O'BRIEN, PATRICK", "e10482", "Patrick", "O'Brien"),
        ("ED MA", "e10482", "Ed", "Ma"),
        ("jean-luc picard", "e10482", "Jean-Luc", "Picard"),
        ("Jane doe", "e10482", "Jane", "Doe"),
        ("JP Smith", "e10482", "JP", "Smith"),
        ("Søren MacGregor", "e10482", "Søren", "MacGregor"),
        # Other scripts stay as they are; Chinese, Japanese and Korean names begin with the last name.
        ("Ирина Петрова", "i.petrova", "Ирина", "Петрова"),
        ("山田 太郎", "taro.yamada", "太郎", "山田"),
        ("김민준", "minjun.kim", "민준", "김"),
        ("محمد بن سلمان", "mbs", "محمد", "بن سلمان"),
        ("प्रिया शर्मा", "priya", "प्रिया", "शर्मा"),
        ("კახა ბენდუქიძე", "kakha", "კახა", "ბენდუქიძე"),
        # Names that sound like something else.
        ("Padmini Rao", "padmini.rao", "Padmini", "Rao"),
        ("Ana Sales", "ana.sales", "Ana", "Sales"),
        ("Joe Root", "joe.root", "Joe", "Root"),
        ("Luo Si", "e10482", "Luo", "Si"),
    ],
)
def test_a_name_is_split_where_that_is_safe(
    display_name: str, local_part: str, first_name: str, last_name: str
) -> None:
    assert split_name(display_name, f"{local_part}@acme.com") == (first_name, last_name)


@pytest.mark.parametrize(
    ("display_name", "local_part"),
    [
        # One word, initials, nothing.
        (None, "jane"),
        ("", "jane"),
        ("Jane", "jane.doe"),
        ("FridaKahlo", "frida.kahlo"),
        ("山田太郎", "taro.yamada"),
        ("Mr. Smith", "smith"),
        ("J. Smith", "j.smith"),
        ("Smith J", "smith"),
        ("van Gogh", "e10482"),
        # No name at all.
        ("jane.doe@acme.com", "jane.doe"),
        ("jane.doe", "jane.doe"),
        ("exchange_online_test", "exchange_online_test"),
        ("*** ***", "jane"),
        ("- -", "jane"),
        ("User1", "user1"),
        ("Jane Doe 2", "jane.doe2"),
        ("Jane & John Doe", "doe"),
        # Rooms, functions, devices, technical accounts: by name.
        ("Meeting Room", "mr"),
        ("Conference Berlin", "b"),
        ("Besprechungsraum Nord", "b"),
        ("Salle Picasso", "b"),
        ("HB-Lokale", "hb-lokale"),
        ("Sala de Juntas", "b"),
        ("Kiosk Berlin", "b"),
        ("Front Desk (London)", "fd"),
        ("Shared Tablet", "st"),
        ("Jane Doe's MacBook", "jane.doe"),
        ("Service Account", "sa"),
        ("Jane Doe (Admin)", "jane.doe"),
        ("Jane Doe - Test Account", "jane.doe"),
        ("Example User", "example"),
        ("Sales Team", "s"),
        ("Acme Ltd", "acme"),
        ("Human Resources", "people"),
        # The same by address.
        ("Jane Doe", "info"),
        ("Jane Doe", "hr"),
        ("Jane Doe", "adm-jane.doe"),
        ("Jane Doe", "svc_janedoe"),
        ("Jane Doe", "kioskberlin"),
        # A company before or behind, and an address that does not tell which.
        ("Jane Doe - Acme Widgets", "e10482"),
        ("Jane Doe - Acme Widgets", "jane"),
        ("Acme Widgets | Jane Doe", "e10482"),
        ("A " * 60, "a"),
        ("Aaaa " * 8, "a"),
    ],
)
def test_a_name_is_refused_where_it_is_not_safe(display_name: str | None, local_part: str) -> None:
    assert split_name(display_name, f"{local_part}@acme.com") is None


NAMES = st.one_of(
    st.text(max_size=120),
    st.text(st.sampled_from("aAbB éÉüßİΣ.,-'’|()[]/&\"1_@\u0301\u200d山김ा\t"), max_size=40),
    st.lists(
        st.sampled_from(["Jane", "DOE", "van", "der", "Dr.", "Jr.", "PhD", "M.", ",", "|", "(", ")", "-", "née", "Ma"]),
        max_size=9,
    ).map(" ".join),
)


@given(NAMES, st.text(max_size=40))
@example("DOE, MA", "doe")
@example("ࠀ[]²", "")
@example("º `", "")
@example("AAA der", "")
def test_no_display_name_whatever_breaks_the_split(display_name: str, email: str) -> None:
    name = split_name(display_name, email)
    assert name is None or all(part == part.strip() and any(map(str.isalpha, part)) for part in name)


PLAIN_NAMES = st.lists(
    st.sampled_from(["Ab", "Élan", "Jane", "Kjær", "Müller", "Van", "Bin", "Ma", "Dr", "Kim", "Wang", "Hall", "Doe"]),
    min_size=2,
    max_size=2,
)
CONVENTIONS = st.sampled_from(
    [
        Convention(),
        Convention((("first.last", 9),), ((Order.FIRST_LAST, 9),)),
        Convention((("last.first", 9),), ((Order.FIRST_LAST, 9),)),
        Convention((("flast", 5), ("first.last", 4)), ((Order.LAST_FIRST, 9),)),
    ]
)


@given(PLAIN_NAMES, st.sampled_from(["{0}.{1}", "{1}.{0}", "{0}_{1}", "{2}{1}", "{0}{1}2", "{0}.{1}7"]), CONVENTIONS)
def test_a_glance_says_what_the_whole_way_says(words: list[str], form: str, convention: Convention) -> None:
    plain = [letters(word) for word in words]
    email = form.format(*plain, plain[0][0]) + "@acme.com"
    glance = at_a_glance(" ".join(words), email, convention)
    assert glance is None or glance == names._judged(" ".join(words), email, convention)[0]


LEARNED = Convention((("first.last", 9), ("flast", 1)), ((Order.FIRST_LAST, 9),))


@pytest.mark.parametrize(
    ("local_part", "convention", "reason"),
    [
        ("olivia.harper", Convention(), "the address fits as first.last"),
        ("Olivia.Harper7", Convention(), "the address fits as first.last"),
        ("olivia_harper", Convention(), "the address fits as first_last"),
        ("oharper", Convention(), "the address fits as flast"),
        ("oharper2", LEARNED, "acme.com writes flast (1 of 10 certain names), and the address fits"),
        ("olivia.harper", LEARNED, "acme.com writes first.last (9 of 10 certain names), and the address fits"),
    ],
)
def test_a_glance_is_enough_for_a_plain_name_whose_address_says_the_same(
    local_part: str, convention: Convention, reason: str
) -> None:
    assert at_a_glance("Olivia Harper", f"{local_part}@acme.com", convention) == Verdict(("Olivia", "Harper"), reason)


def test_a_glance_knows_a_name_by_one_of_its_words() -> None:
    for first, last in (("Olivia", "Zqorka"), ("Zqorka", "Harper")):
        seen = at_a_glance(f"{first} {last}", f"{first}.{last}@acme.com", Convention())
        assert seen == Verdict((first, last), "the address fits as first.last")


@pytest.mark.parametrize(
    ("display_name", "local_part"),
    [
        ("Olivia", "olivia"),
        ("Olivia Ann Harper", "olivia.harper"),
        ("OLIVIA HARPER", "olivia.harper"),
        ("Harper, Olivia", "olivia.harper"),
        ("Olivia O'Hanlon", "olivia.ohanlon"),
        # The address says something else, or nothing.
        ("Olivia Harper", "harper.olivia"),
        ("Olivia Harper", "olivia"),
        ("Olivia Harper", "e10482"),
        ("Olivia Harper", "oliviah"),
        # The words say that the last name comes first.
        ("Harper Olivia", "harper.olivia"),
        # One of the words is a small word, a title, a degree, a place for names or a word for something else.
        ("Van Harper", "van.harper"),
        ("Olivia Van", "olivia.van"),
        ("Herr Harper", "herr.harper"),
        ("Olivia Senior", "olivia.senior"),
        ("Olivia Ma", "olivia.ma"),
        ("Olivia Sales", "olivia.sales"),
        ("Hall Olivia", "hall.olivia"),
        ("Power Automate", "power.automate"),
        ("Kim Harper", "kim.harper"),
        ("Nguyen Harper", "nguyen.harper"),
        ("Wang Harper", "wang.harper"),
        ("Harper Harper", "harper.harper"),
        ("Zqorka Pqell", "zqorka.pqell"),
    ],
)
def test_a_glance_is_not_enough_for_others(display_name: str, local_part: str) -> None:
    assert at_a_glance(display_name, f"{local_part}@acme.com", Convention()) is None


def test_a_glance_is_not_enough_where_the_company_turns_names_round() -> None:
    email = "olivia.harper@acme.com"
    for company in (
        Convention((("last.first", 9),), ((Order.FIRST_LAST, 9),)),
        Convention((("first.last", 9),), ((Order.LAST_FIRST, 9),)),
    ):
        assert at_a_glance("Olivia Harper", email, company) is None


WORDS = st.sampled_from(
    ["Jane", "Doe", "Saquet", "Pipin", "Anna", "Wang", "Wei", "Müller", "Groß", "O'Neill", "Łukasz"]
)


@given(WORDS, WORDS)
def test_a_split_name_splits_the_same_again(first_name: str, last_name: str) -> None:
    email = "e10482@acme.com"
    assert split_name(f"{last_name}, {first_name}", email) == (first_name, last_name)
    assert split_name(f"{first_name} {last_name}", email) == (first_name, last_name)
    assert split_name(f"{last_name}, {first_name}".upper(), email) is not None


def test_the_e_mail_identifies_the_user() -> None:
    device = a_device(mail="Jane.Doe@Acme.com", upn="jdoe@acme.onmicrosoft.com", user_id="u1")
    assert person_of(device) == Person(
        "Jane.Doe@Acme.com", "jane.doe@acme.com", ("jdoe@acme.onmicrosoft.com",), "u1", "Jane Doe"
    )


@pytest.mark.parametrize(
    ("mail", "upn", "email"),
    [
        ("", "jane@acme.com", "jane@acme.com"),
        (None, "jane@acme.com", "jane@acme.com"),
        ("not an address", "jane@acme.com", "jane@acme.com"),
        ("", f"{HEX}jane@acme.com", "jane@acme.com"),
        (f"{HEX.upper()}jane@acme.com", "", "jane@acme.com"),
        ("", f"{HEX}@acme.com", f"{HEX}@acme.com"),
        ("", f"{HEX[1:]}jane@acme.com", f"{HEX[1:]}jane@acme.com"),
        ("", "jane_doe_gmail.com#EXT#@acme.onmicrosoft.com", "jane_doe@gmail.com"),
        ("jane@acme.com", "JANE@acme.com", "jane@acme.com"),
    ],
)
def test_a_user_principal_name_that_is_an_address_stands_in(mail: str | None, upn: str, email: str) -> None:
    person = person_of(a_device(mail=mail, upn=upn))
    assert person is not None
    assert (person.email, person.other_keys) == (email, ())


@pytest.mark.parametrize(
    "address",
    ["", "Dude", "kiosk-cart-3", "jane@", "@acme.com", "jane@acme", "a b@acme.com", "Jane <jane@acme.com>", "a@b@acme.com",
     "a@acme.com;b@acme.com", "jane@acme..com", "j" * LONGEST_EMAIL + "@acme.com"],
)  # fmt: skip
def test_what_is_no_address_is_nobody(address: str) -> None:
    assert person_of(a_device(mail=address, upn=address)) is None
    assert people_of([a_device(mail=address, upn=address)]) == {}


def test_a_person_without_a_splittable_name_still_has_an_address() -> None:
    person = person_of(a_device(name="Reception"))
    assert person is not None
    assert (person.email_key, person.name) == ("jane.doe@acme.com", None)


def test_no_name_and_no_address_shows_in_a_representation() -> None:
    person = person_of(a_device())
    employee = Employee(7, "Jane", "Doe", (("jane.doe@acme.com", "work"),))
    assert "ane" not in repr(person)
    assert repr(employee) == "Employee(id=7)"


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("  Jane.Doe@ACME.com ", "jane.doe@acme.com"),
        ("JÜRGEN@acme.com", "jürgen@acme.com"),
        ("ΝΊΚΟΣ@acme.com", "νίκοσ@acme.com"),
        ("İ@acme.com", "i@acme.com"),
        ("", ""),
    ],
)
def test_addresses_compare_without_case(email: str, key: str) -> None:
    assert email_key(email) == key


@given(st.text())
def test_a_compared_address_compares_to_itself(email: str) -> None:
    assert email_key(email_key(email)) == email_key(email)
    assert len(email_key(email)) <= len(email)


def test_the_newest_record_with_a_splittable_name_tells_the_name() -> None:
    found = people_of(
        [
            a_device("d1", name="Jane Doe", last_contact="2026-01-01T00:00:00Z"),
            a_device("d2", name="Jane Smith", last_contact="2026-02-01T00:00:00Z"),
            a_device("d3", name="JS", last_contact="2026-03-01T00:00:00Z"),
        ]
    )
    assert [person.name for person in found.values()] == [("Jane", "Smith")]


def test_a_name_that_can_be_split_counts_before_a_newer_one_that_cannot() -> None:
    for newer in ("JS", ""):
        (person,) = people_of(
            [
                a_device("d1", name="Jane Doe", last_contact="2026-01-01T00:00:00Z"),
                a_device("d2", name=newer, last_contact="2026-03-01T00:00:00Z"),
            ]
        ).values()
        assert person.name == ("Jane", "Doe")


def test_a_real_e_mail_counts_before_a_newer_principal_name() -> None:
    found = people_of(
        [
            a_device("d1", mail="jane@acme.com", user_id="u1", last_contact="2026-01-01T00:00:00Z"),
            a_device("d2", mail="", upn="jd@acme.com", user_id="u1", last_contact="2026-02-01T00:00:00Z"),
            a_device("d3", mail="jane@acme.com", user_id="u1", last_contact=None),
        ]
    )
    assert {person.email for person in found.values()} == {"jane@acme.com"}
    assert found["jd@acme.com"].other_keys == ("jd@acme.com",)


def test_records_of_one_user_show_one_person_whatever_address_they_carry() -> None:
    found = people_of(
        [
            a_device("d1", mail="jane.doe@acme.com", upn="jdoe@acme.com", user_id="u1"),
            a_device("d2", mail="", upn="JDOE@acme.com", name="", user_id="U1"),
            a_device("d3", mail="jane.smith@acme.com", user_id="u1", last_contact="2026-05-01T00:00:00Z"),
            a_device("d4", mail="jane.smith@acme.com", upn="js@acme.com", name=""),
            a_device("d5", mail="john@acme.com", name="John Roe", user_id="u2"),
        ]
    )
    jane = found["jane.smith@acme.com"]
    assert jane == Person(
        "jane.smith@acme.com",
        "jane.smith@acme.com",
        ("jane.doe@acme.com", "jdoe@acme.com", "js@acme.com"),
        "u1",
        "Jane Doe",
    )
    assert found["jdoe@acme.com"] is found["jane.doe@acme.com"] is jane
    assert found["john@acme.com"].name == ("John", "Roe")
    assert len(found) == 4


def test_records_without_a_user_id_show_one_person_by_the_user_principal_name() -> None:
    found = people_of([a_device("d1", upn="jdoe@acme.com"), a_device("d2", mail="", upn="jdoe@acme.com")])
    assert found["jdoe@acme.com"] is found["jane.doe@acme.com"]


def test_a_user_principal_name_that_is_anothers_e_mail_is_not_taken_for_him() -> None:
    found = people_of(
        [
            a_device("d1", mail="john@acme.com", upn="smith@acme.com", name="John Smith", user_id="u1"),
            a_device("d2", mail="smith@acme.com", upn="jane@acme.com", name="Jane Smith", user_id="u2"),
        ]
    )
    assert (found["john@acme.com"].display_name, found["john@acme.com"].other_keys) == ("John Smith", ())
    assert (found["smith@acme.com"].display_name, found["smith@acme.com"].other_keys) == (
        "Jane Smith",
        ("jane@acme.com",),
    )


START = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES = st.lists(
    st.builds(
        lambda number, contact, mail, upn, user, name: replace(
            a_device(f"d{number}", mail, upn, name, user),
            last_contact_at=None if contact is None else START + timedelta(days=contact),
        ),
        st.integers(1, 9),
        st.none() | st.integers(0, 3),
        st.sampled_from(["", "a@x.io", "A@x.io", "b@x.io", "c@x.io", "junk"]),
        st.sampled_from(["", "a@x.io", "b@x.io", "d@x.io", f"{HEX}a@x.io"]),
        st.sampled_from([None, "u1", "u2", "u3"]),
        st.sampled_from(["Jane Doe", "DOE, Jane", "Jane", "", "Room"]),
    ),
    max_size=8,
    unique_by=lambda device: device.intune_device_id,
)


@given(DEVICES, st.randoms(use_true_random=False))
def test_people_do_not_depend_on_the_order_of_devices(devices: list[ManagedDevice], random: object) -> None:
    shuffled = list(devices)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert people_of(shuffled) == people_of(devices)


@given(DEVICES)
def test_everybody_is_found_under_the_e_mail_of_each_device(devices: list[ManagedDevice]) -> None:
    found = people_of(devices)
    shown = [person for device in devices if (person := person_of(device))]
    assert set(found) == {person.email_key for person in shown}
    for key, person in found.items():
        assert key in {person.email_key, *person.other_keys}
        assert found[person.email_key] is person
        assert not any(found[other] is not person for other in person.other_keys if other in found)
    for one in shown:
        for other in shown:
            if one.user_id and one.user_id == other.user_id:
                assert found[one.email_key] is found[other.email_key]


JANE = Person("Jane@acme.com", "jane@acme.com", ("jdoe@acme.com",), None, "Jane Doe")


@pytest.mark.parametrize("kind", ["work", "personal"])
def test_work_and_personal_e_mails_match(kind: str) -> None:
    employee = Employee(1, "Jane", "Doe", (("other@acme.com", "work"), ("jane@acme.com", kind)))
    assert EmployeeDirectory([employee]).match(JANE) is employee


def test_other_addresses_match_only_where_the_e_mail_does_not() -> None:
    by_upn = Employee(1, "Jane", "Doe", (("jdoe@acme.com", "work"),))
    by_email = Employee(2, "Jane", "Doe", (("jane@acme.com", "personal"),))
    assert EmployeeDirectory([by_upn, by_email]).match(JANE) is by_email
    assert EmployeeDirectory([by_upn]).match(JANE) is by_upn
    assert EmployeeDirectory([]).match(JANE) is None


def look_alikes(employees: Iterable[Employee], first_name: str, last_name: str) -> list[int]:
    """Ids of the employees who could be somebody new."""
    person = Person("new@acme.com", "new@acme.com", (), None, f"{last_name}, {first_name}")
    assert person.name is not None
    return [one.employee_id for one in EmployeeDirectory(employees).look_alikes(person)]


@pytest.mark.parametrize(
    ("first_name", "last_name"),
    [("Zoë", "O'Brien-Łuk"), ("zoe", "obrien luk"), (" ZOË ", "O’Brien Łuk"), ("Zoe\u0308", "O'BRIEN  LUK")],
)
def test_a_look_alike_has_the_same_name_however_it_is_written(first_name: str, last_name: str) -> None:
    employee = Employee(1, "Zoë", "O'Brien-Łuk", (("zoe@gmail.com", "personal"),))
    assert look_alikes([employee], first_name, last_name) == [1]


def test_other_names_and_nobody_are_no_look_alikes() -> None:
    employees = [Employee(2, "Joe", "Doe", ()), Employee(3, "", " ", ()), Employee(4, "Иван", "Иванов", ())]
    assert look_alikes(employees, "Jane", "Roe") == []
    assert EmployeeDirectory(employees).look_alikes(Person("x@acme.com", "x@acme.com", (), None, "Reception")) == []


@given(st.permutations([Employee(number, "Jane", "Doe", (("j@gmail.com", "personal"),)) for number in (3, 5, 9)]))
def test_of_several_employees_the_first_entered_is_found(employees: list[Employee]) -> None:
    assert look_alikes(employees, "jane", "doe") == [3, 5, 9]
    found = EmployeeDirectory(employees).match(replace(JANE, email_key="j@gmail.com"))
    assert found is not None
    assert found.id == 3
