"""The sandbox's mail server: it takes every message, delivers none, and shows them under ``/_sandbox/mailbox``.

Belongs here: receiving and listing. Does not belong here: anything that sends.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from intune_pipeline.sandbox.pages import page

HOST = "127.0.0.1"
_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that arrived.

    Attributes:
        to: the envelope's recipients.
        subject: decoded.
        headers: all of them, by name.
        body: the plain text.
        at: when.
    """

    to: tuple[str, ...]
    subject: str
    headers: dict[str, str]
    body: str
    at: datetime


class Mailbox:
    """Whatever was sent, the newest last.

    Args:
        port: of the mail server on loopback; 0 for a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self.mails: list[Mail] = []
        self.refuses = False
        self._controller = _OnFreePort(self, hostname=HOST, port=port)

    @property
    def url(self) -> str:
        """The server in Apprise's notation, as ``INTUNE_MAIL_URL`` holds it. On loopback only it needs no TLS."""
        return f"mailto://{HOST}:{self._controller.port}?from=intune@allwhere.example&mode=insecure"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Take mail until the block ends."""
        self._controller.start()
        try:
            yield
        finally:
            self._controller.stop()

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 - the library calls it so
        """Keep a message."""
        if self.refuses:
            return "451 The sandbox refuses mail for now"
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        message = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
        text = message.get_body(("plain", "html"))
        headers = {name: str(value) for name, value in message.items()}
        body = str(text.get_content()) if text else ""
        self.mails.append(Mail(tuple(envelope.rcpt_tos), str(message["subject"]), headers, body, datetime.now(UTC)))
        del self.mails[:-_MOST_KEPT]
        return "250 Kept in the sandbox's mailbox"

    def routes(self) -> list[Route]:
        """GET shows the mailbox, as JSON at ``mailbox.json``; DELETE empties it."""
        return [
            Route("/mailbox", self._show),
            Route("/mailbox.json", self._as_json),
            Route("/mailbox", self._empty, methods=["DELETE"]),
        ]

    async def _show(self, _: Request) -> Response:
        return page("mailbox.html", mails=list(reversed(self.mails)))

    async def _as_json(self, _: Request) -> Response:
        shown: list[dict[str, Any]] = [
            {
                "to": mail.to,
                "subject": mail.subject,
                "headers": mail.headers,
                "body": mail.body,
                "at": f"{mail.at:%FT%TZ}",
            }
            for mail in self.mails
        ]
        return JSONResponse(shown)

    async def _empty(self, _: Request) -> Response:
        self.mails.clear()
        return Response(status_code=204)


class _OnFreePort(Controller):
    """A controller that knows its port before it starts: the socket is there from the beginning."""

    def __init__(self, handler: Mailbox, *, hostname: str, port: int) -> None:
        from intune_pipeline.sandbox.server import listen

        self._socket = listen(port)
        super().__init__(handler, hostname=hostname, port=self._socket.getsockname()[1])

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._socket)
