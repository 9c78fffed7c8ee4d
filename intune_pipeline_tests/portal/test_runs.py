"""The overview's list of what waits and of runs, the page of a run, undoing it, and locks on the device's page."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import accounts, schema
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.customers import Customer, furnish
from intune_pipeline_tests.portal.fleets import fleet, last_run
from intune_pipeline_tests.syncing import Tenant, device

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]


@pytest.fixture
def tenant(app: FastAPI, engine: sa.Engine, connected: Callable[..., int]) -> Tenant:
    """Acme after two syncs: the second gave one asset another version."""
    connection_id = connected("acme", proven_by_upn="admin@contoso.example")
    with engine.connect() as db:
        acme = Tenant(engine, connection_id, accounts.get(db, "acme").id)
    acme.sync(fleet("10.0.1"))
    acme.sync([fleet("10.0.2")[0], *fleet("10.0.1")[1:]])
    return acme


def test_nothing_needs_you_is_said_when_it_is_true(signed_in: SignIn, tenant: Tenant) -> None:
    assert "Nothing needs you" in signed_in("acme-primary").open(HOME).text


def test_what_waits_leads_to_where_it_is_done(signed_in: SignIn, tenant: Tenant) -> None:
    tenant.sync([*fleet("10.0.2"), device("d9", "SN-9", "", manufacturer="Nobody", model="Nothing")])
    browser = signed_in("acme-primary").open(HOME)
    assert "1 thing needs you" in browser.text
    assert "Nothing needs you" not in browser.text
    browser.follow("Say what this model is.")
    assert (browser.title, browser.path) == ("Decisions", f"{HOME}/models")
    assert "1 thing needs an admin" in signed_in("acme-secondary").open(HOME).text


def test_the_totals_add_up(signed_in: SignIn, app: FastAPI, engine: sa.Engine) -> None:
    acme = furnish(engine, "acme", "ACME")
    with engine.begin() as db:
        db.execute(sa.update(schema.sync_runs).where(schema.sync_runs.c.id == acme.run_id).values(devices_gone=70))
    text = signed_in("acme-primary").open(f"{HOME}/runs/{acme.run_id}").text
    table = text[text.index('<table class="stack totals">') : text.index("</table>")]
    numbers = [int(one.split("<")[0].replace("\u202f", "")) for one in table.split('data-label="Number">')[1:]]
    *parts, listed, gone = numbers
    assert (sum(parts), listed, gone) == (1250, 1250, 70)


def test_runs_say_who_started_them_and_lead_to_their_page(signed_in: SignIn, tenant: Tenant, engine: sa.Engine) -> None:
    run = last_run(tenant)
    with engine.begin() as db:
        db.execute(
            sa.insert(schema.sync_requests).values(
                connection_id=tenant.connection_id,
                trigger="manual",
                requested_by="ann@acme.example",
                requested_at=sa.select(schema.sync_runs.c.started_at)
                .where(schema.sync_runs.c.id == run)
                .scalar_subquery(),
                sync_run_id=run,
                status="succeeded",
                finished_at=sa.func.now(),
            )
        )
    browser = signed_in("acme-secondary").open(HOME)
    assert "Sync Now by ann@acme.example" in browser.text
    assert f'href="{HOME}/runs/{run}"' in browser.text
    browser.open(f"{HOME}/runs/{run}")
    assert "10.0.1</span> → 10.0.2" in browser.text
    assert "SN-1" not in browser.text, "what did not change is not listed"
    assert "Undo what is unchanged since" not in browser.text, "a Secondary Admin only looks"


def test_a_run_is_searched_and_downloaded(signed_in: SignIn, tenant: Tenant, engine: sa.Engine) -> None:
    run = last_run(tenant) - 1
    browser = signed_in("acme-secondary").open(f"{HOME}/runs/{run}?search=falk")
    assert ("Bob Falk" in browser.text, "cleo.lund" in browser.text) == (True, False)
    rows = list(csv.DictReader(io.StringIO(browser.portal.get(f"{HOME}/runs/{run}/changes.csv").text)))
    assert {row["name"] for row in rows if row["what"] == "created"} == {"SN-0", "SN-1", "SN-2"}
    assert [row["after"] for row in rows if (row["name"], row["field"]) == ("SN-1", "assignee_id")] == [
        "bob.falk@acme.example"
    ]
    assert browser.portal.get(f"{HOME}/runs/{run + 100}").status_code == 404


def test_a_csv_of_a_run_holds_no_formula(signed_in: SignIn, tenant: Tenant) -> None:
    tenant.sync([device("d0", "SN-0", "ann.berg@acme.example", osVersion="=1+1")])
    answer = signed_in("acme-secondary").portal.get(f"{HOME}/runs/{last_run(tenant)}/changes.csv")
    assert "'=1+1" in answer.text
    assert ",=1+1" not in answer.text


def test_a_run_is_undone_after_a_look_at_what_that_does(signed_in: SignIn, tenant: Tenant) -> None:
    run = last_run(tenant)
    browser = signed_in("acme-primary").open(f"{HOME}/runs/{run}")
    browser.follow("Undo what is unchanged since")
    assert browser.title == f"Undo run {run}?"
    assert "10.0.2</span> → 10.0.1" in browser.text
    assert tenant.asset("SN-0")["os_version"] == "10.0.2", "looking changes nothing"
    browser.press(f"Undo run {run}")
    assert browser.title == f"Run {run} is undone"
    assert tenant.asset("SN-0")["os_version"] == "10.0.1"
    assert f'by <a href="{HOME}/runs/{run + 1}">run {run + 1}</a>' in browser.open(f"{HOME}/runs/{run}").text
    assert ">Undone</a>" in browser.open(HOME).text
    assert "There is nothing to undo" in browser.open(f"{HOME}/runs/{run}/undo").text


def test_what_stays_is_told_with_its_reason(signed_in: SignIn, tenant: Tenant) -> None:
    tenant.run("update assets set notes = 'scratched' where serial_number = 'SN-1'")
    browser = signed_in("acme-primary").open(f"{HOME}/runs/{last_run(tenant) - 1}/undo")
    assert "What stays as it is, and why" in browser.text
    assert "Created by the run, but changed by a person since." in browser.text


def test_undoing_asks_for_a_recent_sign_in(signed_in: SignIn, tenant: Tenant, clock: Clock) -> None:
    run = last_run(tenant)
    browser = signed_in("acme-primary").open(f"{HOME}/runs/{run}/undo")
    clock.move(timedelta(minutes=11))
    browser.press(f"Undo run {run}")
    assert browser.title == "Sign in again to do this"
    assert tenant.asset("SN-0")["os_version"] == "10.0.2"


def test_after_an_undo_the_overview_is_about_the_last_sync(signed_in: SignIn, tenant: Tenant) -> None:
    run = last_run(tenant)
    browser = signed_in("acme-primary").open(f"{HOME}/runs/{run}/undo").press(f"Undo run {run}")
    text = browser.open(HOME).text
    assert '<dt>In Intune</dt><dd><a href="#in-intune">3</a></dd>' in text
    browser.open(f"{HOME}/result")
    assert "3 devices in Intune" in browser.text


def test_a_field_says_who_set_it_and_is_locked_and_unlocked(signed_in: SignIn, tenant: Tenant) -> None:
    with tenant.engine.begin() as db:
        db.execute(sa.text("select set_config('allwhere.actor', 'ann@acme.example', true)"))
        db.execute(sa.text("update assets set notes = 'scratched' where serial_number = 'SN-0'"))
    page = f"{HOME}/device?serial_number=SN-0"
    browser = signed_in("acme-primary").open(page)
    assert f'href="{HOME}/runs/{last_run(tenant)}">Intune, sync {last_run(tenant)}</a>' in browser.text
    assert "ann@acme.example, <time" in browser.text
    browser.press("Lock OS version")
    tenant.sync([fleet("10.0.3")[0]])
    text = browser.open(page).text
    assert "Intune says: <strong>10.0.3</strong>" in text
    browser.press("Unlock OS version")
    tenant.sync([fleet("10.0.3")[0]])
    assert tenant.asset("SN-0")["os_version"] == "10.0.3"
    assert not signed_in("acme-secondary").open(page).has_button("Lock")


def test_what_an_undo_keeps_back_is_lifted(signed_in: SignIn, tenant: Tenant) -> None:
    run = last_run(tenant)
    browser = signed_in("acme-primary").open(f"{HOME}/runs/{run}/undo").press(f"Undo run {run}")
    tenant.sync([fleet("10.0.2")[0]])
    browser.open(f"{HOME}/device?serial_number=SN-0")
    assert "Undone, kept back" in browser.text
    browser.press("Lift OS version")
    assert "Undone, kept back" not in browser.text
    tenant.sync([fleet("10.0.2")[0]])
    assert tenant.asset("SN-0")["os_version"] == "10.0.2"


def test_a_device_whose_creation_was_undone_is_let_in_again(signed_in: SignIn, tenant: Tenant) -> None:
    browser = signed_in("acme-primary")
    for run in (last_run(tenant), last_run(tenant) - 1):
        browser.open(f"{HOME}/runs/{run}/undo").press(f"Undo run {run}")
    browser.open(f"{HOME}/device?serial_number=SN-0")
    assert "Syncs do not create it again." in browser.text
    browser.press("Lift: let the next sync create it")
    tenant.sync(fleet("10.0.2"))
    assert set(tenant.assets()) == {"SN-0"}


def test_every_page_says_which_organisation_and_tenant_it_is_about(signed_in: SignIn, tenant: Tenant) -> None:
    browser = signed_in("acme-primary")
    for path in ("", "/devices", "/settings", "/audit", f"/runs/{last_run(tenant)}"):
        head = browser.open(f"{HOME}{path}").text.partition("</header>")[0]
        assert "<strong>Acme</strong>" in head, path
        assert "contoso.example" in head, path
    assert "contoso.example" not in signed_in("globex-primary").open(HOME).text


def test_hostile_names_are_text(signed_in: SignIn, app: FastAPI, engine: sa.Engine) -> None:
    acme: Customer = furnish(engine, "acme", "<script>alert(1)</script>")
    for path in (HOME, f"{HOME}/runs/{acme.run_id}", f"{HOME}/device?serial_number={acme.serial_number}"):
        assert "<script>alert" not in signed_in("acme-primary").open(path).text
