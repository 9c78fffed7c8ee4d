"""Every way to read the words of a name as a first and a last name, and how well each fits.

Belongs here: what languages, the lists of names, the address and the company's convention say for a reading. Does not
belong here: taking noise away (``noise``) and deciding whether somebody is a person (``not_people``).
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from intune_pipeline.domain.people import lexicon
from intune_pipeline.domain.people.addresses import LocalPart, Match, matches
from intune_pipeline.domain.people.conventions import Convention, Order
from intune_pipeline.domain.people.spelling import letters


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a name.

    Attributes:
        text: As written.
        plain: In compared form.
        is_initial: Whether it is a letter or letters with stops.
        is_particle: Whether it is a small word of last names.
        given: The logarithm of the chance that it is a first name.
        family: The same for a last name.
    """

    text: str
    plain: str
    is_initial: bool
    is_particle: bool
    given: float
    family: float


class Reading(NamedTuple):
    """One way to read a name.

    Attributes:
        given: The words of the first name.
        family: The words of the last name.
        order: In which order they are shown.
        inner: What language and lists of names say for it, a logarithm.
        match: How the address is made of it; None where it is not.
        score: All together, a logarithm.
    """

    given: tuple[Word, ...]
    family: tuple[Word, ...]
    order: Order
    inner: float
    match: Match | None
    score: float


@lru_cache(16_384)
def word(text: str) -> Word:
    """A word of a name with what is known of it."""
    plain = letters(text)
    initial = is_initial(text)
    particle = not initial and (plain in lexicon.PARTICLES or text.lower() in lexicon.PARTICLES) and "-" not in text
    if initial:
        return Word(text, plain, initial, particle, math.log(0.7), math.log(0.06))
    return Word(text, plain, initial, particle, lexicon.log_given(text), lexicon.log_family(text))


def is_initial(text: str) -> bool:
    """Whether a word is a letter or letters with stops: "J", "J.R."."""
    return (
        text.upper() != text.lower()
        and text not in lexicon.CONJUNCTIONS
        and all(len(letter) <= 1 for letter in text.split("."))
    )


def readings(
    words: Sequence[Word], local: LocalPart, convention: Convention, orders: Sequence[Order] = tuple(Order)
) -> list[Reading]:
    """Every reading of words that are shown without comma, the best first."""
    found = [
        read(given, family, order, local, convention, len(words))
        for order in orders
        for given, family in _cuts(words, order)
    ]
    return sorted(found, key=lambda reading: -reading.score)


def read(
    given: tuple[Word, ...],
    family: tuple[Word, ...],
    order: Order,
    local: LocalPart,
    convention: Convention,
    count: int,
) -> Reading:
    """A reading with how well it fits."""
    inner = _inner(given, family, order, count)
    match, address = _address(given, family, local, convention)
    shown = convention.log_order(order)
    if (
        match
        and order is Order.LAST_FIRST
        and len(family) == 1
        and lexicon.is_chinese(family[0].text)
        and _is_chinese(given)
    ):
        shown += _CHINESE
    if match and order is Order.LAST_FIRST and match.form.startswith("last") and "first" in match.form:
        shown += _LAST_FIRST_TWICE * (1 - convention.knows_orders)
        if len(local.pieces) == _TWO_SIDES and match.doubt == 0 and _is_east_asian(given, family):
            shown += _EAST_ASIAN * len(given) * (1 - convention.knows_orders)
    if order is Order.LAST_FIRST and match is None:
        shown -= _ON_ITS_OWN * (1 - convention.knows_orders)
    return Reading(given, family, order, inner, match, inner + address + shown)


def _cuts(words: Sequence[Word], order: Order) -> Iterator[tuple[tuple[Word, ...], tuple[Word, ...]]]:
    for cut in range(1, len(words)):
        before, after = tuple(words[:cut]), tuple(words[cut:])
        yield (before, after) if order is Order.FIRST_LAST else (after, before)


