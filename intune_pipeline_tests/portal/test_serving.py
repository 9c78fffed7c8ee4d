"""The real server on a socket: slow and endless headers cost little, and the proxy's word on addresses is believed."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import uvicorn
from fastapi import FastAPI
from structlog.testing import capture_logs

from intune_pipeline.portal import serving

Connect = Callable[[], socket.socket]


@pytest.fixture
def connect(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Opens a connection to the portal, served as in production but for a shorter wait."""
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.5)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.0/8")
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(serving.server_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield lambda: socket.create_connection(listening.getsockname(), timeout=10)
    server.should_exit = True
    thread.join()


def rest_of(connection: socket.socket) -> str:
    """Everything until the server closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts).decode()


def test_a_connection_that_says_nothing_is_closed(connect: Connect) -> None:
    with closing(connect()) as connection:
        assert rest_of(connection).startswith("HTTP/1.1 408")


def test_headers_that_drip_are_given_up_on_the_first_and_on_every_later_request(connect: Connect) -> None:
    with closing(connect()) as connection:
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: portal.test\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        for byte in b"GET /sign-in HTTP/1.1\r\n" * 20:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.02)
        assert time.monotonic() - began < 5


def test_a_connection_in_use_is_not_closed(connect: Connect) -> None:
    with closing(connect()) as connection:
        for _ in range(4):
            connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: portal.test\r\n\r\n")
            answer = connection.recv(65536)
            while b"</html>" not in answer:
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.3)


def test_headers_without_end_are_refused(connect: Connect) -> None:
    began = time.monotonic()
    with closing(connect()) as connection, suppress(ConnectionError):
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: portal.test\r\nx: " + b"x" * 200_000)
        assert rest_of(connection).startswith("HTTP/1.1 400")
    # Refused for their size, not given up for their time.
    assert time.monotonic() - began < serving.HEADER_SECONDS


def test_every_user_behind_the_proxy_has_their_own_address(connect: Connect) -> None:
    with capture_logs() as logs, closing(connect()) as connection:
        connection.sendall(
            b"GET /sign-in/callback?code=x&state=x HTTP/1.1\r\nHost: portal.test\r\nConnection: close\r\n"
            b"X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n\r\n"
        )
        rest_of(connection)
    # What stands before the last was written by the browser, which may write anything.
    assert [line["address"] for line in logs if line["event"] == "sign_in_refused"] == ["198.51.100.7"]
