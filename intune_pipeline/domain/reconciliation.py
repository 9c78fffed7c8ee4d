"""The plan of a sync: devices, assets and people as they are, and the connection's policy, become what will be done.

Belongs here: the plan as a value, how it is decided and counted. Does not belong here: who is eligible (``eligibility``),
who owns a field (``fields``), who becomes an assignee (``assignees``), when a device is gone (``lifecycle``), and writing
anything (``inventory.reconciliation`` applies a plan).

In three steps: a few decisions need more than the database knows, and people look at who would be created first::

    needed = needed_evidence(judged, state, policy, listing)         # which devices Graph is asked about
    people = decide_people(judged, state, policy, evidence)          # whom the devices belong to
    made = plan(judged, state, policy, listing, evidence, people)    # decides; prints as it is, is applied as it is

The order of devices, assets and employees never matters.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from intune_pipeline.domain import lifecycle
from intune_pipeline.domain.assignees import (
    HELD_GRADES,
    Assignees,
    Assignment,
    Candidate,
    EmployeeHold,
    Evidence,
    HeldEmployee,
    PrimaryUser,
)
from intune_pipeline.domain.counts import RunCounts
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.fields import (
    FILLED_FIELDS,
    INTUNE_FIELDS,
    DeviceDetails,
    Sealed,
    Value,
    intune_values,
)
from intune_pipeline.domain.kept import WHOLE_ASSET, KeptFields, KeptValue, keeping, outdated
from intune_pipeline.domain.lifecycle import Absence, DeviceMemory, GoneDevice, LifecycleHold
from intune_pipeline.domain.people import Conventions, Employee, EmployeeDirectory, Lookalike, Person, email_key
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.vocabulary import AssetAction, AssetStatus, Outcome, PersonAction, SkipReason

__all__ = [
    "Asset", "Change", "Counts", "DeviceDetails", "DeviceMemory", "DeviceStep", "EmployeeHold", "Ending", "Evidence",
    "LifecycleHold", "Listing", "NeededEvidence", "PersonDecision", "PersonStep", "Plan", "Policy", "PrimaryUser", "Sealed", "State",
    "decide_people", "needed_evidence", "plan",
]  # fmt: skip

_NO_DETAILS: Final = DeviceDetails()
_NOTHING_KEPT: Final[KeptFields] = {}


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset of allwhere as it is.

    Attributes:
        id: allwhere's id.
        serial_number: As stored.
        serial_key: In compared form.
        status: One of allwhere's statuses.
        assignee_id: The employee who has it.
        values: Every field of `INTUNE_FIELDS` and `FILLED_FIELDS`.
        assigned_by_person_at: When a person chose the assignee; None when the sync did so last.
    """

    id: int
    serial_number: str
    serial_key: str
    status: str
    assignee_id: int | None
    values: Mapping[str, Value]
    assigned_by_person_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What allwhere knows before a sync.

    Attributes:
        connection_id: The connection that is synced.
        account_id: Its account.
        assets: The account's assets by compared serial.
        directory: The account's employees.
        memory: What earlier syncs remember, by device id.
        details: What single requests told, by device id; a plan may add what it fetched with `with_details`.
        employee_holds: The duplicate shield's holds by compared e-mail.
        pending_assets: Ids of assets whose assignee waits for the decision of such a hold.
        lifecycle_holds: Endings held back, waiting or decided.
        kept: Values a sync leaves as they are, by compared serial and field.
        open_decisions: Ids of people's decisions about holds that no sync has taken up.
    """

    connection_id: int
    account_id: int
    assets: Mapping[str, Asset] = field(default_factory=dict)
    directory: EmployeeDirectory = field(default_factory=lambda: EmployeeDirectory(()))
    memory: Mapping[str, DeviceMemory] = field(default_factory=dict)
    details: Mapping[str, DeviceDetails] = field(default_factory=dict)
    employee_holds: Mapping[str, EmployeeHold] = field(default_factory=dict)
    pending_assets: frozenset[int] = frozenset()
    lifecycle_holds: tuple[LifecycleHold, ...] = ()
    kept: Mapping[str, KeptFields] = field(default_factory=dict)
    open_decisions: tuple[int, ...] = ()

    def with_details(self, fetched: Mapping[str, DeviceDetails]) -> "State":
        """The same state with newer details, which need not be stored; what they leave empty stays known."""
        newer = {key: self._merged(self.details.get(key), details) for key, details in fetched.items()}
        return replace(self, details={**self.details, **newer})

    @staticmethod
    def _merged(known: DeviceDetails | None, newer: DeviceDetails) -> DeviceDetails:
        known = known or _NO_DETAILS
        return DeviceDetails(newer.memory_gb or known.memory_gb, newer.bypass_code or known.bypass_code)


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of devices a plan is made from.

    Attributes:
        listed_at: When it was read; aware.
        complete: Whether it is the whole list; a capped or failed one proves no absence.
        personal: Personal devices that were counted and dropped before.
        unreadable: Entries without an id, about which nothing can be said: counted as failed.
    """

    listed_at: datetime
    complete: bool = True
    personal: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class NeededEvidence:
    """What Graph is asked before a plan is made.

    Attributes:
        primary_users: Devices whose primary user confirms or prevents a change of assignee; sorted ids.
        existence: Devices that are asked for by id, because a 404 proves them gone; sorted ids.
    """

    primary_users: tuple[str, ...]
    existence: tuple[str, ...]


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
    """

    person: Person
    devices: int
    employee: Employee | None
    action: PersonAction
    lookalike: Lookalike | None = None
    shared_reason: str | None = None

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


@dataclass(slots=True, kw_only=True)
class Counts(RunCounts):
    """What a plan foresees, or a sync did; a plan's counts equal those of the sync that applies it.

    Attributes:
        devices_skipped: Devices left out, by reason.
    """

    devices_skipped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def unwritten(cls, listing: Listing, listed: int, personal: int) -> "Counts":
        """What is counted of a list before its devices: what a sync does not write."""
        counts = cls(devices_listed=listed, devices_failed=listing.unreadable, devices_unreadable=listing.unreadable)
        if personal:
            counts.devices_skipped[SkipReason.PERSONAL] = personal
        return counts

    def add(self, step: DeviceStep) -> None:
        """Count one device; employees and what is held are counted per person, not here."""
        self.values_kept += len(step.kept)
        if step.outcome == Outcome.SKIPPED:
            self.devices_skipped[step.reason or ""] += 1
        elif step.outcome == Outcome.FAILED:
            self.devices_failed += 1
        else:
            self.devices_synced += 1
            self.assets_created += step.action == AssetAction.CREATE
            self.assets_updated += step.action == AssetAction.UPDATE
            self.assets_unchanged += step.action == AssetAction.UNCHANGED
            self.assignees_changed += step.action == AssetAction.UPDATE and any(
                c.field == "assignee_id" for c in step.changes
            )

    def add_ending(self, ending: Ending) -> None:
        """Count one device that is gone."""
        self.assets_updated += bool(ending.changes)
        self.lifecycle_transitions += bool(ending.changes)

    def as_dict(self) -> dict[str, Any]:
        """The counts under their names, ``devices_skipped`` as reason → count."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {**counts, "devices_skipped": {str(reason): count for reason, count in self.devices_skipped.items()}}


