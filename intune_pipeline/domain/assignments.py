"""What is known about the users of an asset, and what is decided about its assignee.

Belongs here: the values. Does not belong here: deciding (``assignees``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.lifecycle import DeviceMemory
from intune_pipeline.domain.people import Person, user_key
from intune_pipeline.domain.vocabulary import EmployeeHoldKind, LookalikeGrade

HELD_GRADES: Final = frozenset({LookalikeGrade.SURELY, LookalikeGrade.PROBABLY})
"""Look-alikes of these grades are held where the shield is on; others are only shown."""


@dataclass(frozen=True, slots=True, repr=False)
class PrimaryUser:
    """A device's primary user, as a single request shows it.

    Attributes:
        user_id: Entra's id.
        email: None, like the next two, where the application may not read it.
        user_principal_name: See there.
        display_name: See there.
    """

    user_id: str
    email: str | None = None
    user_principal_name: str | None = None
    display_name: str | None = None

    def __repr__(self) -> str:
        return f"PrimaryUser(user_id={self.user_id!r})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What Graph answered to the questions of ``needed_evidence``.

    Attributes:
        primary_users: By device id: the primary user; None: definitely nobody (empty, 403, 404). A device that is not
            in it was not asked about, or the question was not answered.
        gone: Ids of devices that Graph says do not exist (404).
    """

    primary_users: Mapping[str, PrimaryUser | None] = field(default_factory=dict)
    gone: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EmployeeHold:
    """An employee held back, or decided about, by the duplicate shield.

    Attributes:
        id: allwhere's id.
        decision: ``waiting``, ``created``, ``linked`` or ``skipped``.
        lookalike_id: The employee who could be the same person.
        kind: Why the employee is held.
    """

    id: int
    decision: str
    lookalike_id: int | None = None
    kind: str = EmployeeHoldKind.LOOKALIKE


@dataclass(frozen=True, slots=True)
class HeldEmployee:
    """A person who is not created as an employee before somebody decides.

    Attributes:
        person: Whom a sync would create.
        lookalike_id: The employee who could be the same person.
        kind: Whether it is for a look-alike or because the user looks like a shared account.
        reason: Why, a phrase for people.
        grade: How sure it is that both are one person; None for a shared account.
    """

    person: Person
    lookalike_id: int | None
    kind: EmployeeHoldKind = EmployeeHoldKind.LOOKALIKE
    reason: str | None = None
    grade: LookalikeGrade | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user seen instead of the assignee.

    Attributes:
        user: Compared e-mail.
        syncs: Consecutive syncs that showed it.
    """

    user: str
    syncs: int


def listed_user(device: ManagedDevice) -> str:
    """The compared e-mail of the user the list shows, as it is remembered; "" where it shows nobody."""
    return user_key(device) or ""


def candidate_of(memory: DeviceMemory | None) -> Candidate | None:
    """The user earlier syncs remember as a possible assignee."""
    return Candidate(memory.candidate_user, memory.candidate_syncs) if memory and memory.candidate_user else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is decided about one asset's assignee.

    Attributes:
        employee: The new assignee: an employee's id, or a person who becomes an employee; None: it stays as it is.
        reason: Why the assignee becomes this one, or why not, a phrase for people.
        held: The employee held back.
        candidate: The user remembered until the next sync; None: nobody.
        settles: Whether an assignment that waited for a decision is done with.
    """

    employee: int | Person | None = None
    reason: str | None = None
    held: HeldEmployee | None = None
    candidate: Candidate | None = None
    settles: bool = False


@dataclass(frozen=True, repr=False)
class NamedPerson(Person):
    """A person whose name was read and shown before, when the list or the rules may have been others.

    Attributes:
        shown_name: First and last name.
    """

    shown_name: tuple[str, str] = ("", "")

    @property
    def name(self) -> tuple[str, str] | None:
        """As it was shown."""
        return self.shown_name

    __repr__ = Person.__repr__
