"""Settings, disconnecting, the audit log."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import connections, schema
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def connection(engine: sa.Engine) -> connections.Record:
    with engine.connect() as db:
        return connections.get(db, "acme")


def test_the_assignee_switch_asks_first_and_says_what_will_change(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings").follow("Turn on")
    assert browser.title == "Let Intune decide who has a device?"
    assert "proven gone from Intune becomes transferred" in browser.text
    assert not connection(engine).mdm_assignee_updates
    browser.press("Yes, turn on")
    assert browser.path == f"{HOME}/settings"
    assert connection(engine).mdm_assignee_updates
    browser.follow("Turn off")
    browser.press("Yes, turn off")
    assert not connection(engine).mdm_assignee_updates
    assert "primary@acme.example" in browser.open(f"{HOME}/audit").text


def test_disconnecting_says_that_assets_stay_and_keeps_them(
    signed_in: SignIn, acme: Customer, engine: sa.Engine
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings").follow("Disconnect")
    assert "Your assets, employees and history stay" in browser.text
    browser.press("Disconnect")
    assert browser.path == HOME
    assert "Disconnected" in browser.text
    assert not browser.has_button("Sync Now")
    assert connection(engine).status == "disconnected"
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(schema.assets)) == 1


def test_a_secondary_admin_looks_and_finds_no_buttons(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-secondary")
    for path in ("settings", "models", "audit", "devices"):
        browser.open(f"{HOME}/{path}")
        assert browser.answer.status_code == 200
        for button in ("Turn o", "Take back", "Disconnect", "Reveal"):
            assert not browser.has_button(button), path
    assert browser.open(HOME).has_button("Sync Now")


def test_the_audit_log_is_paged(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    from intune_pipeline.inventory import accounts, audit

    with engine.begin() as db:
        account_id = accounts.get(db, "acme").id
        for number in range(60):
            audit.record(db, account_id, actor=f"actor-{number}", action="settings")
    browser = signed_in("acme-primary").open(f"{HOME}/audit")
    assert "actor-59" in browser.text
    assert "actor-5<" not in browser.text
    assert "actor-5<" in browser.follow("Older entries").text
