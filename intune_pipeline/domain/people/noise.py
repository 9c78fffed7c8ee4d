"""What directories write around names: sites, departments, marks of outside staff, titles, invisible characters.

Belongs here: taking noise away and telling which parts could be the name. Does not belong here: which of the words left
are the first and the last name (``names``), and whether it is a person at all (``not_people``).
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from intune_pipeline.domain.people import words
from intune_pipeline.domain.people.addresses import LocalPart
from intune_pipeline.domain.people.lexicon import PARTICLES, is_given, is_known, is_listed, small_words
from intune_pipeline.domain.people.spelling import alike, is_latin, letters


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A display name without what surrounds it.

    Attributes:
        parts: What could be the name, as written; separated by bars or dashes in the display name.
        notes: What stood in brackets or behind a bar or dash and only annotates.
    """

    parts: tuple[str, ...]
    notes: tuple[str, ...]


@lru_cache(16_384)
def readable(display_name: str) -> str:
    """A display name with its characters in one form: no entities, invisible characters or doubled spaces."""
    text = html.unescape(display_name) if "&" in display_name else display_name
    text = unicodedata.normalize("NFC", text)
    if not text.isascii():
        text = "".join(
            " " if unicodedata.category(character) == "Zs" else character
            for character in text
            if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE
        )
        if all(is_latin(word) for word in text.split()):
            text = text.translate(_NO_JOINERS)
    return " ".join(text.split())


def cleaned(text: str, local: LocalPart) -> Cleaned:
    """A readable display name without noise.

    Args:
        text: From `readable`.
        local: The address, which knows whether a word belongs to the name.
    """
    notes = [note.strip() for note in _BRACKETS.findall(text)]
    core = _BRACKETS.sub(" ", text) if _BRACKETS.sub(" ", text).strip(" -–—|/,;:.*") else text.strip("()[]{}<> ")
    core = _QUOTED.sub(" ", core)
    core = _PRONOUNS.sub(" ", core)
    core = _STARS.sub(" ", core)
    core = _OUTSIDE_LETTER.sub("", core.strip())
    glued = _GLUED_SITE.match(core)
    if glued and words.is_place(glued[1]):
        core = core[glued.end() :]
    core = _OUTSIDE_STAFF.sub(" ", core)
    core = _LEAVERS.sub(" ", core)
    parts: list[str] = []
    for piece in _SEPARATORS.split(" ".join(core.split())):
        part = _without_ends(piece.lstrip(_EDGES).rstrip(_EDGES_BUT_STOP), local)
        if not part:
            continue
        if parts and words.are_all_notes(part) and not _has_name(part, local):
            notes.append(part)
        else:
            parts.append(part)
    while len(parts) > 1 and words.are_all_notes(parts[0]) and not _has_name(parts[0], local):
        notes.append(parts.pop(0))
    while len(parts) > 1 and _is_code(parts[0], local):
        notes.append(parts.pop(0))
    return Cleaned(tuple(parts), tuple(note for note in notes if note))


def _has_name(part: str, local: LocalPart) -> bool:
    """Whether the address has two words of a part."""
    return sum(alike(letters(word)) in local.pieces for word in part.split()) >= 2


def _is_code(part: str, local: LocalPart) -> bool:
    """Whether a part is a site, a country or a department: one word, short or in capitals, not in the address."""
    return (
        " " not in part
        and (part.isupper() or any(map(str.isdigit, part)) or words.is_place(part))
        and alike(letters(part)) not in "".join(local.pieces)
    )


def _without_ends(part: str, local: LocalPart) -> str:
    """A part without site codes before it and without departments, regions, titles and degrees around it."""
    tokens = part.split()
    while len(tokens) > 1 and _is_title_before(tokens[0], local):
        tokens = tokens[1:]
    while len(tokens) > 2 and _is_prefix(tokens, local):
        tokens = tokens[1:]
    while len(tokens) > 1 and _is_title_before(tokens[0], local):
        tokens = tokens[1:]
    while len(tokens) > 1 and is_title_behind(tokens, local):
        tokens = tokens[:-1]
    while len(tokens) > 2 and _is_postfix(tokens, local):
        tokens = tokens[:-1]
    return " ".join(tokens).strip(_EDGES)


def _is_prefix(tokens: Sequence[str], local: LocalPart) -> bool:
    first, rest = tokens[0], tokens[1:]
    plain = letters(first)
    if any(map(str.isdigit, first)) and first.upper() == first:
        return True
    if not _SITE.fullmatch(first) or plain in _spelled(local):
        return False
    if rest[0].isupper() and len(letters(rest[0])) > 1:
        return False
    if plain in PARTICLES and not words.is_place(first):
        return False
    return words.is_place(first) or "-" in first or not is_known(first)


def _is_postfix(tokens: Sequence[str], local: LocalPart) -> bool:
    last = tokens[-1].strip(".,")
    plain = letters(last)
    if not plain or plain in _spelled(local) or "," in tokens[-2]:
        return not plain and any(map(str.isdigit, last)) and last.upper() == last and len(last) > 2
    if all(token.isupper() for token in tokens):
        return words.is_note(last) and not is_known(last)
    if last.isupper() and 2 <= len(plain) <= 6 and not tokens[-2].isupper():
        return words.is_note(last) or words.is_place(last) or (len(plain) <= 4 and not is_known(last))
    return words.is_note(last) and not is_given(last)


def _spelled(local: LocalPart) -> set[str]:
    return set(local.pieces) | set(local.words)


def _is_named(token: str, local: LocalPart) -> bool:
    """Whether the address spells a word, so that it is a name and no title."""
    return alike(letters(token)) in local.pieces


