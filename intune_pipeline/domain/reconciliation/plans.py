"""The plan as a value: printed as it is, applied as it is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from intune_pipeline.domain.lifecycle import Absence, DeviceMemory
from intune_pipeline.domain.people import Conventions, Person
from intune_pipeline.domain.reconciliation.counting import Counts
from intune_pipeline.domain.reconciliation.deciding import Decider, Users
from intune_pipeline.domain.reconciliation.state import Listing
from intune_pipeline.domain.reconciliation.steps import Change, DeviceStep, Ending, PersonDecision, PersonStep
from intune_pipeline.domain.vocabulary import AssetAction, Outcome, PersonAction


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
    read: DecidedPeople | None = field(repr=False, compare=False)
    decider: Decider = field(repr=False, compare=False)
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
                shown = step.asset or step.judged.device
                yield _change(shown.serial_number, str(step.action), step.changes)
        for ending in self.endings:
            if ending.asset and ending.changes:
                yield _change(ending.asset.serial_number, AssetAction.UPDATE, ending.changes)

    @cached_property
    def people(self) -> tuple[PersonStep, ...]:
        """The users of eligible devices, by e-mail."""
        return self.read.steps if self.read and not self.redecided else tuple(self._people())

    def _people(self) -> Iterator[PersonStep]:
        assignees = self.decider.assignees
        users = Users()
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


def _change(serial_number: str | None, action: str, changes: Iterable[Change]) -> dict[str, Any]:
    return {
        "serial_number": serial_number,
        "action": action,
        "fields": {change.field: change.shown() for change in changes},
    }
