"""People behind devices: which e-mail identifies a user, what his first and last name are, which employee he is.

Belongs here: reading a person from devices, splitting display names, finding employees and their look-alikes. Does not
belong here: whether an employee is created or an assignee changes (``reconciliation``).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from intune_pipeline.domain.devices import ManagedDevice

if TYPE_CHECKING:
    from nameparser import Parser

LONGEST_EMAIL: Final = 254
"""Characters of an address, RFC 5321."""

LONGEST_NAME: Final = 100
"""Characters of a display name that can still be a person's."""

MOST_WORDS: Final = 7
"""Words of a display name that can still be a person's."""

REMEMBERED_NAMES: Final = 16_384
"""Distinct split names kept in memory: the same name is asked for more than once in a run."""


@dataclass(frozen=True, repr=False)
class Person:
    """A user of devices.

    Attributes:
        email: The address that identifies the user, as Intune shows it.
        email_key: Its compared form.
        other_keys: Compared forms of the user's further addresses, such as the user principal name; sorted.
        user_id: Entra's id of the user.
        display_name: As Intune shows it.
    """

    email: str
    email_key: str
    other_keys: tuple[str, ...]
    user_id: str | None
    display_name: str | None

    @cached_property
    def name(self) -> tuple[str, str] | None:
        """First and last name; None where the display name cannot be split safely.

        Read when it is first asked for: few people of a fleet are strangers to allwhere, and reading names is slow.
        """
        return split_name(self.display_name, self.email)

    def __repr__(self) -> str:
        return f"Person(user_id={self.user_id!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Employee:
    """An employee of allwhere.

    Attributes:
        id: allwhere's id.
        first_name: As entered.
        last_name: As entered.
        emails: The compared form of each address with its kind, ``work`` or ``personal``.
    """

    id: int
    first_name: str
    last_name: str
    emails: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Employee(id={self.id!r})"


class EmployeeDirectory:
    """An account's employees, found by address and by name.

    Args:
        employees: All employees of the account, in any order; of several that fit, the lowest id is found.
    """

    def __init__(self, employees: Iterable[Employee]) -> None:
        self._by_email: dict[str, Employee] = {}
        self._by_id: dict[int, Employee] = {}
        self._without_work_email: dict[tuple[str, str], Employee] = {}
        for employee in sorted(employees, key=lambda employee: employee.id):
            self._by_id[employee.id] = employee
            for key, _ in employee.emails:
                self._by_email.setdefault(key, employee)
            if all(kind != "work" for _, kind in employee.emails):
                self._without_work_email.setdefault(_full_name_key(employee.first_name, employee.last_name), employee)

    def match(self, person: Person) -> Employee | None:
        """The employee with the person's e-mail, work or personal, else with one of the person's other addresses."""
        for key in (person.email_key, *person.other_keys):
            if employee := self._by_email.get(key):
                return employee
        return None

    def emails_of(self, employee_id: int) -> tuple[str, ...]:
        """The compared addresses of an employee; empty for one who is not there."""
        employee = self._by_id.get(employee_id)
        return tuple(key for key, _ in employee.emails) if employee else ()

    def look_alike(self, first_name: str, last_name: str) -> Employee | None:
        """The employee of the same name who has no work e-mail, so that no e-mail of Intune can match.

        Case, accents, spaces and punctuation do not matter.
        """
        key = _full_name_key(first_name, last_name)
        return self._without_work_email.get(key) if any(key) else None


def email_key(email: str) -> str:
    """The compared form of an address: trimmed, lower case; the same law as SQL ``lower(btrim(email))``.

    PostgreSQL lowers letter by letter, Python by context ("Σ") and to several characters ("İ").
    """
    trimmed = email.strip(" ")
    return trimmed.lower() if trimmed.isascii() else "".join(letter.lower()[0] for letter in trimmed)


def person_of(device: ManagedDevice) -> Person | None:
    """The user one device record shows; None where it shows no address.

    The e-mail identifies the user; where it is empty, the user principal name does if it is an address.
    """
    addresses = _addresses(device)
    if not addresses:
        return None
    keys = [email_key(address) for address in addresses]
    other_keys = tuple(key for key in keys[1:] if key != keys[0])
    return Person(addresses[0], keys[0], other_keys, device.user_id, device.user_display_name)


