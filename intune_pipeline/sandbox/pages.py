"""The sandbox's web pages: rendering them, and sending the browser back to where it came from.

What a page offers is decided by the provider that shows it; how it looks is in ``templates``.
"""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """The rendered page."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(**values), status, {"cache-control": "no-store"})


def problem(message: str, status: int = 400) -> Response:
    """A page that says why the browser stays here."""
    return page("problem.html", status, message=message)


def back_to(address: str, **values: str | None) -> Response:
    """A redirect to ``address`` with these query parameters added; those without a value are left out."""
    parts = urlsplit(address)
    given = [(name, value) for name, value in values.items() if value is not None]
    query = urlencode([*parse_qsl(parts.query), *given])
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303)


def may_go_to(address: str) -> bool:
    """Whether an identity provider would send people there: https anywhere, http on loopback only."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _on_loopback(parts.hostname or "")


def _on_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
