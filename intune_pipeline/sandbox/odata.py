"""The query options of Graph that managed devices know: ``$select``, ``$top`` and the skip token of a next link.

``$filter`` is ignored without a word, as Graph ignores filters that Intune does not support, and so is the rest.
"""

import base64
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, quote, unquote

import orjson

from intune_pipeline.sandbox import managed_devices
from intune_pipeline.sandbox.tenants import Position

LARGEST_PAGE = 1000
_SKIP_TOKEN = "$skiptoken"  # noqa: S105


class BadQueryError(Exception):
    """A query Graph refuses with 400, in Graph's words."""


@dataclass(frozen=True)
class Query:
    """A query that was understood.

    Attributes:
        text: The query as it came.
        select: Properties asked for, None for all.
        top: Most devices on a page, at most 1000.
        after: Position of the last device of the page before, None for the first page.
    """

    text: str
    select: tuple[str, ...] | None
    top: int
    after: Position | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Understand a URL's query.

        Raises:
            BadQueryError: It names unknown properties or makes no sense.
        """
        options = {name: values[-1] for name, values in parse_qs(text).items()}
        return cls(text, _select(options), _top(options), _after(options))

    def following(self, position: Position) -> str:
        """The same query for the page behind ``position``."""
        kept = [part for part in self.text.split("&") if part and not unquote(part).startswith(f"{_SKIP_TOKEN}=")]
        token = base64.urlsafe_b64encode(orjson.dumps(position)).decode()
        return "&".join([*kept, f"{_SKIP_TOKEN}={quote(token)}"])


def _select(options: dict[str, str]) -> tuple[str, ...] | None:
    if not options.get("$select"):
        return None
    names = tuple(dict.fromkeys(name.strip() for name in options["$select"].split(",")))
    unknown = managed_devices.unknown_property(names)
    if unknown is not None:
        raise BadQueryError(
            "Parsing OData Select and Expand failed: Could not find a property named "
            f"'{unknown}' on type 'microsoft.management.services.api.managedDevice'."
        )
    return names


def _top(options: dict[str, str]) -> int:
    top = options.get("$top", str(LARGEST_PAGE))
    if not (top.isascii() and top.isdigit()):
        raise BadQueryError(f"Invalid value '{top}' for $top query option found. A non-negative integer is expected.")
    return min(int(top), LARGEST_PAGE) or LARGEST_PAGE


def _after(options: dict[str, str]) -> Position | None:
    token = options.get(_SKIP_TOKEN)
    if token is None:
        return None
    try:
        name, device_id, number = orjson.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError) as error:
        raise BadQueryError("Skip token is invalid.") from error
    return str(name), str(device_id), int(number)
