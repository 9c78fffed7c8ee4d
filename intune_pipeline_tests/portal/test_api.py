"""The JSON API: the same as the pages, problem+json, and an OpenAPI document that keeps its word."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import schemathesis
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from starlette.testclient import TestClient

from intune_pipeline.inventory import audit, schema
from intune_pipeline.inventory.rate_limits import Limit
from intune_pipeline.portal import limits
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.portal.browser import PORTAL
from intune_pipeline_tests.portal.customers import Customer, furnish

#: Every route's sign-in is tested elsewhere; query parameters nobody knows are ignored, as everywhere on the web.
EXCLUDED = [ignored_auth, negative_data_rejection]
#: A cursor is any text to its schema, and only the feed knows which were given; so is the address of a webhook.
ANY_TEXT = [*EXCLUDED, positive_data_acceptance]
OF_ANY_TEXT = {"/api/v1/changes", "/api/v1/webhooks", "/api/v1/webhooks/{webhook_id}"}
Api = Callable[[str], TestClient]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def test_the_connection_tells_the_same_as_the_status_page(api: Api, acme: Customer) -> None:
    body = api("acme-secondary").get("/api/v1/connection").json()
    assert body["status"] == "connected"
    assert body["health"]["title"] == "Connected, with decisions waiting"
    assert (body["counts"]["synced"], body["counts"]["unsynced"]) == (2, 203)
    assert body["decisions_waiting"] == 3
    assert body["sync_possible_at"] is None


def test_an_account_that_never_connected_gets_a_problem(api: Api) -> None:
    answer = api("acme-primary").get("/api/v1/connection")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Microsoft Intune is not connected. Connect it in the portal."


def test_sync_now_is_accepted_joined_and_too_early(api: Api, acme: Customer, engine: sa.Engine) -> None:
    client = api("acme-secondary")
    assert client.post("/api/v1/syncs").json() == {"outcome": "accepted"}
    assert client.post("/api/v1/syncs").json() == {"outcome": "joined"}
    with engine.begin() as db:
        db.execute(sa.update(schema.sync_requests).values(status="succeeded", finished_at=sa.func.now()))
    early = client.post("/api/v1/syncs")
    assert early.status_code == 429
    assert 1700 < int(early.headers["retry-after"]) <= 1810


def test_settings_change_for_primary_admins_only(api: Api, acme: Customer) -> None:
    change = {"mdm_assignee_updates": True}
    assert api("acme-secondary").patch("/api/v1/connection", json=change).status_code == 403
    assert api("acme-primary").patch("/api/v1/connection", json=change).json()["mdm_assignee_updates"] is True
    assert api("acme-primary").patch("/api/v1/connection", json={"status": "connected"}).status_code == 422


def test_a_device_tells_its_story_without_its_code(api: Api, acme: Customer) -> None:
    answer = api("acme-secondary").get("/api/v1/device", params={"serial_number": "acme-sn1"})
    assert answer.json()["asset"]["has_bypass_code"] is True
    assert acme.bypass_code not in answer.text
    assert "gAAAA" not in answer.text


def test_a_code_is_revealed_to_a_primary_admin_with_a_reason(api: Api, acme: Customer, engine: sa.Engine) -> None:
    asked = {"serial_number": acme.serial_number, "reason": "lost phone"}
    assert api("acme-secondary").post("/api/v1/device/bypass-code", json=asked).status_code == 403
    assert api("acme-primary").post("/api/v1/device/bypass-code", json=asked).json()["bypass_code"] == acme.bypass_code
    with engine.connect() as db:
        assert audit.entries(db, "acme")[0].reason == "lost phone"
    nameless = api("acme-primary").post("/api/v1/device/bypass-code", json=asked | {"reason": ""})
    assert nameless.status_code == 422


def test_who_is_not_in_the_beta_gets_a_problem(api: Api, acme: Customer) -> None:
    answer = api("acme-no-beta").get("/api/v1/devices")
    assert answer.status_code == 403
    assert answer.json()["title"] == "Not part of the beta yet"


def test_an_unknown_path_is_a_problem_too(api: Api) -> None:
    answer = api("acme-primary").get("/api/v1/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_the_api_keeps_what_its_openapi_document_says(
    app: FastAPI, sandbox: SandboxCloud, acme: Customer, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is sent: no 5xx, no undocumented status, no body that breaks its schema."""
    for limit in ("WRITES", "SYNCS", "PREVIEWS", "EXPORTS", "UNDOS", "WEBHOOKS"):
        monkeypatch.setattr(limits, limit, Limit(limit, 1_000_000, 60))
    host = {"Host": urlsplit(PORTAL).netloc}
    headers = {"Authorization": f"Bearer {sandbox.sign_in_token('acme-primary')}", **host}
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=host)
    operations = [found.ok() for found in document.get_all_operations()]
    # What ends the connection comes last, so that everything else is tried while there is one.
    operations.sort(key=lambda operation: operation.method == "delete")
    tried = [try_operation(operation, mode, headers) for operation in operations]
    assert len(tried) >= 38
    assert all(tried) or (mode is GenerationMode.NEGATIVE and sum(tried) >= 10)


def try_operation(operation: APIOperation, mode: GenerationMode, headers: dict[str, str]) -> bool:
    """Send some requests of one operation; False when there is no invalid form of it."""

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        excluded = ANY_TEXT if case.path in OF_ANY_TEXT else EXCLUDED
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    try:
        send()
    except Unsatisfiable:
        return False
    return True


def test_who_proved_the_tenant_is_told_as_on_the_settings_page(api: Api, acme: Customer, engine: sa.Engine) -> None:
    with engine.begin() as db:
        proven = {"proven_by_upn": "ada@contoso.example", "proven_by_roles": ["global_administrator"]}
        db.execute(sa.update(schema.connections).values(proven_at=sa.func.now(), **proven))
    told = api("acme-secondary").get("/api/v1/connection").json()
    assert (told["proven_by"], told["proven_by_roles"]) == ("ada@contoso.example", ["global_administrator"])
    assert told["tenant_domain"] == "contoso.example"
    assert told["proven_at"] is not None
    assert told["tenant_to_confirm"] is told["administrator_link_expires_at"] is None
