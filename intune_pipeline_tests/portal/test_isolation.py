"""One account reaches nothing of another: every route is asked by one customer for the other's things."""

from collections.abc import Callable
from functools import reduce

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import schema
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish
from intune_pipeline_tests.portal.test_security import OPEN_TO_ALL, routes_of

HOME = "/integrations/intune"
MINE, THEIRS = "MINEMARK", "THEIRMARK"


@pytest.fixture
def mine(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", MINE)


@pytest.fixture
def theirs(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "globex", THEIRS)


def test_no_page_and_no_api_answer_shows_anything_of_another_account(
    app: FastAPI,
    signed_in: Callable[[str], Browser],
    api: Callable[[str], TestClient],
    mine: Customer,
    theirs: Customer,
) -> None:
    browser, client = signed_in("acme-primary").portal, api("acme-primary")
    shown_mine = set()
    for method, path, _ in routes_of(app):
        if method != "GET" or path in OPEN_TO_ALL:
            continue
        params = {"serial_number": theirs.serial_number, "search": THEIRS, "manufacturer": "x", "before": 2**52}
        for asked in (params, {"serial_number": mine.serial_number}, {}):
            address = address_of(path, theirs if asked is params else mine)
            answer = (client if path.startswith("/api/") else browser).get(address, params=asked)
            assert answer.status_code < 500, path
            body = answer.text.replace(theirs.serial_number, "") if asked is params else answer.text
            assert THEIRS not in body.upper().replace(f'VALUE="{THEIRS}"', "").replace(f"SEARCH={THEIRS}", ""), path
            shown_mine |= {path} if MINE in answer.text.upper() else set()
    assert {
        f"{HOME}/devices",
        f"{HOME}/devices.csv",
        f"{HOME}/decisions/people",
        f"{HOME}/models",
        f"{HOME}/audit",
    } <= shown_mine
    assert {f"{HOME}/runs/{{run_id}}", "/api/v1/runs/{run_id}", "/api/v1/changes"} <= shown_mine
    assert {f"{HOME}/webhooks", f"{HOME}/webhooks/{{webhook_id}}", "/api/v1/webhooks"} <= shown_mine
    assert {"/api/v1/webhooks/{webhook_id}", "/api/v1/webhooks/{webhook_id}/deliveries"} <= shown_mine
    assert {"/api/v1/assets", "/api/v1/employees"} <= shown_mine
    assert {"/api/v1/devices", "/api/v1/device", "/api/v1/holds", "/api/v1/rules", "/api/v1/audit"} <= shown_mine


def test_no_write_touches_anything_of_another_account(
    app: FastAPI,
    signed_in: Callable[[str], Browser],
    api: Callable[[str], TestClient],
    engine: sa.Engine,
    mine: Customer,
    theirs: Customer,
) -> None:
    before = rows_of(engine, theirs)
    browser, client = signed_in("acme-primary").open(f"{HOME}/settings"), api("acme-primary")
    aimed = {
        "form_token": browser.form_token(),
        "serial_number": theirs.serial_number,
        "reason": "I want it",
        "hold_id": [str(one) for one in theirs.employee_holds],
        "rule_id": str(theirs.rule_id),
        "decision": "link",
        "field": "model",
        "allow": "true",
        "hold": "true",
        "model_pattern": "x",
        "device_type": "laptop",
        "step": "add",
        "url": "https://127.0.0.1:9/",
        "event": "asset.changed",
        "delivery_id": str(theirs.delivery_id),
        "on": "true",
    }
    bodies = {
        "/api/v1/connection": {"mdm_assignee_updates": True},
        "/api/v1/device/bypass-code": {"serial_number": theirs.serial_number, "reason": "I want it"},
        "/api/v1/holds/employees": {"hold_ids": list(theirs.employee_holds), "decision": "create"},
        "/api/v1/holds/lifecycle": {"decision": "dropped"},
        "/api/v1/rules": {"model_pattern": "x", "device_type": "laptop"},
        "/api/v1/webhooks": {"url": "https://127.0.0.1:9/", "events": ["asset.changed"]},
        "/api/v1/webhooks/{webhook_id}": {"description": "mine now"},
        "/api/v1/rules/preview": {"model_pattern": THEIRS, "device_type": "desktop"},
    }
    writes = [(m, p) for m, p, _ in routes_of(app) if m != "GET" and p not in OPEN_TO_ALL]
    # What ends the connection comes last, so that everything else is tried while there is one.
    for method, path in sorted(writes, key=lambda write: write[0] == "DELETE" or write[1].endswith("disconnect")):
        if path.startswith("/api/"):
            params = {"serial_number": theirs.serial_number, "field": "model"} if path.endswith("/locks") else {}
            answer = client.request(method, address_of(path, theirs), json=bodies.get(path), params=params)
        else:
            answer = browser.portal.post(address_of(path, theirs), data=aimed)
        assert answer.status_code < 500, path
        assert theirs.bypass_code not in answer.text, path
    assert rows_of(engine, theirs) == before
    with engine.connect() as db:
        assert db.scalar(sa.select(schema.connections.c.status).where(
            schema.connections.c.id == mine.connection_id)) == "disconnected"  # fmt: skip


def test_an_organisation_allwhere_does_not_know_reaches_nothing(
    app: FastAPI, engine: sa.Engine, signed_in: Callable[[str], Browser]
) -> None:
    with engine.begin() as db:
        db.execute(sa.delete(schema.accounts).where(schema.accounts.c.slug == "globex"))
    browser = signed_in("globex-primary")
    assert browser.answer.status_code == 403
    assert browser.title == "Unknown organisation"


def address_of(path: str, customer: Customer) -> str:
    """A route's address for what is a customer's."""
    ids = ("rule_id", "run_id", "webhook_id", "delivery_id")
    return reduce(lambda found, one: found.replace(f"{{{one}}}", str(getattr(customer, one))), ids, path)


def rows_of(engine: sa.Engine, customer: Customer) -> str:
    """Everything that is stored of a customer."""
    tables = [table for table in schema.metadata.sorted_tables if table.schema is None]
    kept = []
    with engine.connect() as db:
        account_id = db.scalar(sa.select(schema.accounts.c.id).where(schema.accounts.c.slug == customer.slug))
        for table in tables:
            if "account_id" in table.c:
                query = sa.select(table).where(table.c.account_id == account_id)
            elif "connection_id" in table.c:
                query = sa.select(table).where(table.c.connection_id == customer.connection_id)
            else:
                continue
            kept.append((table.name, sorted(map(str, db.execute(query)))))
    return str(kept)