_COUNTS: Final = tuple(count.name for count in fields(Counts))


@dataclass(frozen=True)
class Plan:
    """What a sync will do: printed by ``plan``, applied by ``inventory.reconciliation``.

    Attributes:
        connection_id: The connection.
        account_id: Its account.
        listing: The list it was made from.
        steps: One per listed device but personal ones, by serial.
        endings: Devices gone from Intune that end now, by serial.
        held_endings: Devices that wait for an operator.
        hold_reason: Why they do, one sentence.
        absences: What is remembered of absent devices after this sync, where that changes.
        moot_holds: Ids of holds that have nothing left to decide.
        memory: What was remembered of every device before.
        counts: What it amounts to.
        decided: What was decided about people before.
        read: The same with the people themselves, where they were read just now.
        decider: Decides again about a device whose asset has changed meanwhile.
        open_decisions: Ids of people's decisions about holds that it takes up.
    """

    connection_id: int
    account_id: int
    listing: Listing
    steps: tuple[DeviceStep, ...]
    endings: tuple[Ending, ...]
    held_endings: tuple[Ending, ...]
    hold_reason: str | None
    absences: tuple[Absence, ...]
    moot_holds: tuple[int, ...]
    memory: Mapping[str, DeviceMemory] = field(repr=False)
    counts: Counts
    decided: tuple[PersonDecision, ...] = field(repr=False)
    read: "DecidedPeople | None" = field(repr=False, compare=False)
    decider: "Decider" = field(repr=False, compare=False)
    open_decisions: tuple[int, ...] = ()

    def forgotten_candidates(self) -> dict[str, None]:
        """Devices that are not in this complete list, whose users are no longer remembered as possible assignees."""
        if not self.listing.complete:
            return {}
        listed = {step.judged.device.intune_device_id for step in self.steps}
        return {key: None for key, memory in self.memory.items() if memory.candidate_user and key not in listed}

    def changes(self) -> list[dict[str, Any]]:
        """Every asset that would be created or updated: ``{"serial_number", "action", "fields": {name: [old, new]}}``."""
        return list(self._changes())

    def _changes(self) -> Iterator[dict[str, Any]]:
        for step in self.steps:
            if step.changes:
                yield _change(step.asset, step.judged.device.serial_number, str(step.action), step.changes)
        for ending in self.endings:
            if ending.changes:
                yield _change(ending.asset, ending.device.serial_key, AssetAction.UPDATE, ending.changes)

    @cached_property
    def people(self) -> tuple[PersonStep, ...]:
        """The users of eligible devices, by e-mail."""
        return self.read.steps if self.read and not self.redecided else tuple(self._people())

    def _people(self) -> Iterator[PersonStep]:
        assignees = self.decider.assignees
        users = _Users()
        for step in self.steps:
            if step.outcome == Outcome.SYNCED:
                users.add(assignees.user_of(step.judged.device), step.new_employee, step.held)
        return users.steps(self.decider)

    @cached_property
    def redecided(self) -> Counter[tuple[PersonAction, PersonAction]]:
        """How many people are treated otherwise than was decided before, by that decision and the one that holds now.

        The state changed in between: an employee or an asset was created or deleted, or somebody decided about a hold.
        """
        decided = {one.email_key: one for one in self.decided}
        now = dict(self._decided_now(decided))
        relied_on = {key for key, one in decided.items() if one.action in {PersonAction.CREATE, PersonAction.HELD}}
        pairs = (
            (decided[key].action if key in decided else PersonAction.NONE, now.get(key, PersonAction.NONE))
            for key in sorted(relied_on | now.keys())
        )
        return Counter(pair for pair in pairs if pair[0] != pair[1] or pair[0] == PersonAction.MATCHED)

    def _decided_now(self, decided: Mapping[str, PersonDecision]) -> Iterator[tuple[str, PersonAction]]:
        """Compared e-mails of the people who are created or held, or are another employee than was decided."""
        for step in self.steps:
            if step.held:
                yield step.held.person.email_key, PersonAction.HELD
            elif step.new_employee:
                yield step.new_employee.email_key, PersonAction.CREATE
            elif step.action == AssetAction.CREATE and (user := self.decider.assignees.user_of(step.judged.device)):
                employee_id = next((change.new for change in step.changes if change.field == "assignee_id"), None)
                before = decided.get(user.email_key)
                if employee_id is not None and (before is None or before.employee_id != employee_id):
                    yield user.email_key, PersonAction.MATCHED

    @cached_property
    def _people_with_news(self) -> tuple[PersonStep, ...]:
        """The users, unless every device shows one who is remembered as the employee with their address."""
        directory = self.decider.directory
        users = {
            (device.user_id, device.user_email, device.user_principal_name): device
            for step in self.steps
            if step.outcome == Outcome.SYNCED and (device := step.judged.device).user_id
        }
        return () if all(directory.remembers(device) for device in users.values()) else self.people

    def new_addresses(self) -> list[dict[str, Any]]:
        """Employees who are known by Entra's user id or principal name and whose e-mail is new: employee and address."""
        directory = self.decider.directory
        return [
            {"employee_id": step.employee.id, "email": step.person.email}
            for step in self._people_with_news
            if step.employee and directory.match_by_address(step.person) is None
        ]

    def users_to_remember(self) -> list[dict[str, Any]]:
        """Users of Entra whose employee is not remembered yet, or is another one now."""
        known = self.decider.directory.known_users
        users = []
        for step in self._people_with_news:
            user_id = (step.person.user_id or "").lower()
            if not user_id or step.action not in {PersonAction.MATCHED, PersonAction.CREATE}:
                continue
            before = known.get(user_id)
            principal_name = next(iter(step.person.other_keys), step.person.email_key)
            after = (principal_name, step.employee.id if step.employee else None)
            if before is None or (before.principal_name, before.employee_id) != after:
                shown = {"user_id": user_id, "principal_name": principal_name, "email_key": step.person.email_key}
                users.append({**shown, "employee_id": after[1]})
        return users

    @property
    def lookalikes(self) -> tuple[PersonStep, ...]:
        """The people who would be created, or are held, beside an employee who could be the same person."""
        return tuple(step for step in self.people if step.lookalike is not None)

    @property
    def shared_accounts(self) -> tuple[PersonStep, ...]:
        """The users who look like shared accounts and are left out until somebody decides."""
        return tuple(step for step in self.people if step.shared_reason is not None)


