"""Names of many cultures and conventions, split as their owners would; users who are no people, left out."""

from collections.abc import Iterable

import pytest

from intune_pipeline.domain.people import Convention, judge, learn
from intune_pipeline.domain.people.conventions import NO_CONVENTIONS, Conventions, Order
from intune_pipeline.domain.people.conventions import UNKNOWN as NO_CONVENTION
from intune_pipeline_tests.domain.people.lists import HERE, Labelled, labelled, not_people

PEOPLE = labelled()
GROUPS = sorted({person.group for person in PEOPLE})


def test_the_list_is_long_and_of_many_kinds() -> None:
    assert len(PEOPLE) >= 600
    assert len(GROUPS) >= 15
    assert len(not_people()) >= 150


def misread(people: Iterable[Labelled], conventions: Conventions) -> list[tuple[str, tuple[str, str] | None]]:
    """Names that are not read as their owners would, or not at all, with what was read."""
    read = ((one, judge(one.display_name, one.email, conventions.of(one.email)).name) for one in people)
    return [(one.display_name, name) for one, name in read if name != one.name]


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_is_split_right_by_what_its_own_names_show(group: str) -> None:
    people = [person for person in PEOPLE if person.group == group]
    assert misread(people, learn((person.display_name, person.email) for person in people)) == []


def test_every_name_is_split_right_by_what_all_names_show() -> None:
    assert misread(PEOPLE, learn((person.display_name, person.email) for person in PEOPLE)) == []


def test_where_nothing_is_known_of_a_company_two_first_names_are_read_in_the_order_shown() -> None:
    assert misread(PEOPLE, NO_CONVENTIONS) == [
        ("Simon Péter", ("Simon", "Péter")),
        ("László András", ("László", "András")),
        ("Antal Dániel", ("Antal", "Dániel")),
    ]


COMPANIES = {
    "": NO_CONVENTION,
    "first.last": Convention((("first.last", 20),), ((Order.FIRST_LAST, 20),)),
    "last.first": Convention((("last.first", 20),), ((Order.FIRST_LAST, 20),)),
    "flast, Last First": Convention((("flast", 20),), ((Order.LAST_FIRST, 20),)),
    "first.last, Last First": Convention((("first.last", 9), ("flast", 6)), ((Order.LAST_FIRST, 9),)),
    "first.last of two": Convention((("first.last", 2),), ((Order.LAST_FIRST, 1),)),
}
"""What companies do, by what the list of single names calls it."""


def test_every_rule_reads_its_names_and_says_why() -> None:
    lines = [line for line in (HERE / "read.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = [[cell.strip() for cell in line.rsplit(" | ", 4)] for line in lines]
    verdicts = [judge(shown, f"{local}@acme.example", COMPANIES[company]) for shown, local, company, *_ in rows]
    read = [["; ".join(verdict.name or "-"), verdict.reason] for verdict in verdicts]
    assert [[*row[:3], *said] for row, said in zip(rows, read, strict=True)] == rows
    assert len(rows) > 200


def test_without_a_name_there_is_nothing_to_read() -> None:
    assert judge(None, "jane.doe@acme.example").reason == "Intune shows no name"
    assert judge("", "jane.doe@acme.example").reason == "Intune shows no name"
    assert judge(" \u200b ", "jane.doe@acme.example").reason == "Intune shows no name"


def test_who_is_no_person_is_not_hired_and_the_reason_is_told() -> None:
    verdicts = {shown: judge(shown, email) for shown, email, _ in not_people()}
    assert [verdict.name for verdict in verdicts.values() if verdict.name or not verdict.is_shared] == []
    told = {shown: verdict.reason.removeprefix("looks like a shared account: ") for shown, verdict in verdicts.items()}
    assert told == {shown: reason for shown, _, reason in not_people()}


@pytest.mark.parametrize(
    ("display_name", "email", "reason"),
    [
        ("Salle Picasso", "salle.picasso@acme.example", "“Salle” is a word for a room"),
        ("Jane Doe", "careers@acme.example", "the address says “careers” is a word for a department or a function"),
        ("Surface Hub", "lobby1@acme.example", "“Surface Hub” is a product's name"),
        ("null null", "x@acme.example", "“null” stands for a missing name"),
        ("***", "x@acme.example", "the display name has no letters"),
    ],
)
def test_the_reason_is_in_words(display_name: str, email: str, reason: str) -> None:
    assert judge(display_name, email).reason == f"looks like a shared account: {reason}"
