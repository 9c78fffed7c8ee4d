"""The built-in catalogue of models: its files read, its rules compiled, the first that matches.

Belongs here: reading ``catalog/*.toml`` and trying one maker's rules. Does not belong here: which makers and platforms are
asked, and an account's own rules (``classification``).
"""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import re2

from intune_pipeline.domain.patterns import PatternError, bounded
from intune_pipeline.domain.vocabulary import DeviceType

NOT_A_PHONE: Final = "not_a_phone"
"""The stage of the Android catalogue: what is neither a phone nor a tablet. Its users are rooms, never people."""

STAGES: Final[Mapping[str, DeviceType | None]] = {
    NOT_A_PHONE: DeviceType.MOBILE,
    "placeholder": DeviceType.UNKNOWN,
    "not_a_pc": DeviceType.UNKNOWN,
    "machine_type": None,
    DeviceType.TABLET: DeviceType.TABLET,
    DeviceType.DESKTOP: DeviceType.DESKTOP,
    DeviceType.LAPTOP: DeviceType.LAPTOP,
    "generic": None,
    "otherwise": None,
}
"""The catalogue's stages in the order they are tried, each with the type of its rules; None: every rule says its own."""

_CATALOGUE_MEMORY: Final = 128 << 20

_WINDOWS_ONLY: Final = ("windows",)

_CATALOGUE: Final = "intune_pipeline.domain.catalog"


@dataclass(frozen=True, slots=True)
class Classification:
    """What a device is, and why.

    Attributes:
        device_type: The answer.
        rule: What decided: ``<catalogue file>:<rule>``, ``platform:<rule>``, ``account:<id>`` or ``none``.
        reason: The rule's reason, a phrase for people.
        users_are_rooms: Whether whom Intune shows as its user is a room, a desk or a wall and never an employee.
    """

    device_type: DeviceType
    rule: str
    reason: str
    users_are_rooms: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue.

    Attributes:
        stage: One of `STAGES`.
        answer: What the rule answers when it is the first to match.
        pattern: RE2 pattern searched for in the tidied model; for Android in maker and model.
        example: A model that this very rule decides.
        manufacturer: The manufacturer the example comes with.
    """

    stage: str
    answer: Classification
    pattern: str
    example: str
    manufacturer: str


class Catalogue:
    """The rules of one catalogue file, compiled into a single automaton, and its table of machine types if it has one."""

    def __init__(
        self,
        name: str,
        manufacturers: str,
        rules: Sequence[Rule],
        machine_types: Mapping[str, Classification],
        platforms: Sequence[str] = _WINDOWS_ONLY,
    ) -> None:
        self.name = name
        self.platforms = platforms
        self.rules = rules
        self.machine_types = machine_types
        self.for_every_maker = not manufacturers
        self._manufacturers = re2.compile(manufacturers, bounded(_CATALOGUE_MEMORY))
        self._ranks = [_RANKS[rule.stage] for rule in rules]
        self._patterns = re2.Set.SearchSet(bounded(_CATALOGUE_MEMORY))
        for rule in rules:
            self._patterns.Add(rule.pattern)
        self._patterns.Compile()

    def speaks_for(self, manufacturer: str) -> bool:
        """Whether this file describes the manufacturer's models."""
        return bool(self._manufacturers.search(manufacturer))

    def first_match(self, model: str) -> tuple[int, Classification] | None:
        """The answer of the first rule that matches, with its stage's rank; None when none does."""
        found = [(self._ranks[index], index) for index in self._patterns.Match(model) or ()]
        rank, index = min(found, default=(len(STAGES), -1))
        if rank > _RANKS["machine_type"] and (answer := self._machine_type(model)):
            return _RANKS["machine_type"], answer
        return (rank, self.rules[index].answer) if found else None

    def _machine_type(self, model: str) -> Classification | None:
        if exact := self.machine_types.get(model):
            return exact
        return self.machine_types.get(model[:_MACHINE_TYPE_LENGTH]) if _MACHINE_TYPE_MODEL.match(model) else None


@cache
def catalogues() -> tuple[Catalogue, ...]:
    """The built-in catalogue: one `Catalogue` per file, by name, the files for every maker last."""
    loaded = (
        read_catalogue(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))
        for entry in files(_CATALOGUE).iterdir()
        if entry.name.endswith(".toml")
    )
    return tuple(sorted(loaded, key=lambda catalogue: (catalogue.for_every_maker, catalogue.name)))


def read_catalogue(name: str, text: str) -> Catalogue:
    """A catalogue file, compiled.

    Args:
        name: The file's name without its ending, with which its rules' ids begin.
        text: Its content.

    Raises:
        PatternError: The text is not in the catalogue's format, or a pattern cannot be used.
    """
    try:
        return _compiled(name, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, re2.error) as error:
        raise PatternError(
            f"{name} is not in the catalogue's format ({type(error).__name__}: {error}); docs/teach-a-model.md shows it."
        ) from None


def _compiled(name: str, content: dict[str, Any]) -> Catalogue:
    rules = [
        Rule(
            stage=stage,
            answer=Classification(
                STAGES[stage] or DeviceType(rule["type"]), f"{name}:{rule['id']}", rule["reason"], stage == NOT_A_PHONE
            ),
            pattern=rule["model"] if isinstance(rule["model"], str) else "|".join(rule["model"]),
            example=rule["example"],
            manufacturer=rule.get("example_manufacturer", content["example_manufacturer"]),
        )
        for stage in STAGES
        for rule in content.get(stage, ())
    ]
    table = content.get("machine_types")
    machine_types = _machine_types(name, table) if table else {}
    return Catalogue(
        name, "|".join(content["manufacturers"]), rules, machine_types, content.get("platforms", _WINDOWS_ONLY)
    )


def _machine_types(name: str, table: str) -> dict[str, Classification]:
    """Read a table of machine types; a row may hold a range of numbers ("2300-2399"), which single types overrule."""
    types: dict[str, Classification] = {}
    rows = csv.DictReader((files(_CATALOGUE) / table).read_text(encoding="utf-8").splitlines())
    for row in sorted(rows, key=lambda row: "-" in row["machine_type"]):
        first, _, last = row["machine_type"].partition("-")
        family = row["family"] or f"a {row['device_type']}"
        reason = f"machine type {row['machine_type']}: {family}"
        answer = Classification(DeviceType(row["device_type"]), f"{name}:machine-type", reason)
        for machine_type in [f"{number:04}" for number in range(int(first), int(last) + 1)] if last else [first]:
            types.setdefault(machine_type.lower(), answer)
    return types


_RANKS: Final = {stage: rank for rank, stage in enumerate(STAGES)}

_MACHINE_TYPE_LENGTH: Final = 4

# A machine type and what follows it: nothing, or the model ("20XW" + "S00A00"). Five digits are a type of their own.
_MACHINE_TYPE_MODEL: Final = re2.compile(r"^[0-9a-z]{4}([0-9a-z]{3,8})?$")
