"""The Dagster UI behind a guard: only pages of its own address can start something.

dagster-webserver takes a mutation out of a GET's query and a POST of any origin, under any host name. So each page somebody
has open could start runs through their browser, by a form or an image or under a name that it points at the loopback address.

Belongs here: what the guard refuses, and dagster-webserver started with it. Does not belong here: who may sign in, which is a
proxy's matter.
"""

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from intune_pipeline.settings import DagsterUiSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING: Final = frozenset({"GET", "HEAD"})
MAKES_APP: Final = "create_app_from_workspace_process_context"

log = logging.getLogger("intune_pipeline.security")


class Guard:
    """ASGI middleware: refuses what a page of another address can make a browser send.

    A host that is not ours gets 421, a query by GET 405, and a write or a WebSocket that does not name our origin 403. Browsers
    name the origin of each of them; other programs send the header ``Origin`` themselves.

    Args:
        app: dagster-webserver's.
        origin: the address people open, for example ``https://dagster.example.com``; without one the loopback names of the port
            that listens.
    """

    def __init__(self, app: "ASGIApp", origin: str | None) -> None:
        self._app = app
        self._origin = origin

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or answer it with a sentence."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        problem = _problem(scope, self._origins(scope))
        if problem is None:
            await self._app(_without_query_by_get(scope), receive, _unframed(send))
            return
        status, sentence = problem
        log.warning("The Dagster UI refused a request for %r with %s: %s", scope["path"], status, sentence)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": sentence})
            return
        await PlainTextResponse(f"{sentence}\n", status)(scope, receive, send)

    def _origins(self, scope: "Scope") -> frozenset[str]:
        if self._origin is not None:
            return frozenset({self._origin})
        port = (scope.get("server") or ("", None))[1]
        suffix = "" if port == 80 else f":{port}"
        return frozenset(f"http://{name}{suffix}" for name in ("127.0.0.1", "localhost", "[::1]"))


def _problem(scope: "Scope", origins: frozenset[str]) -> tuple[int, str] | None:
    """Why a request is refused, as a status and a sentence."""
    headers = Headers(scope=scope)
    if not _is_one_of(headers.getlist("host"), {urlsplit(origin).netloc for origin in origins}):
        return 421, "The Dagster UI does not answer under this host name; DAGSTER_UI_URL says which one is its own."
    if scope["type"] == "http" and scope["method"] in READING:
        if _is_query_by_get(scope) and "text/html" not in headers.get("accept", ""):
            return 405, "The Dagster UI takes GraphQL by POST only."
        return None
    if not _is_one_of(headers.getlist("origin"), origins):
        return (
            403,
            "The Dagster UI changes nothing for other pages; a program sends the header Origin with its address.",
        )
    return None


def _is_one_of(values: list[str], allowed: "frozenset[str] | set[str]") -> bool:
    """Whether a header is there, once, with an allowed value; names of hosts have no case."""
    return len(values) == 1 and values[0].lower() in allowed


def _is_query_by_get(scope: "Scope") -> bool:
    return bool(scope["query_string"]) and scope["path"].rstrip("/").endswith("/graphql")


def _without_query_by_get(scope: "Scope") -> "Scope":
    """The same request, without a query that a browser asked GraphQL's page for: the page reads it from its own address."""
    if scope["type"] == "http" and scope["method"] in READING and _is_query_by_get(scope):
        return {**scope, "query_string": b""}
    return scope


def _unframed(send: "Send") -> "Send":
    """Sends each answer with the word that no page may frame it, so that nobody is led to click in it unseen."""

    async def sending(message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # Beside the policy that Dagster's page has: of several, browsers keep all.
            headers.append("Content-Security-Policy", "frame-ancestors 'none'")
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
        await send(message)

    return sending


def main() -> None:
    """Run ``dagster-webserver``, with its own options, behind the guard.

    Raises:
        SettingsError: ``DAGSTER_UI_URL`` is malformed.
    """
    from dagster_webserver import cli

    settings = DagsterUiSettings.load()
    # dagster-webserver has no hook for middleware: the function that makes its app is the place nearest to one.
    names = vars(cli)
    create_app = names[MAKES_APP]

    def create_guarded_app(*arguments: Any, **options: Any) -> Guard:
        return Guard(create_app(*arguments, **options), settings.dagster_ui_url)

    names[MAKES_APP] = create_guarded_app
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
