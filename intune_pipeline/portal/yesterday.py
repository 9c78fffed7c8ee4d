"""What changed since yesterday: what the runs since then did, and which devices came and went.

Belongs here: choosing what to compare with, and adding up. Pure. Does not belong here: counting devices
(``inventory.fleet_overview``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from intune_pipeline.domain.vocabulary import NeedKind, Presence, RunChange, RunStatus
from intune_pipeline.inventory.fleet_overview import Overview
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.device_links import devices_href

_DAY: Final = timedelta(hours=24)
#: What runs count, what it is called for one and for several, and the kind its page lists it as.
_COUNTED: Final[tuple[tuple[str, str, str, RunChange | None], ...]] = (
    ("assets_created", "asset created", "assets created", RunChange.CREATED),
    ("assets_updated", "asset updated", "assets updated", RunChange.UPDATED),
    ("assets_removed", "asset removed by an undo", "assets removed by an undo", RunChange.REMOVED),
    ("assignees_changed", "assignee changed", "assignees changed", RunChange.UPDATED),
    (
        "lifecycle_transitions",
        "assignment ended: the device left Intune",
        "assignments ended: the devices left Intune",
        RunChange.UPDATED,
    ),
    ("employees_created", "employee added", "employees added", RunChange.EMPLOYEE_ADDED),
    ("employees_removed", "employee removed by an undo", "employees removed by an undo", RunChange.EMPLOYEE_REMOVED),
    (
        NeedKind.DEVICES_FAILED,
        "device that could not be written",
        "devices that could not be written",
        RunChange.FAILED,
    ),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed: how many, what in words that agree with it, and where they are listed.

    Listed nowhere (None) where several runs did it.
    """

    count: int
    what: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed.

    Attributes:
        since: when the sync that it is compared with began.
        runs: the runs since then, newest first.
        changes: what changed; nothing that stayed.
    """

    since: datetime
    runs: tuple[SyncRun, ...]
    changes: tuple[Change, ...]


def baseline(newest_first: Sequence[SyncRun], now: datetime) -> SyncRun | None:
    """The good sync to compare with: the newest that began a day ago or earlier; None: there is none yet.

    Where the given runs do not reach that far back, the oldest good one.
    """
    good = [run for run in newest_first if run.status == RunStatus.SUCCEEDED]
    older = next((run for run in good if now - run.started_at >= _DAY), None)
    return older or (good[-1] if len(good) > 1 else None)


def changes(newest_first: Sequence[SyncRun], before: SyncRun, overview: Overview) -> Changes:
    """Add up what the runs after one did.

    Args:
        newest_first: the account's last runs, undos included.
        before: the sync to compare with.
        overview: the devices, counted since it began.
    """
    runs = tuple(run for run in newest_first if run.id > before.id)
    newest, left = "first_seen_at", devices_href(presence=Presence.GONE, sort="last_seen_at", order="desc")
    found = [
        Change(
            overview.appeared,
            _devices(overview.appeared, "new in Intune"),
            devices_href(presence=Presence.IN_INTUNE, sort=newest, order="desc"),
        ),
        Change(overview.left, _devices(overview.left, "gone from Intune"), left),
    ]
    for field, one, several, kind in _COUNTED:
        did = [run for run in runs if getattr(run, field)]
        href = f"{HOME}/runs/{did[0].id}?kind={kind}" if len(did) == 1 else None
        count = sum(getattr(run, field) for run in did)
        found.append(Change(count, one if count == 1 else several, href))
    return Changes(before.started_at, runs, tuple(change for change in found if change.count))


def _devices(count: int, which: str) -> str:
    return f"{'device' if count == 1 else 'devices'} {which}"
