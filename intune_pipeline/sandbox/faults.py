"""What goes wrong on purpose: the switches, and the counters that decide whose turn it is.

Only Graph's and Entra's faults that no tenant's own state explains; those are switches of the tenant. How an answer
looks is decided where it is made.
"""

import math
import random
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

QUOTA_REQUESTS = 2000
QUOTA_SECONDS = 20.0


class _Turns:
    """Counters behind the switches; used from the sandbox's one event loop only."""

    def __init__(self) -> None:
        self.counters: defaultdict[str, count[int]] = defaultdict(lambda: count(1))
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._random: random.Random | None = None

    def takes(self, name: str, every: int | None) -> bool:
        return every is not None and next(self.counters[name]) % every == 0

    def random(self, seed: int) -> random.Random:
        if self._random is None:
            self._random = random.Random(seed)  # noqa: S311
        return self._random

    def over_quota(self, tenant_id: str) -> float:
        """Seconds until the tenant is within its quota again. A refused request counts too, as it does at Graph."""
        now, recent = time.monotonic(), self._recent[tenant_id]
        while recent and now - recent[0] >= QUOTA_SECONDS:
            recent.popleft()
        recent.append(now)
        if len(recent) <= QUOTA_REQUESTS:
            return 0.0
        return recent[len(recent) - QUOTA_REQUESTS - 1] + QUOTA_SECONDS - now


@dataclass
class Faults:
    """The sandbox's faults, all off. Fields may be set at any time and act on the next request.

    Attributes:
        throttle_every: Every n-th Graph request answers 429; each item of a batch counts.
        retry_after: What a 429 says in Retry-After: seconds, "date" for an HTTP date one second ahead, None for nothing.
        error_rate: Share of Graph requests that answer one of ``error_statuses``, from 0 to 1.
        error_statuses: The statuses drawn from, any of 500, 502, 503 and 504.
        seed: Seed of that draw; set before the first request.
        drop_connection_every: Every n-th Graph connection attempt is cut before an answer.
        drop_body_at_page: The n-th page of a device list breaks off in the middle of its body, once.
        truncate_list_at: Every device list silently ends after this many devices.
        failing_devices: Ids whose single GET answers 500, always.
        slow_seconds: Every Graph request waits this long.
        enforce_quota: Answer 429 beyond 2000 requests in 20 seconds per tenant (Graph: Intune service limits).
        throttle_tokens: Entra answers AADSTS50196 to every token request.
    """

    throttle_every: int | None = None
    retry_after: int | Literal["date"] | None = 1
    error_rate: float = 0.0
    error_statuses: tuple[int, ...] = (500, 503, 504)
    seed: int = 0
    drop_connection_every: int | None = None
    drop_body_at_page: int | None = None
    truncate_list_at: int | None = None
    failing_devices: frozenset[str] = frozenset()
    slow_seconds: float = 0.0
    enforce_quota: bool = False
    throttle_tokens: bool = False
    _turns: _Turns = field(default_factory=_Turns, init=False, repr=False, compare=False)

    def drops_connection(self) -> bool:
        """Whether this request's connection is to be cut."""
        return self._turns.takes("connection", self.drop_connection_every)

    def drops_body(self) -> bool:
        """Whether this page of a list is to break off."""
        return self.drop_body_at_page is not None and next(self._turns.counters["page"]) == self.drop_body_at_page

    def throttles(self, tenant_id: str) -> tuple[bool, int | Literal["date"] | None]:
        """Whether this request answers 429, and what it says in Retry-After."""
        wait = self._turns.over_quota(tenant_id) if self.enforce_quota else 0.0
        if wait > 0:
            return True, math.ceil(wait)
        return self._turns.takes("throttle", self.throttle_every), self.retry_after

    def failure(self) -> int | None:
        """The status this request fails with, if it does."""
        if not self.error_rate:
            return None
        draw = self._turns.random(self.seed)
        return draw.choice(self.error_statuses) if draw.random() < self.error_rate else None
