"""People behind devices: which e-mail identifies a user, which records show one user, which employee that is.

Belongs here: reading a person from devices and finding employees. Does not belong here: splitting names (``names``) and
whether an employee is created or an assignee changes (``reconciliation``).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Final

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.people.conventions import NO_CONVENTIONS, Conventions
from intune_pipeline.domain.people.lookalikes import Known, Lookalike, LookalikeIndex
from intune_pipeline.domain.people.names import Verdict, judge
from intune_pipeline.domain.people.spelling import email_key, letters
from intune_pipeline.domain.vocabulary import EmailKind

LONGEST_EMAIL: Final = 254
"""Characters of an address, RFC 5321."""

REMEMBERED_ADDRESSES: Final = 65_536
"""Distinct addresses kept in memory: the same one is asked for more than once in a run."""


@dataclass(frozen=True, repr=False)
class Person:
    """A user of devices.

    Attributes:
        email: The address that identifies the user, as Intune shows it.
        email_key: Its compared form.
        other_keys: Compared forms of the user's further addresses, such as the user principal name; sorted.
        user_id: Entra's id of the user.
        display_name: As Intune shows it.
        conventions: How the account's mail domains write addresses and show names.
        is_declared: Whether somebody said that this is a person and no shared account.
    """

    email: str
    email_key: str
    other_keys: tuple[str, ...]
    user_id: str | None
    display_name: str | None
    conventions: Conventions = field(default=NO_CONVENTIONS, compare=False)
    is_declared: bool = field(default=False, compare=False)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the user is a person, and with which name.

        Read when it is first asked for: few people of a fleet are strangers to allwhere, and reading names is slow.
        """
        verdict = judge(self.display_name, self.email, self.conventions.of(self.email))
        if self.is_declared and verdict.is_shared and verdict.possible:
            return Verdict(verdict.possible, "somebody said that this is a person")
        return verdict

    @property
    def name(self) -> tuple[str, str] | None:
        """First and last name; None where nobody is to be hired."""
        return self.verdict.name

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


@dataclass(frozen=True, slots=True, repr=False)
class KnownUser:
    """Which employee a user of Entra was found to stand for, by an earlier sync.

    Attributes:
        user_id: Entra's id, lower case.
        principal_name: The compared user principal name; "" where there was none.
        employee_id: The employee.
    """

    user_id: str
    principal_name: str
    employee_id: int


class EmployeeDirectory:
    """An account's employees, found by address, by what earlier syncs know of Entra's users, and by name.

    Args:
        employees: All employees of the account, in any order; of several that fit, the lowest id is found.
        known_users: Entra's users whose employee is known.
    """

    def __init__(self, employees: Iterable[Employee], known_users: Iterable[KnownUser] = ()) -> None:
        self._by_email: dict[str, Employee] = {}
        self._by_id: dict[int, Employee] = {}
        for employee in sorted(employees, key=lambda employee: employee.id):
            self._by_id[employee.id] = employee
            for key, _ in employee.emails:
                self._by_email.setdefault(key, employee)
        self.known_users = {user.user_id: user for user in known_users}
        self._by_principal_name = {user.principal_name: user for user in known_users if user.principal_name}

    def match(self, person: Person) -> Employee | None:
        """The employee a person is.

        Found by the person's e-mail, work or personal, else by another of their addresses, else because Entra's user id
        or principal name stood for that employee before: people marry, and domains change.
        """
        if employee := self.match_by_address(person):
            return employee
        former = self._former(person)
        return None if former is None or _is_somebody_else(person, former) else former

    def match_by_address(self, person: Person) -> Employee | None:
        """The employee with one of the person's addresses."""
        for key in (person.email_key, *person.other_keys, *other_spellings(person)):
            if employee := self._by_email.get(key):
                return employee
        return None

    def remembers(self, device: ManagedDevice) -> bool:
        """Whether the device's user is remembered as the employee who has their e-mail; True for one without address."""
        keys = [email_key(address) for address in _addresses(device)]
        if not keys:
            return True
        known = self.known_users.get((device.user_id or "").lower())
        employee = self._by_email.get(keys[0])
        return (
            known is not None
            and employee is not None
            and (known.principal_name, known.employee_id) == (keys[-1], employee.id)
        )

    def recycled(self, person: Person) -> Employee | None:
        """The employee whose account in Entra now carries the name of somebody else entirely; None: it does not."""
        if self.match_by_address(person):
            return None
        former = self._former(person)
        return former if former is not None and _is_somebody_else(person, former) else None

    def _former(self, person: Person) -> Employee | None:
        if not self.known_users:
            return None
        known = self.known_users.get((person.user_id or "").lower())
        if known is None:
            keys = (person.email_key, *person.other_keys)
            known = next((self._by_principal_name[key] for key in keys if key in self._by_principal_name), None)
        return self._by_id.get(known.employee_id) if known else None

    def emails_of(self, employee_id: int) -> tuple[str, ...]:
        """The compared addresses of an employee; empty for one who is not there."""
        employee = self._by_id.get(employee_id)
        return tuple(key for key, _ in employee.emails) if employee else ()

    @property
    def named_addresses(self) -> Iterator[tuple[str, str, str]]:
        """First name, last name and address, for every address: what shows a company's convention."""
        for employee in self._by_id.values():
            for key, _ in employee.emails:
                yield employee.first_name, employee.last_name, key

    def look_alikes(self, person: Person) -> list[Lookalike]:
        """The employees who could be a person who is none of them by address, the surest first."""
        if person.name is None or not self._by_id:
            return []
        work = tuple(dict.fromkeys((person.email_key, *person.other_keys)))
        return self._index.of(Known(0, *person.name, work))

    @cached_property
    def _index(self) -> LookalikeIndex:
        return LookalikeIndex(map(known, self._by_id.values()))


