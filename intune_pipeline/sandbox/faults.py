"""What goes wrong on purpose: the switches, and the counters that decide whose turn it is.

Only faults of Graph and Entra that no tenant's own state explains; those are switches of the tenant. How an answer
looks is decided where it is made.
"""

import math
import random
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from itertools import count
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from intune_pipeline.sandbox.spoiling import Hostility

QUOTA_REQUESTS = 2000
QUOTA_SECONDS = 20.0

RetryAfter = int | Literal["date"] | None
Spoiling = Literal["cut", "repeat_link", "foreign_link", "no_value", "endless"] | Hostility


class _Turns:
    """Counters behind the switches; used from the sandbox's one event loop only."""

    def __init__(self) -> None:
        self._counters: defaultdict[str, count[int]] = defaultdict(lambda: count(1))
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._random: tuple[int, random.Random] | None = None

    def takes(self, name: str, every: int | None) -> bool:
        return every is not None and next(self._counters[name]) % every == 0

    def random(self, seed: int) -> random.Random:
        if self._random is None or self._random[0] != seed:
            self._random = seed, random.Random(seed)  # noqa: S311
        return self._random[1]

    def over_quota(self, tenant_id: str) -> float:
        """Seconds until the tenant is within its quota again. A refused request counts too, as it does at Graph."""
        now, recent = time.monotonic(), self._recent[tenant_id]
        while recent and now - recent[0] >= QUOTA_SECONDS:
            recent.popleft()
        recent.append(now)
        if len(recent) <= QUOTA_REQUESTS:
            return 0.0
        return recent[len(recent) - QUOTA_REQUESTS - 1] + QUOTA_SECONDS - now


class Faults(BaseModel):
    """The sandbox's faults, all off. Fields may be set at any time and act on the next request.

    Each item of a batch counts as a request, except for what concerns connections.
    """

    model_config = ConfigDict(validate_assignment=True, extra="forbid", use_attribute_docstrings=True)

    throttle_every: int | None = Field(default=None, ge=1)
    """Every n-th Graph request answers 429."""
    retry_after: RetryAfter = 1
    """What such a 429 says in Retry-After: seconds, "date" for an HTTP date in a moment, null for nothing."""
    enforce_quota: bool = False
    """Answer 429 beyond 2000 requests in 20 seconds per tenant (Graph: Intune service limits)."""
    error_rate: float = Field(default=0.0, ge=0, le=1)
    """Share of Graph requests that answer one of ``error_statuses``."""
    error_statuses: tuple[Literal[500, 502, 503, 504], ...] = Field(default=(500, 503, 504), min_length=1)
    """The statuses drawn from."""
    seed: int = 0
    """Seed of that draw."""
    reject_tokens: int = Field(default=0, ge=0)
    """How many more Graph requests answer 401, as if their token had expired; counts down to 0."""
    drop_connection_every: int | None = Field(default=None, ge=1)
    """Every n-th HTTP request to Graph has its connection cut before an answer."""
    slow_seconds: float = Field(default=0.0, ge=0)
    """Every Graph request waits this long."""
    batch_seconds: float | None = Field(default=None, ge=0)
    """How long a batch waits instead; null for as long as any request."""
    truncate_list_at: int | None = Field(default=None, ge=0)
    """Every device list silently ends after this many devices."""
    largest_page: int = Field(default=1000, ge=1)
    """Most devices on a page, whatever ``$top`` says."""
    spoil_page: int | None = Field(default=None, ge=1)
    """The number of the page of every device list that is spoilt, from 1."""
    spoil_how: Spoiling = "cut"
    """How: broken off in the middle of its body, linking to itself, linking to another host, without ``value``, leading on
    for ever with the same devices, or a hostile body (see ``spoiling``)."""
    spoil_times: int | None = Field(default=None, ge=0)
    """How often; counts down to 0. None for always."""
    spoilt_devices: Mapping[str, Hostility] = {}
    """Ids of devices whose single GET has a hostile body, and how."""
    failing_devices: frozenset[str] = frozenset()
    """Ids of devices whose single GET answers 500, always."""
    throttle_tokens: bool = False
    """Entra answers AADSTS50196 to every token request."""

    _turns: _Turns = PrivateAttr(default_factory=_Turns)

    def take_over(self, other: "Faults") -> None:
        """Set every field that ``other`` was given."""
        for name in other.model_fields_set:
            setattr(self, name, getattr(other, name))

    def reset(self) -> None:
        """Switch every fault off."""
        for name, field in Faults.model_fields.items():
            setattr(self, name, field.get_default(call_default_factory=True))

    def seconds_to_wait(self, *, is_batch: bool) -> float:
        """How long this request waits for its answer."""
        return self.batch_seconds if is_batch and self.batch_seconds is not None else self.slow_seconds

    def drops_connection(self) -> bool:
        """Whether this request's connection is to be cut."""
        return self._turns.takes("connection", self.drop_connection_every)

    def rejects_token(self) -> bool:
        """Whether this request's token is to be refused; one time less is left then."""
        if not self.reject_tokens:
            return False
        self.reject_tokens -= 1
        return True

    def throttles(self, tenant_id: str) -> tuple[bool, RetryAfter]:
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

    def spoils(self, page: int) -> Spoiling | None:
        """How this page of a list is spoilt, if it is; one time less is left then."""
        if page != self.spoil_page or self.spoil_times == 0:
            return None
        if self.spoil_times is not None:
            self.spoil_times -= 1
        return self.spoil_how
