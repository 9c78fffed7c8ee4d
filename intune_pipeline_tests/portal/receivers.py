"""A customer's receiver on loopback over HTTPS: it checks signatures as the library says and keeps a copy."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from intune_pipeline.sandbox.server import listen, serving


class Receiver:
    """What arrived, and what is answered.

    Attributes:
        answer: the status of each answer, by the number of the message; 200 unless a test says otherwise.
        headers: of each answer.
        secrets: one of them must have signed; empty: signatures are not looked at.
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
            checked: Any = None
            for secret in self.secrets:
                checked = Webhook(secret).verify(body, headers)
            if status < 300 and checked is not None:
                self.accepted.setdefault(headers["webhook-id"], checked)
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
