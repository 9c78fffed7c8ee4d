"""Who is not a person: rooms, desks, functions, bots, products and placeholders, told by several signs together.

Belongs here: the signs, how much each weighs and the reason in words. Does not belong here: the words themselves
(``words``) and what is done about such users (``assignees``).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from intune_pipeline.domain.people import lexicon, words
from intune_pipeline.domain.people.addresses import LocalPart, Match
from intune_pipeline.domain.people.noise import Cleaned
from intune_pipeline.domain.people.spelling import alike, letters
from intune_pipeline.domain.people.words import Meaning

ENOUGH: Final = 1.0
"""The weight of signs from which a user is not taken for a person."""


MANY_DEVICES: Final = 0.6
"""What one user of very many devices adds: enrolment managers are people, with names and addresses that fit."""


class Sign(NamedTuple):
    """Something that speaks for or against a person.

    Attributes:
        weight: Positive against, negative for.
        reason: A phrase for people; empty where it speaks for a person.
    """

    weight: float
    reason: str


class Against(NamedTuple):
    """What speaks against a person.

    Attributes:
        weight: All signs together; 0 where they speak for a person.
        reason: The signs in words.
    """

    weight: float
    reason: str


def against(
    text: str, cleaned: Cleaned, local: LocalPart, name: Sequence[str] = (), match: Match | None = None
) -> Against:
    """What makes a user look like no person.

    Args:
        text: The readable display name.
        cleaned: What `noise.cleaned` left of it.
        local: The address before the @.
        name: The words of the best reading; empty where the name cannot be read.
        match: How the address is made of it.
    """
    signs = sorted(_signs(text, cleaned, local, name, match), key=lambda sign: -sign.weight)
    strong = [sign.reason for sign in signs if sign.weight >= ENOUGH]
    reasons = strong[:1] or [sign.reason for sign in signs if sign.weight > 0 and sign.reason]
    return Against(max(0.0, sum(sign.weight for sign in signs)), "; ".join(dict.fromkeys(reasons)))


def _signs(text: str, cleaned: Cleaned, local: LocalPart, name: Sequence[str], match: Match | None) -> Iterator[Sign]:
    if not any(map(str.isalpha, text)):
        yield Sign(_ALONE, "the display name has no letters")
    core = " ".join(cleaned.parts)
    yield from _said_by_phrases(text, core, is_readable=bool(name))
    yield from _said_by_words(core, cleaned.notes, local, is_readable=bool(name))
    yield from _said_by_address(local, name, match)
    yield from _said_by_names(name, local, match)


def _said_by_phrases(text: str, core: str, *, is_readable: bool) -> Iterator[Sign]:
    found = words.phrase(core) or words.phrase(text)
    if found:
        said, meaning = found
        if meaning.kind == "function" and is_readable and not words.phrase(core):
            return
        yield Sign(_ALONE, _reason(said, meaning))


def _said_by_words(core: str, notes: Sequence[str], local: LocalPart, *, is_readable: bool) -> Iterator[Sign]:
    tokens = _WORD.findall(core)
    for position, token in enumerate(tokens):
        if len(token) < 2 or not (meaning := words.meaning(token)):
            continue
        if not words.is_name_too(token):
            yield Sign(_ALONE, _reason(token, meaning))
        elif position == 0 and meaning.kind == "room" and _begins(local, token):
            yield Sign(1.5, _reason(token, meaning))
        elif not any(map(str.islower, token)) or len(tokens) != 1:
            yield Sign(0.5, _reason(token, meaning))
    for token in _WORD.findall(" ".join(notes)):
        meaning = words.meaning(token)
        if meaning and not words.is_name_too(token) and (meaning.kind in _KINDS_OF_ACCOUNTS or not is_readable):
            yield Sign(_ALONE, _reason(token, meaning))


def _said_beside_a_first_name(name: Sequence[str], persons: Sequence[str], local: LocalPart) -> Iterator[Sign]:
    """Words of functions in place of a first or last name, which the address says too: "HR Jane", "Jane IT"."""
    if not any(map(lexicon.is_given, persons)):
        return
    for position, word in enumerate(name):
        meaning = words.meaning(word)
        if not meaning or meaning.kind == "room" or not words.is_name_too(word) or lexicon.is_given(word):
            continue
        is_first_name = position == 0 and bool(local.pieces) and local.pieces[0].startswith(alike(letters(word)))
        if is_first_name or (_is_abbreviation(word, name) and (_begins(local, word) or letters(word) in local.pieces)):
            yield Sign(_ALONE, _reason(word, meaning))


def _is_abbreviation(word: str, name: Sequence[str]) -> bool:
    return len(word) <= _INITIALS and word.isupper() and not all(map(str.isupper, name)) and not lexicon.is_known(word)


def _begins(local: LocalPart, token: str) -> bool:
    plain = alike(letters(token))
    return not local.pieces or local.is_opaque or local.pieces[0].startswith(plain)


def _said_by_address(local: LocalPart, name: Sequence[str], match: Match | None) -> Iterator[Sign]:
    spelled = {alike(letters(part)) for one in name for part in (one, *one.split("-"))}
    pieces = [part for piece in local.words for part in piece.split("-") if part]
    for piece in pieces:
        plain = letters(piece)
        if alike(plain) in spelled or len(plain) < 2:
            continue
        if meaning := words.meaning(piece):
            weak = words.is_name_too(piece) and (len(pieces) > 1 or match is not None)
            yield Sign(0.3 if weak else _ALONE, f"the address says {_reason(piece, meaning)}")
        elif (joined := _joined(plain)) and match is None:
            yield Sign(_ALONE, f"the address says {_reason(*joined)}")
    if name and not match and not local.is_opaque and local.pieces:
        weight = 0.45 if len(local.pieces) == 1 and len(local.pieces[0]) > _INITIALS else 0.25
        yield Sign(weight, "the address is neither the name nor its initials")


def _joined(piece: str) -> tuple[str, Meaning] | None:
    """The word of a room or function with which a longer word begins or ends: "salareuniones", "berlinreception"."""
    for cut in range(4, len(piece) - 2):
        before, after = piece[:cut], piece[cut:]
        first, second = words.meaning(before), words.meaning(after)
        if first and (second or words.is_place(after)) and not lexicon.is_listed(piece):
            return before, first
        if second and words.is_place(before) and not lexicon.is_listed(piece):
            return after, second
    return None


def _said_by_names(name: Sequence[str], local: LocalPart, match: Match | None) -> Iterator[Sign]:
    if not name:
        return
    content = [one for one in name if letters(one) not in lexicon.PARTICLES or len(name) == 2]
    names = [one for one in content if not words.meaning(one)]
    is_said = len(names) < len(content)
    others = [one for one in names if is_said and _is_beside(one)]
    persons = [one for one in names if one not in others]
    if any(map(lexicon.is_given, persons)):
        yield Sign(-0.5, "")
    elif not any(map(lexicon.is_known, names)):
        yield Sign(0.35, "no word of the display name is known as a name")
    else:
        yield Sign(0.1, "no word of the display name is known as a first name")
    if is_said:
        yield from _said_beside_a_first_name(name, persons, local)
        if not any(map(lexicon.is_known, content)):
            yield Sign(0.2, "")
        if others:
            yield Sign(0.4, "the other words are no names")
        if match and match.form == "first" and words.meaning(content[0]):
            yield Sign(0.4, "the address says only that word")
    elif match and match.doubt < 1 and any(map(lexicon.is_known, content)):
        yield Sign(-0.3, "")
    if len(name) == 2 and letters(name[0]) == letters(name[1]):
        yield Sign(0.4, "the same word twice")


def _is_beside(word: str) -> bool:
    """Whether a word stands beside words of rooms and functions: a number, a place, a region."""
    return words.is_number(word) or (not lexicon.is_given(word) and (words.is_note(word) or words.is_place(word)))


def _reason(said: str, meaning: Meaning) -> str:
    if meaning.kind == "product":
        return f"“{said}” is a product's name"
    if meaning.kind == "placeholder":
        return f"“{said}” stands for a missing name"
    return f"“{said}” is a word for {_WHAT[meaning.kind]}"


_ALONE: Final = 2.0
_INITIALS: Final = 3
_WORD: Final = re.compile(r"[^\W\d_]+")
_KINDS_OF_ACCOUNTS: Final = frozenset({"room", "device", "bot", "account", "product", "placeholder"})
_WHAT: Final = {
    "room": "a room",
    "desk": "a desk or a reception",
    "device": "a shared device",
    "bot": "a bot or a service account",
    "account": "a shared or technical account",
    "function": "a department or a function",
}
