"""The portal's HTTP server: uvicorn with limits on what a connection may cost before a request is known.

Belongs here: limits of connections and headers. Does not belong here: limits of requests (``admission``).
"""

import asyncio
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS: Final = 10.0
"""How long a connection may take to send the headers of a request."""

IDLE_SECONDS: Final = 30
"""How long a connection may wait for the next request; longer than a proxy keeps its own."""

CONNECTIONS: Final = 1000
"""Connections of all addresses at once; more are told to come back (503)."""

#: Beyond this h11 refuses headers by itself; below it the application can say in a sentence what is too much.
_MOST_HEADER_BYTES: Final = 64 * 1024
_TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"The headers of the request did not arrive in time. Send it again.\n"
)


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which otherwise waits for ever for headers that drip."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request's headers."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take data in; wait for the rest of the headers unless it completed them."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()


def server_config(app: ASGIApp, **where: Any) -> uvicorn.Config:
    """How the portal is served.

    Addresses of browsers are believed from the proxies that ``FORWARDED_ALLOW_IPS`` names, 127.0.0.1 unless it is set.

    Args:
        app: the portal.
        where: ``host`` and ``port``, or nothing when sockets are passed to the server.
    """
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        log_level="warning",
        proxy_headers=True,
        server_header=False,
        **where,
    )
