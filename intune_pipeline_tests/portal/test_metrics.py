"""The portal's numbers for Prometheus: behind a token, by route and never by what people type into addresses."""

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.testclient import TestClient

from intune_pipeline.portal.app import create_app
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings, SettingsError
from intune_pipeline_tests.portal.browser import PORTAL

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def client(
    portal_settings: PortalSettings, microsoft_settings: MicrosoftSettings, portal_engine: sa.Engine
) -> TestClient:
    settings = Settings(intune_metrics_token=SecretStr(TOKEN))
    return TestClient(create_app(settings, portal_settings, microsoft_settings, portal_engine), base_url=PORTAL)


def scraped(client: TestClient) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8000"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_requests_are_counted_by_route(engine: sa.Engine, client: TestClient) -> None:
    client.get("/sign-in")
    for number in range(3):
        client.get(f"/nothing/{number}?token=hush")
    client.request("BREW", "/sign-in")
    found = scraped(client)
    assert found["portal_requests_total", "GET", "/sign-in", "200"] == 1
    assert found["portal_requests_total", "GET", "unknown", "404"] == 3
    assert found["portal_request_seconds_count", "GET", "/sign-in"] == 1
    assert found["portal_requests_at_work",] == 0
    assert not [labels for labels in found if "hush" in str(labels) or "BREW" in labels or "/nothing/0" in labels]
    assert found["process_resident_memory_bytes",] > 0


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_nobody_without_the_token_reads_them(engine: sa.Engine, client: TestClient, authorization: str) -> None:
    answer = client.get("/metrics", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert "portal_requests" not in answer.text


def test_without_a_token_in_the_settings_there_is_no_such_page(app: FastAPI) -> None:
    client = TestClient(app, base_url=PORTAL)
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTUNE_METRICS_TOKEN", "hush")
    with pytest.raises(SettingsError, match="INTUNE_METRICS_TOKEN must have at least 24 characters"):
        Settings.load()
