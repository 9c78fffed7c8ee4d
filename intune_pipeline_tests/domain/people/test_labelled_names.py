"""Names of many cultures and conventions, split as their owners would; users who are no people, left out.

Scores are per group; ``pytest -rA`` prints the table.
"""

from collections import Counter
from collections.abc import Iterable

import pytest

from intune_pipeline.domain.people import judge, learn
from intune_pipeline.domain.people.conventions import NO_CONVENTIONS, Conventions
from intune_pipeline_tests.domain.people.lists import Labelled, labelled, not_people

PEOPLE = labelled()
GROUPS = sorted({person.group for person in PEOPLE})


def scored(people: Iterable[Labelled], conventions: Conventions) -> Counter[str]:
    """How many names were read ``right``, ``wrong``, in wrong ``capitals``, or ``refused``."""
    score: Counter[str] = Counter()
    for person in people:
        name = judge(person.display_name, person.email, conventions.of(person.email)).name
        if name is None:
            score["refused"] += 1
        elif name == person.name:
            score["right"] += 1
        else:
            lowered = tuple(part.lower() for part in name)
            score["capitals" if lowered == tuple(part.lower() for part in person.name) else "wrong"] += 1
    return score


def test_the_list_is_long_and_of_many_kinds() -> None:
    assert len(PEOPLE) >= 600
    assert len(GROUPS) >= 15
    assert len(not_people()) >= 150


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_is_split_right(group: str) -> None:
    people = [person for person in PEOPLE if person.group == group]
    score = scored(people, learn((person.display_name, person.email) for person in people))
    assert score["wrong"] + score["capitals"] <= max(1, len(people) // 20)
    assert score["refused"] <= max(1, len(people) // 30)


@pytest.mark.parametrize("is_held_out", [False, True])
def test_nearly_all_names_are_split_right(*, is_held_out: bool) -> None:
    people = [person for person in PEOPLE if person.is_held_out is is_held_out]
    score = scored(people, learn((person.display_name, person.email) for person in PEOPLE))
    assert score["right"] >= 0.98 * len(people)
    assert score["wrong"] < 0.01 * len(people)
    assert score["refused"] <= 0.02 * len(people)


def test_names_are_split_nearly_as_well_where_nothing_is_known_of_a_company() -> None:
    score = scored(PEOPLE, NO_CONVENTIONS)
    assert score["right"] >= 0.97 * len(PEOPLE)


def test_nearly_nobody_who_is_no_person_is_hired_and_each_has_a_reason() -> None:
    verdicts = [judge(display_name, email) for display_name, email in not_people()]
    hired = [verdict.name for verdict in verdicts if verdict.name]
    listed = [verdict for verdict in verdicts if verdict.is_shared]
    assert len(hired) <= 0.02 * len(verdicts)
    assert len(listed) >= 0.95 * len(verdicts)
    assert all(verdict.reason.startswith("looks like a shared account: ") for verdict in listed)


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
