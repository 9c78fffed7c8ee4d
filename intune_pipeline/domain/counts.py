"""What a sync counts: each count once, with its meaning.

Belongs here: the counts' names and meanings. The columns of ``sync_runs``, the reports of the command line and the API's
model derive from them; pages and tables that show chosen counts are listed in ``docs/extending.md``. Does not belong here:
counting (``reconciliation``).
"""

from dataclasses import dataclass, field, fields
from typing import Final


def _count(means: str) -> int:
    return field(default=0, metadata={"means": means})


@dataclass(slots=True, kw_only=True)
class RunCounts:
    """The counts of one sync. Devices listed are those synced, failed and skipped, which are counted by reason."""

    devices_listed: int = _count("devices in the list, personal ones included")
    devices_synced: int = _count("devices that have an asset now")
    devices_failed: int = _count("devices that could not be read or written; the next sync tries again")
    devices_unreadable: int = _count("of the failed: entries of the list without an id")
    assets_created: int = _count("new assets")
    assets_updated: int = _count("assets of which a field changed")
    assets_unchanged: int = _count("assets of which nothing changed")
    employees_created: int = _count("new employees")
    assignees_changed: int = _count("existing assets with a new assignee")
    lifecycle_transitions: int = _count("assets whose device is gone and that became transferred")
    lifecycle_held: int = _count("devices whose end waits for a decision")
    lookalikes_held: int = _count("employees that wait for a decision")
    assets_removed: int = _count("assets that undoing a run removed")
    employees_removed: int = _count("employees that undoing a run removed")
    devices_gone: int = _count("devices known from earlier syncs that a complete list does not hold any more")
    values_kept: int = _count("values of Intune that were not written because they are locked or undone")


MEANINGS: Final = {count.name: str(count.metadata["means"]) for count in fields(RunCounts)}
"""What each count means, by name."""
