"""How names and addresses are compared: without case, accents and punctuation, in Latin letters.

Belongs here: compared forms of words. Does not belong here: what a match means.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from anyascii import anyascii

REMEMBERED: Final = 65_536
"""Distinct words kept in memory: most first names of a fleet are used more than once."""


def email_key(email: str) -> str:
    """The compared form of an address: trimmed, lower case; the same law as SQL ``lower(btrim(email))``.

    PostgreSQL lowers letter by letter, Python by context ("Σ") and to several characters ("İ").
    """
    trimmed = email.strip(" ")
    return trimmed.lower() if trimmed.isascii() else "".join(letter.lower()[0] for letter in trimmed)


@lru_cache(REMEMBERED)
def letters(word: str) -> str:
    """The Latin letters of a word, lower case: "O'Brien" is obrien, "Müller" is muller, "Иван" is ivan."""
    if word.isascii():
        lowered = word.lower()
        return lowered if lowered.isalpha() else _NO_LETTER.sub("", lowered)
    plain = anyascii(unicodedata.normalize("NFC", word)).lower()
    return _NO_LETTER.sub("", plain)


@lru_cache(REMEMBERED)
def alike(latin: str) -> str:
    """Latin letters with umlauts written one way: Müller is muller@ here and mueller@ there, Åse is ase@ or aase@."""
    for two, one in _UMLAUTS:
        latin = latin.replace(two, one)
    return latin


@lru_cache(REMEMBERED)
def sounds(word: str) -> str:
    """A compared form for words that came from another script: one letter for what is romanised in several ways."""
    latin = alike(letters(word))
    for many, one in _ROMANISED:
        latin = latin.replace(many, one)
    return _TWICE.sub(r"\1", latin)


@lru_cache(REMEMBERED)
def is_latin(word: str) -> bool:
    """Whether every letter of a word is Latin."""
    return word.isascii() or all(
        unicodedata.name(letter, "").startswith(("LATIN", "FEMININE", "MASCULINE"))
        for letter in word
        if letter.isalpha()
    )


@lru_cache(REMEMBERED)
def is_alphabetic_script(word: str) -> bool:
    """Whether a word is written in Latin, Cyrillic, Greek, Georgian or Armenian letters, which romanise reliably."""
    return word.isascii() or all(
        unicodedata.name(letter, "").startswith(_ALPHABETS) for letter in word if letter.isalpha()
    )


_ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK", "GEORGIAN", "ARMENIAN", "FEMININE", "MASCULINE")
_NO_LETTER: Final = re.compile(r"[^a-z]")
_UMLAUTS: Final = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
_ROMANISED: Final = (
    ("shch", "s"), ("sch", "s"), ("sh", "s"), ("ch", "c"), ("kh", "h"), ("zh", "z"), ("ts", "c"), ("tz", "c"),
    ("ph", "f"), ("th", "t"), ("ks", "x"), ("iy", "i"), ("yi", "i"), ("j", "i"), ("y", "i"), ("w", "v"), ("ou", "u"),
    ("g", "h"), ("q", "k"), ("ie", "e"), ("ia", "a"), ("iu", "u"), ("io", "o"),
)  # fmt: skip
_TWICE: Final = re.compile(r"(.)\1+")
