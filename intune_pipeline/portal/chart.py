"""The chart of the last runs, as numbers a template draws as SVG.

Belongs here: geometry. Does not belong here: colours (``portal.css``) and the table that tells the same in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intune_pipeline.domain.vocabulary import RunStatus
from intune_pipeline.inventory.sync_runs import SyncRun

WIDTH, HEIGHT = 640, 150
_LEFT, _TOP, _BOTTOM = 44, 12, 130
_SLOTS = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: a rectangle of synced devices and, on top, one of those not synced; or a failed run's mark."""

    x: float
    width: float
    synced_y: float
    synced_height: float
    unsynced_y: float
    unsynced_height: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from the oldest run to the newest, and the top of the scale in devices."""

    bars: tuple[Bar, ...]
    top: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top_y: int = _TOP
    base_y: int = _BOTTOM


def of_runs(newest_first: Sequence[SyncRun]) -> Chart:
    """Lay out up to 30 runs."""
    runs = list(reversed(newest_first[:_SLOTS]))
    top = _round_up(max((run.devices_listed for run in runs), default=1))
    slot = (WIDTH - _LEFT) / _SLOTS
    first = _LEFT + (_SLOTS - len(runs)) * slot

    def length(devices: int) -> float:
        return round((_BOTTOM - _TOP) * devices / top, 1)

    bars = []
    for index, run in enumerate(runs):
        synced, whole = length(run.devices_synced), length(max(run.devices_listed, run.devices_synced))
        bars.append(
            Bar(
                x=round(first + index * slot + 2, 1),
                width=round(slot - 4, 1),
                synced_y=round(_BOTTOM - synced, 1),
                synced_height=synced,
                unsynced_y=round(_BOTTOM - whole, 1),
                unsynced_height=round(whole - synced, 1),
                failed=run.status == RunStatus.FAILED,
            )
        )
    return Chart(tuple(bars), top)


def _round_up(count: int) -> int:
    """The next number with one significant digit, at least 1, so that the scale reads well."""
    magnitude = 10 ** (len(str(max(count, 1))) - 1)
    return int(-(-max(count, 1) // magnitude) * magnitude)
