"""Words that are no names: rooms, desks, functions, devices, bots, placeholders; departments, regions and places.

Belongs here: reading ``data/words.toml`` and answering for one word. Does not belong here: weighing them (``not_people``).
"""

import re
import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

from intune_pipeline.domain.people.lexicon import is_listed, small_words
from intune_pipeline.domain.people.spelling import REMEMBERED, is_alphabetic_script, letters


class Meaning(NamedTuple):
    """What a word says.

    Attributes:
        kind: A section of the data file: ``room``, ``function``, ``bot`` …
        language: Of the word, in English.
    """

    kind: str
    language: str


class _Words(NamedTuple):
    whole: dict[str, Meaning]
    stems: dict[str, Meaning]
    phrases: dict[str, list[tuple[list[str], Meaning]]]
    unspaced: dict[str, Meaning]
    notes: frozenset[str]
    places: frozenset[str]
    names_too: frozenset[str]
    numbers: frozenset[str]


KINDS: Final = ("room", "desk", "device", "bot", "account", "product", "placeholder", "function")
"""The sections of words that say that a user is not a person; what stands first in a display name's reasons."""

_SHORTEST_STEM: Final = 5
"""Letters of the shortest beginning that is no chance: "test" begins many names, "testb" none."""


@cache
def _words() -> _Words:
    text = (resources.files("intune_pipeline.domain.people") / "data" / "words.toml").read_text("utf-8")
    data = tomllib.loads(text)
    whole: dict[str, Meaning] = {}
    stems: dict[str, Meaning] = {}
    phrases: dict[str, list[tuple[list[str], Meaning]]] = {}
    unspaced: dict[str, Meaning] = {}
    for kind in KINDS:
        for language, listed in data[kind].items():
            meaning = Meaning(kind, language)
            for entry in listed.split():
                bare = entry.rstrip("*")
                if not is_alphabetic_script(bare):
                    unspaced.setdefault(bare.replace("_", " "), meaning)
                elif not bare.isalpha():
                    first, *others = _tokens(bare)
                    phrases.setdefault(first, []).append(([first, *others], meaning))
                elif entry.endswith("*") and len(_plain(bare)) >= _SHORTEST_STEM:
                    stems.setdefault(_plain(bare), meaning)
                else:
                    whole.setdefault(_plain(bare), meaning)
    return _Words(
        whole,
        stems,
        phrases,
        unspaced,
        frozenset(map(_plain, data["notes"]["words"].split())),
        frozenset(map(_plain, data["places"]["words"].split())),
        frozenset(map(_plain, data["names_too"]["words"].split())),
        frozenset(map(_plain, data["numbers"]["words"].split())),
    )


def _plain(word: str) -> str:
    return letters(word) if is_alphabetic_script(word) else word.casefold()


@lru_cache(REMEMBERED)
def meaning(word: str) -> Meaning | None:
    """What a word says, None for every other word; accents and case do not matter."""
    known = _words()
    plain = _plain(word)
    if found := known.whole.get(plain):
        return found
    stem = next(
        (known.stems[plain[:end]] for end in range(len(plain), _SHORTEST_STEM - 1, -1) if plain[:end] in known.stems),
        None,
    )
    # "Giselle" begins like the Turkish word for a counter.
    return None if stem and plain not in known.stems and is_listed(plain, 1) else stem


@lru_cache(16_384)
def phrase(text: str) -> tuple[str, Meaning] | None:
    """The first phrase of several words in a text that says it is no person: "Power Automate"."""
    known = _words()
    tokens = _tokens(text)
    for position, token in enumerate(tokens):
        for listed, said in known.phrases.get(token, ()):
            if tokens[position : position + len(listed)] == listed:
                return " ".join(text.split()) if len(listed) == len(tokens) else " ".join(listed), said
    if not is_alphabetic_script(text):
        # Words of these scripts are not separated by spaces.
        return next(((word, said) for word, said in known.unspaced.items() if word in text), None)
    return None


def _tokens(text: str) -> list[str]:
    return [letters(token) + "".join(filter(str.isdigit, token)) for token in _TOKEN.findall(text)]


@lru_cache(REMEMBERED)
def is_name_too(word: str) -> bool:
    """Whether a word of rooms and functions is a usual name as well: Hall, Sala, Sales."""
    return _plain(word) in _words().names_too or is_listed(_plain(word))


@lru_cache(REMEMBERED)
def is_note(word: str) -> bool:
    """Whether a word annotates a name: a department, a function, a region, a company's form."""
    known = _words()
    said = meaning(word)
    return _plain(word) in known.notes or (said is not None and said.kind == "function")


@lru_cache(REMEMBERED)
def is_number(word: str) -> bool:
    """Whether a word counts or orders: "One", "Zwei", "Central"."""
    return _plain(word) in _words().numbers


@lru_cache(REMEMBERED)
def is_place(word: str) -> bool:
    """Whether a word is a country's or a site's code or a big city."""
    return _plain(word) in _words().places


def are_all_notes(text: str) -> bool:
    """Whether every word of a text only annotates."""
    found = _WORD.findall(text)
    return bool(found) and all(
        is_note(word) or is_place(word) or len(word) == 1 or word.lower() in _SMALL for word in found
    )


_TOKEN: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_SMALL: Final = small_words("joining")