class _Users:
    """The users of eligible devices, gathered device by device."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._devices: Counter[str] = Counter()
        self._new: dict[str, PersonAction] = {}

    def add(self, user: Person | None, created: Person | None, held: HeldEmployee | None) -> None:
        """One device: its user, and who becomes an employee or is held back for it, who may be another one."""
        if user:
            self._people[user.email_key] = user
            self._devices[user.email_key] += 1
        if person := held.person if held else created:
            self._people.setdefault(person.email_key, person)
            self._new[person.email_key] = PersonAction.HELD if held else PersonAction.CREATE

    def steps(self, decider: "Decider") -> Iterator[PersonStep]:
        """What happens with each, by e-mail."""
        assignees = decider.assignees
        for key, person in sorted(self._people.items()):
            employee = decider.directory.match(person)
            action = PersonAction.MATCHED if employee else self._new.get(key, PersonAction.NONE)
            is_new = action in {PersonAction.CREATE, PersonAction.HELD}
            shared = assignees.shared_reason(person) if action == PersonAction.HELD else None
            alike = assignees.lookalikes_of(person) if is_new and not shared else ()
            yield PersonStep(person, self._devices[key], employee, action, next(iter(alike), None), shared)


class Decider:
    """Decides about one device or ending at a time; the same for a plan and for the sync that applies it."""

    def __init__(
        self,
        judged: Sequence[JudgedDevice],
        state: State,
        policy: Policy,
        evidence: Evidence,
        decided: Iterable[PersonDecision] = (),
        everybody: Mapping[str, Person] | None = None,
    ) -> None:
        self._details = state.details
        self._memory = state.memory
        self._kept = state.kept
        self.directory = state.directory
        names = {one.email_key: one.name for one in decided if one.action == PersonAction.CREATE and one.name}
        self.assignees = Assignees(
            judged, state.directory, state.employee_holds, state.pending_assets, policy, evidence, names, everybody
        )

    def decide(self, judged: JudgedDevice, asset: Asset | None) -> DeviceStep:
        """What happens with a device.

        Args:
            judged: The device.
            asset: The asset with its serial; ignored for skipped devices.
        """
        if judged.skip_reason is not None:
            return DeviceStep(judged, Outcome.SKIPPED, judged.skip_reason)
        values = intune_values(judged, self._details.get(judged.device.intune_device_id, _NO_DETAILS))
        kept = self._kept.get(judged.device.serial_key or "", _NOTHING_KEPT)
        if asset is not None:
            return self._update(judged, values, asset, kept)
        if keeping(kept, WHOLE_ASSET, (judged.device.intune_device_id,)):
            return DeviceStep(judged, Outcome.SKIPPED, SkipReason.UNDONE)
        step = self._creation(judged, values)
        released = outdated(kept, WHOLE_ASSET, (judged.device.intune_device_id,)) if kept else ()
        return replace(step, released=tuple(released)) if released else step

    def assign(self, judged: JudgedDevice, asset: Asset | None) -> Assignment:
        """Who becomes the assignee of an eligible device's asset."""
        if asset is None:
            return self.assignees.for_new_asset(judged.device)
        memory = self._memory.get(judged.device.intune_device_id)
        return self.assignees.for_existing_asset(
            judged.device, asset.id, asset.status, asset.assignee_id, memory, asset.assigned_by_person_at
        )

    def employs(self, judged: JudgedDevice, asset: Asset | None) -> Assignment | None:
        """The same as far as it is done; None: the device is left out, because its asset was undone."""
        kept = self._kept.get(judged.device.serial_key or "", _NOTHING_KEPT)
        if asset is None and keeping(kept, WHOLE_ASSET, (judged.device.intune_device_id,)):
            return None
        assignment = self.assign(judged, asset)
        if asset is None or assignment.employee is None or not kept:
            return assignment
        is_kept = keeping(kept, "assignee_id", self._said("assignee_id", assignment.employee)) or (
            asset.status != AssetStatus.ALLOCATED and keeping(kept, "status", (AssetStatus.ALLOCATED,))
        )
        return replace(assignment, employee=None) if is_kept else assignment

    def _creation(self, judged: JudgedDevice, values: Mapping[str, Value]) -> DeviceStep:
        assignment = self.assign(judged, None)
        fields: dict[str, Value | Person] = {
            "serial_number": judged.device.serial_number,
            "status": AssetStatus.ALLOCATED,
            **values,
        }
        if assignment.employee is not None:
            fields["assignee_id"] = assignment.employee
        changes = tuple(Change(name, None, value) for name, value in fields.items())
        return DeviceStep(
            judged, Outcome.SYNCED, None, AssetAction.CREATE, None, changes, note=assignment.reason, held=assignment.held
        )  # fmt: skip

    def _update(self, judged: JudgedDevice, values: Mapping[str, Value], asset: Asset, kept: KeptFields) -> DeviceStep:
        changes = [
            Change(name, asset.values[name], values[name])
            for name in INTUNE_FIELDS
            if name in values and values[name] != asset.values[name]
        ]
        changes += [
            Change(name, None, values[name]) for name in FILLED_FIELDS if name in values and not asset.values[name]
        ]
        assignment = self.assign(judged, asset)
        if assignment.employee is not None:
            changes.append(Change("assignee_id", asset.assignee_id, assignment.employee, assignment.reason))
            if asset.status != AssetStatus.ALLOCATED:
                changes.append(
                    Change("status", asset.status, AssetStatus.ALLOCATED, "a transferred asset got an assignee")
                )
        not_made = self._kept_changes(changes, kept) if kept else []
        if not_made:
            changes = _without(changes, not_made)
        return DeviceStep(
            judged,
            Outcome.SYNCED,
            None,
            AssetAction.UPDATE if changes else AssetAction.UNCHANGED,
            asset,
            tuple(changes),
            note=assignment.reason,
            held=assignment.held,
            candidate=assignment.candidate,
            settles=assignment.settles,
            kept=tuple(not_made),
            released=self._released(judged, values, kept) if kept else (),
        )

    def _kept_changes(self, changes: Iterable[Change], kept: KeptFields) -> list[KeptChange]:
        return [
            KeptChange(change, by)
            for change in changes
            if (by := keeping(kept, change.field, self._said(change.field, change.new)))
        ]

    def _released(self, judged: JudgedDevice, values: Mapping[str, Value], kept: KeptFields) -> tuple[int, ...]:
        user = self.assignees.user_of(judged.device)
        said = {name: self._said(name, value) for name, value in values.items() if value is not None}
        said["assignee_id"] = self._said("assignee_id", user)
        return tuple(one for name in kept for one in outdated(kept, name, said.get(name, ())))

    def _said(self, name: str, value: Value | Person) -> Collection[str]:
        """What Intune says, in every form in which it can be evidence of something undone."""
        if isinstance(value, Person):
            return (value.email_key, *value.other_keys)
        if name == "assignee_id" and isinstance(value, int):
            return self.directory.emails_of(value)
        return () if value is None or isinstance(value, Sealed) else (str(value),)

    def end(self, device: GoneDevice, asset: Asset | None) -> Ending:
        """What becomes of the asset of a device that is gone."""
        if asset is None or asset.status != lifecycle.ENDING_STATUS:
            return Ending(device, asset, ())
        reason = "the device is gone from Intune: absent from the list for long, and unknown when asked for"
        changes = [Change("status", asset.status, lifecycle.ENDED_STATUS, reason)]
        if asset.assignee_id is not None:
            changes.append(Change("assignee_id", asset.assignee_id, None, reason))
        kept = self._kept.get(device.serial_key, _NOTHING_KEPT)
        if any(keeping(kept, change.field, ()) for change in changes):
            return Ending(device, asset, ())
        return Ending(device, asset, tuple(changes))


