"""Look-alikes: which employees could be one person, how sure that is and why.

Belongs here: grades, reasons and the index that finds candidates without comparing every pair. Does not belong here: what
a grade leads to (``assignees``) and merging two employees (``inventory``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from intune_pipeline.domain.people import lexicon, nicknames
from intune_pipeline.domain.people.addresses import local_part, matches
from intune_pipeline.domain.people.noise import is_suffix
from intune_pipeline.domain.people.readings import is_initial
from intune_pipeline.domain.people.spelling import alike, is_latin, letters, sounds
from intune_pipeline.domain.vocabulary import LookalikeGrade

MOST: Final = 5
"""Candidates shown for one person."""

_MOST_PER_KEY: Final = 25
"""Employees looked at for one key: of a hundred of one name the first entered are shown."""


class Known(NamedTuple):
    """Somebody with a name and addresses.

    Attributes:
        id: An employee's id; 0 for a person who is no employee.
        first_name: First name.
        last_name: Last name.
        work: Compared work addresses.
        personal: Compared personal addresses.
    """

    id: int
    first_name: str
    last_name: str
    work: tuple[str, ...]
    personal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookalike:
    """An employee who could be the same person.

    Attributes:
        employee_id: allwhere's id.
        grade: How sure it is.
        reasons: Why, phrases for people.
    """

    employee_id: int
    grade: LookalikeGrade
    reasons: tuple[str, ...]


class _Name(NamedTuple):
    """A name as it is compared."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    content: tuple[str, ...]
    suffix: str
    is_initial: bool
    written: tuple[tuple[str, str], ...]

    @property
    def whole(self) -> str:
        return "".join((*self.given, *self.family))

    def as_written(self, word: str) -> str:
        """A compared word as somebody wrote it."""
        return next((text for key, text in self.written if key == word), word)


class LookalikeIndex:
    """Finds look-alikes by keys: as quick for the last of 10,000 employees as for the first.

    Args:
        employees: Everybody to compare with, in any order.
    """

    def __init__(self, employees: Iterable[Known]) -> None:
        self._by_id = {one.id: one for one in employees}
        self._by_key: dict[str, list[int]] = {}
        for number in sorted(self._by_id):
            for key in _kept_under(self._by_id[number]):
                ids = self._by_key.setdefault(key, [])
                if len(ids) < _MOST_PER_KEY and (not ids or ids[-1] != number):
                    ids.append(number)

    def of(self, person: Known) -> list[Lookalike]:
        """The employees who could be a person, the surest first, at most `MOST`; never the person's own id."""
        candidates = {number for key in _asked_for(person) for number in self._by_key.get(key, ())} - {person.id}
        found = [one for number in candidates if (one := compare(person, self._by_id[number]))]
        found.sort(key=lambda one: (_RANK[one.grade], one.employee_id))
        return found[:MOST]


def compare(person: Known, employee: Known) -> Lookalike | None:
    """How sure it is that an employee is a person, with the reasons; None where nothing says so."""
    signs = [*_name_signs(person, employee)]
    weight = sum(sign.weight for sign in signs)
    for sign in _address_signs(person, employee, is_name_alike=weight > 0):
        signs.append(sign)
        weight += sign.weight
    grade = next((grade for least, grade in _GRADES if weight >= least), None)
    return Lookalike(employee.id, grade, tuple(sign.reason for sign in signs)) if grade else None


class _Sign(NamedTuple):
    weight: float
    reason: str


def _name_signs(person: Known, employee: Known) -> Iterator[_Sign]:
    one, other = _name(person.first_name, person.last_name), _name(employee.first_name, employee.last_name)
    sign = _same(person, employee, one, other) or _related(one, other) or _one_keystroke(one, other)
    if sign:
        yield sign
    if sign and one.suffix != other.suffix:
        yield _Sign(-2.0, "one of them is a junior or senior")


