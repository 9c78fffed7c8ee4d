"""Where devices went, of a run or of today, in numbers that add up.

Belongs here: the rows and their links. Does not belong here: counting (``domain.reconciliation``, ``inventory.fleet_overview``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import Outcome, Presence, SkipReason
from intune_pipeline.inventory.fleet_overview import Overview
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal.device_links import devices_href
from intune_pipeline.portal.words import FAILED, UNREADABLE


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """Devices not synced for one reason, and what to do."""

    name: str
    remedy: str
    devices: int
    href: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The devices of a run, or of today.

    Attributes:
        listed: devices in Intune; those synced and those of each reason, together.
        synced: devices that have an asset.
        unsynced: all others that are in Intune.
        reasons: the others by reason, most devices first.
        gone: devices known from earlier that are no longer in Intune; not among those listed.
    """

    listed: int
    synced: int
    unsynced: int
    reasons: tuple[ReasonRow, ...]
    gone: int


def totals_of(run: SyncRun) -> Totals:
    """The numbers of a run, as they were then: the list of today has no part in them."""
    skipped = [(reason, count, None) for reason, count in run.skipped_by_reason.items()]
    return _totals(run.devices_synced, skipped, run.devices_failed - run.devices_unreadable, run, run.devices_gone)


def totals_of_today(overview: Overview, last_good: SyncRun | None) -> Totals:
    """The numbers of now, each of which is how many devices its link lists.

    Args:
        overview: the devices counted.
        last_good: what alone knows how many devices are personal or unreadable, as nothing is kept of these.
    """
    if last_good is None:
        return Totals(0, 0, 0, (), overview.gone)
    count = {(one.outcome, one.reason): one.devices for one in overview.in_intune}
    synced = count.get((Outcome.SYNCED, None), 0)
    failed = sum(devices for (outcome, _), devices in count.items() if outcome == Outcome.FAILED)
    skipped = [
        (reason or "", devices, devices_href(reason=reason or "", presence=Presence.IN_INTUNE))
        for (outcome, reason), devices in count.items()
        if outcome == Outcome.SKIPPED
    ]
    personal = last_good.skipped_by_reason.get(SkipReason.PERSONAL, 0)
    return _totals(synced, [*skipped, (SkipReason.PERSONAL, personal, None)], failed, last_good, overview.gone)


def _totals(
    synced: int, skipped: Iterable[tuple[str, int, str | None]], failed: int, run: SyncRun, gone: int
) -> Totals:
    rows = [
        ReasonRow(SKIPPED[reason].name, SKIPPED[reason].remedy, devices, href)
        for reason, devices, href in skipped
        if devices
    ]
    if failed:
        href = devices_href(outcome=Outcome.FAILED, presence=Presence.IN_INTUNE)
        rows.append(ReasonRow(FAILED.name, FAILED.remedy, failed, href))
    if run.devices_unreadable:
        rows.append(ReasonRow(UNREADABLE.name, UNREADABLE.remedy, run.devices_unreadable, None))
    rows.sort(key=lambda row: (-row.devices, row.name))
    unsynced = sum(row.devices for row in rows)
    return Totals(synced + unsynced, synced, unsynced, tuple(rows), gone)
