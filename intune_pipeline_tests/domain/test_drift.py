"""A tenant that changes is told of, slow or fast; one that lives quietly or by seasons is not."""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from intune_pipeline.domain.drift import HISTORY, Drift, Measure, RunNumbers, drifts

START = datetime(2025, 1, 1, 4, tzinfo=UTC)


def days(numbers: Iterable[tuple[float, float]]) -> list[RunNumbers]:
    """One run a day: devices, and the share of unknown ones; a tenth more is skipped for other reasons."""
    return [
        RunNumbers(
            START + timedelta(days=day), round(devices), round(devices * unknown), round(devices * (unknown + 0.1))
        )
        for day, (devices, unknown) in enumerate(numbers)
    ]


def told(runs: list[RunNumbers]) -> Iterator[tuple[int, Drift]]:
    """What is told and on which day, as the same person would be: once per measure until it is over."""
    open_measures: set[Measure] = set()
    for day in range(len(runs)):
        found = {drift.measure: drift for drift in drifts(runs[: day + 1])}
        yield from ((day, drift) for measure, drift in found.items() if measure not in open_measures)
        open_measures = set(found)


def first_told(runs: list[RunNumbers], measure: Measure) -> int | None:
    return next((day for day, drift in told(runs) if drift.measure is measure), None)


def test_a_tenant_that_loses_two_percent_a_day_is_told_within_a_week() -> None:
    runs = days([(1000, 0.02)] * 30 + [(1000 * 0.98**day, 0.02) for day in range(1, 22)])
    day = first_told(runs, Measure.DEVICES)
    assert day is not None
    assert 30 <= day <= 37


def test_an_unknown_share_that_creeps_from_2_to_12_percent_in_three_weeks_is_told_before_it_gets_there() -> None:
    runs = days([(800, 0.02)] * 30 + [(800, 0.02 + 0.10 * day / 21) for day in range(1, 22)])
    day = first_told(runs, Measure.UNKNOWN_SHARE)
    assert day is not None
    assert 30 <= day < 45


def test_a_sudden_loss_is_told_the_same_day_and_in_numbers() -> None:
    runs = days([(500, 0.02)] * 20 + [(300, 0.02)])
    assert [drift for day, drift in told(runs) if day == 20] == [Drift(Measure.DEVICES, 500, 300)]


def school(day: int) -> tuple[float, float]:
    """A third of the devices leaves in July and comes back in September, every year."""
    of_year = (START + timedelta(days=day)).timetuple().tm_yday
    share = min(max((of_year - 180) / 10, 0.0), 1.0) - min(max((of_year - 244) / 10, 0.0), 1.0)
    return 900 * (1 - share / 3), 0.02


def test_a_school_is_told_of_its_first_summer_only() -> None:
    runs = days(school(day) for day in range(3 * 365))
    alarms = [day for day, _ in told(runs)]
    assert alarms
    assert max(alarms) < 365


def shares(unknown: int, skipped: int, devices: int = 100) -> list[Drift]:
    """What is told of the newest of 30 syncs, before which nothing was unknown and nothing skipped."""
    before = [RunNumbers(START + timedelta(days=day), 100, 0, 0) for day in range(30)]
    return drifts([*before, RunNumbers(START + timedelta(days=30), devices, unknown, skipped)])


def test_a_share_is_told_under_its_own_name() -> None:
    assert shares(20, 0) == [Drift(Measure.UNKNOWN_SHARE, 0.0, 0.2)]
    assert shares(0, 20) == [Drift(Measure.SKIPPED_SHARE, 0.0, 0.2)]
    assert shares(0, 0, devices=0) == [Drift(Measure.DEVICES, 100, 0)]


@pytest.mark.parametrize(
    ("devices", "is_told"), [(950, False), (901, False), (900, True), (1299, False), (1300, True), (1000, False)]
)
def test_a_list_may_shrink_by_a_tenth_and_grow_by_three(devices: int, is_told: bool) -> None:
    assert bool(drifts(days([(1000, 0.0)] * 30 + [(devices, 0.0)]))) is is_told


def test_a_steady_growth_is_no_noise_that_hides_a_loss() -> None:
    growing = [(1000.0 + 20 * day, 0.0) for day in range(30)]
    assert [drift.measure for drift in drifts(days([*growing, (1100, 0.0)]))] == [Measure.DEVICES]


@pytest.mark.parametrize(
    ("last_year", "is_told"), [(0.70, False), (0.84, False), (0.88, True), (0.995, True), (1.30, True)]
)
def test_a_season_is_a_move_of_last_year_in_the_same_direction_and_half_as_far(last_year: float, is_told: bool) -> None:
    numbers = [(1000.0, 0.0)] * 400
    numbers[35:60] = [(1000 * last_year, 0.0)] * 25
    runs = days([*numbers, (700.0, 0.0)])
    assert bool(drifts(runs)) is is_told


def test_a_young_tenant_is_not_judged() -> None:
    assert drifts(days([(1000, 0.02)] * (HISTORY - 1) + [(10, 0.5)])) == []


@pytest.mark.parametrize("size", [3, 20, 45])
def test_a_few_devices_are_no_drift(size: int) -> None:
    assert list(told(days([(size, 0.0)] * 20 + [(size - 3, 1 / size)] * 5))) == []


def quiet_tenant(rng: random.Random) -> list[RunNumbers]:
    """A year of a tenant where people come and go: a tenth of a percent of the devices a day each way, now and then more."""
    devices = round(math.exp(rng.uniform(math.log(20), math.log(10_000))))
    unknown = round(devices * 0.02)
    numbers = []
    for _ in range(365):
        coming, leaving = (_poisson(rng, devices * 0.001) for _ in range(2))
        if rng.random() < 1 / 120:
            coming += round(devices * rng.uniform(0.02, 0.08))
        unknown += sum(rng.random() < 0.02 for _ in range(coming)) - sum(rng.random() < 0.02 for _ in range(leaving))
        unknown, devices = max(unknown, 0), max(devices + coming - leaving, 1)
        seen = devices - _poisson(rng, devices * 0.002)
        numbers.append((seen, min(unknown / devices, 1.0)))
    return days(numbers)


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def false_alarms(tenants: int, make: Callable[[random.Random], list[RunNumbers]] = quiet_tenant) -> int:
    rng = random.Random(20260302)
    return sum(len(list(told(make(rng)))) for _ in range(tenants))


def test_quiet_tenants_are_left_in_peace() -> None:
    assert false_alarms(40) <= 8