def _without(changes: Sequence[Change], not_made: Sequence[KeptChange]) -> list[Change]:
    """The changes that are made; an assignee and the status that goes with them change together or not at all."""
    left_out = {one.change.field for one in not_made}
    if left_out & {"assignee_id", "status"}:
        left_out |= {"assignee_id", "status"}
    return [change for change in changes if change.field not in left_out]


def needed_evidence(judged: Sequence[JudgedDevice], state: State, policy: Policy, listing: Listing) -> NeededEvidence:
    """Which few devices Graph is asked about before a plan is made; nothing while the connection's switch is off.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows.
        policy: The connection's settings.
        listing: The list.
    """
    if not policy.mdm_assignee_updates:
        return NeededEvidence((), ())
    assignees = Decider(judged, state, policy, Evidence()).assignees
    asked = (
        one.device.intune_device_id
        for one in judged
        if one.skip_reason is None
        and (asset := state.assets.get(one.device.serial_key or ""))
        and assignees.needs_primary_user(
            one.device,
            asset.status,
            asset.assignee_id,
            state.memory.get(one.device.intune_device_id),
            asset.assigned_by_person_at,
        )
    )
    suspected = lifecycle.suspects(_absences(judged, state, policy, listing), state.lifecycle_holds, policy)
    others = lifecycle.siblings(frozenset(suspected), state.memory.values())
    return NeededEvidence(tuple(sorted(asked)), tuple(sorted({*suspected, *others})))


