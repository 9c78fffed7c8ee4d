"""What is answered before anything is known of a request: is the portal alive, can it serve; and HEAD for every page.

Belongs here: ASGI middleware that stands before all others. Does not belong here: how well syncs go (``health``). Probes come
from inside a cluster, by the address of a container: the host is not looked at, and nothing of customers is told.
"""

import logging
from typing import Final

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intune_pipeline.inventory.row_security import VERSION
from intune_pipeline.portal.portal import PortalContext

ALIVE: Final = "/healthz"
READY: Final = "/readyz"
_READING: Final = frozenset({"GET", "HEAD"})
_NOT_STORED: Final = {"Cache-Control": "no-store"}

log = logging.getLogger(__name__)


class Probes:
    """Answers ``/healthz`` (the process serves requests) and ``/readyz`` (its database does, too).

    Args:
        app: what answers everything else.
        portal: the running portal.
    """

    def __init__(self, app: ASGIApp, *, portal: PortalContext) -> None:
        self._app = app
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the probes, hand on everything else."""
        if scope["type"] != "http" or scope["path"] not in {ALIVE, READY} or scope["method"] not in _READING:
            await self._app(scope, receive, send)
            return
        ready = scope["path"] == ALIVE or await run_in_threadpool(self._database_answers)
        answer = JSONResponse({"status": "ok" if ready else "no database"}, 200 if ready else 503, _NOT_STORED)
        await answer(scope, receive, send)

    def _database_answers(self) -> bool:
        try:
            with self._portal.system_transaction() as db:
                db.execute(_ANY)
        except Exception:
            log.exception("the portal is not ready: its database does not answer")
            return False
        return True


_ANY: Final = sa.text(f"select 1 from {VERSION} limit 1")  # noqa: S608 - a constant


class HeadAsGet:
    """Answers HEAD as GET without a body (RFC 9110); routes know GET only.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)
