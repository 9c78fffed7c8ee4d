"""Whether a tenant's numbers have moved away from its own history, run by run or slowly.

Belongs here: comparing a sync with the tenant's last good ones. Does not belong here: reading them (``inventory.needs``) and
what people are told (``needs``).

A number is compared with its median over the last fourteen good syncs. The band around the median is wide enough for the
tenant's own day-to-day noise, measured by the differences between consecutive syncs, so that a steady trend does not widen
it; and never narrower than what matters to people. What moved likewise at the same time last year is seasonal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Final

HISTORY: Final = 14
"""Good syncs a number is compared with; with fewer nothing is said."""

LEAST_DEVICES: Final = 5
"""A change of fewer devices is never told."""

FALL: Final = 0.10
"""Share of the devices by which a list may shrink."""

RISE: Final = 0.30
"""Share of the devices by which a list may grow: roll-outs are no fault, a merged tenant or a wrong filter may be."""

POINTS: Final = 0.03
"""How far the share of unknown or skipped devices may rise, in points; a fall is good news."""

_NOISE_WIDTHS: Final = 6.0
_MAD_TO_SIGMA: Final = 1.4826
_SEASON: Final = timedelta(days=21)
_YEAR: Final = timedelta(days=365)


class Measure(StrEnum):
    """What is compared."""

    DEVICES = "devices"
    UNKNOWN_SHARE = "unknown_share"
    SKIPPED_SHARE = "skipped_share"


@dataclass(frozen=True, slots=True)
class RunNumbers:
    """What one good sync counted.

    Attributes:
        at: When its list was read.
        devices: Devices in the list.
        unknown: Of these, devices of an unknown type.
        skipped: Of these, devices left out for any reason.
    """

    at: datetime
    devices: int
    unknown: int
    skipped: int

    def of(self, measure: Measure) -> float:
        """One measure: a number of devices, or a share of them."""
        if measure is Measure.DEVICES:
            return float(self.devices)
        part = self.unknown if measure is Measure.UNKNOWN_SHARE else self.skipped
        return part / self.devices if self.devices else 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """A number that has left its band.

    Attributes:
        measure: Which.
        usual: Its median over the last good syncs.
        now: What it is.
    """

    measure: Measure
    usual: float
    now: float


def drifts(history: Sequence[RunNumbers]) -> list[Drift]:
    """What has moved away in the newest of a tenant's good syncs.

    Args:
        history: Good syncs, oldest first; more than a year of them lets seasons be known.
    """
    if len(history) <= HISTORY:
        return []
    found = (_drift(history[-HISTORY - 1 : -1], history[-1], measure) for measure in Measure)
    return [drift for drift in found if drift and not _is_seasonal(history, drift)]


def _drift(before: Sequence[RunNumbers], newest: RunNumbers, measure: Measure) -> Drift | None:
    values = [run.of(measure) for run in before]
    usual, now = median(values), newest.of(measure)
    moved = now - usual
    if abs(moved) * (1 if measure is Measure.DEVICES else newest.devices) < LEAST_DEVICES:
        return None
    if measure is Measure.DEVICES:
        least = usual * (RISE if moved > 0 else FALL)
    else:
        least = POINTS
        if moved < 0:
            return None
    if abs(moved) < least or abs(moved) < _NOISE_WIDTHS * _noise(values):
        return None
    return Drift(measure, usual, now)


def _noise(values: Sequence[float]) -> float:
    """Standard deviation of the differences between consecutive syncs, without their trend and without outliers."""
    steps = [after - before for before, after in pairwise(values)]
    middle = median(steps)
    return _MAD_TO_SIGMA * median(abs(step - middle) for step in steps)


def _is_seasonal(history: Sequence[RunNumbers], drift: Drift) -> bool:
    """Whether at the same time last year, give or take three weeks, the number moved at least half as far likewise."""
    around = history[-1].at - _YEAR
    at = [index for index, run in enumerate(history) if abs(run.at - around) <= _SEASON and index >= HISTORY]
    share = (drift.now - drift.usual) / (drift.usual or 1.0)
    for index in at:
        usual = median(run.of(drift.measure) for run in history[index - HISTORY : index])
        moved = (history[index].of(drift.measure) - usual) / (usual or 1.0)
        if moved * share > 0 and abs(moved) >= abs(share) / 2:
            return True
    return False
