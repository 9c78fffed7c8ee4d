"""How much of what is not in the catalogue's tables the catalogue still knows: facts with a third of their keys hidden.

    python -m bench.facts FOLDER [--hide 0.33] [--seeds 5] [--names] [--wrong]

``FOLDER`` holds tables of known facts, one a maker, in the form that ``facts-compare`` reads. For every seed a random part
of their keys is hidden from the catalogue's tables, and with them the rows of products that no other key has; what the catalogue
then says about the hidden keys is judged by the facts. ``--names`` leaves the names of the hidden keys: machine types and
Android codes are known from more lists than those that state size and year. With ``--hide 0`` nothing is hidden and
every key is judged: what the product says today.

A size is right within 0.1 inch of the fact, or as its whole number where the model itself states one; a release by its
year. ``filled`` counts the keys for which the facts know the value. A name is readable when it is not the key.
"""

import argparse
import contextlib
import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from intune_pipeline.domain import facts
from intune_pipeline.domain.facts import catalogue

KEYS = ("key", "machine_type")
SYSTEMS = {"android": "Android", "apple": ""}
"""The operating system of tables that are not about Windows machines; empty where it is not known."""
MAKERS = {"apple": "Apple", "lenovo": "LENOVO"}
"""The manufacturer of tables that do not state it."""


Table = Mapping[str, tuple[str, tuple[str, str, str, str], str]]


@dataclass(frozen=True, slots=True)
class Known:
    """One key and what the facts say of it; empty where they say nothing."""

    maker: str
    manufacturer: str
    key: str
    name: str
    size: str
    year: str


@dataclass(slots=True)
class Count:
    """Keys with a fact, those the catalogue fills, and those it fills rightly."""

    known: int = 0
    filled: int = 0
    right: int = 0

    def add(self, *, filled: bool, right: bool) -> None:
        """One more key that has a fact."""
        self.known += 1
        self.filled += filled
        self.right += filled and right

    def __str__(self) -> str:
        share = f"{self.filled / self.known:6.1%}" if self.known else "     –"
        right = f"{self.right / self.filled:7.2%}" if self.filled else "      –"
        return f"{self.known:6,} {share} {right}"


def known_facts(folder: Path) -> list[Known]:
    """Every key of the folder's tables."""
    known = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = next((row[column] for column in KEYS if column in row), "")
                if "must_stay_empty" not in row:
                    known.append(
                        Known(
                            path.stem,
                            row.get("manufacturer") or MAKERS.get(path.stem, ""),
                            key,
                            row.get("marketing_name") or row.get("product_name") or "",
                            row["display_inches"],
                            (row.get("release_year") or row.get("release") or "")[:4],
                        )
                    )
    return known


@contextlib.contextmanager
def hidden(known: list[Known], chosen: list[Known], *, names: bool) -> Iterator[None]:
    """The catalogue without what it knows of the chosen keys, and of products that no other known key has."""
    keys = {fact.key.lower() for fact in chosen}
    seen = {name for fact in known if fact.key.lower() not in keys and (name := _product(fact))}
    gone = {name for fact in chosen if (name := _product(fact))} - seen
    read = catalogue.table.__wrapped__
    tables: dict[str, Table] = {}

    def without(maker: str) -> Table:
        if maker not in tables:
            rows = {key: row for key, row in read(maker).items() if key not in gone}
            kept = {
                key: (row[0], (row[1][0], "", "", ""), row[2]) for key in keys & set(rows) if (row := rows[key])[1][0]
            }
            tables[maker] = {key: row for key, row in rows.items() if key not in keys} | (kept if names else {})
        return tables[maker]

    with mock.patch.object(catalogue, "table", without):
        facts.known_facts.cache_clear()
        yield
    facts.known_facts.cache_clear()


def _product(fact: Known) -> str:
    """The name the catalogue knows a key by, in lower case."""
    said = _said(fact)
    return said.model_name.value.lower() if said.model_name else ""


def _said(fact: Known) -> facts.ModelFacts:
    return facts.known_facts(SYSTEMS.get(fact.maker, "Windows"), fact.manufacturer, fact.key)


def judge(known: list[Known], counts: Mapping[tuple[str, str], Count], wrong: list[str]) -> None:
    """Ask the catalogue for every key and count what it fills and what is right."""
    for fact in known:
        said = _said(fact)
        size = said.display_size.value if said.display_size else ""
        year = said.release_date.value[:4] if said.release_date else ""
        name = said.model_name.value if said.model_name else ""
        judged = {
            "size": (fact.size, size, bool(size and fact.size) and is_right_size(fact, size)),
            "year": (fact.year, year, year == fact.year),
            "name": (fact.key, name if is_readable(fact, name) else "", True),
        }
        for column, (truth, value, right) in judged.items():
            if truth:
                for maker in (fact.maker, "all"):
                    counts[maker, column].add(filled=bool(value), right=right)
                if value and not right:
                    wrong.append(f"{fact.maker} {fact.key}: {column} {value}, facts {truth}")


def is_right_size(fact: Known, size: str) -> bool:
    """Whether a size is the fact's, or the whole number that the model itself states."""
    stated = float(size)
    return abs(stated - float(fact.size)) <= 0.1 or (stated.is_integer() and f"{stated:.0f}" in fact.key)


def is_readable(fact: Known, name: str) -> bool:
    """Whether a name says more than a key that is a code; other keys are names, and some phones are called by their code."""
    return (
        fact.maker not in {"lenovo", "android"} or name.lower() != fact.key.lower() or fact.name.lower() == name.lower()
    )


def main() -> None:
    """Print known keys, share filled and share right by maker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hide", type=float, default=1 / 3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--names", action="store_true", help="leave the names of the hidden keys")
    parser.add_argument("--wrong", action="store_true", help="list what is wrong")
    arguments = parser.parse_args()
    known = known_facts(arguments.folder)
    counts: dict[tuple[str, str], Count] = defaultdict(Count)
    wrong: list[str] = []
    for seed in range(arguments.seeds if arguments.hide else 1):
        chosen = [
            fact for fact in known if not arguments.hide or random.Random(f"{seed}{fact}").random() < arguments.hide
        ]
        with hidden(known, chosen, names=arguments.names) if arguments.hide else contextlib.nullcontext():
            judge(chosen, counts, wrong)
    print(f"{'':12}" + "".join(f"{column + '  known filled   right':>24}" for column in ("size", "year", "name")))
    for maker in [*dict.fromkeys(fact.maker for fact in known), "all"]:
        print(f"{maker:12}" + "".join(f"{counts[maker, column]!s:>24}" for column in ("size", "year", "name")))
    if arguments.wrong:
        print(*sorted(set(wrong)), sep="\n")


if __name__ == "__main__":
    main()
