"""Before a request reaches a route: how large it may be, who sends it, and only then its body.

Belongs here: one ASGI middleware. Does not belong here: what the sender may do (``access``). A body is read only of somebody
who is known, as a whole, and within limits of size and time; so no route can forget them.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.inventory import accounts, connections, sessions
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.roles import acting_person
from intune_pipeline.portal import browser_sessions, limits, security_log
from intune_pipeline.portal.access import Asker, asker_of, organization_of, person_of
from intune_pipeline.portal.access_tokens import TokenRefusedError
from intune_pipeline.portal.errors import PortalError, SignInNeededError, SizeError, TooOftenError
from intune_pipeline.portal.portal import PortalContext

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_FORM_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 15.0
REQUESTS_AT_ONCE: Final = 40
"""Requests of one address at work at once; a browser opens six connections to a site."""

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_API: Final = "/api/"
_STATIC: Final = "/static/"
UNSUBSCRIBE: Final = "/unsubscribe/"
"""Its links are their own proof, and mail programs follow them without a sign-in; what they send is never read."""

Refuse = Callable[[Request, PortalError], Response]


class Admission:
    """ASGI middleware: puts who asks into ``request.state.asker`` and hands on a body that is known to be small.

    Args:
        app: what answers.
        portal: the running portal.
        refuse: makes the answer to what is refused here.
    """

    def __init__(self, app: ASGIApp, *, portal: PortalContext, refuse: Refuse) -> None:
        self._app = app
        self._portal = portal
        self._refuse = refuse
        self._at_work: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does, or refuse."""
        if scope["type"] != "http" or scope["path"].startswith(_STATIC):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            with self._counted(security_log.address_of(request)):
                receive = await self._admit(request)
                with acting_person(_subject_of(request)):
                    await self._app(scope, receive, send)
        except _NotAdmittedError as refused:
            answer = await run_in_threadpool(self._refuse, request, refused.error)
            # What was not read may still be on its way; without this the server would go on taking it in.
            answer.headers["connection"] = "close"
            await answer(scope, receive, send)

    @contextlib.contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """Count the request as at work for its address."""
        if self._at_work[address] >= REQUESTS_AT_ONCE:
            raise _NotAdmittedError(
                TooOftenError("Too many requests at once from here. Try again.", 1, cause="at once")
            )
        self._at_work[address] += 1
        try:
            yield
        finally:
            self._at_work[address] -= 1
            if not self._at_work[address]:
                del self._at_work[address]

    async def _admit(self, request: Request) -> Receive:
        """What the application reads the request from.

        Raises:
            _NotAdmittedError: the request is too large or too slow, or nobody known sends what would have to be read.
        """
        try:
            _check_headers(request)
            asker = await self._asker(request)
            request.state.asker = asker
            if request.method in _READING:
                return request.receive
            if request.url.path.startswith(UNSUBSCRIBE):
                return _replayed(b"", request.receive)
            if asker is None:
                raise SignInNeededError("Sign in first; nothing was read of what you sent.")
            request.state.body = await _body_of(request)
            return _replayed(request.state.body, request.receive)
        except PortalError as error:
            raise _NotAdmittedError(error) from None

    async def _asker(self, request: Request) -> Asker | None:
        """Who sends the request: of the API by bearer token, of pages by cookie; never one for the other."""
        if request.url.path.startswith(_API):
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            return await run_in_threadpool(self._bearer, request, token) if scheme.lower() == "bearer" else None
        token = browser_sessions.token_of(request, self._portal)
        return await run_in_threadpool(self._session, request, token) if token else None

    def _bearer(self, request: Request, token: str) -> Asker:
        portal = self._portal
        try:
            claims = portal.access_tokens.claims(token)
        except TokenRefusedError:
            limits.spend_of_address(portal, limits.TOKEN_FAILURES, security_log.address_of(request))
            raise
        organization = organization_of(claims, portal.settings)
        with portal.system_transaction() as db:
            account, bound = accounts.of_organization(db, organization.id, organization.name)
        asker = Asker(person_of(claims, portal.settings), account)
        if account and bound:
            bound_to = {"subject": asker.person.subject, "account": account.slug}
            security_log.record(portal, SecurityEvent.ORGANIZATION_BOUND, request, **bound_to)
        self._count_write(request, account, asker.person.subject)
        return asker

    def _session(self, request: Request, token: str) -> Asker | None:
        portal, now = self._portal, self._portal.clock()
        with portal.system_transaction() as db:
            session = sessions.find(db, token)
            if session is None:
                return None
            live = session.is_live(now)
            # The page's script asks for news by itself, which is no sign of anybody being there.
            if live and not request.url.path.endswith(".json"):
                sessions.seen(db, session, now)
        account = None if session.account_id is None else portal.account(session.account_id)
        domain = ""
        if live and account is not None and not request.url.path.endswith(".json"):
            with portal.transaction(account) as db:
                domain = connections.tenant_domain(db, account.id)
        if live:
            self._count_write(request, account, session.person.subject)
        form_token = browser_sessions.form_token(portal, token, session.account_id)
        return Asker(session.person, account, session, form_token, live, domain)

    def _count_write(self, request: Request, account: Account | None, subject: str) -> None:
        if request.method not in _READING and account is not None:
            limits.spend_of_person(self._portal, limits.WRITES, account, subject)


class _NotAdmittedError(Exception):
    """A request is answered here; carries why, apart from what the application itself raises."""

    def __init__(self, error: PortalError) -> None:
        super().__init__(error)
        self.error = error


def _subject_of(request: Request) -> str:
    asker = asker_of(request)
    return asker.person.subject if asker else ""


def _check_headers(request: Request) -> None:
    size = sum(len(name) + len(value) for name, value in request.headers.raw) + len(request.scope["query_string"])
    if size > MAX_HEADER_BYTES:
        raise SizeError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The address and headers are larger than {MAX_HEADER_BYTES // 1024} KB. Delete this site's cookies, or "
            "shorten the address.",
        )


async def _body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        SizeError: it is too large or too slow.
    """
    most = MAX_BODY_BYTES if request.url.path.startswith(_API) else MAX_FORM_BYTES
    too_large = SizeError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"That is more than {most // 1024} KB, so nothing was changed. Send less."
    )
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except ClientDisconnect:
        raise PortalError("The request ended before it was whole, so nothing was changed.") from None
    except TimeoutError:
        raise SizeError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The request did not arrive within {BODY_SECONDS:g} seconds, so nothing was changed. Send it again.",
        ) from None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was read, to be read once more; afterwards whatever comes, which is the end of the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
