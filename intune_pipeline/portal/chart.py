"""The chart of the last runs, as numbers a template draws as SVG.

Belongs here: geometry. Does not belong here: colours (``portal.css``) and the table that tells the same in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intune_pipeline.domain.vocabulary import RunStatus
from intune_pipeline.inventory.sync_runs import SyncRun

HEIGHT = 150
_LEFT, _TOP, _BOTTOM = 60, 12, 130
_MOST_RUNS, _FEWEST_RUNS = 30, 3
#: All runs together are so wide, in pixels, and a few of them no wider than this each.
_BARS, _WIDEST_BAR = 580, 32


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
    """Bars from the oldest run to the newest, the top of the scale in devices, and how wide they are together."""

    bars: tuple[Bar, ...]
    top: int
    width: int
    height: int = HEIGHT
    left: int = _LEFT
    top_y: int = _TOP
    base_y: int = _BOTTOM


def of_runs(newest_first: Sequence[SyncRun]) -> Chart | None:
    """Lay out up to 30 runs, in a chart as wide as they need; None for so few that their table says it all."""
    if len(newest_first) < _FEWEST_RUNS:
        return None
    runs = list(reversed(newest_first[:_MOST_RUNS]))
    top = _round_up(max(run.devices_listed for run in runs))
    slot = min(_WIDEST_BAR, _BARS / len(runs))

    def length(devices: int) -> float:
        return round((_BOTTOM - _TOP) * devices / top, 1)

    bars = []
    for index, run in enumerate(runs):
        synced, whole = length(run.devices_synced), length(max(run.devices_listed, run.devices_synced))
        bars.append(
            Bar(
                x=round(_LEFT + index * slot + 2, 1),
                width=round(slot - 4, 1),
                synced_y=round(_BOTTOM - synced, 1),
                synced_height=synced,
                unsynced_y=round(_BOTTOM - whole, 1),
                unsynced_height=round(whole - synced, 1),
                failed=run.status == RunStatus.FAILED,
            )
        )
    return Chart(tuple(bars), top, round(_LEFT + len(runs) * slot))


def _round_up(count: int) -> int:
    """The next number with one significant digit, at least 1, so that the scale reads well."""
    magnitude = 10 ** (len(str(max(count, 1))) - 1)
    return int(-(-max(count, 1) // magnitude) * magnitude)