def user_key(device: ManagedDevice) -> str | None:
    """The ``email_key`` of the user one record shows, as `person_of` has it."""
    addresses = _addresses(device)
    return email_key(addresses[0]) if addresses else None


def people_of(devices: Iterable[ManagedDevice]) -> dict[str, Person]:
    """Everybody the devices show, by the ``email_key`` that `person_of` gives for each device.

    Records with one e-mail or one user id show the same person, who is the same object under each of his keys. His
    e-mail and name come from the record with a name that can be split, a real e-mail and the newest contact, in this
    order; the order of the devices never matters. An address that is another person's e-mail is not his.
    """
    seen = [(person, device) for device in devices if (person := person_of(device))]
    emails = {person.email_key for person, _ in seen}
    people: dict[str, Person] = {}
    for group in _same_people([person for person, _ in seen]):
        members = [seen[index][0] for index in group]
        best = members[0] if len(members) == 1 else _best([seen[index] for index in group])
        own = {member.email_key for member in members}
        others = {key for member in members for key in member.other_keys if key not in emails}
        user_id = best.user_id or max((member.user_id for member in members if member.user_id), default=None)
        keys = tuple(sorted((own | others) - {best.email_key}))
        people.update(dict.fromkeys(own, Person(best.email, best.email_key, keys, user_id, best.display_name)))
    return people


def split_name(display_name: str | None, email: str) -> tuple[str, str] | None:
    """A display name as first and last name; None unless that is safe.

    The e-mail's local part decides where it can: "Saquet Pipin" with pipin.saquet@… is Pipin Saquet, "García" belongs
    to the last name of "María García López" with maria.garcia@…. Rooms, service accounts, single words, initials,
    digits and symbols give None. What stands in brackets or behind a bar or dash is left out. Names all in capitals or
    all in lower case are written as names are.

    Args:
        display_name: Graph: userDisplayName, "First Last", "Last, First", or no person's name at all.
        email: The user's address.
    """
    return _split_name(display_name, _TAG.sub("", email.partition("@")[0])) if display_name else None


@lru_cache(REMEMBERED_NAMES)
def _split_name(display_name: str, local_part: str) -> tuple[str, str] | None:
    display_name = unicodedata.normalize("NFC", " ".join(display_name.split()))
    if len(display_name) > LONGEST_NAME or _says_no_person(display_name) or _says_no_person(local_part):
        return None
    if local_part.casefold() in _ORGANISATION:
        return None
    core = " ".join(_OUTSIDE_STAFF.sub(" ", _BRACKETS.sub(" ", display_name)).split()).strip(" ,-–|/")
    local_key = _local_key(local_part)
    parts = _SEPARATORS.split(core)
    names = [name for part in parts if (name := _read_name(part, local_key))]
    if len(parts) > 1:
        # Behind a bar or dash stands a company as often as before it; the e-mail knows which part is the person.
        names = [name for name in names if _fits(local_key, *(part.split() for part in name))]
    return names[0] if names else None


def _addresses(device: ManagedDevice) -> list[str]:
    return [address for address in (_address(device.user_email), _address(device.user_principal_name)) if address]


@lru_cache(REMEMBERED_NAMES)
def _address(text: str | None) -> str | None:
    """The address in an e-mail or user principal name, None where there is none."""
    if text is None:
        return None
    guest = _GUEST.match(text)
    address = _HEX_PREFIX.sub("", f"{guest['name']}@{guest['domain']}" if guest else text)
    return address if len(address) <= LONGEST_EMAIL and _ADDRESS.fullmatch(address) else None


def _best(seen: Sequence[tuple[Person, ManagedDevice]]) -> Person:
    """The person as the record shows him that tells the most."""
    names_differ = len({(person.display_name, person.email) for person, _ in seen}) > 1

    def tells(record: tuple[Person, ManagedDevice]) -> tuple[bool, bool, datetime, str, str, str, str]:
        person, device = record
        return (
            names_differ and person.name is not None,
            _address(device.user_email) is not None,
            device.last_contact_at or _NEVER,
            device.intune_device_id,
            person.email,
            person.display_name or "",
            person.user_id or "",
        )

    return max(seen, key=tells)[0]


