"""What a plan amounts to; its counts equal those of the sync that applies it."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Final

from intune_pipeline.domain.counts import RunCounts
from intune_pipeline.domain.reconciliation.state import Listing
from intune_pipeline.domain.reconciliation.steps import DeviceStep, Ending
from intune_pipeline.domain.vocabulary import AssetAction, Outcome, SkipReason


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
