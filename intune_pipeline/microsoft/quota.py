"""Intune's documented quota, kept from this side.

Belongs here: one limiter per application and tenant, shared by everything in the process. Does not belong here: what to
do when Microsoft throttles all the same (`patience`).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from intune_pipeline.microsoft.cloud import MicrosoftCloud


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many requests in any window of this length. Items of a batch count one by one.

    The default stays below Intune's 2000 requests in 20 s per application and tenant (Graph: "Microsoft Graph
    service-specific throttling limits, Intune"): the window is a tenth of a second longer because requests arrive
    later than they leave, by differing times, and ten requests are left for a person who looks at the connection
    meanwhile. What exceeds the quota all the same is refused and asked again, nothing worse.
    """

    requests: int = 1990
    window: timedelta = timedelta(seconds=20.1)


class RequestLimiter:
    """Hands out permits for requests, never more than the quota in any window. Safe to share between threads.

    Args:
        quota: how many.
        clock: tells the time in seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        quota: Quota,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._quota = quota
        self._window = quota.window.total_seconds()
        self._clock = clock
        self._sleep = sleep
        self._given: deque[tuple[float, int]] = deque()
        self._free = quota.requests
        self._lock = threading.Lock()

    def acquire(self, requests: int, *, timeout: float) -> None:
        """Wait until this many requests may be sent.

        Raises:
            TimeoutError: that takes longer than the timeout, in seconds; known at once and not waited for.
            ValueError: the quota is smaller than that.
        """
        if requests > self._quota.requests:
            raise ValueError(f"The quota does not allow {requests} requests at once.")
        ends_at = self._clock() + timeout
        while pause := self._take(requests):
            if self._clock() + pause > ends_at:
                raise TimeoutError
            self._sleep(pause)

    def _take(self, requests: int) -> float:
        """Take the permits, or say for how many seconds there are not enough of them."""
        with self._lock:
            now = self._clock()
            while self._given and self._given[0][0] + self._window <= now:
                self._free += self._given.popleft()[1]
            if requests <= self._free:
                self._given.append((now, requests))
                self._free -= requests
                return 0.0
            free = self._free
            for given_at, count in self._given:
                free += count
                if free >= requests:
                    return given_at + self._window - now
        raise AssertionError  # all permits together are enough, as `acquire` has made sure


@lru_cache(maxsize=4096)
def limiter_for(cloud: MicrosoftCloud, client_id: str, tenant_id: str, quota: Quota) -> RequestLimiter:  # noqa: ARG001
    """The limiter of one application in one tenant: the arguments are its key."""
    return RequestLimiter(quota)
