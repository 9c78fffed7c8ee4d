"""Who becomes the assignee of an asset, and when an employee is created or held back for it.

Belongs here: the assignee of a new asset, the guarded and confirmed change of an existing one, the duplicate shield.
Does not belong here: reading people and finding employees (``people``), all other fields (``reconciliation``).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from intune_pipeline.domain.assignments import (
    HELD_GRADES,
    Assignment,
    Candidate,
    EmployeeHold,
    Evidence,
    HeldEmployee,
    NamedPerson,
    PrimaryUser,
    candidate_of,
    listed_user,
)
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.lifecycle import DeviceMemory
from intune_pipeline.domain.people import (
    Conventions,
    EmployeeDirectory,
    Lookalike,
    Person,
    learn,
    people_of,
    person_of,
    user_key,
)
from intune_pipeline.domain.people.not_people import ENOUGH, MANY_DEVICES
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.vocabulary import AssetStatus, EmployeeDecision, EmployeeHoldKind, SkipReason

MOVABLE_STATUSES: Final = (AssetStatus.ALLOCATED, AssetStatus.TRANSFERRED)
"""Only assets in one of these get another assignee by a sync."""


_STAYS: Final = Assignment()


class Assignees:
    """Decides assignees for the devices of one sync.

    Args:
        judged: All devices of the list.
        directory: The account's employees.
        holds: By compared e-mail, the duplicate shield's holds.
        pending: Ids of assets whose assignment waits for a hold's decision.
        policy: The connection's settings.
        evidence: What Graph answered.
        names: By compared e-mail, the names that people were shown for the employees to be created.
        everybody: Everybody the list shows, by each compared e-mail, where they have been read already.
    """

    def __init__(
        self,
        judged: Sequence[JudgedDevice],
        directory: EmployeeDirectory,
        holds: Mapping[str, EmployeeHold],
        pending: Collection[int],
        policy: Policy,
        evidence: Evidence,
        names: Mapping[str, tuple[str, str]] | None = None,
        everybody: Mapping[str, Person] | None = None,
    ) -> None:
        self._names = names or {}
        self._everybody = everybody
        self._judged = judged
        self._of_rooms = {one.device.intune_device_id for one in judged if one.classification.users_are_rooms}
        self._directory = directory
        self._holds = holds
        self._pending = pending
        self._policy = policy
        self._evidence = evidence
        self._employed: dict[Person, Assignment] = {}
        self._lookalikes: dict[str, tuple[Lookalike, ...]] = {}

    @cached_property
    def people(self) -> Mapping[str, Person]:
        """Everybody the list shows, by each compared e-mail."""
        if self._everybody is not None:
            return self._everybody
        return people_of((one.device for one in self._judged), self.conventions)

    @cached_property
    def conventions(self) -> Conventions:
        """How the account's mail domains write addresses and show names; learned when the first name is read."""
        return Conventions(
            lambda: learn(
                {(person.display_name, person.email) for person in self.people.values()},
                self._directory.named_addresses,
            )
        )

    @cached_property
    def devices_of(self) -> Counter[str]:
        """How many devices each person has, by the person's own compared e-mail; superseded records do not count."""
        users = (self.user_of(one.device) for one in self._judged if one.skip_reason != SkipReason.SUPERSEDED)
        return Counter(user.email_key for user in users if user)

    @cached_property
    def _people_by_id(self) -> dict[str, Person]:
        return {person.user_id.lower(): person for person in self.people.values() if person.user_id}

    def user_of(self, device: ManagedDevice) -> Person | None:
        """The person the list shows as the device's user; None where it shows nobody who is known by an e-mail.

        The users of room bars, headsets, signage and the like are rooms: they are people only where they are employees.
        """
        key = user_key(device)
        person = None if key is None else self.people.get(key) or person_of(device)
        if person and device.intune_device_id in self._of_rooms and self._directory.match(person) is None:
            return None
        return person

    def for_new_asset(self, device: ManagedDevice) -> Assignment:
        """The assignee of an asset that is created: the list's user."""
        person = self.user_of(device)
        return self.employ(person) if person else _STAYS

    def employ(self, person: Person) -> Assignment:
        """The employee a person is or becomes; the duplicate shield may hold the creation back."""
        if person not in self._employed:
            self._employed[person] = self._employ(person)
        return self._employed[person]

    def _employ(self, person: Person) -> Assignment:
        if employee := self._directory.match(person):
            return Assignment(employee.id)
        hold = self.hold_of(person)
        if hold and hold.decision not in {EmployeeDecision.CREATED, EmployeeDecision.WAITING}:
            return Assignment(reason=f"the user's employee was {hold.decision} by a person")
        if hold and hold.decision == EmployeeDecision.CREATED:
            person = replace(person, is_declared=True)
        elif shared := self.shared_reason(person):
            held = HeldEmployee(person, None, EmployeeHoldKind.SHARED, shared)
            return Assignment(reason=f"the user {shared}; somebody has to decide whether it is a person", held=held)
        if person.name is None:
            return Assignment(reason=f"no employee has the user's e-mail, and {person.verdict.reason}")
        if hold and hold.decision == EmployeeDecision.CREATED:
            return Assignment(self._as_shown(person))
        if former := self._directory.recycled(person):
            held = HeldEmployee(
                person, former.id, reason="Entra's account belonged to this employee; the name is another"
            )
            return Assignment(reason="the user's account may have been given to somebody else", held=held)
        lookalike = next(iter(self.lookalikes_of(person)), None)
        is_alike = lookalike is not None and lookalike.grade in HELD_GRADES
        if hold or (self._policy.hold_lookalike_employees and is_alike):
            lookalike_id = lookalike.employee_id if lookalike and is_alike else hold.lookalike_id if hold else None
            reasons = ", ".join(lookalike.reasons) if lookalike and is_alike else None
            return Assignment(
                reason="the user's employee waits for a decision: an employee could be the same person",
                held=HeldEmployee(
                    person,
                    lookalike_id,
                    reason=reasons,
                    grade=lookalike.grade if lookalike and is_alike else None,
                ),
            )
        return Assignment(self._as_shown(person))

    def _as_shown(self, person: Person) -> Person:
        shown = self._names.get(person.email_key)
        if shown is None or shown == person.name:
            return person
        values = {one.name: getattr(person, one.name) for one in fields(Person)}
        return NamedPerson(**values, shown_name=shown)

    def shared_reason(self, person: Person) -> str | None:
        """Why a user who is no employee looks like a shared account; None for a person."""
        if person.verdict.is_shared:
            return person.verdict.reason
        if person.verdict.against + MANY_DEVICES < ENOUGH:
            return None
        devices = self.devices_of[person.email_key]
        if devices > self._policy.enrolment_manager_devices:
            return f"looks like a shared account: one user of {devices} devices, with a name that may be no person's"
        return None

    def lookalikes_of(self, person: Person) -> tuple[Lookalike, ...]:
        """The employees who could be a person who would be created, the surest first."""
        if person.email_key not in self._lookalikes:
            self._lookalikes[person.email_key] = tuple(self._directory.look_alikes(person))
        return self._lookalikes[person.email_key]

    def for_existing_asset(
        self,
        device: ManagedDevice,
        asset_id: int,
        status: str,
        assignee_id: int | None,
        memory: DeviceMemory | None,
        assigned_by_person_at: datetime | None = None,
    ) -> Assignment:
        """The change of an existing asset's assignee.

        Args:
            device: The asset's device.
            asset_id: allwhere's id.
            status: The asset's status.
            assignee_id: Its assignee.
            memory: What earlier syncs remember of the device.
            assigned_by_person_at: When a person chose the assignee; None when the sync did so last.
        """
        if asset_id in self._pending:
            settled = self._settled(device, status, assignee_id)
            if settled.settles:
                return settled
        if not self._may_change(status):
            return _STAYS
        listed = self._other_user(device, assignee_id)
        if listed is None:
            return _STAYS
        if self._is_known_since(device, memory, assigned_by_person_at):
            return Assignment(reason="a person chose the assignee, and Intune's user is the same as then")
        if device.intune_device_id not in self._evidence.primary_users:
            return Assignment(reason="Microsoft did not say who uses the device", candidate=candidate_of(memory))
        user, reason = self._confirmed(device, listed, self._evidence.primary_users[device.intune_device_id])
        if user is None:
            return Assignment(reason=reason)
        return self._become(user, reason, assignee_id, memory)

    def needs_primary_user(
        self,
        device: ManagedDevice,
        status: str,
        assignee_id: int | None,
        memory: DeviceMemory | None = None,
        assigned_by_person_at: datetime | None = None,
    ) -> bool:
        """Whether the change of an existing asset's assignee depends on the device's primary user."""
        if not self._may_change(status) or self._other_user(device, assignee_id) is None:
            return False
        return not self._is_known_since(device, memory, assigned_by_person_at)

    @staticmethod
    def _is_known_since(device: ManagedDevice, memory: DeviceMemory | None, person_at: datetime | None) -> bool:
        """Whether a person chose the assignee when Intune already showed the user it shows now.

        Then their word stands. A device that no sync had listed by then shows a user who was not known.
        """
        if person_at is None or memory is None:
            return False
        if memory.listed_user is None:
            return True
        since = memory.listed_user_since
        return memory.listed_user == listed_user(device) and since is not None and since <= person_at

    def _may_change(self, status: str) -> bool:
        return self._policy.mdm_assignee_updates and status in MOVABLE_STATUSES

    def _other_user(self, device: ManagedDevice, assignee_id: int | None) -> Person | None:
        """The list's user unless they are the assignee already; an empty user never unassigns."""
        person = self.user_of(device)
        return None if person is None or self._is(person, assignee_id) else person

    def _is(self, person: Person, assignee_id: int | None) -> bool:
        employee = self._directory.match(person)
        return employee is not None and employee.id == assignee_id

    def _confirmed(
        self, device: ManagedDevice, listed: Person, primary: PrimaryUser | None
    ) -> tuple[Person | None, str]:
        """Who uses the device and how that is known: the list's user unless the primary user is another one.

        None when that one is not known by e-mail.
        """
        if primary is None:
            return listed, "Intune lists this user for the device, and Microsoft names no primary user"
        same_id = bool(device.user_id) and primary.user_id.lower() == str(device.user_id).lower()
        shown = person_of(
            replace(
                device,
                user_id=primary.user_id,
                user_email=primary.email,
                user_principal_name=primary.user_principal_name,
                user_display_name=primary.display_name,
            )
        )
        if same_id or (shown and {shown.email_key, *shown.other_keys} & {listed.email_key, *listed.other_keys}):
            return listed, "Intune lists this user for the device, and the device's primary user is the same"
        other = self.people.get(shown.email_key, shown) if shown else self._people_by_id.get(primary.user_id.lower())
        if other is None:
            return None, "the device's primary user is somebody else, not known by e-mail"
        return other, "the device's primary user is this one, though Intune lists another for the device"

    def _become(self, user: Person, reason: str, assignee_id: int | None, memory: DeviceMemory | None) -> Assignment:
        if self._is(user, assignee_id):
            return Assignment(reason="the device's primary user is the assignee already")
        devices = self.devices_of[user.email_key]
        if devices > self._policy.enrolment_manager_devices:
            return Assignment(reason=f"the user has {devices} devices: an enrolment manager")
        assignment = self.employ(user)
        if assignment.employee is None:
            return assignment
        before = candidate_of(memory)
        syncs = 1 + (before.syncs if before and before.user == user.email_key else 0)
        if syncs < self._policy.assignee_confirmations:
            so_far = f"seen in {syncs} of {self._policy.assignee_confirmations} consecutive syncs"
            return Assignment(reason=so_far, candidate=Candidate(user.email_key, syncs))
        return replace(assignment, reason=reason)

    def _settled(self, device: ManagedDevice, status: str, assignee_id: int | None) -> Assignment:
        """An assignment that waited for the decision about its employee: done, or superfluous."""
        if assignee_id is not None or status not in MOVABLE_STATUSES:
            return Assignment(reason="a person took care of the asset meanwhile", settles=True)
        person = self.user_of(device)
        assignment = self.employ(person) if person else _STAYS
        if assignment.employee is not None:
            return replace(assignment, reason="the user's employee had to be decided about first", settles=True)
        hold = self.hold_of(person) if person else None
        return replace(assignment, settles=hold is not None and hold.decision != EmployeeDecision.WAITING)

    def hold_of(self, person: Person) -> EmployeeHold | None:
        """What was held about a user before, waiting or decided; None for nothing."""
        return next((self._holds[key] for key in _keys(person) if key in self._holds), None)


def _keys(person: Person) -> Iterable[str]:
    return (person.email_key, *person.other_keys)
