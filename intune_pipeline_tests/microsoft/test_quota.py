"""The limiter stays below the quota in every window."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.microsoft.cloud import MicrosoftCloud
from intune_pipeline.microsoft.quota import Quota, RequestLimiter, limiter_for

CLOUD = MicrosoftCloud("https://login.example", "https://graph.example")


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def limiter(requests: int, seconds: float, time: Time) -> RequestLimiter:
    quota = Quota(requests, timedelta(seconds=seconds))
    return RequestLimiter(quota, clock=time.clock, sleep=time.sleep)


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 3)), max_size=60))
def test_permits_never_exceed_the_quota_in_any_window_and_no_wait_is_longer_than_needed(
    asked: list[tuple[int, float]],
) -> None:
    time, taken = Time(), list[tuple[float, int]]()
    limits = limiter(40, 2, time)
    for weight, idle in asked:
        time.now += idle
        before = time.now
        limits.acquire(weight, timeout=1000)
        if time.now > before:
            just_before = time.now - 1e-6
            assert sum(count for at, count in taken if at > just_before - 2) + weight > 40
        taken.append((time.now, weight))
    for start, _ in taken:
        assert sum(weight for at, weight in taken if start <= at < start + 2 - 1e-6) <= 40


def test_permits_of_several_threads_are_each_given_once() -> None:
    limits = RequestLimiter(Quota(requests=100, window=timedelta(seconds=60)))
    threads = [threading.Thread(target=lambda: [limits.acquire(1, timeout=0) for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(TimeoutError):
        limits.acquire(1, timeout=0)


def test_what_cannot_be_had_in_time_is_known_at_once() -> None:
    time = Time()
    limits = limiter(20, 30, time)
    limits.acquire(20, timeout=0)
    with pytest.raises(TimeoutError):
        limits.acquire(1, timeout=29)
    assert time.now == 0
    limits.acquire(1, timeout=30)
    assert time.now == 30


def test_a_batch_larger_than_the_quota_is_a_mistake_not_a_way_around_it() -> None:
    with pytest.raises(ValueError, match="20 requests"):
        RequestLimiter(Quota(requests=10)).acquire(20, timeout=1)


def test_one_tenant_has_one_limiter_whoever_asks() -> None:
    assert limiter_for(CLOUD, "app", "a", Quota()) is limiter_for(CLOUD, "app", "a", Quota())
    assert limiter_for(CLOUD, "app", "a", Quota()) is not limiter_for(CLOUD, "app", "b", Quota())


def test_the_default_stays_below_intunes_quota() -> None:
    assert Quota().requests < 2000
    assert Quota().window > timedelta(seconds=20)
