"""A customer's receiver on loopback over HTTPS: it checks signatures and keeps what it accepted."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from intune_pipeline.sandbox.server import listen, serving


def signed_by(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a message is signed with a secret; at which time does not matter, as clocks of tests are moved."""
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(headers["webhook-id"], at, body.decode())
    return expected in headers["webhook-signature"].split()


class Receiver:
    """What arrived, and what is answered.

    Attributes:
        answer: the status of each answer, by the number of the message; 200 unless a test says otherwise.
        headers: of each answer.
        secrets: each of them must have signed.
        arrived: headers and body of each message, those that were refused too.
        accepted: bodies of the messages that were answered 2xx, each id once.
    """

    def __init__(self) -> None:
        self.answer: Callable[[int], int] = lambda _: 200
        self.headers: dict[str, str] = {}
        self.secrets: list[str] = []
        self.arrived: list[tuple[dict[str, str], bytes]] = []
        self.accepted: dict[str, dict[str, Any]] = {}
        self.url = ""
        self._lock = threading.Lock()

    async def receive(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        with self._lock:
            self.arrived.append((headers, body))
            status = self.answer(len(self.arrived))
            if status < 300 and all(signed_by(secret, headers, body) for secret in self.secrets):
                self.accepted.setdefault(headers["webhook-id"], orjson.loads(body))
        return Response(status_code=status, headers=self.headers)

    @property
    def events(self) -> list[str]:
        """The types of what was accepted, in order."""
        return [one["type"] for one in self.accepted.values()]

    @contextlib.contextmanager
    def running(self, certificate: Path) -> Iterator["Receiver"]:
        """Listen on a free port."""
        listening = listen()
        self.url = f"https://localhost:{listening.getsockname()[1]}/hook?of=tests"
        app = Starlette(routes=[Route("/{path:path}", self.receive, methods=["POST", "GET"])])
        with serving([(listening, app, certificate)]):
            yield self
