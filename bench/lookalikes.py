"""CPU seconds of grading new people against employees: ``python -m bench.lookalikes [HOW_MANY]``.

Everybody has somebody of the same name among the employees, and one with first and last name of others' syllables.
"""

import sys
import time

from intune_pipeline.domain.people.lookalikes import Known, LookalikeIndex

SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su")


def name(number: int) -> tuple[str, str]:
    """First and last name, no two alike."""
    digits = [int(digit) for digit in f"{number:05d}"]
    first, last = ("".join(SYLLABLES[digit] for digit in part).capitalize() for part in (digits[:2], digits[1:]))
    return first, last


def main() -> None:
    """Build the index once and ask it about everybody."""
    how_many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    employees = [Known(number + 1, *name(number), (), (f"p{number}@mail.example",)) for number in range(how_many)]
    people = [Known(0, *name(number), (f"u{number}@acme.example",)) for number in range(how_many)]
    started = time.process_time()
    index = LookalikeIndex(employees)
    found = sum(bool(index.of(person)) for person in people)
    seconds = time.process_time() - started
    print(f"{found} of {how_many} people have a look-alike among {how_many} employees: {seconds:.2f} CPU s")


if __name__ == "__main__":
    main()
