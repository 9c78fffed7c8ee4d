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

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import re2

from intune_pipeline.domain.catalogue import Catalogue, Classification, catalogues
from intune_pipeline.domain.patterns import compiled, tidy, without_underscores
from intune_pipeline.domain.rule_budget import RuleBudget
from intune_pipeline.domain.vocabulary import DeviceType

NO_RULE: Final = "none"
"""The rule of a device that no rule knows."""

ACCOUNT_REASON: Final = "this account's rule:"
"""What the reason of an account's rule begins with, before its note."""


REMEMBERED_ANSWERS: Final = 16_384
"""Distinct answers kept: fleets repeat their models, and a bound keeps memory flat."""


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
        self._maker = compiled(rule.maker_pattern) if rule.maker_pattern else None
        self._model = compiled(rule.model_pattern)

    def matches(self, manufacturer: str, model: str, built_in: str) -> bool:
        """Whether the rule decides such a device.

        Args:
            manufacturer: Graph: manufacturer.
            model: Graph: model.
            built_in: The rule that decides without the account's, which a model pattern may name.

        Raises:
            RuleTooDearError: The budget is used up.
        """
        return self.matches_tidied(tidy(manufacturer), tidy(model), built_in)

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
        return self._remembered(tidy(operating_system), tidy(manufacturer), tidy(model))

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
        maker, name = without_underscores(manufacturer), without_underscores(model)
        systems = {"windows": _WINDOWS, "macos": _MACOS, "android": _ANDROID}
        speaks = any(systems[platform].match(operating_system) for platform in self._changed.platforms)
        if not speaks or not (self._changed.for_every_maker or self._changed.speaks_for(maker)):
            return None
        match = self._changed.first_match(f"{maker} {name}" if _ANDROID.match(operating_system) else name)
        return match[1] if match else None


def _built_in_answer(operating_system: str, manufacturer: str, model: str) -> Classification:
    for begins_so, answer in _PLATFORMS:
        if begins_so.match(operating_system):
            return answer
    maker, name = without_underscores(manufacturer), without_underscores(model)
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
