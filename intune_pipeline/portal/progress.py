"""A run's progress as steps with words.

Belongs here: turning a row of ``sync_runs`` into what a page shows. Pure.
"""

from dataclasses import asdict, dataclass
from typing import Any

from intune_pipeline.domain.vocabulary import RunPhase
from intune_pipeline.inventory.sync_runs import SyncRun
from intune_pipeline.portal.health import Health
from intune_pipeline.portal.words import PHASES, counted

_AGAIN_IN_MS = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sync.

    Attributes:
        name: for the page's script.
        label: for people.
        done: devices done.
        total: devices to do; 0 before there is anything to do, None while nobody knows how many.
        words: the two in words.
    """

    name: str
    label: str
    done: int
    total: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync is.

    Attributes:
        steps: reading, classifying, reconciling.
        sentence: what happens at the moment.
        go_to: where to go now that it is over; None while it goes on.
        again_in_ms: when to look again.
    """

    steps: tuple[Step, ...]
    sentence: str
    go_to: str | None = None
    again_in_ms: int = _AGAIN_IN_MS

    def as_dict(self) -> dict[str, Any]:
        """The form the page's script reads."""
        return asdict(self)


def not_begun(stuck: Health | None = None) -> Progress:
    """A sync that was asked for and has not begun.

    Args:
        stuck: what to say when it should have begun by now.
    """
    steps = (("read", "Devices read"), ("classified", "Devices classified"), ("reconciled", "Devices compared"))
    return Progress(
        tuple(Step(name, label, 0, 0, "") for name, label in steps),
        f"{stuck.sentence} {stuck.next_step.label}" if stuck else "Waiting for the sync to begin; it takes seconds.",
    )


def of_run(run: SyncRun) -> Progress:
    """How far a running sync is. The list's length is known once it was read whole."""
    listing = run.phase in {RunPhase.STARTING, RunPhase.LISTING}
    total = None if listing else max(run.devices_read, run.devices_classified)
    return Progress(
        (
            Step("read", "Devices read", run.devices_read, total, counted(run.devices_read, "device")),
            _of_total("classified", "Devices classified", run.devices_classified, total or 0),
            _of_total("reconciled", "Devices compared", run.devices_reconciled, run.devices_classified),
        ),
        PHASES.get(run.phase, ""),
    )


def _of_total(name: str, label: str, done: int, total: int) -> Step:
    return Step(name, label, done, total, "" if not total else f"{done:,} of {total:,}".replace(",", "\u202f"))
