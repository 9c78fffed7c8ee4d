"""The limiter stays below the quota in every window."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from intune_pipeline.microsoft.cloud import MicrosoftCloud
from intune_pipeline.microsoft.quota import Quota, RequestLimiter, limiter_for

CLOUD = MicrosoftCloud("https://login.example", "https://graph.example")


def test_permits_of_several_threads_never_exceed_the_quota_in_any_window() -> None:
    limiter = RequestLimiter(Quota(requests=40, window=timedelta(seconds=2)))
    taken: list[tuple[float, int]] = []

    def take(weight: int) -> None:
        limiter.acquire(weight, timeout=60)
        taken.append((time.monotonic(), weight))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(take, itertools.islice(itertools.cycle([1, 20, 7]), 8)))
    for start, _ in taken:
        assert sum(weight for at, weight in taken if start <= at < start + 1.5) <= 40


def test_waiting_ends_at_the_deadline() -> None:
    limiter = RequestLimiter(Quota(requests=20, window=timedelta(seconds=30)))
    limiter.acquire(20, timeout=0)
    with pytest.raises(TimeoutError):
        limiter.acquire(1, timeout=0.05)


def test_a_batch_larger_than_the_quota_is_a_mistake_not_a_way_around_it() -> None:
    with pytest.raises(ValueError, match="20 requests"):
        RequestLimiter(Quota(requests=10)).acquire(20, timeout=1)


def test_one_tenant_has_one_limiter_whoever_asks() -> None:
    assert limiter_for(CLOUD, "app", "a", Quota()) is limiter_for(CLOUD, "app", "a", Quota())
    assert limiter_for(CLOUD, "app", "a", Quota()) is not limiter_for(CLOUD, "app", "b", Quota())


def test_the_default_stays_below_intunes_quota() -> None:
    assert Quota().requests < 2000
    assert Quota().window > timedelta(seconds=20)
