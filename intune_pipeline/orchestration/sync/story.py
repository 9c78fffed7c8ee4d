"""What a run tells in its log, in sentences: what it read, decided, asked and wrote.

Belongs here: the sentences. Does not belong here: when they are said (``assets``). They hold numbers, reasons and settings;
never a device, a person or a serial number, because Dagster keeps its logs.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dagster import AssetCheckResult

from intune_pipeline.domain.reconciliation import Counts, PersonStep, Plan
from intune_pipeline.domain.vocabulary import DetailState, EmployeeHoldKind, PersonAction
from intune_pipeline.inventory.frames import Listing
from intune_pipeline.orchestration.sync.device_details import Detailed
from intune_pipeline.orchestration.sync.device_lookups import Asked
from intune_pipeline.orchestration.sync.steps import Listed

#: A long sync says so often how far it is; a short one is done before.
SECONDS_BETWEEN_BATCH_LINES: Final = 2.0

_MATCHED, _CREATED, _ALIKE, _SHARED, _UNCLEAR, _NOT_NEEDED = (
    "are employees",
    "become employees",
    "wait for a decision, because an employee could be the same person",
    "wait for a decision, because they look like shared accounts",
    "are left out, because their name cannot be split safely",
    "are not needed as employees, because their devices keep their assignees",
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
        f"Listed {_devices(found.devices_listed)} in {_of(found.pages, 'page')} ({seconds:.1f} s, {throttled} requests "
        f"throttled, waited {waited:.1f} s){f'; left out: {left_out}' if left_out else ''}."
    )


def judged(listing: Listing, types: Mapping[str, int], skipped: Mapping[str, int]) -> str:
    """What the devices are, and why some are left out.

    Args:
        listing: the list.
        types: eligible devices by type.
        skipped: devices by skip reason, personal ones included.
    """
    return (
        f"{sum(types.values())} of {_devices(listing.devices_listed)} go on ({_counted(types) or 'none'}); "
        f"{sum(skipped.values())} are skipped ({_counted(skipped) or 'none'})."
    )


def details(found: Detailed, *, seconds: float) -> str:
    """What was asked about single devices."""
    states = Counter(freshness for *_, freshness in found.rows)
    asked = states[DetailState.FETCHED] + states[DetailState.FAILED]
    said = f"Asked for details of {_devices(asked)} ({seconds:.1f} s)" if asked else "No details were due"
    failed = (
        f"; {states[DetailState.FAILED]} without an answer are asked again next time"
        if states[DetailState.FAILED]
        else ""
    )
    return f"{said}{failed}; {states[DetailState.KEPT]} are known from before. {found.said}".strip()


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
    unanswered = f"; {asked.unanswered} were not answered and count as not known" if asked.unanswered else ""
    return f"Asked Microsoft {questions}, {why} ({asked.seconds:.1f} s{unanswered})."


def people(steps: Iterable[PersonStep]) -> str:
    """Whom the devices belong to."""
    found = Counter(_fate(step) for step in steps)
    ordered = (_MATCHED, _CREATED, _ALIKE, _SHARED, _UNCLEAR, _NOT_NEEDED)
    said = _and(f"{found[fate]} {fate}" for fate in ordered if found[fate])
    return f"Of {found.total()} users {said}." if said else "No eligible device shows a user."


def _fate(step: PersonStep) -> str:
    if step.action == PersonAction.HELD:
        return _SHARED if step.shared_reason else _ALIKE
    if step.action == PersonAction.NONE:
        return _NOT_NEEDED if step.name else _UNCLEAR
    return _MATCHED if step.action == PersonAction.MATCHED else _CREATED


def planned(plan: Plan) -> str:
    """The plan in one line."""
    counts = plan.counts
    return (
        f"Plan: {counts.assets_created} assets to create, {counts.assets_updated} to update, {counts.assets_unchanged} to "
        f"leave as they are; {counts.employees_created} employees to create, {counts.assignees_changed} assignees to "
        f"change; {counts.lifecycle_transitions} ends of assets, {counts.lifecycle_held} held."
    )


def held(plan: Plan) -> list[str]:
    """What waits for a person, and why."""
    waiting = {step.held.person.email_key: step.held.kind for step in plan.steps if step.held}
    kinds = Counter(waiting.values())
    kept = plan.counts.values_kept
    said = (
        (kinds[EmployeeHoldKind.LOOKALIKE], "user", _ALIKE),
        (kinds[EmployeeHoldKind.SHARED], "user", _SHARED),
        (kept, "value", "of Intune are not written, because they are locked or were undone"),
    )
    return [
        *([plan.hold_reason] if plan.hold_reason else []),
        *(f"{_of(count, noun)} {why}." for count, noun, why in said if count),
    ]


def written(counts: Counts, *, seconds: float) -> str:
    """What was done in the end."""
    return (
        f"Wrote in {seconds:.1f} s: {counts.assets_created} assets created, {counts.assets_updated} updated, "
        f"{counts.assets_unchanged} unchanged; {counts.employees_created} employees created, {counts.assignees_changed} "
        f"assignees changed, {counts.lifecycle_transitions} assets ended; {_devices(counts.devices_failed)} failed."
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


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{count} {_words(name)}" for name, count in ordered if count)


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _devices(count: int) -> str:
    return _of(count, "device")


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _and(parts: Iterable[str]) -> str:
    several: Sequence[str] = list(parts)
    return f"{', '.join(several[:-1])} and {several[-1]}" if len(several) > 1 else "".join(several)
