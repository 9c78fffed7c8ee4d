"""Look-alikes: one person with two names is found, with a grade and reasons; different people are not held for sure."""

import pytest

from intune_pipeline.domain.people.lookalikes import Known, Lookalike, LookalikeIndex, compare
from intune_pipeline.domain.vocabulary import LookalikeGrade
from intune_pipeline_tests.domain.people.lists import HERE

SURELY, PROBABLY, PERHAPS = LookalikeGrade


def pairs(kind: str) -> list[tuple[Known, Known, str]]:
    """The pairs of one kind: a new user, an employee, and how sure it is that both are one person, with why."""
    found, section = [], ""
    for line in (HERE / "pairs.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == kind:
            new, old, said = line.split(" | ")
            first, last, address = new.split(";")
            old_first, old_last, of_kind, old_address = old.split(";")
            work, personal = ((old_address,), ()) if of_kind == "work" else ((), (old_address,))
            found.append((Known(0, first, last, (address,)), Known(7, old_first, old_last, work, personal), said))
    return found


def graded(new: Known, employee: Known) -> Lookalike | None:
    found = LookalikeIndex([employee]).of(new)
    return found[0] if found else None


def told(new: Known, employee: Known) -> str:
    found = graded(new, employee)
    return ": ".join((found.grade, "; ".join(found.reasons))) if found else "nobody says so"


@pytest.mark.parametrize(("kind", "count"), [("same", 40), ("different", 40), ("rules", 103)])
def test_every_pair_has_its_grade_and_reasons(kind: str, count: int) -> None:
    assert len(pairs(kind)) == count
    assert [told(new, employee) for new, employee, _ in pairs(kind)] == [said for _, _, said in pairs(kind)]


@pytest.mark.parametrize("kind", ["same", "different", "rules"])
def test_the_index_finds_who_the_comparison_says(kind: str) -> None:
    for new, employee, _ in pairs(kind):
        assert graded(new, employee) == compare(new, employee)


def test_one_person_with_two_names_is_held_and_different_people_are_not_taken_for_one() -> None:
    held = [new.last_name for new, _, said in pairs("same") if not said.startswith((SURELY, PROBABLY))]
    assert held == ["Fairweather"]
    taken = [new.last_name for new, _, said in pairs("different") if said.startswith((SURELY, PROBABLY))]
    assert taken == []


JANE = Known(0, "Jane", "Doe", ("jane.doe@acme.example",))


@pytest.mark.parametrize(
    ("employee", "grade", "reasons"),
    [
        (Known(1, "Jane", "Doe", (), ("jane.doe@mail.example",)), SURELY,
         ("the same name", "the same address before the @, “jane.doe”")),
        (Known(1, "jane", "DOE", ()), PROBABLY, ("the same name",)),
        (Known(1, "Doe", "Jane", ()), PROBABLY, ("first and last name swapped",)),
        (Known(1, "Jane", "Doe-Smith", ()), PROBABLY, ("“Doe” is in both last names",)),
        (Known(1, "Jan", "Doe", ()), PERHAPS, ("one keystroke apart, but both first names are usual",)),
        (Known(1, "Janet", "Doe", ()), PROBABLY, ("“Jane” and “Janet” are one first name and the same last name",)),
        (Known(1, "Jane", "Doe", ("jane.doe2@acme.example",)), PERHAPS,
         ("the same name", "but both have an address of the same company")),
        (Known(1, "John", "Doe", ()), None, ()),
        (Known(1, "Jane", "Roe", ("jane.roe@acme.example",)), None, ()),
    ],
)  # fmt: skip
def test_the_grade_and_its_reasons(employee: Known, grade: LookalikeGrade | None, reasons: tuple[str, ...]) -> None:
    found = graded(JANE, employee)
    assert (found.grade, found.reasons) == (grade, reasons) if found else grade is None


def test_one_address_in_common_is_enough_and_the_first_by_alphabet_is_told() -> None:
    new = Known(0, "Jane", "Roe", ("zoe.roe@acme.example", "jane.roe@acme.example"))
    employee = Known(7, "Jane", "Parker", ("jane.roe@old.example",), ("zoe.roe@mail.example",))
    found = graded(new, employee)
    assert found
    assert found.reasons == ("the same address before the @, “jane.roe”, and one name in common",)


def test_a_name_without_a_letter_is_nobodys_look_alike() -> None:
    nobody, lund = Known(0, "-", ".", ("q@acme.example",)), Known(7, "Anna", "Lund", ())
    assert graded(nobody, Known(7, ".", "-", ())) is None
    assert graded(nobody, lund) is None
    assert graded(lund, nobody._replace(id=8)) is None
    initial = Known(0, "J. K.", "Billings", ())
    assert compare(initial, Known(7, "-", "Billings", ())) is None
    married = Known(0, "-", "Roe", ("jane.roe@acme.example",))
    assert compare(married, Known(7, "Jane", "Parker", ("jane.roe@old.example",))) is None


def test_at_most_five_are_shown_the_surest_and_first_entered() -> None:
    alike = [Known(number, "Jane", "Doe", (f"x{number}@acme.example",)) for number in range(1, 6)]
    surer = [Known(number, "Doe", "Jane", ()) for number in (8, 7, 9)]
    assert [one.employee_id for one in LookalikeIndex([*alike, *surer]).of(JANE)] == [7, 8, 9, 1, 2]


def test_of_a_hundred_of_one_name_the_first_entered_are_looked_at() -> None:
    same = [Known(number, "Jane", "Doe", (f"x{number}@acme.example",)) for number in range(1, 101)]
    late = Known(101, "Jane", "Doe", (), ("jane.doe@mail.example",))
    index = LookalikeIndex([*same[:24], late._replace(id=25), *same[25:], late])
    assert [one.employee_id for one in index.of(JANE)] == [25, 101, 1, 2, 3]
    unasked = JANE._replace(work=("q@acme.example",))
    assert 26 not in {one.employee_id for one in LookalikeIndex([*same[:25], late._replace(id=26)]).of(unasked)}


def test_nobody_looks_like_themselves_and_the_surest_comes_first() -> None:
    employees = [JANE._replace(id=3), Known(2, "Doe", "Jane", ()), Known(1, "Jane", "Doe", (), ("jane.doe@m.example",))]
    assert [one.employee_id for one in LookalikeIndex(employees).of(JANE._replace(id=3))] == [1, 2]
    assert LookalikeIndex(reversed(employees)).of(JANE) == LookalikeIndex(employees).of(JANE)


def test_everybody_of_a_thousand_is_found_among_a_thousand() -> None:
    syllables = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su"]

    def name(number: int) -> tuple[str, str]:
        digits = [int(digit) for digit in f"{number:04d}"]
        words = "".join(syllables[digit] for digit in digits[:2]), "".join(syllables[digit] for digit in digits[1:])
        return words[0].capitalize(), words[1].capitalize()

    employees = [Known(number + 1, *name(number), (), (f"p{number}@mail.example",)) for number in range(1_000)]
    people = [Known(0, *name(number), (f"u{number}@acme.example",)) for number in range(1_000)]
    index = LookalikeIndex(employees)
    found = sum(bool(index.of(person)) for person in people)
    assert found == 1_000
