"""A plan as lines people look at: one per asset, person and device it would do something about.

Belongs here: the lines, and how two plans differ. Does not belong here: making a plan (``reconciliation``), storing its
lines and approving it (``inventory.plans``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.facts import fact_values, shown_model
from intune_pipeline.domain.reconciliation import Change, DeviceStep, PersonStep, Plan
from intune_pipeline.domain.vocabulary import (
    AssetAction,
    LookalikeGrade,
    Outcome,
    PersonAction,
    PlanLineKind,
    SkipReason,
)

WRITTEN: Final = frozenset(PlanLineKind) - {PlanLineKind.SKIPPED, PlanLineKind.FAILED}
"""Kinds that a sync writes something for; the others are told for completeness."""
_OF_PEOPLE: Final = frozenset({PlanLineKind.EMPLOYEE_ADDED, PlanLineKind.EMPLOYEE_HELD})


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What a plan says about one thing.

    Attributes:
        kind: What.
        name: The serial number, else the device's id; of a person the e-mail.
        fields: Each field's value before and after; secrets are hidden.
        model: The device's model as it is shown; "" for people.
        note: Why, where there is something to say; of people the full name, of skipped devices the reason.
        grade: How sure it is that the person is an employee already; None without a look-alike.
        reasons: Why it could be the same person.
        lookalike_id: That employee.
    """

    kind: PlanLineKind
    name: str
    fields: Mapping[str, list[Any]] = field(default_factory=dict)
    model: str = ""
    note: str = ""
    grade: LookalikeGrade | None = None
    reasons: tuple[str, ...] = ()
    lookalike_id: int | None = None

    @property
    def is_asset(self) -> bool:
        """Whether it is about an asset that is there or will be."""
        return self.kind in WRITTEN and self.kind not in _OF_PEOPLE


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about which two plans say something else.

    Attributes:
        name: As in the lines.
        before: What the earlier plan says; None: nothing.
        after: What the later one says.
    """

    name: str
    before: PlanLine | None
    after: PlanLine | None


def lines_of(plan: Plan) -> list[PlanLine]:
    """Everything a plan says, the assets first, then people, then what is left out; each by name."""
    return [*_assets(plan), *_people(plan), *_left_out(plan)]


def differences(before: Iterable[PlanLine], after: Iterable[PlanLine]) -> list[Difference]:
    """What the later of two plans would write that the earlier did not say, and the other way round.

    Skipped and failed devices and the words of notes are no difference: nothing is written for them.
    """
    earlier, later = _by_key(before), _by_key(after)
    return [
        Difference(key[1], earlier.get(key), later.get(key))
        for key in sorted(earlier.keys() | later.keys())
        if _written(earlier.get(key)) != _written(later.get(key))
    ]


def _by_key(lines: Iterable[PlanLine]) -> dict[tuple[bool, str], PlanLine]:
    return {(line.kind in _OF_PEOPLE, line.name): line for line in lines if line.kind in WRITTEN}


def _written(line: PlanLine | None) -> object:
    """What of a line has to be the same; lists, as they come back from JSON."""
    return line and (line.kind, {name: list(values) for name, values in line.fields.items()})


def _assets(plan: Plan) -> Iterator[PlanLine]:
    for step in plan.steps:
        if step.changes:
            kind = PlanLineKind.CREATED if step.action == AssetAction.CREATE else PlanLineKind.UPDATED
            model = _model(step.judged.device)
            yield PlanLine(kind, _device_name(step), _fields(step.changes), model, step.note or "")
    for kind, endings in ((PlanLineKind.ENDED, plan.endings), (PlanLineKind.ENDING_HELD, plan.held_endings)):
        for ending in endings:
            if ending.asset and ending.changes:
                note = ending.changes[0].reason or ""
                yield PlanLine(kind, ending.asset.serial_number, _fields(ending.changes), note=note)


def _people(plan: Plan) -> Iterator[PlanLine]:
    for step in plan.people:
        if step.action in {PersonAction.CREATE, PersonAction.HELD}:
            yield _person(step)


def _person(step: PersonStep) -> PlanLine:
    kind = PlanLineKind.EMPLOYEE_ADDED if step.action == PersonAction.CREATE else PlanLineKind.EMPLOYEE_HELD
    name = " ".join(step.name or ()) or step.person.display_name or ""
    note = f"{name}: {step.shared_reason}" if step.shared_reason else name
    if step.lookalike is None:
        return PlanLine(kind, step.person.email, note=note)
    alike = step.lookalike
    return PlanLine(
        kind,
        step.person.email,
        note=note,
        grade=alike.grade,
        reasons=tuple(str(reason) for reason in alike.reasons),
        lookalike_id=alike.employee_id,
    )


def _left_out(plan: Plan) -> Iterator[PlanLine]:
    """Devices that are not synced; details of whose owner is not known are kept nowhere."""
    for step in plan.steps:
        if step.outcome != Outcome.SYNCED:
            kind = PlanLineKind.SKIPPED if step.outcome == Outcome.SKIPPED else PlanLineKind.FAILED
            model = "" if step.reason == SkipReason.OWNERSHIP_UNKNOWN else _model(step.judged.device)
            yield PlanLine(kind, _device_name(step), model=model, note=step.reason or "")


def _device_name(step: DeviceStep) -> str:
    return step.judged.device.serial_number or step.judged.device.intune_device_id


def _fields(changes: Iterable[Change]) -> dict[str, list[Any]]:
    return {change.field: change.shown() for change in changes}


def _model(device: ManagedDevice) -> str:
    facts = fact_values(device.operating_system or "", device.manufacturer or "", device.model or "")
    return shown_model(device.manufacturer, facts.get("model_name"), device.model)
