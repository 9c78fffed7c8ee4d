"""The facts catalogue: makers' tables and rules, read when a maker is first asked for and kept.

Belongs here: reading ``data/`` and finding rows and rules. Does not belong here: which of them decides (the package).

``data/makers.toml``
    The makers in the order they are asked: a pattern for the manufacturer, one for the operating system, and patterns
    whose first group is a key of the table.
``data/<maker>.csv``
    ``key,name,display,release,storage,source``: the key as the model shows it or the product's name, case ignored;
    ``-`` means that there is no fact, and empty that this row states none. Sorted by key. ``source`` names entries of
    ``data/sources.toml``, separated by spaces.
``data/<maker>.toml``
    ``[[rule]]``: an ``id``, a ``pattern`` searched for in the name in lower case, what it states as ``name``,
    ``display``, ``release`` or ``storage``, a ``reason`` and an ``example``. A value is a text, in which ``{group}``
    stands for a group of the pattern, or a table: ``by`` is such a text and every other key one of its values.
"""

import csv
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import re2

from intune_pipeline.domain.patterns import bounded

DATA: Final = "intune_pipeline.domain.facts.data"

NO_FACT: Final = "-"
"""A value that says: sources disagree, or the key has several. It keeps later steps from being asked."""

COLUMNS: Final = {
    "name": "model_name", "display": "display_size", "release": "release_date", "storage": "storage_type",
}  # fmt: skip
"""Columns of a table, and what a rule may state, with the field of an asset they fill."""

FIELDS: Final = tuple(COLUMNS.values())
"""The fields of an asset that facts fill."""

_MEMORY: Final = 64 << 20

Entry = Mapping[str, str]
"""What one row or rule states: values by field."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a maker.

    Attributes:
        id: Unique among the maker's rules.
        pattern: RE2 pattern searched for in the name in lower case.
        states: Values, or tables of values, by field.
        reason: Why the name states it, a phrase for people.
        example: A model that this rule decides.
    """

    id: str
    pattern: str
    states: Mapping[str, str | Mapping[str, str]]
    reason: str
    example: str

    def entry(self, name: str) -> Entry | None:
        """What the rule states about a name; None when it does not match or states nothing about it."""
        match = _compiled(self.pattern).search(name)
        if match is None:
            return None
        groups = {group: value or "" for group, value in match.groupdict().items()}
        values = {field: _value(states, groups) for field, states in self.states.items()}
        return {field: value for field, value in values.items() if value} or None


class Maker:
    """One maker's table and rules, read when first asked for.

    Attributes:
        name: The files' name.
        is_mobile: Whether its facts are about phones and tablets only.

    Args:
        name: The files' name.
        manufacturers: Pattern of its manufacturer strings, in lower case.
        systems: Pattern of the operating systems, in lower case, its facts are about.
        keys: Patterns whose first group is a key of the table.
        needs_system: Whether an unknown operating system rules it out.
    """

    def __init__(
        self, name: str, manufacturers: str, systems: str = "", keys: Iterable[str] = (), *, needs_system: bool = False
    ) -> None:
        self.name = name
        self.is_mobile = "android" in systems
        self._needs_system = needs_system
        self._manufacturers = re2.compile(manufacturers)
        self._systems = re2.compile(systems)
        self._keys = [re.compile(pattern) for pattern in keys]

    def speaks_for(self, operating_system: str, manufacturer: str) -> bool:
        """Whether the maker's facts are about such devices."""
        known = self._systems.search(operating_system) if operating_system else not self._needs_system
        return bool(known and self._manufacturers.search(manufacturer))

    def keys(self, model: str) -> list[str]:
        """Keys of the table that the model holds, besides the model itself."""
        lowered = model.lower()
        return [match.group(1) for pattern in self._keys if (match := pattern.search(lowered))]

    def has(self, key: str) -> bool:
        """Whether the table has a row with this very key."""
        return key.lower() in table(self.name)

    def row(self, key: str) -> tuple[Entry, str] | None:
        """The table's row with this key, and its source for people."""
        row = table(self.name).get(key.lower())
        if row is None:
            return None
        shown, cells, source = row
        entry = {field: cell for field, cell in zip(FIELDS, cells, strict=True) if cell}
        return entry, f"{self.name}.csv: {shown} ({_source_titles(source)})"

    def matches(self, name: str) -> Iterator[tuple[Entry, str]]:
        """What the rules that match a name in lower case state, in their order."""
        known, matcher = rules(self.name), _matcher(self.name)
        for index in sorted(matcher.Match(name) or ()) if matcher else ():
            if entry := known[index].entry(name):
                yield entry, f"{self.name}: {known[index].id} ({known[index].reason})"


@lru_cache(1024)
def makers_for(operating_system: str, manufacturer: str) -> tuple[Maker, ...]:
    """The makers whose facts are about such devices, in the order they are asked."""
    return tuple(maker for maker in makers() if maker.speaks_for(operating_system, manufacturer))


@cache
def makers() -> tuple[Maker, ...]:
    """Every maker of the catalogue, in the order they are asked; their tables and rules are not read yet."""
    content = tomllib.loads((files(DATA) / "makers.toml").read_text(encoding="utf-8"))
    return tuple(Maker(**entry) for entry in content["maker"])


@cache
def table(maker: str) -> Mapping[str, tuple[str, tuple[str, str, str, str], str]]:
    """A maker's table: key in lower case → key as written, name, display, release and storage, source."""
    path = files(DATA) / f"{maker}.csv"
    if not path.is_file():
        return {}
    rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    next(rows)
    return {
        key.lower(): (key, (name, display, release, storage), source)
        for key, name, display, release, storage, source in rows
    }


@cache
def rules(maker: str) -> tuple[Rule, ...]:
    """A maker's rules in their order."""
    path = files(DATA) / f"{maker}.toml"
    if not path.is_file():
        return ()
    return tuple(
        Rule(
            rule["id"],
            rule["pattern"],
            {field: rule[column] for column, field in COLUMNS.items() if column in rule},
            rule["reason"],
            rule["example"],
        )
        for rule in tomllib.loads(path.read_text(encoding="utf-8"))["rule"]
    )


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


@cache
def _matcher(maker: str) -> Any:
    """One automaton that says which of a maker's rules match; None when it has none."""
    known = rules(maker)
    matcher = re2.Set.SearchSet(bounded(_MEMORY))
    for rule in known:
        matcher.Add(rule.pattern)
    matcher.Compile()
    return matcher if known else None


@cache
def sources() -> Mapping[str, Mapping[str, str]]:
    """Where facts come from: identifier in the tables → title, licence and address."""
    content: Mapping[str, Mapping[str, str]] = tomllib.loads((files(DATA) / "sources.toml").read_text(encoding="utf-8"))
    return content


def _source_titles(source: str) -> str:
    return ", ".join(sources()[name]["title"] for name in source.split())


def _value(states: str | Mapping[str, str], groups: Mapping[str, str]) -> str | None:
    if isinstance(states, str):
        return states.format_map(groups)
    return states.get(states["by"].format_map(groups))
