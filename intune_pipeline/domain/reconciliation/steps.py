"""What a plan says about one device, one ending or one person."""

from dataclasses import dataclass

from intune_pipeline.domain.assignments import HELD_GRADES, Candidate, EmployeeHold, HeldEmployee
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.fields import Sealed, Value
from intune_pipeline.domain.kept import KeptValue
from intune_pipeline.domain.lifecycle import GoneDevice
from intune_pipeline.domain.people import Employee, Lookalike, Person, email_key
from intune_pipeline.domain.reconciliation.state import Asset
from intune_pipeline.domain.vocabulary import PersonAction


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an asset that becomes another.

    Attributes:
        field: The column.
        old: What it holds; None in a new asset.
        new: What it will hold; in ``assignee_id`` a `Person` stands for an employee who is still to be created.
        reason: A phrase where the change needs one.
    """

    field: str
    old: Value
    new: Value | Person
    reason: str | None = None

    def shown(self) -> list[str | int | None]:
        """Old and new as they are printed: secrets hidden, a future employee as the e-mail."""
        return [_shown(self.old), _shown(self.new)]


@dataclass(frozen=True, slots=True)
class KeptChange:
    """A change that is not made, and what keeps the value as it is."""

    change: Change
    by: KeptValue


@dataclass(frozen=True, slots=True)
class DeviceStep:
    """What happens with one listed device.

    Attributes:
        judged: The device.
        outcome: ``synced``, ``skipped`` or ``failed``.
        reason: The skip reason, or the sentence of a failure.
        action: ``create``, ``update`` or ``unchanged``; None for devices that are not synced.
        asset: The asset as it was when this was decided; None where there is none.
        changes: What becomes of its fields; for ``create`` every field that is not empty.
        note: Why the assignee changes or does not, where there is something to say.
        held: The employee held back, who would be the assignee.
        candidate: The user remembered as a possible assignee until the next sync.
        settles: Whether an assignment that waited for a decision is done with.
        kept: Changes that are not made, because the value is locked or undone.
        released: Ids of kept values that Intune's word of now has ended.
    """

    judged: JudgedDevice
    outcome: str
    reason: str | None = None
    action: str | None = None
    asset: Asset | None = None
    changes: tuple[Change, ...] = ()
    note: str | None = None
    held: HeldEmployee | None = None
    candidate: Candidate | None = None
    settles: bool = False
    kept: tuple[KeptChange, ...] = ()
    released: tuple[int, ...] = ()

    @property
    def is_change(self) -> bool:
        """Whether anything but the device's outcome is written."""
        return bool(self.changes or self.held or self.settles or self.released)

    @property
    def new_employee(self) -> Person | None:
        """The person who becomes an employee by this step."""
        return next((change.new for change in self.changes if isinstance(change.new, Person)), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """What happens with the asset of a device that is gone from Intune.

    Attributes:
        device: The serial and its records.
        asset: The asset as it was when this was decided.
        changes: What becomes of it; empty where a person already took care of it.
    """

    device: GoneDevice
    asset: Asset | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, repr=False)
class PersonDecision:
    """What was decided about a user before the plan is made, as people can look at it.

    Attributes:
        email: The address that identifies the user.
        name: First and last name; None where nobody is to be hired.
        employee_id: The employee, None when there is none yet.
        action: Nobody is created for ``none``.
    """

    email: str
    name: tuple[str, str] | None
    employee_id: int | None
    action: PersonAction

    @property
    def email_key(self) -> str:
        """The address in compared form."""
        return email_key(self.email)

    def __repr__(self) -> str:
        return f"PersonDecision(employee_id={self.employee_id!r}, action={self.action!r})"


@dataclass(frozen=True, slots=True)
class PersonStep:
    """A user of eligible devices and the employee they stand for.

    Attributes:
        person: The user.
        devices: How many eligible devices the list shows for the user.
        employee: The employee, None when there is none yet.
        action: Nobody is created for ``none``.
        lookalike: The employee who could be the same person, beside whom the user is created or held.
        shared_reason: Why nobody is created: the user looks like a shared account.
        hold: What was held before about a user for whom nothing happens now, waiting or decided.
    """

    person: Person
    devices: int
    employee: Employee | None
    action: PersonAction
    lookalike: Lookalike | None = None
    shared_reason: str | None = None
    hold: EmployeeHold | None = None

    @property
    def lookalike_id(self) -> int | None:
        """The look-alike's id where both are surely or probably one person."""
        return self.lookalike.employee_id if self.lookalike and self.lookalike.grade in HELD_GRADES else None

    @property
    def name(self) -> tuple[str, str] | None:
        """First and last name: the employee's, or as Intune shows it."""
        return (self.employee.first_name, self.employee.last_name) if self.employee else self.person.name

    @property
    def decision(self) -> PersonDecision:
        """The decision alone."""
        employee_id = self.employee.id if self.employee else None
        return PersonDecision(self.person.email, self.name, employee_id, self.action)


def _shown(value: Value | Person) -> str | int | None:
    if isinstance(value, Person):
        return value.email
    return repr(value) if isinstance(value, Sealed) else value
