"""Many small requests sent twenty at a time: Graph's ``$batch``, with retries for each item on its own.

Here: filling batches, keeping a few in flight, sending items again when their own answer says so. Not here: the HTTP
request that carries a batch (`graph`), what the answers are for.
"""

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from requests.structures import CaseInsensitiveDict

from intune_pipeline.microsoft.causes import Cause, MicrosoftError, cause_of_graph_answer, graph_code, graph_request_id
from intune_pipeline.microsoft.exchange import Reply, Traffic
from intune_pipeline.microsoft.patience import Patience, retry_after_seconds

MAX_ITEMS = 20
"""Graph: a batch holds 20 requests at most."""

IN_FLIGHT = 8
"""Batches under way at once: enough to use up the quota when Intune takes a second and a half for one."""

Answer = dict[str, Any] | MicrosoftError


@dataclass(order=True)
class _Item:
    """One request of a batch and when it may be sent."""

    due: float
    turn: int
    key: str = field(compare=False)
    url: str = field(compare=False)
    patience: Patience | None = field(compare=False, default=None)
    refused: bool = field(compare=False, default=False)


@dataclass
class BatchSender:
    """Sends requests in batches and yields their answers.

    Attributes:
        post: sends one batch of so many items and returns the answer; raises `MicrosoftError` for good.
        threads: where batches are sent from.
        stats: counts throttled and repeated items.
        tenant_id: for errors.
        patience: makes the patience for one item.
    """

    post: Callable[[dict[str, Any], int], Reply]
    threads: Executor
    stats: Traffic
    tenant_id: str
    patience: Callable[[], Patience]

    def answers(self, requests: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Answer]]:
        """Ask for every (key, path below ``/v1.0``); yield each key once with its body or the error for good.

        When a whole batch fails for good, so do all items that are left.
        """
        turns = itertools.count()
        queue = [_Item(0.0, next(turns), key, url) for key, url in requests]
        flying: dict[Future[Reply], list[_Item]] = {}
        failed: MicrosoftError | None = None
        try:
            while queue or flying:
                if failed is not None:
                    yield from ((item.key, failed) for item in queue)
                    queue = []
                while len(flying) < IN_FLIGHT and (batch := _due(queue)):
                    flying[self.threads.submit(self.post, _payload(batch), len(batch))] = batch
                for landed in _landed(flying, queue):
                    items = flying.pop(landed)
                    error = landed.exception()
                    if isinstance(error, MicrosoftError):
                        failed = error
                        yield from ((item.key, error) for item in items)
                        continue
                    for item, answer in self._read(items, landed.result()):
                        if failed is None and isinstance(answer, MicrosoftError) and self._again(item, answer):
                            heapq.heappush(queue, item)
                        else:
                            yield item.key, answer
        finally:
            for future in flying:
                future.cancel()

    def _again(self, item: _Item, error: MicrosoftError) -> bool:
        """Whether to send an item again, and when; one 401 is forgiven, Intune is known to take it back."""
        item.patience = item.patience or self.patience()
        if error.status == HTTPStatus.UNAUTHORIZED and not item.refused:
            item.refused = True
        elif not item.patience.allows(error):
            return False
        item.due = time.monotonic() + item.patience.pause
        self.stats.add(retried=1)
        return True

    def _read(self, items: list[_Item], reply: Reply) -> Iterator[tuple[_Item, Answer]]:
        responses = reply.body.get("responses")
        listed = responses if isinstance(responses, list) else []
        by_id = {str(one.get("id")): one for one in listed if isinstance(one, dict)}
        for number, item in enumerate(items):
            yield item, self._answer(by_id.get(str(number)) or {}, reply.request_id)

    def _answer(self, response: dict[str, Any], batch_request_id: str) -> Answer:
        """The body of one item, or why there is none; an item that is missing or malformed may come next time."""
        status, body, headers = response.get("status"), response.get("body"), response.get("headers")
        if status == HTTPStatus.OK and isinstance(body, dict):
            return body
        headers = CaseInsensitiveDict(headers if isinstance(headers, dict) else {})
        failed = isinstance(status, int) and status != HTTPStatus.OK
        cause = cause_of_graph_answer(int(status or 0), body) if failed else Cause.OUTAGE
        if cause is Cause.THROTTLED:
            self.stats.add(throttled=1)
        return MicrosoftError(
            cause,
            tenant_id=self.tenant_id,
            status=status,
            code=graph_code(body),
            request_id=graph_request_id(headers, body) or batch_request_id,
            retry_after=retry_after_seconds(headers.get("Retry-After")),
        )


def _due(queue: list[_Item]) -> list[_Item]:
    """Take up to a batch of the items whose time has come."""
    now, batch = time.monotonic(), list[_Item]()
    while queue and queue[0].due <= now and len(batch) < MAX_ITEMS:
        batch.append(heapq.heappop(queue))
    return batch


def _payload(batch: list[_Item]) -> dict[str, Any]:
    return {"requests": [{"id": str(number), "method": "GET", "url": item.url} for number, item in enumerate(batch)]}


def _landed(flying: dict[Future[Reply], list[_Item]], queue: list[_Item]) -> set[Future[Reply]]:
    """The batches answered by now, after waiting for one of them or for the next item's time."""
    pause = max(queue[0].due - time.monotonic(), 0.0) if queue and len(flying) < IN_FLIGHT else None
    if not flying:
        time.sleep(pause or 0.0)
        return set()
    return wait(flying, timeout=pause, return_when=FIRST_COMPLETED).done
