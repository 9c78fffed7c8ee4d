"""One request to Graph and its answer, with everything that has to happen in between.

Belongs here: the token, the quota, retries, connections, counting and logging for any request. Does not belong here:
which requests there are and what their answers must hold (`graph`), how long to keep asking (`patience`).
"""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple, cast

import requests
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.nap import sleep_using_event

from intune_pipeline.microsoft.bodies import WEB_PAGE, RefusedBodyError, is_web_page, json_of
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import MicrosoftCloud
from intune_pipeline.microsoft.error_answers import cause_of_graph_answer, graph_code, graph_request_id
from intune_pipeline.microsoft.patience import Patience, retry_after_seconds
from intune_pipeline.microsoft.quota import RequestLimiter
from intune_pipeline.microsoft.tokens import TenantTokens
from intune_pipeline.microsoft.transport import MicrosoftSession, RefusedAnswerError, reason

log = structlog.get_logger(__name__)

_SHORTEST_SECONDS = 0.1
_SAY_ENOUGH = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 510)})
"""Statuses that gateways in front of Graph send with a web page of their own."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to Graph.

    Attributes:
        what: its name in logs, which show no address: an address may hold a device's name.
        url: the address, sent as it is.
        payload: a JSON body to post; None to get.
        weight: how many requests it counts as.
        unusable: what it means that Graph answers "not found" or something that is not read.
    """

    what: str
    url: str = field(repr=False)
    payload: bytes | None = field(default=None, repr=False)
    weight: int = 1
    unusable: Cause = Cause.UNEXPECTED


class Reply(NamedTuple):
    """A JSON object from Graph and the request id it came with."""

    body: dict[str, Any]
    request_id: str


