"""Splitting display names into first and last names, as their owners would.

Belongs here: deciding one name, with the reason. Does not belong here: how well a reading fits (``readings``), noise
(``noise``), capitals (``capitals``), learning conventions from many names (``evidence``).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from intune_pipeline.domain.people import lexicon, not_people, words
from intune_pipeline.domain.people.addresses import LocalPart, Match, local_part
from intune_pipeline.domain.people.capitals import is_in_one_case, proper
from intune_pipeline.domain.people.conventions import UNKNOWN, Convention, Evidence, Order, domain_of
from intune_pipeline.domain.people.noise import (
    cleaned,
    is_name_after_all,
    is_suffix,
    is_title,
    is_title_behind,
    readable,
)
from intune_pipeline.domain.people.readings import Reading, Word, is_vietnamese, read, readings, word
from intune_pipeline.domain.people.spelling import is_alphabetic_script, is_latin

if TYPE_CHECKING:
    from nameparser import Parser

LONGEST_NAME: Final = 100
"""Characters of a display name that can still be a person's."""

MOST_WORDS: Final = 7
"""Words of a display name that can still be a person's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a display name and an address say about a user.

    Attributes:
        name: First and last name; None where nobody is to be hired.
        reason: How the name was read, or why nobody is hired; a phrase for people.
        against: What speaks against a person, see `not_people`; 0 where nothing does.
        possible: The name of a shared account if it is a person after all; None where none can be read.
    """

    name: tuple[str, str] | None
    reason: str
    against: float = 0.0
    possible: tuple[str, str] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether the user looks like a shared account and not like a person whose name cannot be read."""
        return self.against >= not_people.ENOUGH


class _Split(NamedTuple):
    given: tuple[str, ...]
    family: tuple[str, ...]
    reason: str
    match: Match | None
    evidence: Evidence | None


def split_name(display_name: str | None, email: str, convention: Convention = UNKNOWN) -> tuple[str, str] | None:
    """A display name as first and last name; None unless that is safe.

    Args:
        display_name: Graph: userDisplayName, "First Last", "Last, First", or no person's name at all.
        email: The user's address.
        convention: How the address's domain writes addresses and shows names.
    """
    return judge(display_name, email, convention).name


def judge(display_name: str | None, email: str, convention: Convention = UNKNOWN) -> Verdict:
    """Whether a user is a person, and with which first and last name.

    Args:
        display_name: See `split_name`.
        email: The user's address.
        convention: How the address's domain writes addresses and shows names.
    """
    return at_a_glance(display_name or "", email, convention) or _judged(display_name or "", email, convention)[0]


def at_a_glance(display_name: str, email: str, convention: Convention) -> Verdict | None:
    """The verdict on a plain name whose address says the same: most of a fleet, at a tenth of the cost.

    None for every other name; where it answers, it answers as the whole way would.
    """
    plain = _PLAIN_NAME.fullmatch(display_name)
    if not plain:
        return None
    first, last = plain.groups()
    given, family = word(first), word(last)
    forms = _FORMS_AT_A_GLANCE.get(_shape(email, given.plain, family.plain))
    if forms is None or given.given - given.family < family.given - family.family:
        return None
    form, turned = forms
    if any(
        one.is_particle or words.meaning(one.text) or is_title(one.text) or is_suffix(one.text)
        for one in (given, family)
    ):
        return None
    if words.phrase(display_name) or lexicon.is_east_asian(given.plain) or given.plain == family.plain:
        return None
    if not lexicon.is_known(first) and not lexicon.is_known(last):
        return None
    if convention.log_form(form) <= convention.log_form(turned) or not convention.shows_first_name_first:
        return None
    return Verdict((first, last), _why_fits(form, convention, domain_of(email)))


def _shape(email: str, given: str, family: str) -> str:
    """An address with what it is made of in place of the names: "first.last"."""
    local = email.partition("@")[0].lower().rstrip("0123456789")
    for separator in ".", "_":
        if local == f"{given}{separator}{family}":
            return f"first{separator}last"
    return "flast" if local == f"{given[:1]}{family}" else ""


def evidence_of(display_name: str | None, email: str) -> Evidence | None:
    """What a certain name says about its domain's convention; None where the name is not certain.

    Certain are names that state their order ("Doe, Jane", "DOE Jane") and names whose words fit one order only.
    """
    _, split = _judged(display_name or "", email, UNKNOWN)
    return split.evidence if split else None


@lru_cache(32_768)
def _judged(display_name: str, email: str, convention: Convention) -> tuple[Verdict, _Split | None]:
    text = readable(display_name)
    if not text:
        return Verdict(None, "Intune shows no name"), None
    local = local_part(email)
    clean = cleaned(text, local)
    split, why_not = (None, "the display name is too long for a name")
    if len(text) <= LONGEST_NAME:
        split, why_not = _best_part(clean.parts, local, convention, domain_of(email))
    name = (*split.given, *split.family) if split else ()
    read = None
    if split:
        is_one_case = is_in_one_case(" ".join(name))
        read = proper(" ".join(split.given), " ".join(split.family), both=is_one_case)
    weight, reasons = not_people.against(text, clean, local, name, split.match if split else None)
    if weight >= not_people.ENOUGH:
        return Verdict(None, f"looks like a shared account: {reasons}", weight, possible=read), None
    return Verdict(read, split.reason if split else why_not, weight), split


def _best_part(
    parts: Sequence[str], local: LocalPart, convention: Convention, domain: str
) -> tuple[_Split | None, str]:
    if not parts:
        return None, "the display name is no name"
    splits = [_split(part, local, convention, domain) for part in parts]
    found = [split for split, _ in splits if split]
    if len(found) > 1 or (found and len(parts) > 1 and splits[0][0] is None):
        # Behind a bar or dash stands a company as often as before it; the e-mail knows which part is the person.
        found = [split for split in found if split.match and split.match.form not in {"first", "last"}]
        if not found:
            return None, "the display name has several parts, and the address does not tell which is the name"
    if not found:
        return None, splits[0][1]
    return found[0], ""


def _split(part: str, local: LocalPart, convention: Convention, domain: str) -> tuple[_Split | None, str]:
    """The best reading of a part of a display name, or why there is none."""
    if problem := _is_no_name(part):
        return None, problem
    pieces = part.replace(",", " , ").split()
    if not all(is_alphabetic_script(piece) for piece in pieces):
        latin = [piece for piece in pieces if is_latin(piece)]
        if len([piece for piece in latin if piece != ","]) < 2:
            return _other_script(part)
        pieces = latin
    elif len({is_latin(piece) for piece in pieces if piece != ","}) > 1:
        latin = [piece for piece in pieces if is_latin(piece)]
        pieces = latin if len([one for one in latin if one != ","]) > 1 else [one for one in pieces if one not in latin]
    if "," in pieces:
        return _with_comma(pieces, local, convention, domain)
    return _without_comma([word(piece) for piece in pieces], local, convention, domain)


def _is_no_name(part: str) -> str | None:
    if "@" in part or ("." in part and " " not in part and "_" not in part and len(part) > _DOTTED and part.islower()):
        return "the display name is an address"
    if any(map(str.isdigit, part)):
        return "the display name has digits"
    if any(not _may_be_in_a_name(character) for character in part):
        return "the display name has characters that no name has"
    if len(part.replace(",", " ").split()) > MOST_WORDS:
        return "the display name has too many words for a name"
    return None


@cache
def _may_be_in_a_name(character: str) -> bool:
    return character.isalpha() or character in _OTHER_CHARACTERS or unicodedata.category(character)[0] == "M"


def _with_comma(
    pieces: Sequence[str], local: LocalPart, convention: Convention, domain: str
) -> tuple[_Split | None, str]:
    segments: list[list[str]] = [[]]
    for piece in pieces:
        if piece == ",":
            segments.append([])
        else:
            segments[-1].append(piece)
    segments = _without_titles(segments, local)
    if len(segments) < 2:
        return _without_comma([word(piece) for piece in segments[0]] if segments else [], local, convention, domain)
    family, given = (tuple(word(piece) for piece in segment) for segment in segments[:2])
    behind = " ".join(segments[1])
    # Dutch lists write "Berg, Bram van den".
    while len(given) > 1 and given[-1].is_particle and given[-1].text.islower():
        given, family = given[:-1], (given[-1], *family)
    found = read(given, family, Order.LAST_FIRST, local, convention, len(family) + len(given))
    if len(family) > 1:
        # "Jane Doe, Acme" is written like "García López, María"; only the e-mail tells them apart.
        before, _ = _without_comma(family, local, convention, domain)
        fits_better = before and before.match and (found.match is None or found.match.doubt > before.match.doubt + 1)
        if before and (fits_better or (words.are_all_notes(behind) and not lexicon.is_given(behind))):
            return before, ""
    return _decided(found, "it is written “last name, first name”", _evidence(found, domain, None))


def _without_titles(segments: Sequence[Sequence[str]], local: LocalPart) -> list[list[str]]:
    """What commas separate, without titles and degrees, unless a name is missing then: "Pan, Wei"."""
    names = [list(one) for one in segments if not all(is_suffix(word) or is_title(word) for word in one)]
    if sum(map(len, names)) < 2:
        names = [list(one) for one in segments if one in names or is_name_after_all(one, local)]
    for name in names:
        while len(name) > 1 and (is_suffix(name[-1]) or is_title_behind(name, local)):
            name.pop()
        while len(name) > 1 and is_title(name[0]):
            name.pop(0)
    return names


def _without_comma(
    name: Sequence[Word], local: LocalPart, convention: Convention, domain: str
) -> tuple[_Split | None, str]:
    name = [one for one in name if one.plain or any(map(str.isalpha, one.text))]
    if len(name) < 2:
        return None, "the display name is one word"
    if _is_last_name_only(name, local):
        return None, "the display name is a last name only"
    if stated := _in_capitals(name):
        given, family, order = stated
        shouted = read(given, family, order, local, convention, len(name))
        return _decided(shouted, "the last name is written in capitals", _evidence(shouted, domain, None))
    found = readings(name, local, convention)
    certain = _certain(found)
    evidence = _evidence(certain, domain, certain.order) if certain else None
    return _decided(found[0], _why(found[0], name, convention, domain), evidence)


def _is_last_name_only(name: Sequence[Word], local: LocalPart) -> bool:
    """Whether words are a small word and a last name: "van Gogh"."""
    first = name[0]
    return (
        all(one.is_particle for one in name[:-1])
        and first.plain in lexicon.ONLY_PARTICLES
        and (first.text.islower() or len(local.pieces) < 2)
    )


def _in_capitals(name: Sequence[Word]) -> tuple[tuple[Word, ...], tuple[Word, ...], Order] | None:
    """The name where its own writing says which part is the last name: "DOE Jane", "Jane DOE"."""
    capitals = [one.text.isupper() and len(one.text) > 1 and "." not in one.text for one in name]
    count = sum(capitals)
    if count == len(name) or not any(
        shouted and len(one.text) > _INITIALS for one, shouted in zip(name, capitals, strict=True)
    ):
        return None
    if count and all(capitals[:count]) and not all(one.is_initial for one in name[count:]):
        return tuple(name[count:]), tuple(name[:count]), Order.LAST_FIRST
    start = len(name) - count
    while start > 1 and name[start - 1].is_particle and name[start - 1].text.islower():
        start -= 1
    if all(capitals[-count:]):
        return tuple(name[:start]), tuple(name[start:]), Order.FIRST_LAST
    return None


def _certain(found: Sequence[Reading]) -> Reading | None:
    """The reading whose order a name's words allow alone, whatever is usual for addresses; None where both fit."""

    def fits(reading: Reading) -> float:
        return reading.inner + (-reading.match.doubt if reading.match else _NO_FIT)

    best = [max((one for one in found if one.order is order), key=fits) for order in Order]
    surest, other = sorted(best, key=fits, reverse=True)
    return surest if fits(surest) - fits(other) >= _CERTAIN else None