@dataclass(frozen=True, slots=True)
class DecidedPeople:
    """Whom the devices of a list belong to.

    Attributes:
        steps: The users of eligible devices, by e-mail.
        everybody: Everybody the list shows, by each compared e-mail; reading them is most of the work.
        conventions: How the account's mail domains write addresses and show names.
    """

    steps: tuple[PersonStep, ...]
    everybody: Mapping[str, Person] = field(repr=False)
    conventions: Conventions = field(repr=False, compare=False)

    @property
    def decisions(self) -> tuple[PersonDecision, ...]:
        """The decisions alone."""
        return tuple(step.decision for step in self.steps)


def decide_people(
    judged: Sequence[JudgedDevice], state: State, policy: Policy, evidence: Evidence | None = None
) -> DecidedPeople:
    """Who is an employee, who becomes one, who is held back.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows; the assets' values are not needed.
        policy: The connection's settings.
        evidence: Graph's answers to `needed_evidence`; what is missing counts as not answered.
    """
    decider = Decider(judged, state, policy, evidence or Evidence())
    users = _Users()
    for one in judged:
        if one.skip_reason is not None:
            continue
        try:
            assignment = decider.employs(one, state.assets.get(one.device.serial_key or ""))
            user = decider.assignees.user_of(one.device)
        except Exception:  # noqa: BLE001, S112 - the plan counts such a device as failed
            continue
        if assignment is not None:
            created = assignment.employee if isinstance(assignment.employee, Person) else None
            users.add(user, created, assignment.held)
    return DecidedPeople(tuple(users.steps(decider)), decider.assignees.people, decider.assignees.conventions)


