"""What a device is: a name people can read, display size, release and storage type, each from a known fact.

Belongs here: looking facts up. Does not belong here: the facts. They are data: ``data/`` holds one table and one file
of rules per maker, which a person who has never seen this module can read and extend (see ``docs/teach-a-model.md``).

Graph has none of these facts. A fact comes from the first of these that states it:

1. the maker's table, by the key the model holds (``Mac15,3``, machine type ``21BR``, ``SM-S921B``, ``Latitude 7450``);
2. the maker's table, by the product's name that the first step found;
3. the maker's rules, where the maker's naming states the fact (``Latitude 7450``: 14 inches);
4. the rules for every maker, among them what the model string itself says ("14-inch").

A table or rule may also say that there is no fact (`NO_FACT`): a number used twice, a name with two sizes. Then later
steps are not asked. Nothing is ever guessed: every value names the row or rule it came from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from intune_pipeline.domain.facts.catalogue import FIELDS, NO_FACT, Entry, Maker, makers_for
from intune_pipeline.domain.facts.names import cleaned_name, tidy, without_description

ANDROID: Final = "android"
"""What an operating system that is not known must be when the model is found among Android's."""

REMEMBERED: Final = 4096
"""Distinct models kept: fleets repeat theirs, so a fact is looked up once per model, not per device."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value and where it is from.

    Attributes:
        value: Inches as plain decimals ("13.3"), a year or ISO date, "SSD" or "Flash", or a name.
        source: The row ("lenovo.csv: 21BR") or rule ("dell: latitude") it came from, and the public source.
    """

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known about a model; None where nothing is.

    Attributes:
        model_name: What the maker calls it, else the model without vendor, "Notebook PC" and the like; None when the
            model is blank.
        display_size: The diagonal in inches.
        release_date: A year, or a day where a source gives one.
        storage_type: "SSD" for computers, "Flash" for phones and tablets; only where the family never had a disk.
    """

    model_name: Fact | None = None
    display_size: Fact | None = None
    release_date: Fact | None = None
    storage_type: Fact | None = None


@lru_cache(REMEMBERED)
def known_facts(operating_system: str, manufacturer: str, model: str) -> ModelFacts:
    """What is known about a model.

    Args:
        operating_system: Graph: operatingSystem; empty when it is not known.
        manufacturer: Graph: manufacturer.
        model: Graph: model.
    """
    shown = tidy(model)
    if not shown:
        return ModelFacts()
    maker = tidy(manufacturer)
    found: dict[str, Fact] = {}
    for statement in _statements(operating_system.lower(), maker, shown):
        for field, fact in statement.items():
            found.setdefault(field, fact)
    name = found.pop("model_name", None) or Fact(cleaned_name(maker, shown), "the model string")
    return ModelFacts(name, **{field: fact for field, fact in found.items() if fact.value != NO_FACT})


def _statements(operating_system: str, manufacturer: str, model: str) -> Iterator[Mapping[str, Fact]]:
    """What tables and rules say about a model, the most specific first."""
    makers = makers_for(operating_system, manufacturer.lower())
    cleaned = cleaned_name(manufacturer, model)
    names = [cleaned]
    for maker in makers:
        if row := _row(maker, model, cleaned):
            yield _facts(*row)
            if maker.is_mobile and not operating_system:
                makers = makers_for(ANDROID, manufacturer.lower())
            if name := row[0].get("model_name"):
                # What only begins with a key, as an order code does with its machine type, states nothing itself.
                names = [name, *names] if maker.has(cleaned) else [name]
                if named := _row(maker, name):
                    yield _facts(*named)
            break
    for name in names:
        yield _stated(makers, name.lower())


def _row(maker: Maker, *texts: str) -> tuple[Entry, str] | None:
    """The maker's row with one of the texts as its key, else with a key that one of them holds."""
    exact = next((row for text in texts if (row := maker.row(text))), None)
    return exact or next((row for text in texts for key in maker.keys(text) if (row := maker.row(key))), None)


@lru_cache(REMEMBERED)
def _stated(makers: tuple[Maker, ...], name: str) -> Mapping[str, Fact]:
    """What the makers' rules say about a name; many order codes have one name."""
    found: dict[str, Fact] = {}
    for maker in makers:
        for entry, source in maker.matches(name):
            found = _facts(entry, source) | found
    return found


def _facts(entry: Entry, source: str) -> dict[str, Fact]:
    return {field: Fact(value, source) for field, value in entry.items()}


@lru_cache(REMEMBERED)
def fact_values(operating_system: str, manufacturer: str, model: str) -> Mapping[str, str]:
    """What is known about a model by field of an asset, without sources; arguments as for `known_facts`.

    ``model`` is there too: what Intune says, without a bracketed description of display and year.
    """
    facts = known_facts(operating_system, manufacturer, model)
    values = {field: fact.value for field in FIELDS if (fact := getattr(facts, field))}
    return {"model": without_description(tidy(model)), **values}


def shown_model(manufacturer: str | None, model_name: str | None, model: str | None) -> str:
    """A model for people: the maker, the name people can read, and what Intune says where that is another.

    >>> shown_model("LENOVO", "ThinkPad T14s Gen 3 (Intel)", "21BR004XUS")
    'LENOVO ThinkPad T14s Gen 3 (Intel) · 21BR004XUS'
    >>> shown_model("Apple", "iPhone 15", "iPhone 15")
    'Apple iPhone 15'
    """
    name = model_name or model or ""
    maker = manufacturer or ""
    if name.lower().startswith(maker.lower()):
        maker = ""
    raw = "" if not model or name.lower() == model.lower() else f" · {model}"
    return " ".join(part for part in (maker, name) if part) + raw
