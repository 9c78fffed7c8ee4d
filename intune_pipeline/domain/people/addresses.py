"""How an address is made from a name: jane.doe, doe.jane, jdoe, janed.

Belongs here: the parts of an address and every form in which a first and a last name make one. Does not belong here: which
form a company uses (``conventions``) and which reading of a name wins (``names``).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz import fuzz

from intune_pipeline.domain.people import nicknames
from intune_pipeline.domain.people.lexicon import PARTICLES
from intune_pipeline.domain.people.spelling import alike, is_latin, letters, sounds


@dataclass(frozen=True, slots=True)
class LocalPart:
    """What stands before the @.

    Attributes:
        pieces: The letters between separators, in compared form.
        separator: What separates them: ``.``, ``_`` or ``-``; empty for one piece.
        is_opaque: Whether it is a number or a code, which says nothing of a name.
        words: The pieces as written, lower case, without digits.
    """

    pieces: tuple[str, ...]
    separator: str
    is_opaque: bool
    words: tuple[str, ...]


class Match(NamedTuple):
    """How an address is made of a reading of a name.

    Attributes:
        form: ``first.last``, ``flast`` …; the separator as written.
        doubt: How far it is from the plain form; 0 is the plain form.
    """

    form: str
    doubt: float


@lru_cache(16_384)
def local_part(email: str) -> LocalPart:
    """The parts of an address before the @, without tags ("+phone"), marks of outside staff and numbers."""
    written = email.partition("@")[0].partition("+")[0].lower()
    written = _OUTSIDE.sub("", written).strip(".-_")
    is_opaque = bool(_CODE.fullmatch(written)) or sum(map(str.isalpha, written)) < 2
    separator = next((mark for mark in "._" if mark in written), "-" if "-" in written else "")
    words = [re.sub(r"\d+", "", word).strip("-") for word in (written.split(separator) if separator else [written])]
    words = [word for word in words if word]
    pieces = tuple(piece for word in words if (piece := alike(letters(word))))
    return LocalPart(pieces, separator if len(pieces) > 1 else "", is_opaque, tuple(words))


def matches(local: LocalPart, given: Sequence[str], family: Sequence[str]) -> list[Match]:
    """Every form in which a first and a last name, as words, make an address."""
    if local.is_opaque or not local.pieces:
        return []
    found = _matches(local.pieces, local.separator, tuple(given), tuple(family))
    if local.separator == "-" and len(local.pieces) > 1:
        # "anna-lena" may be one name: the hyphen joins as often as it separates.
        found = [*found, *_matches(("".join(local.pieces),), "", tuple(given), tuple(family))]
    return found


def _matches(pieces: tuple[str, ...], separator: str, given: tuple[str, ...], family: tuple[str, ...]) -> list[Match]:
    givens, families = _given_forms(given), _family_forms(family)
    if not givens or not families:
        return []
    if len(pieces) == 1:
        found = list(_unseparated(pieces[0], givens, families))
    else:
        found = list(_separated(pieces, separator, givens, families))
    if not found and not all(map(is_latin, (*given, *family))):
        found = list(_romanised(pieces, separator, given, family))
    return found


def _separated(
    pieces: tuple[str, ...], separator: str, givens: dict[str, "_Side"], families: dict[str, "_Side"]
) -> Iterator[Match]:
    partial: list[Match] = []
    exact = False
    for cut in range(1, len(pieces)):
        left, right = "".join(pieces[:cut]), "".join(pieces[cut:])
        for first, second, is_turned in ((left, right, False), (right, left, True)):
            given, family = givens.get(first), families.get(second)
            if given and family:
                exact = True
                yield Match(_form(separator, given, family, is_turned=is_turned), given.doubt + family.doubt)
            elif family and family.is_whole and len(first) > 1:
                form = _form(separator, _WHOLE, family, is_turned=is_turned)
                partial.append(Match(form, _near(first, givens) + family.doubt))
            elif given and given.is_whole and len(second) > 1 and len(first) > 2:
                form = _form(separator, given, _WHOLE, is_turned=is_turned)
                partial.append(Match(form, _near(second, families) + given.doubt))
    if not exact:
        yield from partial


def _form(separator: str, given: "_Side", family: "_Side", *, is_turned: bool) -> str:
    first = "first" if given.is_whole else "f"
    last = "last" if family.is_whole else "l"
    return f"{last}{separator}{first}" if is_turned else f"{first}{separator}{last}"


def _near(piece: str, forms: dict[str, "_Side"]) -> float:
    """The doubt about a side that is not spelled as the name is: one keystroke away, or another word altogether."""
    likeness = max(
        (fuzz.ratio(piece, form) for form, side in forms.items() if side.is_whole and len(form) > 2), default=0.0
    )
    return 0.8 if likeness >= 85 else 1.6 if likeness >= 60 else 2.6


def _unseparated(piece: str, givens: dict[str, "_Side"], families: dict[str, "_Side"]) -> Iterator[Match]:
    for form, side in givens.items():
        if piece == form and side.is_whole:
            yield Match("first", side.doubt)
        if piece.startswith(form) and (family := families.get(piece[len(form) :])):
            yield Match(_form("", side, family, is_turned=False), side.doubt + family.doubt)
        if piece.endswith(form) and (family := families.get(piece[: -len(form)])):
            yield Match(_form("", side, family, is_turned=True), side.doubt + family.doubt)
        if not side.is_whole and len(form) == 1 and len(piece) >= _CUT_OFF and piece.startswith(form):
            rest = piece[1:]
            if any(whole.startswith(rest) and whole != rest for whole, one in families.items() if one.is_whole):
                yield Match("flast", side.doubt + 0.7)
    if (family := families.get(piece)) and family.is_whole:
        yield Match("last", family.doubt)


def _romanised(
    pieces: tuple[str, ...], separator: str, given: tuple[str, ...], family: tuple[str, ...]
) -> Iterator[Match]:
    """Forms that sound alike: another script is romanised in several ways."""
    written = [sounds(piece) for piece in pieces]
    first, last = sounds("".join(given[:1])), sounds("".join(family))
    if not first or not last:
        return
    candidates = {"first.last": (first, last), "last.first": (last, first), "f.last": (first[0], last)}
    for form, sides in candidates.items():
        if len(written) == 2:
            likeness = min(fuzz.ratio(one, side) for one, side in zip(written, sides, strict=True))
        else:
            likeness = fuzz.ratio("".join(written), "".join(sides))
        if likeness >= _SOUNDS_ALIKE:
            yield Match(form.replace(".", separator), 0.5 + (100 - likeness) / 40)


class _Side(NamedTuple):
    """One spelling of one side: whether it is the name and not initials, and how unusual it is."""

    is_whole: bool
    doubt: float


@lru_cache(16_384)
def _given_forms(given: tuple[str, ...]) -> dict[str, _Side]:
    words = [alike(word) for one in given for part in one.split("-") if (word := letters(part))]
    forms: dict[str, _Side] = {}
    if not words:
        return forms

    def add(form: str, side: _Side) -> None:
        if form not in forms or side.doubt < forms[form].doubt:
            forms[form] = side

    add("".join(words), _Side(len("".join(words)) > 1, 0))
    add(words[0], _Side(len(words[0]) > 1, 0.1))
    for word in words[1:]:
        add(word, _Side(len(word) > 1, 0.5))
    if len(words) > 1:
        initials = "".join(word[0] for word in words)
        add(initials, _Side(False, 0.1))
        add(initials[:2], _Side(False, 0.2))
        add("".join(words[:2]), _Side(True, 0.2))
        add(words[0] + "".join(word[0] for word in words[1:]), _Side(True, 0.3))
        add(words[0][0] + "".join(words[1:]), _Side(True, 0.5))
    add(words[0][0], _Side(False, 0.1))
    for nickname in nicknames.others(words[0]):
        add(nickname, _Side(True, 0.9))
    return forms


@lru_cache(16_384)
def _family_forms(family: tuple[str, ...]) -> dict[str, _Side]:
    parts = [part for one in family for part in one.split("-")]
    plain = [word for part in parts if (word := letters(part))]
    words = [alike(word) for word in plain]
    content = [alike(word) for word in plain if word not in PARTICLES] or words
    forms: dict[str, _Side] = {}
    if not words:
        return forms

    def add(form: str, side: _Side) -> None:
        if form not in forms or side.doubt < forms[form].doubt:
            forms[form] = side

    add("".join(words), _Side(len("".join(words)) > 1, 0))
    add("".join(content), _Side(len("".join(content)) > 1, 0.25))
    first = words.index(content[0])
    add("".join(words[: first + 1]), _Side(True, 0.15))
    add(content[0], _Side(len(content[0]) > 1, 0.2))
    add(content[-1], _Side(len(content[-1]) > 1, 0.4))
    for word in content[1:-1]:
        add(word, _Side(len(word) > 1, 0.9))
    if first:
        small = "".join(word[0] for word in words[:first])
        add(small + "".join(words[first:]), _Side(True, 0.2))
        add(small[0] + "".join(words[first:]), _Side(True, 0.3))
        add(small + content[0][0], _Side(False, 0.3))
    if len(content) > 1:
        add(content[0] + "".join(word[0] for word in content[1:]), _Side(True, 0.5))
        add(content[0][0] + content[-1], _Side(True, 0.6))
        add("".join(word[0] for word in content), _Side(False, 0.2))
    add(words[0][0], _Side(False, 0.1))
    add(content[0][0], _Side(False, 0.15))
    return forms


_WHOLE: Final = _Side(True, 0)
_CUT_OFF: Final = 6
"""Letters from which an address may be a name cut off: old systems allowed eight."""
_SOUNDS_ALIKE: Final = 74
_OUTSIDE: Final = re.compile(
    r"^(?:ext|extern|external|externe|externo|contractor|consultant|guest|vendor|partner|tmp)[.\-_]|^[vcxtpe]-"
    r"|[.\-_](?:ext|extern|external|externe|externo|contractor|consultant|guest|vendor|partner|c|adm)$"
)
_CODE: Final = re.compile(r"[a-z]{0,3}[\d\-_.]*\d{3,}[a-z]?|\d+|[0-9a-f]{12,}|[a-z]{1,4}\d+[a-z]+\d*|[a-z]?\d+[a-z]\d+")