def _address(
    given: tuple[Word, ...], family: tuple[Word, ...], local: LocalPart, convention: Convention
) -> tuple[Match | None, float]:
    found = matches(local, [one.text for one in given], [one.text for one in family])
    best = max(found, key=lambda match: convention.log_form(match.form) - match.doubt, default=None)
    return best, convention.log_form(best.form) - best.doubt if best else _NO_MATCH


def _inner(given: tuple[Word, ...], family: tuple[Word, ...], order: Order, count: int) -> float:
    return (
        _words_say(given, family, count)
        + _given_says(given)
        + _family_says(family)
        + _length_says(given, family)
        + _order_says(given, family, order)
    )


def _words_say(given: tuple[Word, ...], family: tuple[Word, ...], count: int) -> float:
    said = sum(one.given for one in given if not one.is_particle or len(given) == 1)
    said += sum(one.family for one in family if not one.is_particle or len(family) == 1)
    if count > 2:
        for one in (*given, *family):
            if _PATRONYMIC.search(one.plain):
                said += 2.0 if one in given else -2.0
    return said


def _given_says(given: tuple[Word, ...]) -> float:
    first, last = given[0], given[-1]
    said = 0.0
    if len(given) == 1:
        if first.is_particle:
            said -= 3.0 if first.plain in lexicon.ONLY_PARTICLES else 0.7
        return said
    if last.text in lexicon.CONJUNCTIONS:
        said -= 4.0
    if last.is_particle:
        said -= 5.0 if last.text.islower() or last.plain in lexicon.ONLY_PARTICLES else 3.0
    if last.plain in lexicon.BOUND_GIVEN:
        said -= 4.0
    if first.is_particle:
        said -= 5.0 if first.text.islower() else 1.5
    for before, after in pairwise(given[1:]):
        if before.is_particle and not after.is_particle:
            said += 1.0 if after.plain in _DEVOTIONAL else -2.5 if before.text.islower() else -0.8
    return said


def _family_says(family: tuple[Word, ...]) -> float:
    first, last = family[0], family[-1]
    if len(family) == 1:
        if not first.is_particle or first.plain in lexicon.VIETNAMESE_FAMILIES:
            return 0.0
        return -4.0 if first.plain in lexicon.ONLY_PARTICLES else -1.0
    said = 0.0
    if last.is_particle:
        said -= 6.0 if last.plain in lexicon.ONLY_PARTICLES or last.text.islower() else 3.0
    if first.text in lexicon.CONJUNCTIONS:
        said -= 4.0
    if all(one.is_initial for one in family):
        said -= 4.0
    return said


def _length_says(given: tuple[Word, ...], family: tuple[Word, ...]) -> float:
    of_given = sum(not one.is_particle and not one.is_initial for one in given)
    of_family = sum(not one.is_particle for one in family)
    said = _LENGTHS.get((max(of_given, 1), max(of_family, 1)), -4.5)
    if of_family > 1 and not all(one.is_particle or lexicon.is_iberian(one.text) for one in family):
        said -= _NOT_IBERIAN
    if of_given == 0:
        said -= 1.5
    if all(one.is_initial for one in family):
        said -= 3.0
    return said


def _order_says(given: tuple[Word, ...], family: tuple[Word, ...], order: Order) -> float:
    """What East Asian languages say, which show the last name first."""
    is_family_first = order is Order.LAST_FIRST and len(family) == 1
    if is_vietnamese([*family, *given] if order is Order.LAST_FIRST else [*given, *family]):
        return 8.0 if is_family_first else 0.0
    if is_family_first and family[0].plain in lexicon.KOREAN_FAMILIES and _is_korean(given):
        return 2.8
    if (
        order is Order.FIRST_LAST
        and len(family) == 1
        and family[0].plain in lexicon.KOREAN_FAMILIES
        and _is_korean(given)
    ):
        return 1.0
    return 0.0


