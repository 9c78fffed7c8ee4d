"""Where a run's devices went, in numbers that add up.

Belongs here: the rows and their links. Does not belong here: counting (``domain.reconciliation``).
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import Outcome, SkipReason
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal.browser_sessions import HOME
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
    """The devices of a run.

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


def totals_of(run: SyncRun | None) -> Totals:
    """The numbers of a run; all zero without a run."""
    if run is None:
        return Totals(0, 0, 0, (), 0)
    rows = [
        ReasonRow(SKIPPED[reason].name, SKIPPED[reason].remedy, count, devices_href(reason=reason))
        for reason, count in run.skipped_by_reason.items()
        if count
    ]
    if unwritten := run.devices_failed - run.devices_unreadable:
        rows.append(ReasonRow(FAILED.name, FAILED.remedy, unwritten, devices_href(outcome=Outcome.FAILED)))
    if run.devices_unreadable:
        rows.append(ReasonRow(UNREADABLE.name, UNREADABLE.remedy, run.devices_unreadable, None))
    rows.sort(key=lambda row: (-row.devices, row.name))
    unsynced = run.devices_skipped + run.devices_failed
    return Totals(run.devices_synced + unsynced, run.devices_synced, unsynced, tuple(rows), run.devices_gone)


def devices_href(**query: str) -> str | None:
    """Where the devices are listed; personal ones are nowhere."""
    return None if query.get("reason") == SkipReason.PERSONAL else f"{HOME}/devices?{urlencode(query)}"