def _same_people(seen: Sequence[Person]) -> Iterable[list[int]]:
    """Groups of positions that share an e-mail or a user id, directly or through others.

    A user principal name links only records without a user id: it can be another user's e-mail.
    """
    leader = list(range(len(seen)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    first_with: dict[tuple[str, str], int] = {}
    for index, person in enumerate(seen):
        marks = [("address", person.email_key)]
        marks += (
            [("user", person.user_id.lower())] if person.user_id else [("address", key) for key in person.other_keys]
        )
        for mark in marks:
            leader[find(index)] = find(first_with.setdefault(mark, index))
    groups: dict[int, list[int]] = {}
    for index in range(len(seen)):
        groups.setdefault(find(index), []).append(index)
    return groups.values()


def _says_no_person(text: str) -> bool:
    words = _WORD.findall(text.casefold())
    return any(word in _NO_PERSON or word.startswith(_NO_PERSON_STEMS) for word in words)


class _Reading(NamedTuple):
    """A name as the name parser reads it; either part may be empty."""

    given: str
    family: str
    is_doubtful: bool = False


@cache
def _name_parser() -> tuple["Parser", frozenset[str]]:
    """The name parser and the words it knows; loaded for the first name that is read, and on most days none is."""
    from nameparser import Lexicon, Parser

    lexicon = Lexicon.default().remove(titles=_NAMES_NOT_TITLES)
    words = (getattr(lexicon, field.name) for field in fields(Lexicon))
    return Parser(lexicon=lexicon), frozenset().union(*(some for some in words if isinstance(some, frozenset)))


def _parsed(text: str) -> _Reading:
    # Most names are two plain words. The parser reads them just so, at four times the cost of everything else here.
    plain = _PLAIN_NAME.fullmatch(text)
    parser, vocabulary = _name_parser()
    if plain and vocabulary.isdisjoint(text.lower().replace(",", " ").split()):
        return (
            _Reading(plain["given"], plain["family"]) if plain["given"] else _Reading(plain["second"], plain["first"])
        )
    parsed = parser.parse(text)
    is_doubtful = any(ambiguity.kind == _PARTICLE_OR_GIVEN for ambiguity in parsed.ambiguities)
    return _Reading(parsed.given_names, parsed.family, is_doubtful)


def _read_name(text: str, local_key: str) -> tuple[str, str] | None:
    """First and last name of a display name without its annotations."""
    if not _is_name_like(text):
        return None
    # In capitals every short last name looks like a degree, so the parser is shown none.
    in_one_case = _is_in_one_case(text)
    reading = _parsed(text.title() if in_one_case else text)
    given, family = _stated(text, reading, local_key) or _decided(reading, local_key) or ("", "")
    given = " ".join(word for word in given.split() if not _is_initial(word))
    if not _has_letter(given) or not _has_letter(family) or _is_initial(family):
        return None
    return _capitalised(given, family, both=in_one_case)


def _is_name_like(text: str) -> bool:
    others = _NAME_CHARACTERS.sub("", text)
    return (
        len(text.split()) <= MOST_WORDS
        and all(character in _JOINERS or unicodedata.category(character)[0] == "M" for character in others)
        and not any(word in _ORGANISATION for word in _WORD.findall(text.casefold()))
    )


def _stated(text: str, reading: _Reading, local_key: str) -> tuple[str, str] | None:
    """The name where its own writing says which part is the last name: "Doe, Jane", "DOE Jane"."""
    before, comma, _ = text.partition(",")
    if comma and before.strip().casefold() == reading.family.casefold():
        # "Jane Doe, Acme" is written like "García López, María"; only the e-mail tells them apart.
        if " " in before.strip() and not _fits(local_key, reading.given.split(), reading.family.split()):
            given_first = _parsed(before.strip())
            if _fits(local_key, given_first.given.split(), given_first.family.split()):
                return given_first.given, given_first.family
        return reading.given, reading.family
    words = _words(reading)
    in_capitals = [word.isupper() and len(word) > 1 and "." not in word for word in words]
    count = sum(in_capitals)
    if count < len(words) and any(
        capitals and len(word) > _INITIALS for word, capitals in zip(words, in_capitals, strict=True)
    ):
        if all(in_capitals[:count]):
            return " ".join(words[count:]), " ".join(words[:count])
        if all(in_capitals[-count:]):
            return " ".join(words[:-count]), " ".join(words[-count:])
    return None


def _decided(reading: _Reading, local_key: str) -> tuple[str, str] | None:
    """The reading that the e-mail's local part confirms, else the parser's."""
    for given, family in _readings(reading):
        if _fits(local_key, given, family):
            return " ".join(given), " ".join(family)
    return None if reading.is_doubtful else (reading.given, reading.family)


def _readings(reading: _Reading) -> Iterator[tuple[list[str], list[str]]]:
    """The parser's reading, then every other split with the first name first, then with the last name first."""
    yield reading.given.split(), reading.family.split()
    words = _words(reading)
    if len(words) > 2:
        for count in range(1, len(words)):
            yield words[:count], words[count:]
    for count in range(1, len(words)):
        yield words[count:], words[:count]


def _words(reading: _Reading) -> list[str]:
    return [*reading.given.split(), *reading.family.split()]


def _fits(local_key: str, given: Sequence[str], family: Sequence[str]) -> bool:
    """Whether a local part is made of a first name or its initials, then a last name: jane.doe, jdoe, jmdoe."""
    givens = [letters for word in given for part in word.split("-") if (letters := _letters(part))]
    families = [letters for word in family for part in word.split("-") if (letters := _letters(part))]
    if not givens or not families:
        return False
    initials = "".join(letters[0] for letters in givens)
    before = {"".join(givens), givens[0], givens[-1], initials, initials[0]}
    after = {"".join(families), families[0], families[-1]}
    return any(local_key == _alike(first + last) for first in before for last in after)


def _capitalised(given: str, family: str, *, both: bool) -> tuple[str, str]:
    """The name with each part, or both, written in proper case where it is all in capitals or in lower case."""
    family_too = both or _is_in_one_case(family)
    given_too = both or (_is_in_one_case(given) and len(given) > _INITIALS)
    if not family_too and not given_too:
        return given, family
    parser, _ = _name_parser()
    proper = parser.parse(f"{family.title()}, {given.title()}").capitalized(force=True)
    return (
        proper.given_names or given.title() if given_too else given,
        proper.family or family.title() if family_too else family,
    )


def _is_initial(word: str) -> bool:
    return word.upper() != word.lower() and all(len(letter) <= 1 for letter in word.split("."))


def _has_letter(part: str) -> bool:
    return any(map(str.isalpha, part))


def _is_in_one_case(part: str) -> bool:
    return part.islower() or part.isupper()


def _full_name_key(first_name: str, last_name: str) -> tuple[str, str]:
    return _name_key(first_name), _name_key(last_name)


def _name_key(name: str) -> str:
    """A name without case, accents, spaces and punctuation; letters of every script stay apart."""
    if not name.isascii():
        name = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).translate(_LETTERS))
        name = unicodedata.normalize("NFC", _ACCENTS.sub("", name))
    return _PUNCTUATION.sub("", name.casefold())


