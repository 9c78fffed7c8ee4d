"""What kind of device a record is, and which rule said so.

Belongs here: the platform rules, the order in which the catalogue's rules are tried, and the account's own rules.
Does not belong here: what a maker's models are called. That is data: one file per maker in ``catalog/``, which a
person who has never seen this module can read and extend (see ``docs/teach-a-model.md``).

Intune has no device type, so an answer is derived from operating system, manufacturer and model:

1. the account's own rules, in their order;
2. the platform: iOS, iPadOS and Android are ``mobile``; what is neither Windows nor macOS is ``unknown``. Of Android the
   catalogue says more: headsets, room bars and desk phones stay ``mobile``, and the rule that decides says what they are;
3. the catalogue, stage by stage (`STAGES`), so that a placeholder or a virtual machine is recognised before a family
   name is, and a desktop before a laptop: a desktop taken for a laptop is the worst mistake this module can make;
4. ``unknown``, which is an answer too: it is counted and shown, so that an operator sees what to teach next.

Patterns are RE2's: every match takes time linear in the text, so no pattern, not even an account's, can be slow.
"""

import csv
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import re2

from intune_pipeline.domain.rule_budget import RuleBudget
from intune_pipeline.domain.vocabulary import DeviceType
from intune_pipeline.errors import WrongUseError

NOT_A_PHONE: Final = "not_a_phone"
"""The stage of the Android catalogue: what is neither a phone nor a tablet. Its users are rooms, never people."""

NO_RULE: Final = "none"
"""The rule of a device that no rule knows."""

ACCOUNT_REASON: Final = "this account's rule:"
"""What the reason of an account's rule begins with, before its note."""

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

TEXT_LENGTH: Final = 256
"""Characters of an operating system, manufacturer or model that are looked at; no real name is longer."""

REMEMBERED_ANSWERS: Final = 16_384
"""Distinct answers kept: fleets repeat their models, and a bound keeps memory flat."""

PATTERN_LENGTH: Final = 500
"""Characters an account's pattern may have."""

PATTERN_SIZE: Final = 1000
"""Instructions an account's pattern may compile to; every one of them may be looked at for every character."""

_ACCOUNT_MEMORY: Final = 1 << 20
_CATALOGUE_MEMORY: Final = 128 << 20
_WINDOWS_ONLY: Final = ("windows",)
_CATALOGUE: Final = "intune_pipeline.domain.catalog"


class PatternError(WrongUseError):
    """A pattern that cannot be used; the message is a sentence for the person who wrote it."""


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
class AccountRule:
    """One override of an account; the account's rules are tried first, in their order.

    Attributes:
        id: Identifies the rule within its account.
        maker_pattern: RE2 pattern searched for in the manufacturer, case ignored; empty matches every manufacturer.
        model_pattern: The same for the model; or the name of a catalogue rule, such as ``android:headset``, for every
            device which that rule decides.
        device_type: What such devices are.
        note: Why the account wants it, shown with every answer.
    """

    id: str
    maker_pattern: str
    model_pattern: str
    device_type: DeviceType
    note: str


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
        self._manufacturers = re2.compile(manufacturers, _options(_CATALOGUE_MEMORY))
        self._ranks = [_RANKS[rule.stage] for rule in rules]
        self._patterns = re2.Set.SearchSet(_options(_CATALOGUE_MEMORY))
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


