"""What a run tells in its log, in sentences: what it read, decided, asked and wrote.

Belongs here: the sentences. Does not belong here: when they are said (``assets``). They hold numbers, reasons and settings;
never a device, a person or a serial number, because Dagster keeps its logs.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dagster import AssetCheckResult

from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.reconciliation import Counts, PersonStep, Plan
from intune_pipeline.domain.vocabulary import DetailState, EmployeeDecision, EmployeeHoldKind, PersonAction
from intune_pipeline.inventory.frames import Listing
from intune_pipeline.orchestration.sync.device_details import Detailed
from intune_pipeline.orchestration.sync.device_lookups import Asked
from intune_pipeline.orchestration.sync.steps import Listed

#: A long sync says so often how far it is; a short one is done before.
SECONDS_BETWEEN_BATCH_LINES: Final = 2.0

#: What becomes of one user, and of several.
_MATCHED, _CREATED, _ALIKE, _SHARED, _DECIDED, _UNCLEAR, _NOT_NEEDED = (
    ("is an employee", "are employees"),
    ("becomes an employee", "become employees"),
    (
        "waits for a decision, because an employee could be the same person",
        "wait for a decision, because an employee could be the same person",
    ),
    (
        "waits for a decision, because it looks like a shared account",
        "wait for a decision, because they look like shared accounts",
    ),
    ("is left out, as a person decided", "are left out, as a person decided"),
    (
        "is left out, because the name cannot be split safely",
        "are left out, because their name cannot be split safely",
    ),
    (
        "is not needed as an employee, because the devices keep their assignees",
        "are not needed as employees, because their devices keep their assignees",
    ),
)
_KEPT: Final = (
    "of Intune is not written, because it is locked or was undone",
    "of Intune are not written, because they are locked or were undone",
)


def listed(found: Listed, *, seconds: float, throttled: int, waited: float) -> str:
    """The end of the listing."""
    left_out = _and(
        [
            *([f"{len(found.personal_ids)} personal"] if found.personal_ids else []),
            *([f"{found.unreadable} without an id"] if found.unreadable else []),
        ]
    )
    return (
        f"Listed {_devices(found.devices_listed)} in {counted(found.pages, 'page')} ({seconds:.1f} s, "
        f"{counted(throttled, 'request')} throttled, waited {waited:.1f} s){f'; left out: {left_out}' if left_out else ''}."
    )


def judged(listing: Listing, types: Mapping[str, int], skipped: Mapping[str, int]) -> str:
    """What the devices are, and why some are left out.

    Args:
        listing: the list.
        types: eligible devices by type.
        skipped: devices by skip reason, personal ones included.
    """
    return (
        f"Of {_devices(listing.devices_listed)} {counted(sum(types.values()), 'goes on', 'go on')} ({_by_name(types) or 'none'}); "
        f"{counted(sum(skipped.values()), 'is skipped', 'are skipped')} ({_by_name(skipped) or 'none'})."
    )


def details(found: Detailed, *, seconds: float) -> str:
    """What was asked about single devices."""
    states = Counter(freshness for *_, freshness in found.rows)
    asked = states[DetailState.FETCHED] + states[DetailState.FAILED]
    said = f"Asked for details of {_devices(asked)} ({seconds:.1f} s)" if asked else "No details were due"
    failed = (
        f"; {counted(states[DetailState.FAILED], 'without an answer is', 'without an answer are')} asked again next time"
        if states[DetailState.FAILED]
        else ""
    )
    return f"{said}{failed}; {counted(states[DetailState.KEPT], 'is', 'are')} known from before. {found.said}".strip()


def evidence(asked: Asked, why: str) -> str | None:
    """What Microsoft was asked for as evidence; None: nothing."""
    questions = _and(
        [
            *([f"who uses {_devices(asked.users)}"] if asked.users else []),
            *([f"whether {_devices(asked.existence)} still exist"] if asked.existence else []),
        ]
    )
    if not questions:
        return None
    unanswered = (
        f"; {counted(asked.unanswered, 'was not answered and counts', 'were not answered and count')} as not known"
        if asked.unanswered
        else ""
    )
    return f"Asked Microsoft {questions}, {why} ({asked.seconds:.1f} s{unanswered})."


def people(steps: Iterable[PersonStep]) -> str:
    """Whom the devices belong to."""
    found = Counter(_fate(step) for step in steps)
    ordered = (_MATCHED, _CREATED, _ALIKE, _SHARED, _DECIDED, _UNCLEAR, _NOT_NEEDED)
    said = _and(counted(found[fate], *fate) for fate in ordered if found[fate])
    return f"Of {counted(found.total(), 'user')} {said}." if said else "No eligible device shows a user."


def _fate(step: PersonStep) -> tuple[str, str]:
    if step.action == PersonAction.HELD:
        return _SHARED if step.shared_reason else _ALIKE
    if step.hold and step.hold.decision == EmployeeDecision.WAITING:
        return _SHARED if step.hold.kind == EmployeeHoldKind.SHARED else _ALIKE
    if step.hold and step.hold.decision == EmployeeDecision.SKIPPED:
        return _DECIDED
    if step.action == PersonAction.NONE:
        return _NOT_NEEDED if step.name else _UNCLEAR
    return _MATCHED if step.action == PersonAction.MATCHED else _CREATED


def planned(plan: Plan) -> str:
    """The plan in one line."""
    counts = plan.counts
    return (
        f"Plan: {counted(counts.assets_created, 'asset')} to create, {counts.assets_updated} to update, "
        f"{counts.assets_unchanged} to leave unchanged; {counted(counts.employees_created, 'employee')} to create, "
        f"{counted(counts.assignees_changed, 'assignee')} to change; {counted(counts.lifecycle_transitions, 'asset')} to "
        f"end, {counts.lifecycle_held} held."
    )


def held(plan: Plan) -> list[str]:
    """What waits for a person, and why."""
    waiting = {step.held.person.email_key: step.held.kind for step in plan.steps if step.held}
    kinds = Counter(waiting.values())
    kept = plan.counts.values_kept
    said = (
        (kinds[EmployeeHoldKind.LOOKALIKE], "user", _ALIKE),
        (kinds[EmployeeHoldKind.SHARED], "user", _SHARED),
        (kept, "value", _KEPT),
    )
    return [
        *([plan.hold_reason] if plan.hold_reason else []),
        *(f"{counted(count, f'{noun} {one}', f'{noun}s {many}')}." for count, noun, (one, many) in said if count),
    ]


def written(counts: Counts, *, seconds: float) -> str:
    """What was done in the end."""
    return (
        f"Wrote in {seconds:.1f} s: {counted(counts.assets_created, 'asset')} created, {counts.assets_updated} updated, "
        f"{counts.assets_unchanged} unchanged; {counted(counts.employees_created, 'employee')} created, "
        f"{counted(counts.assignees_changed, 'assignee')} changed, {counted(counts.lifecycle_transitions, 'asset')} ended; "
        f"{_devices(counts.devices_failed)} failed."
    )


def batches(plan: Plan, tell: Callable[[str], None]) -> Callable[[Counts], None]:
    """Tells how far a long sync is, called before each of its batches with what is done."""
    spoke_at = time.monotonic()
    devices = len(plan.steps)

    def before_batch(done: Counts) -> None:
        nonlocal spoke_at
        if time.monotonic() - spoke_at < SECONDS_BETWEEN_BATCH_LINES:
            return
        spoke_at = time.monotonic()
        reconciled = done.assets_created + done.assets_updated + done.assets_unchanged
        tell(
            f"{reconciled} of {_devices(devices)} written: {done.assets_created} created, {done.assets_updated} updated, "
            f"{done.devices_failed} failed."
        )

    return before_batch


def warnings(results: Iterable[AssetCheckResult]) -> list[str]:
    """What the checks that did not pass say."""
    return [f"{one.check_name}: {one.description}" for one in results if not one.passed]


def _by_name(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{count} {_words(name)}" for name, count in ordered if count)


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _devices(count: int) -> str:
    return counted(count, "device")


def _and(parts: Iterable[str]) -> str:
    several: Sequence[str] = list(parts)
    return f"{', '.join(several[:-1])} and {several[-1]}" if len(several) > 1 else "".join(several)
