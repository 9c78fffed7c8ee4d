"""How much a request may send, how long it may take, and that nobody unknown is read at all."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.portal import admission
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.portal.browser import PORTAL, Browser

HOME = "/integrations/intune"
Answer = tuple[int, dict[bytes, bytes], bytes]


class Sender:
    """One request, sent piece by piece, which counts the pieces that were asked for.

    Args:
        app: the portal.
        path: where to.
        headers: beside the host.
        pieces: of the body.
        seconds: between two pieces.
    """

    def __init__(
        self, app: FastAPI, path: str, headers: dict[str, str], pieces: list[bytes], *, seconds: float = 0.0
    ) -> None:
        self._app = app
        self._pieces = list(pieces)
        self._seconds = seconds
        self.read = 0
        raw = [(b"host", b"portal.test"), *((name.encode(), value.encode()) for name, value in headers.items())]
        self._scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "https",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": raw,
            "client": ("192.0.2.1", 1), "server": ("portal.test", 443), "state": {},
        }  # fmt: skip

    def send(self) -> Answer:
        """Send it; returns status, headers and body."""
        return asyncio.run(self._send())

    async def _send(self) -> Answer:
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(self._seconds)
            self.read += 1
            body = self._pieces.pop(0) if self._pieces else b""
            return {"type": "http.request", "body": body, "more_body": bool(self._pieces)}

        async def send(message: Any) -> None:
            messages.append(message)

        await self._app(self._scope, receive, send)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return messages[0]["status"], dict(messages[0]["headers"]), body


@pytest.mark.parametrize("path", [f"{HOME}/connect", f"{HOME}/models/teach", "/sign-out", "/api/v1/rules", "/nowhere"])
@pytest.mark.parametrize("cookie", ["", "__Host-allwhere-intune=made-up"])
def test_of_nobody_known_not_one_byte_is_read(app: FastAPI, path: str, cookie: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie}
    sender = Sender(app, path, form, [b"form_token=x&note=" + b"x" * 65536] * 100)
    status, headers, _ = sender.send()
    assert (status, sender.read) == (401, 0)
    assert headers[b"connection"] == b"close"


def test_a_token_that_is_not_good_has_nothing_read_either(app: FastAPI) -> None:
    sender = Sender(app, "/api/v1/rules", {"authorization": "Bearer a.b.c"}, [b"x" * 65536] * 100)
    assert (sender.send()[0], sender.read) == (401, 0)


def cookie_of(browser: Browser) -> dict[str, str]:
    """The headers of a form that the browser sends."""
    cookie = f"__Host-allwhere-intune={browser.portal.cookies['__Host-allwhere-intune']}"
    return {"cookie": cookie, "content-type": "application/x-www-form-urlencoded"}


def test_a_form_of_more_than_64_kb_is_refused_as_soon_as_it_is_known(
    app: FastAPI, signed_in: Callable[[str], Browser]
) -> None:
    known = cookie_of(signed_in("acme-primary"))
    sender = Sender(app, f"{HOME}/connect", known, [b"x" * 16384] * 100)
    status, _, body = sender.send()
    assert (status, sender.read) == (413, 5)
    assert b"more than 64 KB" in body
    announced = Sender(app, f"{HOME}/connect", known | {"content-length": "65537"}, [b"x"])
    assert (announced.send()[0], announced.read) == (413, 0)


def test_the_largest_form_and_the_largest_body_are_read(
    app: FastAPI, signed_in: Callable[[str], Browser], api: Callable[[str], TestClient]
) -> None:
    largest = Sender(app, f"{HOME}/connect", cookie_of(signed_in("acme-primary")), [b"x" * admission.MAX_FORM_BYTES])
    assert largest.send()[0] == 403
    rule = {"model_pattern": "x", "device_type": "laptop", "note": "x"}
    padded = json.dumps(rule).encode().ljust(admission.MAX_BODY_BYTES)
    client = api("acme-primary")
    assert client.post("/api/v1/rules", content=padded, headers={"content-type": "application/json"}).status_code == 201
    answer = client.post("/api/v1/rules", content=padded + b" ", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["title"]) == (413, "Too much")


def test_a_body_that_drips_is_given_up(
    app: FastAPI, signed_in: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "BODY_SECONDS", 0.2)
    sender = Sender(app, f"{HOME}/connect", cookie_of(signed_in("acme-primary")), [b"x"] * 1000, seconds=0.05)
    status, _, body = sender.send()
    assert status == 408
    assert b"did not arrive within" in body
    assert sender.read < 10


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/me"])
def test_headers_of_more_than_16_kb_are_refused(app: FastAPI, path: str) -> None:
    client = TestClient(app, base_url=PORTAL)
    answer = client.get(path, headers={"x-padding": "x" * 16384})
    assert answer.status_code == 431
    assert "16 KB" in answer.text
    assert client.get(f"/sign-in?{'x' * 16384}").status_code == 431


def test_one_address_has_so_many_requests_at_work_and_no_more(
    app: FastAPI, signed_in: Callable[[str], Browser], sandbox: SandboxCloud
) -> None:
    known = cookie_of(signed_in("acme-primary"))
    slow = [
        Sender(app, f"{HOME}/connect", known, [b"x"] * 5, seconds=0.1) for _ in range(admission.REQUESTS_AT_ONCE + 5)
    ]

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(sender._send() for sender in slow))

    statuses = [status for status, _, _ in asyncio.run(all_at_once())]
    assert statuses.count(429) == 5
    assert Sender(app, f"{HOME}/connect", known, [b"x"]).send()[0] == 403
