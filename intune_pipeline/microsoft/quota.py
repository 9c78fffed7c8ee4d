"""Intune's documented quota, kept from this side.

Here: one limiter per application and tenant, shared by everything in the process. Not here: what to do when Microsoft
throttles all the same (`patience`).
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from pyrate_limiter import InMemoryBucket, Limiter, Rate, SingleBucketFactory

from intune_pipeline.microsoft.cloud import MicrosoftCloud


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many requests in any window of this length. Items of a batch count one by one.

    The default stays below Intune's 2000 requests in 20 s per application and tenant (Graph: "Microsoft Graph
    service-specific throttling limits, Intune"): the window is a second longer because requests arrive later than
    they leave, by differing times, and a few requests are left for a person who looks at the connection meanwhile.
    """

    requests: int = 1980
    window: timedelta = timedelta(seconds=21)


class RequestLimiter:
    """Hands out permits for requests, never more than the quota in any window. Safe to share between threads."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._bucket = InMemoryBucket([Rate(quota.requests, round(quota.window.total_seconds() * 1000))])
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False))

    def acquire(self, requests: int, *, timeout: float) -> None:
        """Wait until this many requests may be sent.

        Raises:
            TimeoutError: the timeout, in seconds, passed first.
            ValueError: the quota is smaller than that.
        """
        if requests > self._quota.requests:
            raise ValueError(f"The quota does not allow {requests} requests at once.")
        self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]
        if not self._limiter.try_acquire("graph", weight=requests, timeout=max(timeout, 0.0)):
            raise TimeoutError


@lru_cache(maxsize=4096)
def limiter_for(cloud: MicrosoftCloud, client_id: str, tenant_id: str, quota: Quota) -> RequestLimiter:  # noqa: ARG001
    """The limiter of one application in one tenant: the arguments are its key."""
    return RequestLimiter(quota)
