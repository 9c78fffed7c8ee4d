"""The labelled lists beside this file, read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Labelled:
    """One user of a labelled list.

    Attributes:
        group: Culture or convention.
        display_name: As a directory shows it.
        email: The address.
        name: First and last name as the owner would split them.
        is_held_out: Whether no rule was tuned on it.
    """

    group: str
    display_name: str
    email: str
    name: tuple[str, str]
    is_held_out: bool


def labelled() -> list[Labelled]:
    """Every labelled person; every second one of the first list was held out, and the second list was written later."""
    return [*_read("labelled.txt"), *_read("labelled_more.txt")]


def _read(file: str) -> Iterator[Labelled]:
    group = domain = ""
    number = 0
    for line in (HERE / file).read_text("utf-8").splitlines():
        if line.startswith("["):
            group, domain = line[1:].split("] ")
            number = 0
        elif line and not line.startswith("#"):
            shown, local, first, last = line.rsplit(";", 3)
            yield Labelled(group, shown, f"{local}@{domain}", (first, last), file != "labelled.txt" or number % 2 == 1)
            number += 1


def not_people() -> list[tuple[str, str]]:
    """Display name and address of users who are no people."""
    lines = (HERE / "not_people.txt").read_text("utf-8").splitlines()
    rows = [line.rsplit(";", 1) for line in lines if line and not line.startswith("#")]
    return [(shown, f"{local}@acme.example") for shown, local in rows]
