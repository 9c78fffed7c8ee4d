"""A Graph over HTTPS that answers as a test tells it, for what the sandbox has no reason to do wrong."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import trustme


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: its connection, and the address byte for byte."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """One answer, without a date unless it is among the headers. ``cut`` ends the body early and the connection with it."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Script = Callable[[Asked], Said]


class ScriptedGraph:
    """Answers with ``script`` and remembers what was ``asked``."""

    def __init__(self) -> None:
        self.script: Script = lambda _: Said(404)
        self.asked: list[Asked] = []
        self.url = ""
        self.ca_pem = b""

    def says(self, *answers: Said) -> None:
        """Give these answers, one for each request."""
        remaining = iter(answers)
        self.asked.clear()
        self.script = lambda _: next(remaining)

    @contextlib.contextmanager
    def running(self) -> Iterator["ScriptedGraph"]:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.ca_pem = authority.cert_pem.bytes()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def _handler(graph: ScriptedGraph) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.client_address[1], self.command, self.path, headers, body)
            graph.asked.append(asked)
            said = graph.script(asked)
            content = said.body if isinstance(said.body, bytes) else orjson.dumps(said.body)
            self.send_response_only(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if said.cut else content)
            self.close_connection = said.cut

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler
