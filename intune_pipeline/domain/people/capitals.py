"""Capital letters of names that arrive all in capitals or all in lower case.

Belongs here: proper case of first and last names. Does not belong here: names in mixed case, which stay as they are.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

from intune_pipeline.domain.people.lexicon import small_words
from intune_pipeline.domain.people.spelling import letters


def is_in_one_case(part: str) -> bool:
    """Whether a part of a name is all in capitals or all in lower case; scripts without case never are."""
    return part.islower() or part.isupper()


def proper(given: str, family: str, *, both: bool) -> tuple[str, str]:
    """A first and a last name, each or both written in proper case where they are in one case.

    Args:
        given: First name.
        family: Last name.
        both: Whether the whole display name was in one case, so that two-letter names are in capitals by chance.
    """
    if both or (given.islower() and given.isalpha()) or (given.isupper() and len(letters(given)) > _INITIALS):
        given = " ".join(_word(word, {}) for word in given.split())
    if both or _is_in_capitals(family) or (family.islower() and " " not in family):
        family = _family(family.split())
    return given, family


def _is_in_capitals(family: str) -> bool:
    """Whether a last name is in capitals, but for small words before it: "van den BERG"."""
    words = family.split()
    return words[-1].isupper() and all(map(is_in_one_case, words))


def _family(words: Sequence[str]) -> str:
    """A last name in proper case: small words as their language writes them."""
    last = letters(words[-1])
    written: list[str] = []
    for position, word in enumerate(words):
        plain = word.lower()
        if position == len(words) - 1 or plain not in _SMALL:
            written.append(_word(word, _listed()[0]))
        elif plain in _ITALIAN_OR_NOT and position == 0 and _is_italian(last):
            written.append(plain.capitalize())
        else:
            written.append(plain)
    return " ".join(written)


@cache
def _listed() -> tuple[dict[str, str], frozenset[str]]:
    text = (resources.files("intune_pipeline.domain.people") / "data" / "capitals.txt").read_text("utf-8")
    sections = {
        line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines() if ":" in line and line[0] != "#"
    }
    return {word.lower(): word for word in sections["inner"]}, frozenset(sections["italian"])


def _is_italian(word: str) -> bool:
    """Whether a last name behind "de" or "di" is an Italian one, which writes it with a capital: "De Luca"."""
    return word in _listed()[1]


def _word(word: str, inner: Mapping[str, str]) -> str:
    """One word in proper case; inner capitals only by a list: "MCDONALD" is McDonald, "MACHADO" is Machado."""
    if "-" in word:
        return "-".join(_word(part, inner) for part in word.split("-"))
    known = inner.get(word.lower())
    if known:
        return known
    found = _APOSTROPHE.fullmatch(word)
    if found:
        before, mark, after = found.groups()
        return (
            (before.capitalize() if before.lower() in _CAPITAL_BEFORE else before.lower()) + mark + after.capitalize()
        )
    return word.capitalize()


_INITIALS: Final = 2
_APOSTROPHE: Final = re.compile(r"([^\W\d_]{1,5})(['’‘`´ʼ])([^\W\d_]{2,})")
_CAPITAL_BEFORE: Final = frozenset({"o", "d", "l", "dell", "n", "m", "sant", "dall", "de", "t"})
_SMALL: Final = small_words("lower_case")
#: "de", "di", "del": a small word in Spanish, French, Dutch and Portuguese, written with a capital in Italian.
_ITALIAN_OR_NOT: Final = frozenset({"de", "di", "del", "da", "dal", "della"})
