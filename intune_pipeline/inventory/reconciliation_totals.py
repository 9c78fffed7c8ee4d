"""What the batches of a plan amount to, committed so far.

Belongs here: counts, candidates and people held, batch by batch. Does not belong here: writing them (``reconciliation``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from intune_pipeline.domain.assignments import Candidate, candidate_of
from intune_pipeline.domain.reconciliation import Counts, DeviceMemory, DeviceStep, Ending, Plan
from intune_pipeline.domain.vocabulary import Outcome, SkipReason


def run_columns(counts: Counts) -> dict[str, Any]:
    """Counts as columns of ``sync_runs``."""
    columns = counts.as_dict()
    reasons = columns.pop("devices_skipped")
    return {**columns, "devices_skipped": sum(reasons.values()), "skipped_by_reason": reasons}


@dataclass(frozen=True, slots=True)
class Written:
    """What one batch did, after everything was decided again that had to be."""

    steps: Sequence[DeviceStep] = ()
    endings: Sequence[Ending] = ()
    employees_created: int = 0


class Totals:
    """What the committed batches amount to."""

    def __init__(self, counts: Counts, candidates: Mapping[str, Candidate | None], held: frozenset[str]) -> None:
        self.counts = counts
        self.candidates = candidates
        self._held = held

    @classmethod
    def before(cls, plan: Plan) -> "Totals":
        """What is counted before the first batch: what a sync does not write."""
        personal = plan.counts.devices_skipped[SkipReason.PERSONAL]
        counts = Counts.unwritten(plan.listing, plan.counts.devices_listed, personal)
        counts.lifecycle_held = plan.counts.lifecycle_held
        counts.devices_gone = plan.counts.devices_gone
        return cls(counts, {}, frozenset())

    def including(self, batch: Iterable[Written], memory: Mapping[str, DeviceMemory]) -> "Totals":
        """The same with one more batch."""
        counts = replace(self.counts, devices_skipped=self.counts.devices_skipped.copy())
        candidates, held = dict(self.candidates), set(self._held)
        for written in batch:
            counts.employees_created += written.employees_created
            for step in written.steps:
                counts.add(step)
                if step.held:
                    held.add(step.held.person.email_key)
                device_id = step.judged.device.intune_device_id
                if step.outcome != Outcome.FAILED and step.candidate != candidate_of(memory.get(device_id)):
                    candidates[device_id] = step.candidate
            for ending in written.endings:
                counts.add_ending(ending)
        counts.lookalikes_held = len(held)
        return Totals(counts, candidates, frozenset(held))
