"""The portal's own numbers at ``/metrics``: requests by route, how long they took, how many are at work.

Belongs here: counting requests. Does not belong here: who may scrape (``intune_pipeline.metrics``), and numbers of tenants,
which the portal's database role cannot see; ``intune-pipeline probe`` has them.
"""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intune_pipeline.metrics import PATH, answer

#: What no route is for has one label in all, or anybody could make as many as they like.
_UNKNOWN: Final = "unknown"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """ASGI middleware around everything else: counts each request, and answers scrapers.

    Args:
        app: what answers.
        token: what scrapers send; None: there is no such page.
    """

    def __init__(self, app: ASGIApp, *, token: SecretStr | None) -> None:
        self._app = app
        self._token = token
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        labels = ("method", "route")
        self._requests = Counter("portal_requests", "Requests answered.", (*labels, "status"), registry=self._registry)
        self._seconds = Histogram(
            "portal_request_seconds", "From a request to the end of its answer.", labels, registry=self._registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self._at_work = Gauge("portal_requests_at_work", "Requests being answered.", registry=self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped application does, and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == PATH:
            headers = Headers(scope=scope)
            status, content_type, body = answer(
                self._registry, self._token, headers.get("authorization", ""), headers.get("accept", "")
            )
            shown = Response(body, status, {"content-type": content_type, "cache-control": "no-store"})
            await shown(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._at_work.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._at_work.dec()
            method = scope["method"] if scope["method"] in _METHODS else _UNKNOWN
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            self._requests.labels(method, route, status).inc()
            self._seconds.labels(method, route).observe(time.perf_counter() - began)
