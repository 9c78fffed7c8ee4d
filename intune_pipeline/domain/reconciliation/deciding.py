"""The decision about one device, one ending and its people; the same for a plan and for the sync that applies it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from intune_pipeline.domain import lifecycle
from intune_pipeline.domain.assignees import Assignees
from intune_pipeline.domain.assignments import Assignment, Evidence, HeldEmployee
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.fields import FILLED_FIELDS, INTUNE_FIELDS, Sealed, Value, intune_values
from intune_pipeline.domain.kept import WHOLE_ASSET, KeptFields, keeping, outdated
from intune_pipeline.domain.lifecycle import GoneDevice
from intune_pipeline.domain.people import Person
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation.state import NO_DETAILS, Asset, State
from intune_pipeline.domain.reconciliation.steps import (
    Change,
    DeviceStep,
    Ending,
    KeptChange,
    PersonDecision,
    PersonStep,
)
from intune_pipeline.domain.vocabulary import AssetAction, AssetStatus, Outcome, PersonAction, SkipReason

_NOTHING_KEPT: Final[KeptFields] = {}


class Users:
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
            hold = assignees.hold_of(person) if action == PersonAction.NONE else None
            yield PersonStep(person, self._devices[key], employee, action, next(iter(alike), None), shared, hold)


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
        values = intune_values(judged, self._details.get(judged.device.intune_device_id, NO_DETAILS))
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
        if asset is None or not isinstance(assignment.employee, Person) or not kept:
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
