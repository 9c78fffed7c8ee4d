"""The browser's side of a session: its cookie, the token of its forms, and addresses to come back to.

Belongs here: what is derived from the cookie's token. Does not belong here: sessions themselves (``inventory.sessions``).
"""

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from intune_pipeline.inventory import sessions
from intune_pipeline.portal.portal import PortalContext

HOME: Final = "/integrations/intune"
_LONGEST_ADDRESS: Final = 2000


def cookie_name(portal: PortalContext) -> str:
    """The cookie of the session; ``__Host-`` binds it to this host and to https."""
    return "__Host-allwhere-intune" if portal.https else "allwhere-intune"


def token_of(request: Request, portal: PortalContext) -> str:
    """The token in the browser's cookie, "" when it sends none."""
    return request.cookies.get(cookie_name(portal), "")


def remember(response: Response, portal: PortalContext, token: str) -> None:
    """Put the token into the browser's cookie; it outlives the session, so that a form that comes too late is kept."""
    response.set_cookie(
        cookie_name(portal),
        token,
        max_age=int(sessions.KNOWN_FOR.total_seconds()),
        secure=portal.https,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response, portal: PortalContext) -> None:
    """Take the token out of the browser's cookie."""
    response.delete_cookie(cookie_name(portal), secure=portal.https, httponly=True, samesite="lax")


def form_token(portal: PortalContext, token: str, account_id: int | None) -> str:
    """What the forms of a session carry: the account they are about, and a proof that is the session's alone."""
    key = portal.settings.portal_session_secret.get_secret_value().encode()
    proof = hmac.new(key, f"form {token}".encode(), hashlib.sha256).hexdigest()
    return f"{account_id or 0}.{proof}"


def safe_return(address: str) -> str:
    """An address of the portal's own pages to go to after signing in; the first page for whatever is none."""
    parts = urlsplit(address)
    ours = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    # Browsers read a backslash as a slash and drop control characters, which could make another host of a path.
    odd = "\\" in address or not address.isprintable() or len(address) > _LONGEST_ADDRESS
    return address if ours and not parts.scheme and not parts.netloc and not odd else HOME