def plan(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    listing: Listing,
    evidence: Evidence | None = None,
    decided: Sequence[PersonDecision] | None = None,
    people: DecidedPeople | None = None,
) -> Plan:
    """Everything a sync will do.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows.
        policy: The connection's settings.
        listing: The list.
        evidence: Graph's answers to `needed_evidence`; what is missing counts as not answered.
        decided: What `decide_people` decided, now or a while ago; None: decided now. What the state does not bear out any
            more is decided again, see `Plan.redecided`.
        people: What `decide_people` returned, where that was just now: nobody is read twice.

    Raises:
        ValueError: Two eligible devices have the same serial, which ``eligibility`` rules out.
    """
    evidence = evidence or Evidence()
    _check_serials(judged)
    if decided is None:
        people = people or decide_people(judged, state, policy, evidence)
        decided = people.decisions
    decider = Decider(judged, state, policy, evidence, decided, people.everybody if people else None)
    kept = sorted((one for one in judged if one.skip_reason != SkipReason.PERSONAL), key=_by_serial)
    steps = tuple(_safely(decider, one, state.assets.get(one.device.serial_key or "")) for one in kept)

    found = _absences(judged, state, policy, listing)
    verdict = _judge_endings(judged, state, policy, found, evidence, decider)
    endings, held = (
        tuple(decider.end(device, state.assets.get(device.serial_key)) for device in devices)
        for devices in (verdict.ending, verdict.held)
    )
    return Plan(
        state.connection_id,
        state.account_id,
        listing,
        steps,
        endings,
        held,
        verdict.reason,
        tuple(one for one in found if (one.lists, one.since) != (one.memory.absent_lists, one.memory.absent_since)),
        lifecycle.moot_holds(state.lifecycle_holds, found) if listing.complete else (),
        state.memory,
        _count(listing, len(judged) - len(kept), steps, endings, held, gone=_gone(judged, state, listing)),
        tuple(decided),
        people,
        decider,
        state.open_decisions,
    )


