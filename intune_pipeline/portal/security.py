"""What protects every answer of the portal: response headers, form tokens and rate limits.

Belongs here: protection that does not know what a page is about. Does not belong here: who may do what (``access``).
"""

import hmac
import threading
import time
from collections import OrderedDict
from typing import Annotated

from fastapi import Form, Request
from pyrate_limiter import Rate, RateItem, StateBucket
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intune_pipeline.inventory.roles import acting_for
from intune_pipeline.portal.errors import RefusedError, TooOftenError

# Forms only ever post to the portal. The ways out to Microsoft and to the sign-in are links and refreshes of pages of our
# own, because browsers apply form-action to every redirect that follows a form, and a customer's own identity provider
# may be among them.
_DIRECTIVES = {
    "default-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{name} {sources}" for name, sources in _DIRECTIVES.items())
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS = "max-age=31536000; includeSubDomains"
_STATIC_SECONDS = 3600
_REMEMBERED_KEYS = 10_000


def protecting_headers(*, https: bool) -> dict[str, str]:
    """The headers of every answer.

    Args:
        https: whether the portal's public address is https, which then is the only way to reach it.
    """
    return _HEADERS | ({"Strict-Transport-Security": _HSTS} if https else {})


class SecurityHeaders:
    """ASGI middleware that puts the protecting headers on every answer, errors included.

    Pages are never stored by a browser or a proxy; static files are, for an hour.

    Args:
        app: what answers.
        https: whether the portal's public address is https, which then is the only way to reach it.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = protecting_headers(https=https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        static = scope["path"].startswith("/static/")
        cache = f"public, max-age={_STATIC_SECONDS}" if static else "no-store"

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", cache)
            await send(message)

        await self._app(scope, receive, send_protected)


class RowsOfNobody:
    """ASGI middleware: a request sees no account's rows until ``access`` has let somebody in, whoever forgets to ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does."""
        with acting_for(None):
            await self._app(scope, receive, send)


async def checked_form(request: Request, form_token: Annotated[str, Form()] = "") -> None:
    """Dependency of every write by form: the token in the form must be the session's.

    Raises:
        RefusedError: it is not; another site may have made the form.
    """
    expected = str(request.session.get("form_token", ""))
    if not expected or not hmac.compare_digest(form_token.encode(), expected.encode()):
        raise RefusedError(
            "This form is out of date, so nothing was changed. Go back, reload the page and try again.",
            title="Form out of date",
        )


class RateLimit:
    """At most so many of one thing per key and time, with bursts smoothed (GCRA). Safe to share between threads.

    The counts are this process's own: with n portal processes the limit is up to n times as high.

    Args:
        times: how often.
        seconds: in which time.
        sentence: what to tell who asks more often; ``{seconds}`` is the wait.
    """

    def __init__(self, times: int, seconds: int, sentence: str) -> None:
        self._rate = Rate(times, seconds * 1000)
        self._sentence = sentence
        self._buckets: OrderedDict[str, StateBucket] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, key: str) -> None:
        """Count one use by ``key``.

        Raises:
            TooOftenError: that was one too many.
        """
        with self._lock:
            bucket = self._buckets.setdefault(key, StateBucket([self._rate]))
            self._buckets.move_to_end(key)
            if len(self._buckets) > _REMEMBERED_KEYS:
                self._buckets.popitem(last=False)
            item = RateItem(key, time.monotonic_ns() // 1_000_000)
            if bucket.put(item):
                return
            waiting = bucket.waiting(item)
            assert isinstance(waiting, int)  # noqa: S101 - awaitable for stores elsewhere only
            wait = max(1, round(waiting / 1000))
        raise TooOftenError(self._sentence.format(seconds=wait), retry_after=wait)
