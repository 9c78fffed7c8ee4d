"""An admin decides about people, devices, duplicates, locks and models in a real browser, by keyboard alone.

Every page on the way is held to the rules of accessibility in both themes and three widths, and fits each of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import accounts, kept_values, plans, schema
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.chromium import needs_chromium
from intune_pipeline_tests.end_to_end.accessibility import fits_and_reads
from intune_pipeline_tests.end_to_end.test_portal_story import HOME, heading, press, served, sign_in
from intune_pipeline_tests.portal.customers import furnish
from intune_pipeline_tests.syncing import Tenant, device

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2


@pytest.fixture
def address(engine: sa.Engine) -> Iterator[str]:
    """The portal of a customer with something in every list."""
    customer = furnish(engine, "acme", "Acme")
    with engine.begin() as db:
        account_id = accounts.get(db, "acme").id
        given = {"account": account_id, "connection": customer.connection_id, "long": LONG}
        for statement in SEED:
            db.execute(sa.text(statement), given)
        kept_values.lock(db, "acme", customer.serial_number, "model", actor="bo@acme.example")
    tenant = SandboxTenant("acme", consented=True)
    with SandboxCloud([tenant]).running() as sandbox, served(engine, sandbox) as url:
        yield url


SEED = (
    "insert into employees (account_id, first_name, last_name) values (:account, 'Robert', 'Müller'), (:account, 'Bob', 'Mueller')",
    """insert into employee_holds (connection_id, email, first_name, last_name, lookalike_id, grade, reason)
       select :connection, 'p' || n || '@acme.example', 'Ann', :long || n, (select min(id) from employees), 'surely', 'the same name'
       from generate_series(1, 60) n""",
    """insert into employee_holds (connection_id, email, display_name, kind, reason)
       values (:connection, 'room@acme.example', 'Boardroom', 'shared', 'is named like a room')""",
    """update device_outcomes set operating_system = 'Windows', manufacturer = 'Acme Inc.', model = 'Acme Model X',
       device_type = 'unknown', outcome = 'skipped', reason = 'unknown_type', rule = 'none' where intune_device_id = 'Acme-5'""",
)


@pytest.fixture
def page(chromium: "Browser", address: str) -> Iterator["Page"]:
    context = chromium.new_context(base_url=address, ignore_https_errors=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints


def tick(page: "Page", name: str) -> None:
    """Reach the box of a row by the Tab key alone and tick it."""
    page.evaluate("document.activeElement?.blur()")
    for _ in range(90):
        page.keyboard.press("Tab")
        labelled = "document.getElementById(document.activeElement.getAttribute('aria-labelledby'))?.innerText ?? ''"
        if name in page.evaluate(labelled):
            page.keyboard.press("Space")
            return
    raise AssertionError(f"the box of {name!r} cannot be reached by keyboard")


def flawless(page: "Page") -> None:
    """No finding of axe-core at all, and no scrolling sideways, in both themes and three widths."""
    fits_and_reads(page, (1440, 768, 360))
    page.set_viewport_size({"width": 1280, "height": 900})


def test_everything_that_waits_is_decided_by_keyboard(page: "Page", engine: sa.Engine) -> None:
    sign_in(page, "acme-primary")
    page.goto(HOME)
    press(page, "Decisions")
    heading(page, "Decisions")
    flawless(page)

    tick(page, "Ada Acme.example")
    page.get_by_role("button", name="Make this person one with the employee beside them").wait_for()
    press(page, "those ticked above", key="ArrowDown")
    page.get_by_role("button", name="Make these 62 people one with the employee beside them").wait_for()
    press(page, "Add these 62 people as new employees")
    heading(page, "Add these 62 people as new employees?")
    flawless(page)
    press(page, "Cancel")
    heading(page, "Decisions")
    tick(page, "Ada Acme.example")
    press(page, "Make this person one")
    heading(page, "Make this person one with the employee beside them?")
    press(page, "Make this person one")
    page.get_by_role("heading", name="1 person is one with the employee beside them").wait_for()
    flawless(page)
    press(page, "Undo")
    page.get_by_text("1 person waits for a decision again.").wait_for()
    flawless(page)

    press(page, "Shared accounts")
    page.get_by_role("heading", name="Users who look like shared accounts").wait_for()
    flawless(page)
    press(page, "This is no person: leave it out")
    heading(page, "This is no person: leave it out?")
    press(page, "This is no person: leave it out")
    page.get_by_role("heading", name="1 user is left out").wait_for()

    press(page, "Devices that left")
    page.get_by_role("heading", name="Devices that left Intune").wait_for()
    flawless(page)
    press(page, "End this device's assignment")
    heading(page, "End this device's assignment?")
    page.get_by_text("Acme-SN1").wait_for()
    flawless(page)
    press(page, "Apply now: start a sync at once", key="Space")
    press(page, "End this device's assignment")
    page.get_by_text("A sync that does it was asked for.").wait_for()

    press(page, "Duplicate employees")
    page.get_by_role("heading", name="Employees who look like one person").wait_for()
    flawless(page)
    press(page, "One person")
    heading(page, "Are they one person?")
    flawless(page)
    press(page, "Make them one and keep Robert")
    page.get_by_text("They are one employee now").wait_for()
    flawless(page)

    press(page, "Field locks")
    page.get_by_role("heading", name="What syncs leave as it is").wait_for()
    flawless(page)
    press(page, "Lift")
    page.get_by_role("heading", name="Lifted").wait_for()

    with engine.connect() as db:
        made = (
            db.execute(sa.select(schema.hold_decisions.c.decision).order_by(schema.hold_decisions.c.id)).scalars().all()
        )
        asked = db.scalar(sa.select(sa.func.count()).select_from(schema.sync_requests))
    assert made == ["linked", "skipped", "released"]
    assert asked == 1


def test_a_model_is_taught_by_keyboard(page: "Page", engine: sa.Engine) -> None:
    sign_in(page, "acme-primary")
    page.goto(f"{HOME}/decisions")
    press(page, "Unknown models")
    page.get_by_role("heading", name="Models nobody has said the type of").wait_for()
    flawless(page)
    press(page, "Say what it is")
    heading(page, "What is Acme Inc. Acme Model X?")
    flawless(page)
    assert page.locator("input[type=radio]:checked").count() == 0
    assert not page.get_by_label("Model pattern").is_visible()
    page.locator("#type-laptop").focus()
    page.keyboard.press("ArrowUp")
    assert page.get_by_label("Leave out").is_checked(), "one goes round by arrow keys"
    press(page, "Show what would change")
    heading(page, "Acme Inc. Acme Model X is not an employee's device?")
    flawless(page)
    press(page, "Save:")
    page.get_by_role("heading", name="Saved: Acme Inc. Acme Model X is not an employee's device").wait_for()
    flawless(page)
    with engine.connect() as db:
        assert "unknown" in db.scalars(sa.select(schema.account_rules.c.device_type)).all()


def test_settings_plans_webhooks_and_help_fit_and_read_by_day_and_night(page: "Page", engine: sa.Engine) -> None:
    with engine.begin() as db:
        webhook, run, connection = db.execute(
            sa.text("select w.id, r.id, r.connection_id from webhooks w, sync_runs r limit 1")
        ).one()
        account_id = accounts.get(db, "acme").id
        plan_id = plans.request(db, connection, requested_by="primary@acme.example")
        plans.begin(db, plan_id)
    listed = [device(f"d{n}", f"SN-{n}", f"ann.{LONG.lower()}@acme.example", osVersion=LONG) for n in range(60)]
    planned = Tenant(engine, connection, account_id).plan(listed)
    with engine.begin() as db:
        plans.store(db, plan_id, planned)
    sign_in(page, "acme-primary")
    for path in (
        f"{HOME}/plan",
        f"{HOME}/plan/{plan_id}",
        f"{HOME}/webhooks",
        f"{HOME}/webhooks/{webhook}",
        f"{HOME}/settings/assignee",
        f"{HOME}/settings/disconnect",
        f"{HOME}/audit?action=settings",
        f"{HOME}/runs/{run}/undo",
        f"{HOME}/decisions/locks",
        f"{HOME}/decisions/decided",
        f"{HOME}/models/teach?manufacturer=Acme+Inc.&model=Acme+Model+X",
        "/guide",
        "/api/v1/docs",
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        flawless(page)