def _local_key(local_part: str) -> str:
    """The letters of a local part, without marks of outside staff ("ext.")."""
    return _alike(_letters(_OUTSIDE_STAFF.sub(" ", local_part.replace("_", " "))))


def _letters(word: str) -> str:
    key = _name_key(word)
    return key if key.isalpha() else "".join(letter for letter in key if letter.isalpha())


def _alike(letters: str) -> str:
    """Umlauts are written as one letter or two: Müller is muller@ here and mueller@ there, Åse is ase@ or aase@."""
    for two, one in _UMLAUTS:
        letters = letters.replace(two, one)
    return letters


# Titles in a guest list, names in a list of employees.
_NAMES_NOT_TITLES: Final = (
    "baron", "bishop", "chef", "coach", "deacon", "judge", "king", "lady", "lord", "marquis", "pastor", "prince",
    "princess", "queen", "sultan",
)  # fmt: skip
#: nameparser.AmbiguityKind: "van" may be a particle or a first name.
_PARTICLE_OR_GIVEN: Final = "particle-or-given"
_PLAIN_WORD: Final = "[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+"
_PLAIN_NAME: Final = re.compile(
    f"(?P<given>{_PLAIN_WORD}) (?P<family>{_PLAIN_WORD})|(?P<first>{_PLAIN_WORD}), ?(?P<second>{_PLAIN_WORD})"
)
_INITIALS: Final = 2
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