def _is_title_before(token: str, local: LocalPart) -> bool:
    """Whether the first word of a part is a form of address: "Pan, Wei" has none."""
    return is_title(token) and not token.endswith(",") and not _is_named(token, local)


def is_title_behind(tokens: Sequence[str], local: LocalPart) -> bool:
    """Whether the last of several words is a title, a degree or a generation: "Doe, Jane Dr.", "Jane Doe PhD"."""
    last, before = tokens[-1].rstrip(","), tokens[-2]
    could_be = is_suffix(last) or is_title(last) or before.endswith(".") or last in _DEGREES_IN_CAPITALS
    if not could_be or _is_rather_a_name(last, tokens, local):
        return False
    if is_suffix(last):
        return len(tokens) > 2 or _is_sure_suffix(last)
    if _is_named(last, local):
        return False
    if before.endswith(".") and (_is_sure_suffix(before + last) or (is_title(before) and is_title(f"{last}."))):
        return True
    if len(letters(last)) < 2 or not is_title(last):
        return _is_degree_in_capitals(tokens)
    if last.endswith("."):
        return True
    return last.casefold() in _TITLES_BEHIND or (_is_comma_before(tokens) and not is_known(last))


def _is_rather_a_name(last: str, tokens: Sequence[str], local: LocalPart) -> bool:
    """Whether two of three say so: a first name lacks otherwise, the address has it, the lists and its capitals do."""
    signs = (len(tokens) == 2, _is_named(last, local), last.istitle() and is_listed(letters(last)))
    return sum(signs) >= 2


def _is_degree_in_capitals(tokens: Sequence[str]) -> bool:
    return tokens[-1] in _DEGREES_IN_CAPITALS and _is_comma_before(tokens) and not tokens[-2].isupper()


def _is_comma_before(tokens: Sequence[str]) -> bool:
    """Whether the words before the last one are a last name, a comma and a first name."""
    return any("," in token for token in tokens[:-2]) and "," not in tokens[-2]


def is_name_after_all(tokens: Sequence[str], local: LocalPart) -> bool:
    """Whether a word that could be a title or degree is a name, by the address or as written: "Pan", "Ma", not "MA"."""
    return len(tokens) == 1 and (_is_named(tokens[0], local) or (tokens[0].istitle() and is_listed(letters(tokens[0]))))


def is_title(token: str) -> bool:
    """Whether a word is a form of address before a name: "Dr.", "Mme", "Ing."."""
    plain = token.strip(".,").casefold()
    return plain in _TITLES or (token.endswith(".") and plain in _DOTTED_TITLES)


def is_suffix(token: str) -> bool:
    """Whether a word is a degree or a generation behind a name: "PhD", "Jr.", "III"."""
    return token.strip(".,").replace(".", "").casefold() in _SUFFIXES


def _is_sure_suffix(token: str) -> bool:
    return token.strip(".,").replace(".", "").casefold() in _SURE_SUFFIXES


_JOINERS: Final = "\u200c\u200d"
_NO_JOINERS: Final = str.maketrans("", "", _JOINERS)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "So"})
_EDGES_BUT_STOP: Final = ' ,;:-–—|/\\*_~#+=•·"“”„'
_EDGES: Final = f".{_EDGES_BUT_STOP}"
_BRACKETS: Final = re.compile(r"[(\[{<（【]([^)\]}>）】]*)[)\]}>）】]?")
_QUOTED: Final = re.compile("(?:^| )[\"“”„«'‘][^\"“”»'’]+[\"“”»'’](?= |,|$)")
_PRONOUNS: Final = re.compile(r"\b(?:he|she|they|him|her|ze|er|sie|elle?|il)/(?:him|his|her|hers|she|they|them|ihm|ihr|lui|\w{2,5})(?:/\w+)?\b", re.IGNORECASE)  # fmt: skip
_STARS: Final = re.compile(r"[*#~^=+!?★☆►]+|\.{2,}")
_OUTSIDE_LETTER: Final = re.compile(r"^(?:[vcxtea]|ext|adv|con|gst)[-–_](?=[^\W\d_])", re.IGNORECASE)
_OUTSIDE_STAFF: Final = re.compile(
    r"[-–]?\b(?:consultant|contractor|contractors|contract|kontraktor|ext|extern|externe|externer|externo|externa|esterno|"
    r"esterna|external|ekstern|zewn|zewnętrzny|inhuur|prestataire|freelance|freelancer|vendor|guest|gast|invité|invitado|"
    r"c/o|temp staff|agency)(?:\b(?![’'])|\.)[-–.:]?",
    re.IGNORECASE,
)
_LEAVERS: Final = re.compile(
    r"\b(?:disabled|deactivated|inactive|terminated|leaver|former|ex-employee|deleted|zz+|z_|on leave|maternity|"
    r"intern|trainee|azubi|stagiaire|praktikant|becario|stagista|werkstudent|student|apprentice)\b[-_:.]?",
    re.IGNORECASE,
)
_SEPARATORS: Final = re.compile(r" ?[|/\\;•] ?| [-–—:_] ?|[-–—:_] | (?=@)| // ")
_GLUED_SITE: Final = re.compile(r"([A-Z]{2,3})[-_](?=[A-Z][a-z])")
_SITE: Final = re.compile(r"[A-Z]{2,5}\d{0,3}(?:[-_/][A-Z0-9]{2,6})*[:.]?")
_TITLES: Final = small_words("titles")
_DOTTED_TITLES: Final = small_words("dotted_titles")
_SURE_SUFFIXES: Final = small_words("sure_suffixes")
_TITLES_BEHIND: Final = small_words("titles_behind")
_DEGREES_IN_CAPITALS: Final = frozenset(map(str.upper, small_words("degrees_in_capitals")))
_SUFFIXES: Final = _SURE_SUFFIXES | small_words("other_suffixes")
