"""What protects every answer of the portal: response headers and form tokens.

Belongs here: protection that does not know what a page is about. Does not belong here: who may do what (``access``).
"""

import hmac
from typing import Annotated

from fastapi import Form, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intune_pipeline.portal.access import live_session
from intune_pipeline.portal.errors import FormRefusedError

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


def same_token(given: str, expected: str) -> bool:
    """Whether a form token is the one expected, in a time that tells nothing; no session has the empty one."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


async def checked_form(request: Request, form_token: Annotated[str, Form()] = "") -> None:
    """Dependency of every write by form: the token in the form must be the session's.

    Raises:
        SignInNeededError: nobody is signed in, or not any more.
        FormRefusedError: the token is another session's: an earlier one's of this browser, or another site made the form.
    """
    asker = live_session(request)
    if same_token(form_token, asker.form_token):
        return
    if form_token.partition(".")[0] != asker.form_token.partition(".")[0] and form_token.partition(".")[2]:
        whose = f"{asker.account.name}, " if asker.account else ""
        raise FormRefusedError(
            f"You have signed in to another organisation since ({whose}perhaps in another tab), and this page belonged "
            "to the one before. Nothing was changed. Go back to the first page and look again.",
            title="You changed the organisation",
            cause="another organisation's form",
        )
    raise FormRefusedError(
        "This form is out of date, so nothing was changed. Go back, reload the page and try again.", cause="form token"
    )
