"""The plan in the portal and the API: chosen on connecting, asked for at any time, searched, approved."""

import csv
import io
from collections.abc import Callable
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts, audit, plans
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.test_connect import connect
from intune_pipeline_tests.syncing import Tenant, device

HOME = "/integrations/intune"
PLAN = f"{HOME}/plan"
SignIn = Callable[[str], Browser]
Api = Callable[[str], TestClient]


@pytest.fixture
def tenant(app: FastAPI, engine: sa.Engine, connected: Callable[..., int]) -> Tenant:
    """Acme, which awaits the approval of the plan of its first sync."""
    connection_id = connected("acme", status="awaiting_approval", plan_first=True)
    with engine.connect() as db:
        acme = Tenant(engine, connection_id, accounts.get(db, "acme").id)
    acme.add_employee("Ann", "Berg", "ann@home.example", "personal")
    return acme


def fleet() -> list:
    users = ("ann.berg", "bob.falk", "cleo.lund")
    mac = device("d9", "MAC-1", operatingSystem="macOS", manufacturer="Apple", model="iMac")
    return [*(device(f"d{n}", f"SN-{n}", f"{user}@acme.example") for n, user in enumerate(users)), mac]


def made(tenant: Tenant) -> UUID:
    """What the pipeline does with a plan that was asked for."""
    with tenant.engine.begin() as db:
        plan_id = plans.request(db, tenant.connection_id, requested_by="primary@acme.example")
        plans.begin(db, plan_id)
        plans.store(db, plan_id, tenant.plan(fleet()))
    return plan_id


def test_who_ticks_the_box_is_shown_a_plan_and_nothing_is_synced(
    signed_in: SignIn, tenants: dict[str, SandboxTenant], engine: sa.Engine
) -> None:
    browser = connect(signed_in("acme-primary"), tenants["acme"], tick=("plan_first",))
    assert browser.title == "Making the plan"
    with engine.connect() as db:
        assert db.execute(sa.text("select status, plan_first from connections")).one() == ("awaiting_approval", True)
        assert db.scalar(sa.text("select count(*) from sync_requests")) == 0
        assert db.execute(sa.text("select status, requested_by from plans")).one() == (
            "requested",
            "primary@acme.example",
        )
    state = browser.portal.get(f"{browser.path}/state.json").json()
    assert state["go_to"] is None
    browser.open(HOME)
    assert "Waiting for your approval" in browser.text
    assert not browser.has_button("Sync Now")


def test_the_plan_page_shows_counts_lists_and_look_alikes_by_grade(signed_in: SignIn, tenant: Tenant) -> None:
    made(tenant)
    browser = signed_in("acme-secondary").open(PLAN)
    assert browser.title == "What the first sync would do"
    for said in ("Assets created (3)", "Employees added (3)", "Devices left out (1)", "Probably the same person (1)"):
        assert said in browser.text
    assert not browser.has_button("Approve and sync")
    browser.follow("Probably the same person (1)")
    assert "ann.berg@acme.example" in browser.text
    assert "bob.falk@acme.example" not in browser.text


def test_the_plan_is_searched_paged_and_downloaded(signed_in: SignIn, tenant: Tenant) -> None:
    plan_id = made(tenant)
    browser = signed_in("acme-secondary").open(f"{PLAN}/{plan_id}?search=falk")
    assert ("Bob Falk" in browser.text, "Cleo Lund" in browser.text) == (True, False)
    rows = list(csv.DictReader(io.StringIO(browser.portal.get(f"{PLAN}/{plan_id}/lines.csv").text)))
    assert {row["name"] for row in rows if row["what"] == "created"} == {"SN-0", "SN-1", "SN-2"}
    assert browser.portal.get(f"{PLAN}/{plan_id}?search=falk&kind=skipped").status_code == 200
    assert browser.portal.get(f"{PLAN}/00000000-0000-0000-0000-000000000000").status_code == 404


def test_an_approval_asks_for_the_sync_that_does_exactly_this(signed_in: SignIn, tenant: Tenant) -> None:
    plan_id = made(tenant)
    browser = signed_in("acme-primary").open(PLAN).press("Approve and sync")
    assert browser.path == f"{HOME}/progress"
    (request,) = tenant.rows("select plan_id, trigger, requested_by from sync_requests")
    assert request == {"plan_id": plan_id, "trigger": "initial", "requested_by": "primary@acme.example"}
    with tenant.engine.connect() as db:
        assert [entry.action for entry in audit.entries(db, "acme")] == ["approve"]
    browser.open(PLAN)
    assert "Approved" in browser.text
    assert not browser.has_button("Approve and sync")


def test_what_changed_since_the_approval_is_named(signed_in: SignIn, tenant: Tenant) -> None:
    plan_id = made(tenant)
    with tenant.engine.begin() as db:
        plans.approve(db, plans.get(db, plan_id), actor="primary@acme.example")
        later = tenant.plan([*fleet()[1:], device("d7", "SN-7", osVersion="9.9")])
        assert plans.check(db, plan_id, later) is not None
    tenant.run("update sync_requests set status = 'failed', finished_at = now()")
    browser = signed_in("acme-primary").open(PLAN)
    assert "3 things have changed since the approved plan" in browser.text, "two devices and a person"
    assert "SN-7" in browser.text
    assert browser.has_button("Approve and sync")
    browser.open(f"{PLAN}/{plan_id}")
    assert "There is a newer plan" in browser.text
    assert not browser.has_button("Approve and sync")


def test_a_plan_is_asked_for_at_any_time(signed_in: SignIn, app: FastAPI, connected: Callable[..., int]) -> None:
    connected("acme")
    browser = signed_in("acme-secondary").open(HOME).follow("See what a sync would do")
    browser.press("Make a plan")
    assert browser.title == "Making the plan"


def test_a_plan_of_another_account_is_not_there(signed_in: SignIn, tenant: Tenant) -> None:
    plan_id = made(tenant)
    browser = signed_in("globex-primary")
    for address in (f"{PLAN}/{plan_id}", f"{PLAN}/{plan_id}/lines.csv", f"{PLAN}/{plan_id}/state.json"):
        assert browser.portal.get(address).status_code == 404


def test_the_api_says_the_same(api: Api, tenant: Tenant) -> None:
    client = api("acme-primary")
    plan_id = client.post("/api/v1/plans").json()["plan_id"]
    assert client.post("/api/v1/plans").json()["plan_id"] == plan_id
    assert client.post(f"/api/v1/plans/{plan_id}/approve").status_code == 409
    assert made(tenant) == UUID(plan_id)
    opened = client.get(f"/api/v1/plans/{plan_id}", params={"kind": "created", "page_size": 2}).json()
    assert opened["kinds"] == {"created": 3, "employee_added": 3, "skipped": 1}
    assert opened["grades"] == {"probably": 1}
    assert (opened["total"], len(opened["lines"])) == (3, 2)
    assert opened["counts"]["assets_created"] == 3
    assert [one["id"] for one in client.get("/api/v1/plans").json()] == [plan_id]
    assert client.post("/api/v1/syncs").status_code == 409, "nothing is synced before the approval"
    assert api("acme-secondary").post(f"/api/v1/plans/{plan_id}/approve").status_code == 403
    assert client.post(f"/api/v1/plans/{plan_id}/approve").status_code == 202
    assert client.post(f"/api/v1/plans/{plan_id}/approve").status_code == 409
    assert api("globex-primary").get(f"/api/v1/plans/{plan_id}").status_code == 404
