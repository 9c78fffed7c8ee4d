"""A company's own convention decides where a name is ambiguous; it depends on no order and invents no letter."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.people import judge, learn, split_name
from intune_pipeline.domain.people.conventions import Convention, Evidence, Order, conventions_of
from intune_pipeline.domain.people.names import evidence_of

FIRST = (
    "Anna", "Hans", "Pierre", "Giulia", "María", "João", "Lars", "Åse", "Katarzyna", "Jiří", "Olivia", "James", "Martin",
    "Paul", "Simon", "Thomas", "Rahul", "Priya", "Mohamed", "Layla",
)  # fmt: skip
LAST = ("Müller", "Dupont", "Rossi", "García", "Silva", "Nielsen", "Nowak", "Harper", "Sharma", "Trosk")
PEOPLE = [(first, last) for first in FIRST for last in LAST]


def plain(name: str) -> str:
    """A name as an address spells it."""
    table = str.maketrans("üéíãåřñøŁäöá", "ueiaarnolaoa")
    return name.lower().translate(table)


@pytest.mark.parametrize("shown", ["{first} {last}", "{last} {first}", "{last}, {first}"])
@pytest.mark.parametrize("form", ["{0}.{1}", "{1}.{0}", "{2}{1}"])
def test_the_same_people_become_the_same_employees_whatever_their_company_writes(shown: str, form: str) -> None:
    users = [
        (
            shown.format(first=first, last=last),
            form.format(plain(first), plain(last), plain(first)[0]) + "@acme.example",
        )
        for first, last in PEOPLE
    ]
    convention = learn(users).of("x@acme.example")
    assert {judge(name, email, convention).name for name, email in users} == set(PEOPLE)


@pytest.mark.parametrize(
    ("display_name", "local_part", "convention", "name"),
    [
        ("Zorka Pell", "pell.zorka", "last.first", ("Zorka", "Pell")),
        ("Pell Zorka", "zorka.pell", "first.last", ("Zorka", "Pell")),
        ("Zorka Pell", "pell.zorka", None, ("Zorka", "Pell")),
        ("Hans Müller", "mueller.hans", None, ("Hans", "Müller")),
        ("Martin Paul", "paul.martin", "last.first", ("Martin", "Paul")),
        ("Pell Zorka", "e10482", "first.last", ("Zorka", "Pell")),
    ],
)
def test_an_ambiguous_name_is_read_by_the_convention_else_in_the_order_shown(
    display_name: str, local_part: str, convention: str | None, name: tuple[str, str]
) -> None:
    shown = Order.LAST_FIRST if display_name == "Pell Zorka" else Order.FIRST_LAST
    known = Convention(((convention, 20),), ((shown, 20),)) if convention else Convention()
    assert split_name(display_name, f"{local_part}@acme.example", known) == name


def test_employees_show_their_companys_convention() -> None:
    employees = [("Zorka", "Pell", "pell.zorka@acme.example"), ("Brenk", "Oldas", "oldas.brenk@acme.example")] * 3
    convention = learn([], employees).of("X@ACME.example")
    assert convention.forms == (("last.first", 2),)
    assert str(convention) == "last.first (2 of 2 certain names)"
    assert str(learn([]).of("x@acme.example")) == "not known yet"


@pytest.mark.parametrize(
    ("display_name", "local_part", "evidence"),
    [
        ("Pell, Zorka", "zorka.pell", Evidence("acme.example", "first.last", None)),
        ("PELL Zorka", "pell.zorka", Evidence("acme.example", "last.first", None)),
        ("Hans Müller", "mueller.hans", Evidence("acme.example", "last.first", Order.FIRST_LAST)),
        # However the address is made: words that fit one order only tell it.
        ("Jürgen Huber", "juergen.huber", Evidence("acme.example", "first.last", Order.FIRST_LAST)),
        ("Huber Jürgen", "juergen.huber", Evidence("acme.example", "first.last", Order.LAST_FIRST)),
        ("Huber Jürgen", "huber.juergen", Evidence("acme.example", "last.first", Order.LAST_FIRST)),
        ("Jürgen Huber", "e10482", Evidence("acme.example", None, Order.FIRST_LAST)),
        ("Huber, Jürgen", "e10482", Evidence("acme.example", None, None)),
        ("Huber, Jürgen", "huber", Evidence("acme.example", "last", None)),
        ("Jürgen Huber, PhD", "juergen.huber", Evidence("acme.example", "first.last", Order.FIRST_LAST)),
        ("HUBER Jürgen", "jhuber", Evidence("acme.example", "flast", None)),
        ("Petrova Olga", "petrova.o", Evidence("acme.example", "last.f", Order.LAST_FIRST)),
        ("Kowalska Ana Belén", "ana.kowalska", Evidence("acme.example", "first.last", Order.LAST_FIRST)),
        # A nickname is certain enough, a nickname with an initial and another name are not.
        ("Robert Kowalski", "bob.kowalski", Evidence("acme.example", "first.last", Order.FIRST_LAST)),
        ("Kowalski, Robert", "bob.k", Evidence("acme.example", None, None)),
        ("Robert Kowalski", "zz.kowalski", Evidence("acme.example", None, Order.FIRST_LAST)),
        ("Martin Paul", "martin.paul", None),
        ("Anna Martin", "anna.martin", None),
        ("Olga Zorka", "olga.zorka", None),
        ("Zorka Pell", "zorka.pell", None),
        ("Reception Berlin", "reception.berlin", None),
    ],
)
def test_only_certain_names_are_evidence(display_name: str, local_part: str, evidence: Evidence | None) -> None:
    assert evidence_of(display_name, f"{local_part}@acme.example") == evidence


USERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Hans Müller", "Müller Hans", "Doe, Jane", "DOE Jane", "Zorka Pell", "Pell Zorka", "Reception"]
        ),
        st.sampled_from(["hans.mueller", "mueller.hans", "jane.doe", "jdoe", "pell.zorka", "zorka.pell"]),
        st.sampled_from(["acme.example", "other.example"]),
    ).map(lambda user: (user[0], f"{user[1]}@{user[2]}")),
    max_size=12,
)


@given(USERS, st.randoms(use_true_random=False))
def test_what_is_learned_depends_on_no_order(users: list[tuple[str, str]], chance: random.Random) -> None:
    shuffled = list(users)
    chance.shuffle(shuffled)
    assert learn(shuffled).by_domain == learn(users).by_domain


@given(st.lists(st.sampled_from(["first.last", "last.first", "flast"]), max_size=400))
def test_every_certain_name_is_counted(forms: list[str]) -> None:
    learned = conventions_of(Evidence("acme.example", form, None) for form in forms)
    assert dict(learned.of("x@acme.example").forms) == dict(Counter(forms))


NAMES = st.lists(
    st.sampled_from(
        ["Anna", "Lena", "Jean-Luc", "María", "José", "O'Brien", "O’Dowd", "García", "López", "van", "der", "Berg", "El",
         "Amrani", "D'Angelo", "Groß", "Łukasz", "Þór", "Ødegaard", "Nguyễn", "Thị", "Smith-Jones", "de", "la", "Cruz",
         "y", "Montes", "Ибрагимова", "Иван", "Παπαδόπουλος", "MacLennan", "dos", "Santos", "Al-Hassan", "ten", "Brink"]
    ),
    min_size=2,
    max_size=6,
)  # fmt: skip
LOCAL_PARTS = st.sampled_from(["e10482", "anna.garcia", "garcia.anna", "jberg", "maria", "jeanluc.vanderberg", "x"])


@given(NAMES, LOCAL_PARTS, st.sampled_from([" ", ", "]))
def test_no_letter_is_lost_or_invented(words: list[str], local_part: str, separator: str) -> None:
    display_name = words[0] + separator + " ".join(words[1:])
    name = split_name(display_name, f"{local_part}@acme.example")
    latin = [any(letter.isascii() for letter in word if letter.isalpha()) for word in words]
    if name is not None and (all(latin) or not any(latin)):
        written = Counter(letter for letter in display_name.casefold() if letter not in " ,")
        assert Counter(letter for letter in "".join(name).casefold() if letter != " ") == written


@given(NAMES, LOCAL_PARTS)
def test_a_split_name_stated_with_a_comma_is_read_the_same(words: list[str], local_part: str) -> None:
    email = f"{local_part}@acme.example"
    name = split_name(" ".join(words), email)
    if name is not None and not any(word in {"van", "der", "de", "la", "dos", "ten", "y"} for word in words):
        again = split_name(f"{name[1]}, {name[0]}", email)
        assert again in {name, None} or " " in name[1]