class Traffic:
    """What a client has sent and waited for. Safe to count on from several threads.

    Attributes:
        requests: HTTP requests sent to Graph.
        batch_items: requests inside batches.
        throttled: answers 429, batch items included.
        retried: requests and batch items sent again.
        bytes_received: bytes of bodies, after decompression.
        seconds_waited: seconds requests spent in pauses and waiting for the quota, added up.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.batch_items = 0
        self.throttled = 0
        self.retried = 0
        self.bytes_received = 0
        self.seconds_waited = 0.0
        self._lock = threading.Lock()

    def add(self, **counts: float) -> None:
        """Add to the counts of these names."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def as_dict(self) -> dict[str, float]:
        """The counts by name, for metadata and logs."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Exchange:
    """Sends requests of one tenant. Safe to share between threads.

    Args:
        cloud: which Microsoft cloud.
        tenant_id: the tenant's GUID.
        tokens: the tenant's access tokens.
        limiter: keeps the quota.
        deadline: when the run ends, in seconds of the clock.
        patience: makes the patience for one request.
        stats: counts what is sent.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        cloud: MicrosoftCloud,
        tenant_id: str,
        tokens: TenantTokens,
        limiter: RequestLimiter,
        *,
        deadline: float,
        patience: Callable[[], Patience],
        stats: Traffic,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant_id = tenant_id
        self._tokens = tokens
        self._limiter = limiter
        self._deadline = deadline
        self._patience = patience
        self._stats = stats
        self._clock = clock
        self._sessions = _SessionPerThread(cloud)
        self._closed = threading.Event()
        self._log = log.bind(tenant_id=tenant_id)

    def close(self) -> None:
        """Send nothing more, end every pause and close the connections."""
        self._closed.set()
        self._sessions.close()

    def ask(self, request: Request) -> Reply:
        """The JSON object of an answer, after as many tries as patience allows.

        Raises:
            MicrosoftError: for good.
        """
        patience = self._patience()
        attempts = Retrying(
            retry=retry_if_exception(patience.allows),
            wait=lambda _: patience.pause,
            sleep=sleep_using_event(self._closed),
            before_sleep=lambda state: self._note_retry(request, state, patience.pause),
        )
        return attempts(self._attempt, request)

    def _attempt(self, request: Request) -> Reply:
        """Send once, or twice when Graph refuses the token: it may have been revoked a moment ago."""
        token = self._tokens.token()
        response = self._send(request, token)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response = self._send(request, self._tokens.token(refused=token))
        try:
            body = json_of(response.content)
        except RefusedBodyError as error:
            raise self._unread(request, str(error), response) from None
        request_id = _request_id(response, body)
        self._log.debug("graph_request", what=request.what, status=response.status_code, request_id=request_id)
        if body is None and is_web_page(response.content) and response.status_code not in _SAY_ENOUGH:
            raise self._outage(WEB_PAGE, request_id, response.status_code)
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(request, response, body, request_id)
        if body is None:
            raise self._outage("a body that breaks off", request_id)
        if not isinstance(body, dict):
            raise self._unread(request, "an answer that is no object", response)
        return Reply(body, request_id)

    def _send(self, request: Request, token: str) -> requests.Response:
        left = self._wait_for_quota(request.weight)
        request_id = str(uuid.uuid4())
        headers = {"Accept": "application/json", "client-request-id": request_id, "return-client-request-id": "true"}
        if request.payload is not None:
            headers["Content-Type"] = "application/json"
            self._stats.add(batch_items=request.weight)
        self._stats.add(requests=1)
        session = self._sessions.own()
        try:
            response = session.send_verbatim(request.url, request.payload, headers=headers, token=token, within=left)
        except RefusedAnswerError as error:
            raise self._unread(request, str(error), error.response) from None
        except requests.RequestException as error:
            self._sessions.renew()
            raise self._outage(reason(error), request_id) from None
        self._stats.add(bytes_received=len(response.content))
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # An overloaded server is left behind only by a new connection.
            self._sessions.renew()
        return response

    def _wait_for_quota(self, weight: int) -> float:
        """Wait until a request may be sent; returns how many seconds of the run are left then."""
        started = self._clock()
        if started >= self._deadline:
            raise MicrosoftError(Cause.DEADLINE, tenant_id=self._tenant_id)
        try:
            self._limiter.acquire(weight, timeout=self._deadline - started)
        except TimeoutError:
            raise MicrosoftError(Cause.THROTTLED, tenant_id=self._tenant_id, note="the run's deadline passed") from None
        now = self._clock()
        self._stats.add(seconds_waited=now - started)
        if self._closed.is_set():
            raise CancelledError
        return max(self._deadline - now, _SHORTEST_SECONDS)

    def _note_retry(self, request: Request, state: RetryCallState, pause: float) -> None:
        error = cast("MicrosoftError", state.outcome.exception())  # type: ignore[union-attr]
        self._log.warning(
            "graph_request_retried",
            what=request.what,
            cause=error.cause.value,
            status=error.status,
            request_id=error.request_id,
            note=error.note,
            pause=round(pause, 3),
        )
        self._stats.add(retried=1, seconds_waited=pause)

    def _refusal(self, request: Request, response: requests.Response, body: Any, request_id: str) -> MicrosoftError:
        cause = cause_of_graph_answer(response.status_code, body)
        if cause is Cause.THROTTLED:
            self._stats.add(throttled=1)
        return MicrosoftError(
            # "Not found" is about a device only where an item of a batch says so.
            request.unusable if cause is Cause.NOT_FOUND else cause,
            tenant_id=self._tenant_id,
            status=response.status_code,
            code=graph_code(body),
            request_id=request_id,
            retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        )

    def _unread(self, request: Request, note: str, response: requests.Response) -> MicrosoftError:
        """An answer that was there, but is not read; asking again would bring the same, unless its status says no."""
        request_id = _request_id(response, None)
        if response.status_code != HTTPStatus.OK:
            return self._refusal(request, response, None, request_id)
        return MicrosoftError(
            request.unusable, tenant_id=self._tenant_id, status=200, request_id=request_id, note=note, unread=True
        )

    def _outage(self, note: str, request_id: str, status: int | None = None) -> MicrosoftError:
        return MicrosoftError(Cause.OUTAGE, tenant_id=self._tenant_id, status=status, request_id=request_id, note=note)


def _request_id(response: requests.Response, body: Any) -> str:
    """Microsoft's id of a request, or the one it was sent with: Microsoft's support can find both."""
    return graph_request_id(response.headers, body) or response.request.headers["client-request-id"]


class _SessionPerThread:
    """A session of its own for each thread: requests promises no more."""

    def __init__(self, cloud: MicrosoftCloud) -> None:
        self._cloud = cloud
        self._local = threading.local()
        self._all: list[MicrosoftSession] = []

    def own(self) -> MicrosoftSession:
        """The calling thread's session."""
        session: MicrosoftSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = MicrosoftSession(self._cloud)
            self._all.append(session)
        return session

    def renew(self) -> None:
        """Drop the calling thread's connections; its next request opens a new one."""
        self.own().close()

    def close(self) -> None:
        """Close every thread's connections."""
        for session in self._all:
            session.close()
