"""The fleet's numbers for Prometheus, behind a token, read at each scrape."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from intune_pipeline.inventory.fleet import FleetLine
from intune_pipeline.orchestration.process.fleet_metrics import serve
from intune_pipeline.orchestration.process.pulse import Finding, Sign

TOKEN = "a-token-that-is-long-enough"
LISTED = datetime(2026, 3, 2, 5, tzinfo=UTC)
LINES = [
    FleetLine("acme", 1, "connected", LISTED, False, LISTED, 7.0, 3.0, 60, 50, 6, 0.1, 40, 4, 1, 2, None, None, None),
    FleetLine("globex", 2, "connected", LISTED, True, *[None] * 9, 0, 0, None, None, None),
]


@pytest.fixture
def lines() -> list[FleetLine]:
    return list(LINES)


@pytest.fixture
def address(lines: list[FleetLine]) -> Iterator[str]:
    findings = [Finding("daemon", Sign.GOOD, ""), Finding("queue", Sign.BAD, "")]
    server = serve("127.0.0.1", 0, lambda: (lines, findings), SecretStr(TOKEN))
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def scraped(address: str) -> dict[tuple[str, ...], float]:
    answer = requests.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_every_number_is_there_and_read_anew(address: str, lines: list[FleetLine]) -> None:
    found = scraped(address)
    assert found["intune_tenants", "connected"] == 2
    assert found["intune_tenants", "error"] == 0
    assert (found["intune_fleet_late",], found["intune_fleet_devices",], found["intune_fleet_holds",]) == (1, 60, 3)
    assert found["intune_fleet_unknown_share",] == 0.1
    assert found["intune_tenant_listed_timestamp_seconds", "acme"] == LISTED.timestamp()
    assert (found["intune_works", "daemon"], found["intune_works", "queue"]) == (1, 0)
    lines.pop()
    assert scraped(address)["intune_fleet_late",] == 0


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [
        ("/metrics", "", 401),
        ("/metrics", "Bearer wrong", 401),
        ("/metrics", f"Basic {TOKEN}", 401),
        ("/metrics", "Bearer \xe9", 401),
        ("/", f"Bearer {TOKEN}", 404),
    ],
)
def test_nobody_else_reads_them(address: str, path: str, authorization: str, status: int) -> None:
    answer = requests.get(address + path, headers={"Authorization": authorization.encode("latin-1")}, timeout=10)
    assert answer.status_code == status
    assert "acme" not in answer.text
