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
    """

    group: str
    display_name: str
    email: str
    name: tuple[str, str]


def labelled() -> list[Labelled]:
    """Every labelled person."""
    return [*_read("labelled.txt"), *_read("labelled_more.txt")]


def _read(file: str) -> Iterator[Labelled]:
    group = domain = ""
    for line in (HERE / file).read_text("utf-8").splitlines():
        if line.startswith("["):
            group, domain = line[1:].split("] ")
        elif line and not line.startswith("#"):
            shown, local, first, last = line.rsplit(";", 3)
            yield Labelled(group, shown, f"{local}@{domain}", (first, last))


def not_people() -> list[tuple[str, str, str]]:
    """Display name and address of users who are no people, and why they are taken for none."""
    lines = (HERE / "not_people.txt").read_text("utf-8").splitlines()
    rows = [line.split(";", 2) for line in lines if line and not line.startswith("#")]
    return [(shown, f"{local}@acme.example", reason) for shown, local, reason in rows]