def _check_serials(judged: Iterable[JudgedDevice]) -> None:
    serials = Counter(one.device.serial_key for one in judged if one.skip_reason is None)
    if any(count > 1 for count in serials.values()):
        raise ValueError("Two eligible devices have the same serial number.")


def _safely(decider: Decider, judged: JudgedDevice, asset: Asset | None) -> DeviceStep:
    try:
        return decider.decide(judged, asset)
    except Exception as error:  # noqa: BLE001 - one device's failure, of whatever kind, never fails the run
        return DeviceStep(
            judged, Outcome.FAILED, f"The device could not be read ({type(error).__name__}); please report this."
        )


def _by_serial(judged: JudgedDevice) -> tuple[str, str]:
    return judged.device.serial_key or "", judged.device.intune_device_id


def _absences(judged: Sequence[JudgedDevice], state: State, policy: Policy, listing: Listing) -> list[Absence]:
    listed = {one.device.intune_device_id for one in judged}
    return lifecycle.absences(
        state.memory.values(), listed, listed_at=listing.listed_at, complete=listing.complete, policy=policy
    )


def _judge_endings(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    found: Sequence[Absence],
    evidence: Evidence,
    decider: Decider,
) -> lifecycle.Verdict:
    gone = lifecycle.gone_devices(
        frozenset(lifecycle.suspects(found, state.lifecycle_holds, policy)),
        state.memory.values(),
        proven_gone=evidence.gone,
        listed_serials={one.device.serial_key for one in judged if one.device.serial_key},
    )
    return lifecycle.judge_endings(
        gone,
        changes_asset={
            device.serial_key: bool(decider.end(device, state.assets.get(device.serial_key)).changes) for device in gone
        },
        synced_devices=sum(memory.was_synced and not memory.ended for memory in state.memory.values()),
        found=found,
        holds=state.lifecycle_holds,
        policy=policy,
    )


def _gone(judged: Sequence[JudgedDevice], state: State, listing: Listing) -> int:
    """Devices that earlier syncs listed and this complete list does not hold."""
    if not listing.complete:
        return 0
    return len(state.memory.keys() - {one.device.intune_device_id for one in judged})


def _count(
    listing: Listing,
    personal: int,
    steps: Sequence[DeviceStep],
    endings: Sequence[Ending],
    held: Sequence[Ending],
    *,
    gone: int,
) -> Counts:
    all_personal = personal + listing.personal
    counts = Counts.unwritten(listing, len(steps) + all_personal + listing.unreadable, all_personal)
    counts.lifecycle_held, counts.devices_gone = len(held), gone
    for step in steps:
        counts.add(step)
    for ending in endings:
        counts.add_ending(ending)
    counts.employees_created = len({step.new_employee.email_key for step in steps if step.new_employee})
    counts.lookalikes_held = len({step.held.person.email_key for step in steps if step.held})
    return counts


def _change(asset: Asset | None, serial_number: str | None, action: str, changes: Iterable[Change]) -> dict[str, Any]:
    return {
        "serial_number": asset.serial_number if asset else serial_number,
        "action": action,
        "fields": {change.field: change.shown() for change in changes},
    }


def _shown(value: Value | Person) -> str | int | None:
    if isinstance(value, Person):
        return value.email
    return repr(value) if isinstance(value, Sealed) else value