def _same(person: Known, employee: Known, one: _Name, other: _Name) -> _Sign | None:
    if not one.whole:
        return None
    if (one.given, one.family) == (other.given, other.family):
        written = (person.first_name.casefold(), person.last_name.casefold())
        is_same = written == (employee.first_name.casefold(), employee.last_name.casefold())
        return _Sign(3.0, "the same name" if is_same else "the same name, spelled otherwise")
    if one.whole == other.whole:
        return _Sign(3.0, "the same name, spaced or hyphenated otherwise")
    if sorted((*one.given, *one.family)) == sorted((*other.given, *other.family)):
        return _Sign(3.0, "first and last name swapped")
    scripts = {is_latin(known.first_name + known.last_name) for known in (person, employee)}
    if len(scripts) > 1 and _sounds(person) == _sounds(employee):
        return _Sign(3.0, "the same name in other letters")
    return None


def _related(one: _Name, other: _Name) -> _Sign | None:
    """First names and last names that belong together without being the same."""
    given, said_of_given = _given_names(one, other)
    family, said_of_family = _family_names(one, other)
    if not given or not family:
        return None
    weight = min(given, family) - (0.5 if given < _FULL and family < _FULL else 0.0)
    return _Sign(weight, " and ".join(filter(None, (said_of_given, said_of_family))))


def _given_names(one: _Name, other: _Name) -> tuple[float, str]:
    if one.is_initial or other.is_initial:
        alike_initials = bool(one.given and other.given) and one.given[0][0] == other.given[0][0]
        return (1.2, "the same initial") if alike_initials else (0.0, "")
    if one.given == other.given:
        return _FULL, ""
    if not one.given or not other.given:
        return 0.0, ""
    first, second = one.given, other.given
    if first[0] == second[0]:
        return 2.5, "one first name more" if min(len(first), len(second)) == 1 else "one first name in common"
    if _roots(first[0]) & _roots(second[0]):
        return 2.5, f"“{one.as_written(first[0])}” and “{other.as_written(second[0])}” are one first name"
    if min(len(first), len(second)) == 1 and set(first) & set(second):
        return 2.0, "one first name in common"
    return 0.0, ""


def _family_names(one: _Name, other: _Name) -> tuple[float, str]:
    if "".join(one.family) == "".join(other.family):
        return _FULL, "the same last name"
    first, second = one.content, other.content
    shared = set(first) & set(second)
    if not shared:
        return 0.0, ""
    if first == second:
        return 2.8, "the same last name with other small words"
    if shared == set(first) or shared == set(second):
        return 2.5, f"“{one.as_written(max(shared, key=len))}” is in both last names"
    return 1.2, f"“{one.as_written(max(shared, key=len))}” is in both last names"


def _one_keystroke(one: _Name, other: _Name) -> _Sign | None:
    if OSA.distance(one.whole, other.whole, score_cutoff=1) > 1:
        return None
    if _are_two_first_names(one, other):
        return _Sign(_LEAST, "one keystroke apart, but both first names are usual")
    if min(len(one.whole), len(other.whole)) < _LONG_ENOUGH:
        return _Sign(1.0, "one keystroke apart, but short")
    return _Sign(2.2, "one keystroke apart")


def _are_two_first_names(one: _Name, other: _Name) -> bool:
    """Whether first names are usual and not one in two spellings: Simon and Simone, René and Renée."""
    given, others = "".join(one.given), "".join(other.given)
    is_feminine = f"{given}e" == others or f"{others}e" == given
    if sounds(given) == sounds(others) and not is_feminine:
        return False
    return all(lexicon.is_used_as_given("".join(map(name.as_written, name.given))) for name in (one, other))


def _address_signs(person: Known, employee: Known, *, is_name_alike: bool) -> Iterator[_Sign]:
    mine = dict(_locals(person.work + person.personal))
    theirs = dict(_locals(employee.work + employee.personal))
    same = set(mine) & set(theirs)
    first, last = person.first_name.split(), person.last_name.split()
    if same:
        local = min(same)
        is_spelled = any(
            match.form.startswith(("first", "last")) and match.form not in {"first", "last"}
            for match in matches(local_part(f"{local}@x"), first, last)
        )
        if is_name_alike:
            yield _Sign(2.0, f"the same address before the @, “{local}”")
        elif _share_a_name(person, employee):
            yield _Sign(
                2.5 if is_spelled or "." in local else 1.0,
                f"the same address before the @, “{local}”, and one name in common",
            )
        return
    if not is_name_alike:
        return
    if set(_domains(person.work)) & set(_domains(employee.work)):
        yield _Sign(-1.5, "but both have an address of the same company")
    elif any(matches(local_part(f"{local}@x"), first, last) for local in theirs):
        yield _Sign(1.0, "the employee's address fits the name")