class CompiledRule:
    """An account's rule, compiled.

    Args:
        rule: As the account wrote it.
        budget: What it is charged to; None: nothing.

    Raises:
        PatternError: A pattern cannot be used.
    """

    def __init__(self, rule: AccountRule, budget: RuleBudget | None = None) -> None:
        self.answer = Classification(rule.device_type, f"account:{rule.id}", f"{ACCOUNT_REASON} {rule.note}")
        self._id = rule.id
        self._named = rule.model_pattern
        self._budget = budget
        self._maker = _pattern(rule.maker_pattern) if rule.maker_pattern else None
        self._model = _pattern(rule.model_pattern)

    def matches(self, manufacturer: str, model: str, built_in: str) -> bool:
        """Whether the rule decides such a device.

        Args:
            manufacturer: Graph: manufacturer.
            model: Graph: model.
            built_in: The rule that decides without the account's, which a model pattern may name.

        Raises:
            RuleTooDearError: The budget is used up.
        """
        return self.matches_tidied(_tidy(manufacturer), _tidy(model), built_in)

    def matches_tidied(self, manufacturer: str, model: str, built_in: str) -> bool:
        """The same for texts that are tidied already."""
        if self._budget is None:
            return self._searched(manufacturer, model, built_in)
        began = self._budget.now()
        found = self._searched(manufacturer, model, built_in)
        self._budget.charge(self._id, began)
        return found

    def _searched(self, manufacturer: str, model: str, built_in: str) -> bool:
        if self._maker is not None and not self._maker.search(manufacturer):
            return False
        return self._named == built_in or bool(self._model.search(model))


class Classifier:
    """Classifies devices by an account's rules and the built-in catalogue.

    Compiled once and safe to share: nothing but the memory of past answers changes.

    Args:
        account_rules: The account's overrides in the order they are tried.
        budget: What they may cost; None: whatever they do.
        changed: Rules that are rehearsed: tried before the built-in catalogue.

    Raises:
        PatternError: A pattern of an account rule cannot be used.
    """

    def __init__(
        self,
        account_rules: Iterable[AccountRule] = (),
        budget: RuleBudget | None = None,
        changed: Catalogue | None = None,
    ) -> None:
        self._changed = changed
        self._account_rules = [CompiledRule(rule, budget) for rule in account_rules]
        self._remembered = lru_cache(REMEMBERED_ANSWERS)(self._decide)
        self._remembered_as_shown = lru_cache(REMEMBERED_ANSWERS)(self._tidied)

    def classify(self, operating_system: str, manufacturer: str, model: str) -> Classification:
        """Say what a device is; case and surrounding or repeated white space never matter.

        Args:
            operating_system: Graph: operatingSystem.
            manufacturer: Graph: manufacturer.
            model: Graph: model.
        """
        return self._remembered_as_shown(operating_system, manufacturer, model)

    def _tidied(self, operating_system: str, manufacturer: str, model: str) -> Classification:
        return self._remembered(_tidy(operating_system), _tidy(manufacturer), _tidy(model))

    def _decide(self, operating_system: str, manufacturer: str, model: str) -> Classification:
        built_in = self._answer_of_changed(operating_system, manufacturer, model) or _built_in_answer(
            operating_system, manufacturer, model
        )
        for rule in self._account_rules:
            if rule.matches_tidied(manufacturer, model, built_in.rule):
                return rule.answer
        return built_in

    def _answer_of_changed(self, operating_system: str, manufacturer: str, model: str) -> Classification | None:
        if self._changed is None:
            return None
        maker, name = _without_underscores(manufacturer), _without_underscores(model)
        systems = {"windows": _WINDOWS, "macos": _MACOS, "android": _ANDROID}
        speaks = any(systems[platform].match(operating_system) for platform in self._changed.platforms)
        if not speaks or not (self._changed.for_every_maker or self._changed.speaks_for(maker)):
            return None
        match = self._changed.first_match(f"{maker} {name}" if _ANDROID.match(operating_system) else name)
        return match[1] if match else None


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that an account rule could not use, or that would be slow on every device.

    Raises:
        PatternError: The pattern is malformed, too large, or uses what RE2 leaves out because it could be slow.
    """
    size = _pattern(pattern).programsize
    if size > PATTERN_SIZE:
        raise PatternError(
            f"The pattern is too large: it compiles to {size} instructions, {PATTERN_SIZE} are allowed. "
            "Use fewer or smaller repetitions."
        )


@cache
def catalogues() -> tuple[Catalogue, ...]:
    """The built-in catalogue: one `Catalogue` per file, by name, the files for every maker last."""
    loaded = (_load(entry) for entry in files(_CATALOGUE).iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(loaded, key=lambda catalogue: (catalogue.for_every_maker, catalogue.name)))


def _load(entry: Traversable) -> Catalogue:
    return read_catalogue(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))


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


def _built_in_answer(operating_system: str, manufacturer: str, model: str) -> Classification:
    for begins_so, answer in _PLATFORMS:
        if begins_so.match(operating_system):
            return answer
    maker, name = _without_underscores(manufacturer), _without_underscores(model)
    if _ANDROID.match(operating_system):
        return _first_answer(_of_platform("android"), f"{maker} {name}", otherwise=_ANDROID_PHONE)
    if _MACOS.match(operating_system):
        return _first_answer(_of_platform("macos"), name)
    return _first_answer(_catalogues_for(maker), name) if _WINDOWS.match(operating_system) else _OTHER_PLATFORM


@cache
def _of_platform(platform: str) -> tuple[Catalogue, ...]:
    return tuple(catalogue for catalogue in catalogues() if platform in catalogue.platforms)


@lru_cache(REMEMBERED_ANSWERS)
def _catalogues_for(manufacturer: str) -> tuple[Catalogue, ...]:
    return tuple(one for one in catalogues() if "windows" in one.platforms and one.speaks_for(manufacturer))


def _first_answer(
    candidates: Iterable[Catalogue], model: str, *, otherwise: Classification | None = None
) -> Classification:
    found = [match for catalogue in candidates if (match := catalogue.first_match(model))]
    # min keeps the first of equals: in one stage the maker's own file decides before the files for every maker.
    return min(found, key=lambda match: match[0], default=(0, otherwise or _NO_RULE))[1]


def _without_underscores(text: str) -> str:
    """Some makers write spaces as underscores ("ESPRIMO_D556"); an account's patterns see them as shown."""
    return text.replace("_", " ")


