"""Serving ASGI applications on loopback from one background thread, over HTTPS or HTTP."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTION = "intune_pipeline.connection"
"""Extension of a request's scope: ``abort`` and ``close`` end its connection, now or once everything is sent."""

_KEEP_ALIVE_SECONDS = 75
_START_SECONDS = 20.0
_BACKLOG = 512


class _AbruptProtocol(HttpToolsProtocol):
    """Ends connections without the ceremony of TLS: on an application's wish, for which ASGI has no message, and at the end."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"abort": self.transport.abort, "close": self.transport.close}}

    def shutdown(self) -> None:
        self.transport.abort()


def listen(port: int = 0) -> socket.socket:
    """A socket listening on loopback, on a free port unless one is named.

    Raises:
        OSError: The port is taken.
    """
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it every small answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise OSError(f"Port {port} on 127.0.0.1 cannot be used: {error.strerror}.") from error
    listening.listen(_BACKLOG)
    return listening


@contextlib.contextmanager
def serving(applications: Sequence[tuple[socket.socket, ASGIApp, Path | None]]) -> Iterator[None]:
    """Serve each application on its socket until the block ends, which cuts whatever is still connected.

    Args:
        applications: Listening sockets, what answers on them, and a PEM file with the server's key and certificate,
            None for plain HTTP.

    Raises:
        RuntimeError: The servers did not start.
    """
    servers = [
        (uvicorn.Server(_config(application, certificate)), listening)
        for listening, application, certificate in applications
    ]
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(_serve(servers, stop))

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started([server for server, _ in servers], thread)
        yield
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(servers: Sequence[tuple[uvicorn.Server, socket.socket]], stop: asyncio.Event) -> None:
    """Run until told to stop or until a server fails; uvicorn's own ending would wait for idle connections."""
    tasks = [asyncio.create_task(server.serve(sockets=[listening])) for server, listening in servers]
    await asyncio.wait([asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _config(application: ASGIApp, certificate: Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=_AbruptProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


def _wait_until_started(servers: Sequence[uvicorn.Server], thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not all(server.started for server in servers):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The sandbox's servers did not start.")
        time.sleep(0.002)