def _share_a_name(person: Known, employee: Known) -> bool:
    """Whether first names are the same: people marry, the address stays."""
    one, other = _name(person.first_name, person.last_name), _name(employee.first_name, employee.last_name)
    return bool(one.given and other.given) and bool(_roots(one.given[0]) & _roots(other.given[0]))


def _locals(addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    for address in addresses:
        local = address.partition("@")[0].partition("+")[0].lower()
        if len(local) >= _SHORTEST_LOCAL:
            yield local, address


def _domains(addresses: Sequence[str]) -> Iterator[str]:
    for address in addresses:
        yield address.rpartition("@")[2].lower()


@lru_cache(65_536)
def _name(first: str, last: str) -> _Name:
    words = last.replace(",", " ").split()
    suffix = ""
    while len(words) > 1 and is_suffix(words[-1]):
        suffix = letters(words.pop())
    given = tuple(
        alike(word) for one in first.replace("-", " ").split() if not is_initial(one) and (word := letters(one))
    )
    initials = tuple(word[0] for one in first.split() if (word := letters(one)))
    plain = [word for one in words for part in one.split("-") if (word := letters(part))]
    family = tuple(alike(word) for word in plain)
    content = tuple(alike(word) for word in plain if word not in lexicon.PARTICLES)
    written = [
        (alike(letters(part)), part) for one in (first, last) for word in one.split() for part in word.split("-")
    ]
    return _Name(given or initials, family, content or family, suffix, not given and bool(initials), tuple(written))


@lru_cache(65_536)
def _sounds_of(first: str, last: str) -> tuple[str, ...]:
    return tuple(sorted(sound for one in f"{first} {last}".split() if (sound := sounds(one).rstrip("s"))))


def _sounds(known: Known) -> tuple[str, ...]:
    return _sounds_of(known.first_name, known.last_name)


@lru_cache(65_536)
def _roots(name: str) -> frozenset[str]:
    """A first name and the names it is short for."""
    return frozenset({name, *(alike(one) for one in nicknames.roots(name))})


def _keys(known: Known) -> Iterator[str]:
    """What look-alikes have in common with somebody: at least one of these."""
    name = _name(known.first_name, known.last_name)
    for local, _ in _locals((*known.work, *known.personal)):
        yield "@" + local
    if not name.family:
        return
    yield "=" + " ".join(sorted((*name.given, *name.family)))
    yield "~" + " ".join(_sounds(known))
    whole = name.whole
    yield "-" + whole
    for position in range(len(whole)):
        yield "-" + whole[:position] + whole[position + 1 :]
    for given in name.given:
        for family in _families(name):
            for root in _roots(given):
                yield f"g{root} {family}"


def _kept_under(known: Known) -> Iterator[str]:
    """The keys an employee is kept under."""
    yield from _keys(known)
    name = _name(known.first_name, known.last_name)
    yield from _initial_keys(name, "initial" if name.is_initial else "whole")


def _asked_for(known: Known) -> Iterator[str]:
    """The keys somebody is looked for by: initials meet whole names, whole names do not meet each other by initials."""
    yield from _keys(known)
    name = _name(known.first_name, known.last_name)
    yield from _initial_keys(name, "initial")
    if name.is_initial:
        yield from _initial_keys(name, "whole")


def _initial_keys(name: _Name, kind: str) -> Iterator[str]:
    if name.given:
        for family in _families(name):
            yield f"{kind} {name.given[0][0]} {family}"


def _families(name: _Name) -> set[str]:
    return {*name.content, "".join(name.family)}


_LEAST: Final = 0.9
"""The weight of names that are worth showing, which an address that fits both does not raise to "probably"."""
_FULL: Final = 3.0
_LONG_ENOUGH: Final = 9
_SHORTEST_LOCAL: Final = 4
_RANK: Final = {grade: rank for rank, grade in enumerate(LookalikeGrade)}
_GRADES: Final = ((4.5, LookalikeGrade.SURELY), (2.0, LookalikeGrade.PROBABLY), (_LEAST, LookalikeGrade.PERHAPS))
