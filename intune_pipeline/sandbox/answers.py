"""How Microsoft words its answers: headers, and the error bodies of Graph, Intune behind it, and Entra.

Shapes follow recorded answers. When an answer is given is decided by ``graph`` and ``entra``.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal
from uuid import uuid4

import orjson

_DIAGNOSTIC = orjson.dumps(
    {
        "ServerInfo": {
            "DataCenter": "Sandbox",
            "Slice": "E",
            "Ring": "0",
            "ScaleUnit": "000",
            "RoleInstance": "SB1PEPF00000000",
        }
    }
).decode()
_INTUNE_URL = "https://fef.sandbox.manage.example/DeviceFE/StatelessDeviceFEService/deviceManagement"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: HTTP status, 0 for a connection cut before any answer.
        body: An object, or JSON already encoded.
        headers: Beyond those every answer has.
        broken_off: Whether the body ends in the middle, and the connection with it.
        dripping: Whether the body comes one byte at a time.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    broken_off: bool = False
    dripping: bool = False

    def encoded(self) -> bytes:
        """The body as JSON."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


@dataclass(frozen=True)
class RequestIds:
    """The two ids of one Graph request: Graph's own and the caller's, which is Graph's when the caller gave none."""

    request: str
    client: str

    @classmethod
    def of(cls, client_request_id: str | None) -> "RequestIds":
        """New ids for a request that came with ``client_request_id``."""
        request = str(uuid4())
        return cls(request=request, client=client_request_id or request)

    def headers(self) -> dict[str, str]:
        """The headers every Graph answer carries."""
        return {
            "request-id": self.request,
            "client-request-id": self.client,
            "x-ms-ags-diagnostic": _DIAGNOSTIC,
            "strict-transport-security": "max-age=31536000",
        }


def graph_error(ids: RequestIds, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """An error of Graph's gateway."""
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": ids.request,
        "client-request-id": ids.client,
    }
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return Answer(status, body, headers or {})


def intune_error(ids: RequestIds, status: int, code: str, path: str, message: str = "An error has occurred") -> Answer:
    """An error of Intune behind Graph: its ``message`` is JSON again."""
    explained = (
        f"{message} - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000"
        f" - Activity ID: {ids.request} - Url: {_INTUNE_URL}/{path}?api-version=2024-06-14"
    )
    nested = {
        "_version": 3,
        "Message": explained,
        "CustomApiErrorPhrase": "",
        "RetryAfter": None,
        "ErrorSourceService": "",
        "HttpHeaders": "{}",
    }
    text = orjson.dumps(nested, option=orjson.OPT_INDENT_2).decode().replace("\n", "\r\n")
    return graph_error(ids, status, code, text)


def too_many_requests(ids: RequestIds, retry_after: int | Literal["date"] | None) -> Answer:
    """A 429 with Retry-After in seconds, as a date one second ahead, or without."""
    if retry_after is None:
        return intune_error(ids, 429, "TooManyRequests", "managedDevices")
    if retry_after == "date":
        soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        value = format_datetime(soon, usegmt=True)
    else:
        value = str(retry_after)
    return graph_error(ids, 429, "TooManyRequests", "Too many requests.", {"Retry-After": value})


def outage(ids: RequestIds, status: int) -> Answer:
    """A 500, 502, 503 or 504 as Graph words it."""
    if status == 500:
        return intune_error(ids, status, "InternalError", "managedDevices")
    code = {503: "ServiceUnavailable", 502: "BadGateway"}.get(status, "UnknownError")
    return graph_error(ids, status, code, "")


def entra_error(
    status: int, code: int, error: str, message: str, login_url: str, suberror: str | None = None
) -> Answer:
    """An error of Entra's token endpoint, ``AADSTS{code}``."""
    trace, correlation = str(uuid4()), str(uuid4())
    timestamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"AADSTS{code}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
    )
    body = {
        "error": error,
        "error_description": description,
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{login_url}/error?code={code}",
    }
    return Answer(status, body | ({"suberror": suberror} if suberror else {}), {"x-ms-request-id": trace})