def other_spellings(person: Person) -> list[str]:
    """The person's addresses with an internationalised domain in its other spelling (müller, xn--mller-kva)."""
    return [other for key in (person.email_key, *person.other_keys) if (other := _other_spelling(key))]


@lru_cache(REMEMBERED_ADDRESSES)
def _other_spelling(address: str) -> str | None:
    local, at, domain = address.rpartition("@")
    if domain.isascii() and "xn--" not in domain:
        return None
    try:
        other = domain.encode("ascii").decode("idna") if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{local}{at}{other.lower()}"


def _is_somebody_else(person: Person, employee: Employee) -> bool:
    """Whether the names have no word in common, so that an account may have been given to another person."""
    if person.name is None:
        return False
    words, theirs = (
        {letters(word) for part in names for word in part.replace("-", " ").split()}
        for names in (person.name, (employee.first_name, employee.last_name))
    )
    return not (words & theirs) - {""}


def known(employee: Employee) -> Known:
    """An employee as look-alikes compare them."""
    work = tuple(key for key, kind in employee.emails if kind == EmailKind.WORK)
    personal = tuple(key for key, kind in employee.emails if kind != EmailKind.WORK)
    return Known(employee.id, employee.first_name, employee.last_name, work, personal)


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
    return _key_of(device.user_email, device.user_principal_name)


@lru_cache(REMEMBERED_ADDRESSES)
def _key_of(email: str | None, principal_name: str | None) -> str | None:
    address = _address(email) or _address(principal_name)
    return email_key(address) if address else None


def people_of(devices: Iterable[ManagedDevice], conventions: Conventions = NO_CONVENTIONS) -> dict[str, Person]:
    """Everybody the devices show, by the ``email_key`` that `person_of` gives for each device.

    Records with one e-mail or one user id show the same person, who is the same object under each of their keys. Their
    e-mail and name come from the record with a name that can be split, a real e-mail and the newest contact, in this
    order; the order of the devices never matters. An address that is another person's e-mail is not theirs.
    """
    seen = _shown(devices)
    emails = {person.email_key for person, _ in seen}
    people: dict[str, Person] = {}
    for group in _same_people([person for person, _ in seen]):
        members = [seen[index][0] for index in group]
        best = members[0] if len(members) == 1 else _best([seen[index] for index in group])
        own = {member.email_key for member in members}
        others = {key for member in members for key in member.other_keys if key not in emails}
        user_id = best.user_id or max((member.user_id for member in members if member.user_id), default=None)
        keys = tuple(sorted((own | others) - {best.email_key}))
        people.update(
            dict.fromkeys(own, Person(best.email, best.email_key, keys, user_id, best.display_name, conventions))
        )
    return people


def _shown(devices: Iterable[ManagedDevice]) -> list[tuple[Person, list[ManagedDevice]]]:
    """The users as they are shown, each with the records that show them so."""
    records: dict[tuple[str | None, ...], list[ManagedDevice]] = {}
    for device in devices:
        shown = (device.user_email, device.user_principal_name, device.user_id, device.user_display_name)
        records.setdefault(shown, []).append(device)
    return [(person, of_one) for of_one in records.values() if (person := person_of(of_one[0]))]


def _addresses(device: ManagedDevice) -> list[str]:
    return [address for address in (_address(device.user_email), _address(device.user_principal_name)) if address]


@lru_cache(REMEMBERED_ADDRESSES)
def _address(text: str | None) -> str | None:
    """The address in an e-mail or user principal name, None where there is none."""
    if text is None:
        return None
    guest = _GUEST.match(text)
    address = _HEX_PREFIX.sub("", f"{guest['name']}@{guest['domain']}" if guest else text)
    return address if len(address) <= LONGEST_EMAIL and _ADDRESS.fullmatch(address) else None


def _best(seen: Sequence[tuple[Person, Sequence[ManagedDevice]]]) -> Person:
    """The person as the record shows them that tells the most."""
    names_differ = len({(person.display_name, person.email) for person, _ in seen}) > 1

    def tells(record: tuple[Person, ManagedDevice]) -> tuple[bool, bool, datetime, str]:
        person, device = record
        return (
            names_differ and person.name is not None,
            _address(device.user_email) is not None,
            device.last_contact_at or _NEVER,
            device.intune_device_id,
        )

    return max(((person, device) for person, records in seen for device in records), key=tells)[0]


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


_NEVER: Final = datetime.min.replace(tzinfo=UTC)

_ADDRESS: Final = re.compile(r"[^@\s,;:<>()\[\]\"\\]+@[^@\s,;:<>()\[\]\"\\_.]+(\.[^@\s,;:<>()\[\]\"\\_.]+)+")
# Entra: the user principal name of a guest is the own address with "_" for "@", then "#EXT#@" and the host's domain.
_GUEST: Final = re.compile(r"(?P<name>[^@]+)_(?P<domain>[^@_]+)#EXT#@", re.IGNORECASE)
# Graph: Android Enterprise and deleted users carry an id without dashes before the address.
_HEX_PREFIX: Final = re.compile(r"^[0-9a-f]{32}(?=[^@])", re.IGNORECASE)
