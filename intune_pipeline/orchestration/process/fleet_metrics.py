"""The fleet's numbers at ``/metrics``, read when a scraper asks: by the probe, from outside the daemon.

Belongs here: names and meanings of the metrics, and serving them. Does not belong here: reading the numbers
(``inventory.fleet``, ``pulse``), and who may scrape (``intune_pipeline.metrics``).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import SecretStr

from intune_pipeline.domain.vocabulary import ConnectionStatus
from intune_pipeline.inventory.fleet import FleetLine, totals
from intune_pipeline.metrics import PATH, answer
from intune_pipeline.orchestration.process.pulse import Finding, Sign

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

#: What is seen at a look: every tenant, and everything about what starts the syncs.
Look = Callable[[], tuple[list[FleetLine], list[Finding]]]

_NUMBERS: Final = {
    "late": "Connected tenants whose last good list is too old.",
    "in_trouble": "Tenants that are late or have a cause of trouble.",
    "devices": "Devices in the tenants' last good lists.",
    "synced": "Of these have an asset.",
    "unknown_share": "Share of these whose type is unknown, 0 to 1.",
    "requests": "Requests to Graph of the tenants' last good syncs.",
    "throttled": "Of these were answered 429.",
    "median_seconds": "How long half of the last good syncs took at most.",
    "longest_seconds": "How long the longest of them took.",
    "holds": "Employees and devices that wait for a decision.",
}


class FleetCollector:
    """Reads everything at each scrape.

    Args:
        look: reads it.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        lines, findings = self._look()
        numbers = totals(lines)
        tenants = GaugeMetricFamily("intune_tenants", "Tenants by their connection's status.", labels=["status"])
        for status in ConnectionStatus:
            tenants.add_metric([status], numbers.by_status.get(status, 0))
        yield tenants
        for name, means in _NUMBERS.items():
            yield GaugeMetricFamily(f"intune_fleet_{name}", means, value=getattr(numbers, name))
        listed = GaugeMetricFamily(
            "intune_tenant_listed_timestamp_seconds",
            "When the list of the last good sync was read.",
            labels=["account"],
        )
        for line in lines:
            if line.last_good_at:
                listed.add_metric([line.account], line.last_good_at.timestamp())
        yield listed
        works = GaugeMetricFamily(
            "intune_works", "Whether what starts the syncs is well: 1, or 0 also before it began.", labels=["what"]
        )
        for one in findings:
            works.add_metric([one.name], float(one.sign is Sign.GOOD))
        yield works


def serve(host: str, port: int, look: Look, token: SecretStr) -> WSGIServer:
    """Serve ``/metrics`` in a thread of this process.

    Raises:
        OSError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(FleetCollector(look))

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> list[bytes]:
        scraped = token if environ.get("PATH_INFO") == PATH else None
        status, content_type, body = answer(
            registry, scraped, environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_ACCEPT", "")
        )
        start(f"{status.value} {status.phrase}", [("Content-Type", content_type), ("Cache-Control", "no-store")])
        return [body]

    server = make_server(host, port, app, _Server, _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Server(ThreadingMixIn, WSGIServer):
    """A scrape that waits for the database keeps no other one waiting."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Writes no line for each scrape."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""