_ADDRESS: Final = re.compile(r"[^@\s,;:<>()\[\]\"\\]+@[^@\s,;:<>()\[\]\"\\_.]+(\.[^@\s,;:<>()\[\]\"\\_.]+)+")
# Entra: the user principal name of a guest is the own address with "_" for "@", then "#EXT#@" and the host's domain.
_GUEST: Final = re.compile(r"(?P<name>[^@]+)_(?P<domain>[^@_]+)#EXT#@", re.IGNORECASE)
# Graph: Android Enterprise and deleted users carry an id without dashes before the address.
_HEX_PREFIX: Final = re.compile(r"^[0-9a-f]{32}(?=[^@])", re.IGNORECASE)

_TAG: Final = re.compile(r"\+.*", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAME_CHARACTERS: Final = re.compile(r"[^\W\d_]|[-‐‑– '’‘`´ʼ.,·・\"“”]")
_JOINERS: Final = "\u200c\u200d"
_BRACKETS: Final = re.compile(r"[(\[{<（【][^)\]}>）】]*[)\]}>）】]?")
_SEPARATORS: Final = re.compile(r" ?[|/;•] ?| [-–—:] ?|[-–—:] ")
_ACCENTS: Final = re.compile(r"[\u0300-\u036f]")
_PUNCTUATION: Final = re.compile(r"[\s!-/:-@\[-`{-~·ʼ‐-‟・]+")
_LETTERS: Final = str.maketrans(
    {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ø": "o", "Ø": "O", "ı": "i", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
)
_UMLAUTS: Final = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
_OUTSIDE_STAFF: Final = re.compile(
    r"[-–]?\b(?:consultant|contractor|ext|extern|externe|externer|external)\b[-–.:]?", re.IGNORECASE
)

# Words of rooms, shared devices, functions and technical accounts, in the languages fleets are named in. What is also a
# common first or last name (Bot, Hall, Pool, Root, Sala, Sales, Stock) is left out.
_NO_PERSON: Final = frozenset({
    "account", "accounts", "adm", "all", "android", "anonymous", "app", "automation", "autopilot", "backup", "billing",
    "breakglass", "byod", "cart", "compte", "computer", "conta", "cuenta", "daemon", "default", "dem", "demo", "desk",
    "desktop", "device", "devices", "display", "donotreply", "dummy", "eingang", "emergency", "entrance", "everyone",
    "example", "frontdesk", "generic", "geraet", "gerät", "group", "helpdesk", "hotdesk", "huddle", "info", "inventory",
    "ios", "ipad", "ipads", "iphone", "iphones", "juntas", "kassa", "kasse", "konto", "laptop", "laptops", "leih",
    "loaner", "locker", "lokale", "lounge", "macbook", "mail", "mailbox", "mdm", "mtr", "noreply", "notebook",
    "notebooks", "oncall", "phone", "pos", "postmaster", "powerapps", "prod", "raum", "rental", "reserve", "robot",
    "room", "rooms", "saal", "salle", "salón", "scan", "server", "servicedesk", "shared", "shopfloor", "signage",
    "spare", "sql", "srv", "svc", "sysadmin", "system", "tablet", "tablets", "temp", "temporary", "terminal", "test",
    "tester", "testing", "ufficio", "unknown", "user", "users", "virtual", "visitor", "webmaster", "windows",
})  # fmt: skip
_NO_PERSON_STEMS: Final = (
    "admin", "besprechung", "boardroom", "conference", "empfang", "enrol", "intune", "kiosk", "konferen", "meeting",
    "mødelokale", "printer", "recepci", "reception", "reunion", "riunioni", "réunion", "scanner", "schulung", "sitzung",
    "testacc", "testuser", "training", "vergader", "workstation",
)  # fmt: skip
# Words of companies, departments and places; behind a bar or in brackets they only annotate a person's name.
_ORGANISATION: Final = frozenset({
    "accounting", "ag", "bv", "clinic", "communications", "company", "corp", "corporate", "corporation", "customer",
    "department", "dept", "engineering", "facilities", "finance", "gmbh", "hr", "human", "inc", "it", "kg", "lab",
    "limited", "llc", "lobby", "logistics", "ltd", "maintenance", "management", "manufacturing", "marketing", "office",
    "operations", "payable", "payroll", "plc", "production", "purchasing", "receivable", "resources", "sarl",
    "security", "service", "services", "shipping", "shop", "spa", "store", "support", "team", "teams", "warehouse",
    "workshop",
})  # fmt: skip
