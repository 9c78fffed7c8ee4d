"""Many small requests sent twenty at a time: Graph's ``$batch``, with retries for each item on its own.

Belongs here: filling batches, keeping a few in flight, sending items again when their own answer says so. Does not belong
here: the HTTP request that carries a batch (`exchange`), what the answers are for (`graph`).
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

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.error_answers import cause_of_graph_answer, graph_code, graph_request_id
from intune_pipeline.microsoft.exchange import Reply, Traffic
from intune_pipeline.microsoft.patience import Patience, retry_after_seconds

MAX_ITEMS = 20
"""Graph: a batch holds 20 requests at most."""

IN_FLIGHT = 32
"""Batches under way at once: the devices of a page of the list. What the quota allows is then asked at the beginning of its
window, and what is left for the last window takes one answer's time: a second and a half of Intune's."""

ItemResult = dict[str, Any] | MicrosoftError
"""The body that one request of a batch got, or why it got none."""


@dataclass(order=True)
class _Item:
    """One request of a batch and when it may be sent; ``alone`` when the answer of a batch with it was not read."""

    due: float
    turn: int
    key: str = field(compare=False)
    url: str = field(compare=False)
    patience: Patience | None = field(compare=False, default=None)
    refused: bool = field(compare=False, default=False)
    alone: bool = field(compare=False, default=False)


@dataclass
class BatchSender:
    """Sends requests in batches and yields their answers.

    Attributes:
        post: sends one batch of so many items and returns the answer; raises `MicrosoftError` for good.
        threads: where batches are sent from.
        stats: counts throttled and repeated items.
        tenant_id: for errors.
        patience: makes the patience for one item.
        clock: tells the time in seconds.
        sleep: waits for so many seconds.
    """

    post: Callable[[dict[str, Any], int], Reply]
    threads: Executor
    stats: Traffic
    tenant_id: str
    patience: Callable[[], Patience]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def answers(self, requests: Iterable[tuple[str, str]]) -> Iterator[tuple[str, ItemResult]]:
        """Ask for every (key, path below ``/v1.0``); yield each key once with its body or the error for good.

        When a whole batch fails for good, so do all items that are left. When only its answer is not read, because of
        one item that is too large or nested too deep, its items are sent again one by one.

        Args:
            requests: read when there are few batches in flight. While it has nothing to give yet, answers wait.
        """
        turns = itertools.count()
        fresh = (_Item(0.0, next(turns), key, url) for key, url in requests)
        again: list[_Item] = []
        flying: dict[Future[Reply], list[_Item]] = {}
        failed: MicrosoftError | None = None
        try:
            self._send(flying, again, fresh)
            while flying or again:
                for landed in self._landed(flying, again):
                    items = flying.pop(landed)
                    error = landed.exception()
                    if isinstance(error, MicrosoftError) and error.unread:
                        yield from self._apart(items, error, again)
                    elif isinstance(error, MicrosoftError):
                        failed = error
                        yield from ((item.key, error) for item in items)
                    else:
                        for item, result in self._read(items, landed.result()):
                            if failed is None and isinstance(result, MicrosoftError) and self._again(item, result):
                                heapq.heappush(again, item)
                            else:
                                yield item.key, result
                if failed is not None:
                    yield from ((item.key, failed) for item in itertools.chain(again, fresh))
                    again.clear()
                self._send(flying, again, fresh)
        finally:
            for future in flying:
                future.cancel()

    def _send(self, flying: dict[Future[Reply], list[_Item]], again: list[_Item], fresh: Iterator[_Item]) -> None:
        """Send as many batches as may be in flight, due items first."""
        while len(flying) < IN_FLIGHT and (batch := self._due(again) or list(itertools.islice(fresh, MAX_ITEMS))):
            flying[self.threads.submit(self.post, _payload(batch), len(batch))] = batch

    def _due(self, again: list[_Item]) -> list[_Item]:
        """Take up to a batch of the items to be sent again whose time has come."""
        now, batch = self.clock(), list[_Item]()
        while again and again[0].due <= now and len(batch) < MAX_ITEMS:
            if batch and again[0].alone:
                break
            batch.append(heapq.heappop(again))
            if batch[0].alone:
                break
        return batch

    def _landed(self, flying: dict[Future[Reply], list[_Item]], again: list[_Item]) -> set[Future[Reply]]:
        """The batches answered by now, after waiting for one of them or for the next item's time."""
        pause = max(again[0].due - self.clock(), 0.0) if again and len(flying) < IN_FLIGHT else None
        if not flying:
            self.sleep(pause or 0.0)
            return set()
        return wait(flying, timeout=pause, return_when=FIRST_COMPLETED).done

    def _apart(
        self, items: list[_Item], error: MicrosoftError, again: list[_Item]
    ) -> Iterator[tuple[str, MicrosoftError]]:
        """Send the items of a batch whose answer was not read one by one; what was alone already has failed."""
        for item in items:
            if len(items) == 1:
                yield item.key, error
            else:
                item.alone = True
                heapq.heappush(again, item)

    def _again(self, item: _Item, error: MicrosoftError) -> bool:
        """Whether to send an item again, and when; one 401 is forgiven, Intune is known to take it back."""
        item.patience = item.patience or self.patience()
        if error.status == HTTPStatus.UNAUTHORIZED and not item.refused:
            item.refused = True
        elif not item.patience.allows(error):
            return False
        item.due = self.clock() + item.patience.pause
        self.stats.add(retried=1)
        return True

    def _read(self, items: list[_Item], reply: Reply) -> Iterator[tuple[_Item, ItemResult]]:
        responses = reply.body.get("responses")
        listed = responses if isinstance(responses, list) else []
        by_id = {str(one.get("id")): one for one in listed if isinstance(one, dict)}
        for number, item in enumerate(items):
            yield item, self._answer(by_id.get(str(number)) or {}, reply.request_id)

    def _answer(self, response: dict[str, Any], batch_request_id: str) -> ItemResult:
        """The body of one item, or why there is none; an item that is missing or without a body may come next time."""
        status, body, headers = response.get("status"), response.get("body"), response.get("headers")
        if status == HTTPStatus.OK and isinstance(body, dict):
            return body
        headers = CaseInsensitiveDict(headers if isinstance(headers, dict) else {})
        if status == HTTPStatus.OK and body is not None:
            cause = Cause.UNEXPECTED
        elif isinstance(status, int) and status != HTTPStatus.OK:
            cause = cause_of_graph_answer(status, body)
        else:
            cause = Cause.OUTAGE
        if cause is Cause.THROTTLED:
            self.stats.add(throttled=1)
        return MicrosoftError(
            cause,
            tenant_id=self.tenant_id,
            status=status if isinstance(status, int) else None,
            code=graph_code(body),
            request_id=graph_request_id(headers, body) or batch_request_id,
            retry_after=retry_after_seconds(headers.get("Retry-After")),
        )


def _payload(batch: list[_Item]) -> dict[str, Any]:
    return {"requests": [{"id": str(number), "method": "GET", "url": item.url} for number, item in enumerate(batch)]}