def _evidence(found: Reading, domain: str, order: Order | None) -> Evidence:
    form = found.match.form if found.match and found.match.doubt < _DOUBTFUL else None
    return Evidence(domain, form, order)


def _why(best: Reading, name: Sequence[Word], convention: Convention, domain: str) -> str:
    if best.order is Order.LAST_FIRST and is_vietnamese(name):
        return "a Vietnamese name, shown with the last name first"
    if best.match:
        return _why_fits(best.match.form, convention, domain)
    if lexicon.is_given(best.given[0].text) and best.order is Order.LAST_FIRST:
        return "its words are known as a last and a first name"
    return f"read in the order shown, {best.order}"


def _why_fits(form: str, convention: Convention, domain: str) -> str:
    fits, of = convention.share(form)
    if fits:
        return f"{domain} writes {form} ({fits} of {of} certain names), and the address fits"
    return f"the address fits as {form}"


def _decided(found: Reading, reason: str, evidence: Evidence | None) -> tuple[_Split | None, str]:
    """A reading without its initials, unless too little is left of it."""
    given = tuple(one.text for one in found.given if not one.is_initial)
    family = tuple(one.text for one in found.family if not one.is_initial)
    if given and not family and found.match and found.match.doubt < _DOUBTFUL and lexicon.is_given(given[0]):
        # In South India an initial is all there is of a last name.
        family = tuple(one.text.strip(".") for one in found.family)
    if not given or not family:
        return None, "the display name has an initial in place of a name"
    if not any(map(str.isalpha, "".join(given))) or not any(map(str.isalpha, "".join(family))):
        return None, "the display name is one word"
    return _Split(given, family, reason, found.match, evidence), ""


