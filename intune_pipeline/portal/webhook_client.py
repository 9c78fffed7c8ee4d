"""Sending one signed message to a customer's receiver, and to nothing else.

Belongs here: resolving, connecting, signing, the deadline. Does not belong here: which addresses are allowed
(``domain.web_addresses``) and what is sent when (``webhook_sender``).

Server-side request forgery is prevented at the connection itself: a name is resolved here, every address it has must be
public, and the socket goes to one of these very addresses, so that a name that leads elsewhere a moment later gains
nothing. No proxy, no redirect, no cookie, no answer's body: only its status is read, within a deadline that a slow receiver
cannot stretch.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import certifi
from standardwebhooks import Webhook

from intune_pipeline.domain.web_addresses import AddressRefusedError, WebAddress, is_public, parsed

CONNECT_SECONDS: Final = 5.0
SECONDS: Final = 15.0
"""From the beginning of a connection to the answer's status."""

#: ``socket.getaddrinfo``'s form.
Resolve = Callable[..., Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending.

    Attributes:
        status: HTTP status; None when there was no answer.
        problem: one sentence; "" when the receiver accepted.
        seconds: how long it took.
    """

    status: int | None
    problem: str
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the receiver said yes."""
        return self.problem == ""

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more messages (Standard Webhooks: 410)."""
        return self.status == HTTPStatus.GONE


class WebhookClient:
    """Sends to receivers on the public internet; in the sandbox to those on loopback too.

    Args:
        loopback: whether this is the sandbox.
        ca_bundle: what is trusted beside public authorities: the sandbox's own.
        resolve: finds a name's addresses; tests pass their own.
    """

    def __init__(
        self, *, loopback: bool = False, ca_bundle: Path | None = None, resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self._loopback = loopback
        self._resolve = resolve
        self._tls = ssl.create_default_context(cafile=certifi.where())
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if loopback and ca_bundle is not None:
            self._tls.load_verify_locations(ca_bundle)

    def check(self, url: str) -> None:
        """Check where an address leads now; it is checked again at each message.

        Raises:
            AddressRefusedError: nowhere, or to where nothing is ever sent.
        """
        self._addresses(parsed(url, loopback=self._loopback))

    def send(self, url: str, message_id: str, body: str, secrets: Sequence[str], now: datetime) -> Answer:
        """Send a message and say what the receiver answered; every failure is an answer too.

        Args:
            url: the webhook's.
            message_id: the same at every try.
            body: JSON.
            secrets: each signs.
            now: goes into the signature, which receivers take for five minutes.
        """
        began = time.monotonic()
        signatures = " ".join(Webhook(secret).sign(message_id, now, body) for secret in secrets)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "allwhere-webhooks/1",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures,
        }
        status, problem = None, ""
        try:
            address = parsed(url, loopback=self._loopback)
            status = self._post(address, body.encode(), headers, began + SECONDS)
            if not HTTPStatus(200) <= status < HTTPStatus(300):
                problem = _sentence(status)
        except AddressRefusedError as error:
            problem = str(error)
        except ssl.SSLCertVerificationError as error:
            problem = f"The receiver's certificate is not good: {error.verify_message}."
        except TimeoutError:
            problem = f"The receiver did not answer within {SECONDS:.0f} seconds."
        except (OSError, http.client.HTTPException, ValueError):
            late = time.monotonic() >= began + SECONDS
            problem = f"The receiver did not answer within {SECONDS:.0f} seconds." if late else _NO_CONNECTION
        return Answer(status, problem, round(time.monotonic() - began, 3))

    def _post(self, address: WebAddress, body: bytes, headers: dict[str, str], deadline: float) -> int:
        sock = self._connected(address)
        connection = http.client.HTTPConnection(address.host, address.port)
        try:
            with _cut_at(sock, deadline):
                sock.settimeout(SECONDS)
                connection.sock = self._tls.wrap_socket(sock, server_hostname=address.host)
                connection.request("POST", address.target, body, headers | {"Host": _host_header(address)})
                return connection.getresponse().status
        finally:
            connection.close()
            sock.close()

    def _connected(self, address: WebAddress) -> socket.socket:
        """A socket to the first of the name's checked addresses that can be reached."""
        problem: OSError = ConnectionError()
        for family, host in self._addresses(address):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(CONNECT_SECONDS)
            try:
                sock.connect((host, address.port))
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        raise problem

    def _addresses(self, address: WebAddress) -> list[tuple[socket.AddressFamily, str]]:
        """All addresses of a name; one that is not public refuses them all."""
        try:
            found = self._resolve(address.host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise AddressRefusedError(f"The name {address.host} cannot be found.") from None
        addresses = [(one[0], str(one[4][0])) for one in found]
        if not addresses or not all(is_public(host, loopback=self._loopback) for _, host in addresses):
            raise AddressRefusedError(
                f"{address.host} does not lead to the public internet, and allwhere sends nowhere else."
            )
        return addresses


_NO_CONNECTION: Final = "The receiver could not be reached, or ended the connection without an answer."


@contextlib.contextmanager
def _cut_at(sock: socket.socket, deadline: float) -> Iterator[None]:
    """End a connection at the deadline, however slowly its bytes come: a timeout alone begins anew with each of them."""
    descriptor = sock.dup()

    def cut() -> None:
        with contextlib.suppress(OSError):
            descriptor.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        descriptor.close()


def _host_header(address: WebAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port == http.client.HTTPS_PORT else f"{host}:{address.port}"


def _sentence(status: int) -> str:
    if HTTPStatus(300) <= status < HTTPStatus(400):
        return f"The receiver answered {status}; redirects are not followed. Enter the address it leads to."
    if status == HTTPStatus.GONE:
        return "The receiver answered 410: it wants no more messages."
    return f"The receiver answered {status}; it must answer 2xx."