def _tidy(text: str) -> str:
    printable = text.encode(errors="replace").decode()
    return " ".join(printable.split())[:TEXT_LENGTH].lower().strip()


def _options(memory: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    return options


def _pattern(pattern: str) -> Any:
    if len(pattern) > PATTERN_LENGTH:
        raise PatternError(f"The pattern has {len(pattern)} characters; {PATTERN_LENGTH} are allowed.")
    options = _options(_ACCOUNT_MEMORY)
    options.case_sensitive = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError as error:
        raise PatternError("The pattern contains characters that cannot be written down as text.") from error
    except re2.error as error:
        cause = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise PatternError(
            f"The pattern {pattern!r} cannot be used ({cause}); look-around and back references are not supported."
        ) from error


_RANKS: Final = {stage: rank for rank, stage in enumerate(STAGES)}
_MACHINE_TYPE_LENGTH: Final = 4
# A machine type and what follows it: nothing, or the model ("20XW" + "S00A00"). Five digits are a type of their own.
_MACHINE_TYPE_MODEL: Final = re2.compile(r"^[0-9a-z]{4}([0-9a-z]{3,8})?$")

# Graph: operatingSystem is free text that begins with the platform's name: "Windows", "AndroidEnterprise", "Mac OS X".
_PLATFORMS: Final = (
    (
        re2.compile("ios|ipad|iphone"),
        Classification(DeviceType.MOBILE, "platform:ios", "iPhones and iPads are mobile devices"),
    ),
    (
        re2.compile("windows ?(ce|holographic|mobile|phone|server)"),
        Classification(DeviceType.UNKNOWN, "platform:not-a-pc", "Windows for phones, headsets or servers, not for PCs"),
    ),
)
_ANDROID: Final = re2.compile("android")
_MACOS: Final = re2.compile("mac|os ?x")
_WINDOWS: Final = re2.compile("windows")
_ANDROID_PHONE: Final = Classification(
    DeviceType.MOBILE, "platform:android", "Android phones and tablets are mobile devices"
)
_OTHER_PLATFORM: Final = Classification(
    DeviceType.UNKNOWN, "platform:other", "neither Windows, macOS, iOS, iPadOS nor Android"
)
_NO_RULE: Final = Classification(DeviceType.UNKNOWN, NO_RULE, "no rule knows this manufacturer and model")