@cache
def _name_parser() -> "Parser":
    """The name parser, for scripts without capitals; loaded for the first such name, and on most days none is."""
    from nameparser import Lexicon, Parser

    return Parser(lexicon=Lexicon.default())


def _other_script(part: str) -> tuple[_Split | None, str]:
    """Chinese, Japanese, Korean, Arabic, Indian names as the name parser reads them."""
    parsed = _name_parser().parse(part)
    given, family = tuple(parsed.given_names.split()), tuple(parsed.family.split())
    if not any(map(str.isalpha, "".join(given))) or not any(map(str.isalpha, "".join(family))):
        return None, "the display name is one word"
    return _Split(given, family, "read as names of its script are", None, None), ""


_PLAIN_NAME: Final = re.compile("([A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+) ([A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+)")
_FORMS_AT_A_GLANCE: Final = {
    "first.last": ("first.last", "last.first"),
    "first_last": ("first_last", "last_first"),
    "flast": ("flast", "lfirst"),
}
_OTHER_CHARACTERS: Final = frozenset("-‐‑– '’‘`´ʼ.,·・\"“”\u200c\u200d")
_INITIALS: Final = 2
_DOTTED: Final = 4
_DOUBTFUL: Final = 1.0
_NO_FIT: Final = -4.0
_CERTAIN: Final = 2.2
