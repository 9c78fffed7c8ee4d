"""Settings, decisions, teaching, disconnecting, the audit log."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import connections, holds, schema
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


@pytest.mark.parametrize(("button", "decision"), [("link", "linked"), ("create", "created"), ("Skip", "skipped")])
def test_a_lookalike_is_decided_beside_the_employee_it_resembles(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, button: str, decision: str
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/holds")
    assert "Ada ACME (ada@home-ACME.example)" in browser.text
    wanted = {"link": "Same person: link", "create": "Someone else: create", "Skip": "Skip ada"}[button]
    browser.press(wanted)
    with engine.connect() as db:
        decided = dict(
            db.execute(sa.select(schema.employee_holds.c.id, schema.employee_holds.c.decision)).tuples().all()
        )
    assert sorted(decided.values()) == sorted([decision, "waiting"])


def test_all_lookalikes_are_decided_at_once(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/holds").press("Create all")
    assert "People who look like" not in browser.text
    with engine.connect() as db:
        assert holds.employees_waiting(db, "acme") == []


def test_what_was_decided_meanwhile_is_a_sentence(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/holds")
    with engine.begin() as db:
        holds.decide_employees(db, "acme", acme.employee_holds, "skip", decided_by="somebody else")
    browser.press("Create all")
    assert browser.answer.status_code == 409
    assert "waits for a decision" in browser.text


def test_held_lifecycle_ends_are_released_or_dropped(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    signed_in("acme-primary").open(f"{HOME}/holds").press("Drop")
    with engine.connect() as db:
        assert db.scalar(sa.select(schema.lifecycle_holds.c.decision)) == "dropped"


def test_an_unknown_model_is_taught_after_a_preview(signed_in: SignIn, acme: Customer, engine: sa.Engine) -> None:
    with engine.begin() as db:
        db.execute(
            sa.update(schema.device_outcomes)
            .where(schema.device_outcomes.c.intune_device_id == "ACME-5")
            .values(operating_system="Windows", manufacturer="ACME Inc.", model="ACME Model X", device_type="unknown")
        )
    browser = signed_in("acme-primary").open(f"{HOME}/models").follow("Teach")
    assert "^ACME\\ Model\\ X$" in browser.text
    browser.press("Show what would change", device_type="tablet")
    assert "1 known device would change" in browser.text
    browser.press("Add this rule")
    assert browser.path == f"{HOME}/models"
    assert "^ACME\\ Model\\ X$" in browser.text
    browser.press("Remove rule ^ACME Special$")
    assert "^ACME Special$" not in browser.text


def test_a_bad_pattern_is_explained_and_kept_for_correction(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/models/teach").press("Show what would change", model_pattern="(")
    assert browser.answer.status_code == 422
    assert 'value="("' in browser.text
    assert 'role="alert"' in browser.text


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
    for path in ("settings", "holds", "models", "audit", "devices"):
        browser.open(f"{HOME}/{path}")
        assert browser.answer.status_code == 200
        for button in ("Turn o", "link", "Release", "Remove", "Disconnect", "Reveal"):
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