def is_vietnamese(words: Sequence[Word]) -> bool:
    """Whether words are a Vietnamese name with the last name first: "Trần Văn Đức"."""
    return (
        len(words) > 2
        and words[0].plain in lexicon.VIETNAMESE_FAMILIES
        and words[1].plain in lexicon.VIETNAMESE_MIDDLES
        and (words[-1].plain not in lexicon.VIETNAMESE_FAMILIES or words[1].plain in {"van", "thi"})
        and all(len(one.plain) <= _VIETNAMESE_LETTERS for one in words)
    )


def _is_korean(given: tuple[Word, ...]) -> bool:
    parts = [part for one in given for part in one.text.lower().split("-")]
    if len(parts) == 1:
        joined = parts[0]
        return any(
            joined[:cut] in lexicon.KOREAN_SYLLABLES and joined[cut:] in lexicon.KOREAN_SYLLABLES
            for cut in range(1, len(joined))
        )
    return len(parts) == 2 and all(part in lexicon.KOREAN_SYLLABLES for part in parts)


def _is_chinese(given: tuple[Word, ...]) -> bool:
    """Whether a first name is one or two short words that hardly any other language has."""
    parts = [part for one in given for part in one.text.lower().split("-")]
    return len(parts) <= 2 and all(len(part) <= _PINYIN_LETTERS and _PINYIN.fullmatch(part) for part in parts)


def _is_east_asian(given: tuple[Word, ...], family: tuple[Word, ...]) -> bool:
    """Whether a last name is Chinese, Korean or Vietnamese and the words of the first name are no last name together."""
    if len(family) != 1:
        return False
    plain = family[0].plain
    if len(given) == 1:
        return lexicon.is_chinese(plain) and not lexicon.is_known(given[0].text) and _is_chinese(given)
    return len(given) == 2 and (
        (plain in lexicon.KOREAN_FAMILIES and _is_korean(given))
        or (plain in lexicon.VIETNAMESE_FAMILIES and all(lexicon.is_given(one.text) for one in given))
        or (lexicon.is_chinese(plain) and not given[0].is_particle and all(map(_is_one_syllable, given)))
    )


def _is_one_syllable(name: Word) -> bool:
    return bool(_SYLLABLE.fullmatch(name.text.lower()))


_PINYIN_LETTERS: Final = 6
_SYLLABLE: Final = re.compile(r"(?:[bpmfdtlgkhjqxrzcsywn]|zh|ch|sh|ts|hs)?(?:[aeiou]{1,3}|yu?e?)(?:n|ng|r|m|k|t|p|h)?")
_PINYIN: Final = re.compile(rf"{_SYLLABLE.pattern}(?:(?:[bpmfdtlgkhjqxrzcsywn]|zh|ch|sh)[aeiou]{{1,3}}(?:n|ng|r)?)?")
_NOT_IBERIAN: Final = 1.4
"""What speaks against two last names outside Spain, Portugal and Latin America: a middle name is likelier."""
_VIETNAMESE_LETTERS: Final = 6
_CHINESE: Final = 1.6
"""What speaks for a Chinese last name that is shown first, where the address fits so."""
_LAST_FIRST_TWICE: Final = 0.9
"""Who shows the last name first writes it first in addresses more often than others do."""
_EAST_ASIAN: Final = 1.5
"""What an address adds for a last name of East Asia that is shown first, for each word of the first name: zhang.yuhan."""
_TWO_SIDES: Final = 2
_ON_ITS_OWN: Final = 1.3
"""What a reading against the order shown lacks where the address does not support it."""
_NO_MATCH: Final = math.log(0.0008)
_LENGTHS: Final = {
    (1, 1): 0.0, (2, 1): -0.5, (1, 2): -0.9, (2, 2): -0.8, (3, 1): -1.4, (1, 3): -2.6, (3, 2): -1.9, (2, 3): -3.0, (4, 1): -3.0,
}  # fmt: skip
_PATRONYMIC: Final = re.compile(r"(ovich|evich|ovych|evych|yovych|ovna|evna|ivna|yivna|ichna|owicz)$")
_DEVOTIONAL: Final = lexicon.small_words("devotional")
