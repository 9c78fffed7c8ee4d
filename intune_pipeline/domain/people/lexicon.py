"""What names are: how often a word is a first and how often a last name, and the small words of last names.

Belongs here: reading the name lists of ``data/`` and answering for one word. Does not belong here: deciding a name.
"""

import math
import re
import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

from intune_pipeline.domain.people.spelling import REMEMBERED, letters

_HAND_WRITTEN: Final = 5
"""How much a hand-written entry weighs: as much as most words' number of countries."""

_USUAL: Final = 2
"""In the lists of so many countries a first name is well known."""

_SUREST: Final = 0.88
"""No list is surer than this: one word alone never turns round the order that is shown."""


class Use(NamedTuple):
    """How a word is used.

    Attributes:
        given: In how many countries' lists it is a first name.
        family: In how many it is a last name.
    """

    given: int
    family: int


UNKNOWN: Final = Use(0, 0)


@cache
def _uses() -> dict[str, Use]:
    data = resources.files("intune_pipeline.domain.people") / "data"
    uses: dict[str, Use] = {}
    for line in (data / "names.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            as_given, as_family, *listed = line.split(" ")
            uses.update(dict.fromkeys(listed, Use(int(as_given), int(as_family))))
    for kind, words in _more_names():
        for word in words:
            given, family = uses.get(word, UNKNOWN)
            uses[word] = Use(given + _HAND_WRITTEN, family) if kind == "given" else Use(given, family + _HAND_WRITTEN)
    return uses


@cache
def _more_names() -> tuple[tuple[str, frozenset[str]], ...]:
    text = (resources.files("intune_pipeline.domain.people") / "data" / "more_names.txt").read_text("ascii")
    lines = (line.split(" ") for line in text.splitlines() if not line.startswith("#"))
    return tuple((kind, frozenset(words)) for kind, *words in lines)


@cache
def _chinese() -> frozenset[str]:
    return frozenset().union(*(words for kind, words in _more_names() if kind == "chinese"))


def is_chinese(word: str) -> bool:
    """Whether a word is a Chinese last name in Latin letters."""
    return letters(word) in _chinese()


def is_east_asian(latin: str) -> bool:
    """Whether a word, in compared form, is a last name of languages that show it first."""
    return latin in KOREAN_FAMILIES or latin in VIETNAMESE_FAMILIES or latin in _chinese()


@cache
def _iberian() -> frozenset[str]:
    return frozenset().union(*(words for kind, words in _more_names() if kind == "iberian"))


@lru_cache(REMEMBERED)
def is_iberian(word: str) -> bool:
    """Whether a word is a last name of Spain, Portugal or Latin America, where people have two of them."""
    plain = letters(word)
    return plain in _iberian() or bool(_IBERIAN_ENDING.search(plain))


@lru_cache(REMEMBERED)
def use(word: str) -> Use:
    """How a word, in any script that romanises reliably, is used; with endings and beginnings that only names have."""
    latin = letters(word)
    known = _uses().get(latin, UNKNOWN)
    if _FAMILY_BEGINNING.match(word):
        return Use(0, max(known.family, 5))
    if known == UNKNOWN and "-" in word:
        parts = [_uses().get(letters(part), UNKNOWN) for part in word.split("-")]
        known = Use(max(part.given for part in parts), max(part.family for part in parts))
    if known == UNKNOWN and len(latin) > 4 and _FAMILY_ENDING.search(latin):
        return Use(0, 2)
    return known


@lru_cache(REMEMBERED)
def chance_given(word: str) -> float:
    """How probable it is that a word of a name is a first name and not a last name."""
    given, family = use(word)
    return min(max((given + 0.35) / (given + family + 0.7), 1 - _SUREST), _SUREST)


def log_given(word: str) -> float:
    """The logarithm of `chance_given`."""
    return math.log(chance_given(word))


def log_family(word: str) -> float:
    """The logarithm of the chance that a word of a name is a last name."""
    return math.log(1 - chance_given(word))


def is_given(word: str) -> bool:
    """Whether a word is well known as a first name."""
    given, family = use(word)
    return given >= _USUAL and given >= family


def is_used_as_given(word: str) -> bool:
    """Whether a word is a first name in several countries, and maybe still oftener a last name: "Simon"."""
    return use(word).given >= _USUAL


def is_known(word: str) -> bool:
    """Whether a word is in any list of names."""
    return use(word) != UNKNOWN


def is_listed(latin: str, countries: int = 2) -> bool:
    """Whether a word, in compared form, is in the lists of so many countries."""
    given, family = _uses().get(latin, UNKNOWN)
    return given + family >= countries


def small_words(kind: str) -> frozenset[str]:
    """One set of small words of names, from ``data/small_words.toml``."""
    return frozenset(_small_words()[kind].split())


@cache
def _small_words() -> dict[str, str]:
    text = (resources.files("intune_pipeline.domain.people") / "data" / "small_words.toml").read_text("utf-8")
    return tomllib.loads(text)


PARTICLES: Final = small_words("particles")
"""Small words that begin or join last names, without apostrophes."""

ONLY_PARTICLES: Final = small_words("only_particles")
"""Those that begin a last name and hardly ever stand for a first name."""

BOUND_GIVEN: Final = small_words("bound_given")
"""First words of first names that are written in two words: "Abdul Rahman"."""

CONJUNCTIONS: Final = frozenset({"y", "e", "i", "und", "et"})
"""Words that join two last names: "Ortega y Montes"."""

VIETNAMESE_FAMILIES: Final = small_words("vietnamese_families")
VIETNAMESE_MIDDLES: Final = small_words("vietnamese_middles")
KOREAN_FAMILIES: Final = small_words("korean_families")
KOREAN_SYLLABLES: Final = small_words("korean_syllables")

_IBERIAN_ENDING: Final = re.compile(r"(\w{2}[aeio]z|[aeio]llo|eira|eiro|ero|ales|uela|ueta|etxea|tegui|goitia)$")
_FAMILY_BEGINNING: Final = re.compile(r"(O['’‘`]|D['’‘`]|Mc|Mac(?=[A-Z])|Fitz(?=[A-Z])|Dell['’])\w")
_FAMILY_ENDING: Final = re.compile(
    r"(sen|sson|son|ski|ska|sky|skyy|skaya|wicz|czyk|czak|ov|ova|ev|eva|enko|chuk|yan|ian|idis|iadis|opoulos|opoulou|akis|"
    r"dottir|mann|oglu|zade|shvili|adze|nen|vic|escu|eanu|aitis|auskas|iene|iev|ishvili|berg|strom|quist|kvist|"
    r"stra|sma|inga|stein|baum|meyer|maier|hofer|bauer|huber|ides|iak|yshyn|yuk|ello|etti|ucci|elli|ington)$"
)
