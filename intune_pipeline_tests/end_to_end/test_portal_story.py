"""The portal's whole story in a real browser: sign in, connect, consent, watch the first sync, live with it, sign out.

Chromium drives a portal served on loopback, beside the sandbox cloud and a real Dagster run for each sync. With
``PORTAL_SCREENSHOTS=docs/screenshots`` the pictures of the docs are taken on the way.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa
import uvicorn

from intune_pipeline.inventory import accounts, audit, connections, schema
from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.sync.launch import run_sync
from intune_pipeline.portal.app import create_app
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings
from intune_pipeline_tests.chromium import needs_chromium
from intune_pipeline_tests.end_to_end.accessibility import accessible, fits_and_reads

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
HOME = "/integrations/intune"
SCREENSHOTS = os.environ.get("PORTAL_SCREENSHOTS")
SHARED_NAME = ("Ada", "Byron")
SERIAL = "C02STORY0001"
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
WIDTHS = (1440, 1280, 390)


@pytest.fixture(scope="module")
def tenant() -> SandboxTenant:
    """A customer's tenant: a fleet, and a person who looks like an employee of theirs."""
    fleet = generate_fleet(seed=11, size=150)
    first = next(record for record in fleet if record["managedDeviceOwnerType"] == "company")
    ada = {
        **first,
        "id": "11111111-aaaa-4aaa-8aaa-111111111111",
        "deviceName": "Ada's MacBook",
        "serialNumber": SERIAL,
        "operatingSystem": "macOS",
        "manufacturer": "Apple",
        "model": "MacBook Pro (14-inch, 2021)",
        "managementState": "managed",
        "userId": "22222222-aaaa-4aaa-8aaa-222222222222",
        "userDisplayName": " ".join(SHARED_NAME),
        "userPrincipalName": "ada.byron@acme.example",
        "emailAddress": "ada.byron@acme.example",
    }
    long = {
        **ada,
        "id": "33333333-aaaa-4aaa-8aaa-333333333333",
        "deviceName": LONG,
        "serialNumber": LONG[:100],
        "userId": "44444444-aaaa-4aaa-8aaa-444444444444",
        "userDisplayName": f"Max {LONG[:60]}",
        "userPrincipalName": f"max.{LONG[:60].lower()}@acme.example",
        "emailAddress": f"max.{LONG[:60].lower()}@acme.example",
    }
    bare = {**long, "id": "55555555-aaaa-4aaa-8aaa-555555555555", "deviceName": "No plate", "serialNumber": ""}
    return SandboxTenant("acme", [*fleet, ada, long, bare], consented=False)


@pytest.fixture(scope="module")
def sandbox(tenant: SandboxTenant) -> Iterator[SandboxCloud]:
    with SandboxCloud([tenant]).running() as cloud:
        yield cloud


@pytest.fixture
def customer(engine: sa.Engine) -> None:
    """Account acme with one employee who has only a personal e-mail."""
    with engine.begin() as db:
        account_id = accounts.create(db, "acme", "Acme").id
        employee_id = db.scalar(
            sa.insert(schema.employees)
            .values(account_id=account_id, first_name=SHARED_NAME[0], last_name=SHARED_NAME[1])
            .returning(schema.employees.c.id)
        )
        db.execute(
            sa.insert(schema.employee_emails).values(
                employee_id=employee_id, account_id=account_id, email="ada@home.example", kind="personal"
            )
        )


@pytest.fixture
def address(engine: sa.Engine, sandbox: SandboxCloud, customer: None) -> Iterator[str]:
    """The portal, served on loopback."""
    with served(engine, sandbox) as url:
        yield url


@contextlib.contextmanager
def served(engine: sa.Engine, sandbox: SandboxCloud) -> Iterator[str]:
    """The portal's address while it is served on loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    given = {name.lower(): value for name, value in sandbox.environment().items()}
    portal = PortalSettings(
        portal_url=url,
        portal_session_secret="s" * 40,
        auth0_ca_bundle=sandbox.ca_bundle,
        **{name: value for name, value in given.items() if name.startswith("auth0_") and name != "auth0_ca_bundle"},
    )
    microsoft = MicrosoftSettings(**{name: value for name, value in given.items() if name.startswith("microsoft_")})
    app = create_app(Settings(), portal, microsoft, engine)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield url
    server.should_exit = True
    thread.join()


@pytest.fixture
def sync(database: str, sandbox: SandboxCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """``sync("initial")`` starts what the daemon would: a real run of the job, in the background."""
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", database)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    threads = []
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = build_defs()

        def start(trigger: str) -> None:
            given = {"trigger": trigger, "instance": instance, "defs": definitions}
            threads.append(threading.Thread(target=run_sync, args=("acme",), kwargs=given))
            threads[-1].start()

        yield start
        for thread in threads:
            thread.join()


@pytest.fixture
def page(chromium: "Browser", address: str) -> Iterator["Page"]:
    """A tab of a phone-sized to desktop-sized browser; what a page logs as an error fails the test."""
    context = chromium.new_context(
        base_url=address,
        ignore_https_errors=True,
        viewport={"width": 1280, "height": 800},
        timezone_id="Europe/Berlin",
        locale="en-GB",
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not [said for said in complaints if "status of" not in said], complaints


def press(page: "Page", text: str, *, key: str = "Enter") -> None:
    """Reach a link, button or box by the Tab key alone and press it."""
    page.evaluate("document.activeElement?.blur()")
    described = (
        "element => element.matches('a, button, input, select, summary')"
        " ? (element.labels?.[0]?.innerText ?? element.innerText) : ''"
    )
    for _ in range(200):
        page.keyboard.press("Tab")
        if text in page.evaluate(f"({described})(document.activeElement)"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"focus on {text!r} cannot be seen"
            page.keyboard.press(key)
            return
    raise AssertionError(f"{text!r} cannot be reached by keyboard on {page.url}")


def heading(page: "Page", text: str) -> None:
    """Wait for the page with this heading, and hold it to the rules of accessibility."""
    page.get_by_role("heading", level=1, name=text).wait_for()
    accessible(page)


def picture(page: "Page", name: str, *, whole: bool = True) -> None:
    """Take a picture for the docs, of the whole page or of what the window shows."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"portal-{name}.png", full_page=whole)


def sign_in(page: "Page", user: str) -> None:
    page.goto("/sign-in")
    heading(page, "Microsoft Intune in allwhere")
    press(page, "Sign in to allwhere")
    page.locator(f'button[value="{user}"]').click()


def at_microsoft(page: "Page", account: str) -> None:
    page.get_by_role("button", name=account).click()


def test_an_admin_connects_watches_trusts_and_leaves(
    page: "Page", sync: Callable[[str], None], engine: sa.Engine, sandbox: SandboxCloud
) -> None:
    sign_in(page, "acme-primary")

    heading(page, "Connect Microsoft Intune")
    page.get_by_text("You have 1 employee; 1 of them has no work e-mail.").wait_for()
    assert page.get_by_label("Hold look-alikes for my decision").is_checked()
    assert not page.get_by_label("Allow MDM to update allwhere assignee").is_checked()
    picture(page, "connect")
    press(page, "Continue to Microsoft")
    at_microsoft(page, "admin@acme.example")
    page.get_by_role("button", name="Accept").click()
    at_microsoft(page, "admin@acme.example")

    heading(page, "Your first sync")
    sandbox.faults.largest_page, sandbox.faults.slow_seconds = 25, 0.25
    loaded = page.evaluate("performance.timeOrigin")
    sync("initial")
    page.locator("[data-count=read]").filter(has_text=re.compile("^[1-9]")).wait_for()
    picture(page, "progress")
    assert page.evaluate("performance.timeOrigin") == loaded, "progress came without reloading"
    page.wait_for_url(f"**{HOME}/result")
    sandbox.faults.reset()
    heading(page, "Your first sync is done")
    picture(page, "result")

    press(page, "Decide now")
    heading(page, "Decisions")
    page.get_by_text("ada@home.example").wait_for()
    picture(page, "decisions")
    press(page, "Make this person one with the employee beside them")
    heading(page, "Make this person one with the employee beside them?")
    press(page, "Make this person one with the employee beside them")
    page.get_by_text("1 person is one with the employee beside them").first.wait_for()
    page.get_by_text("Nobody waits for a decision.").wait_for()

    half_an_hour_passes(engine)
    press(page, "Overview")
    heading(page, "Microsoft Intune")
    assert re.search("CES?T$", page.locator("time").first.inner_text()), "times name the reader's own zone"
    assert page.locator("time").first.get_attribute("title").endswith("UTC"), "times are the reader's own"
    for _ in range(2):
        press(page, "Sync Now")
        heading(page, "Sync in progress")
        page.goto(HOME)
    assert requests_for(engine, "manual") == 1
    page.goto(f"{HOME}/progress")
    sync("manual")
    page.wait_for_url(f"**{HOME}/result")
    press(page, "Overview")
    heading(page, "Microsoft Intune")
    page.get_by_text("Possible again at").wait_for()
    assert page.get_by_role("button", name="Sync Now").is_disabled()
    picture(page, "status")
    page.emulate_media(color_scheme="dark")
    picture(page, "dark", whole=False)
    page.emulate_media(color_scheme="light")

    press(page, "Settings")
    heading(page, "Settings")
    press(page, "Turn on")
    page.get_by_role("heading", name="Let Intune decide who has a device?").wait_for()
    accessible(page)
    picture(page, "assignee", whole=False)
    press(page, "Cancel")
    assert not connection_of(engine).mdm_assignee_updates
    press(page, "Turn on")
    press(page, "Yes, turn on")
    page.get_by_text("the assignee of allocated and transferred assets follows").wait_for()
    assert connection_of(engine).mdm_assignee_updates

    the_overviews_numbers_lead_to_the_devices_they_count(page)
    devices_are_found_opened_and_left_without_losing_the_place(page)

    press(page, "Audit log")
    heading(page, "Audit log")
    assert page.locator("tbody tr").count() >= 3

    page.goto(f"{HOME}/runs/1")
    heading(page, "Run 1: First sync")
    picture(page, "run", whole=False)
    press(page, "Undo what is unchanged since")
    heading(page, "Undo run 1?")
    picture(page, "undo", whole=False)
    press(page, "Undo run 1")
    heading(page, "Run 1 is undone")
    page.goto(f"{HOME}/runs/1")
    page.get_by_role("heading", name="Undone").wait_for()

    every_page_fits_and_reads_by_day_and_night(page)
    press(page, "Sign out")
    heading(page, "You are signed out")
    page.goto(HOME)
    heading(page, "Microsoft Intune in allwhere")
    assert {entry.action for entry in audit_of(engine)} >= {"connect", "release", "settings", "undo"}


def the_overviews_numbers_lead_to_the_devices_they_count(page: "Page") -> None:
    """Each number of the table is the number of the list behind it, and the parts add up to the whole."""
    press(page, "Overview")
    heading(page, "Microsoft Intune")
    rows = page.locator("table.totals tbody tr")
    counts = [int(re.sub(r"\D", "", text)) for text in rows.locator("td.count").all_inner_texts()]
    *parts, listed, _ = counts
    assert sum(parts) == listed
    links = {
        row.locator("th a").get_attribute("href"): count
        for row, count in zip(rows.all(), counts, strict=True)
        if row.locator("th a").count()
    }
    assert len(links) > 3
    for href, count in links.items():
        page.goto(str(href))
        assert page.get_by_role("status").inner_text().startswith(f"{count} device"), href
    page.goto(HOME)
    press(page, "Laptop")
    heading(page, "Devices")
    page.get_by_role("link", name="Type: Laptop").wait_for()


def devices_are_found_opened_and_left_without_losing_the_place(page: "Page") -> None:
    """By user, by model, by filter; a device's page leads back to the same list."""
    press(page, "Clear all")
    page.wait_for_url(f"**{HOME}/devices")
    press(page, "Next")
    page.get_by_text("page 2 of").wait_for()
    page.get_by_label("Page", exact=True).fill("1")
    press(page, "Go")
    page.get_by_text("page 1 of").wait_for()
    assert "time_zone=Europe%2FBerlin" in str(page.get_by_text("Download as CSV").get_attribute("href"))
    page.get_by_label("Search").fill("no plate")
    press(page, "Show")
    page.get_by_text("1 device, page 1").wait_for()
    press(page, "No serial number")
    heading(page, "No plate")
    page.get_by_text("Not synced: No serial number").wait_for()
    press(page, "Devices")
    heading(page, "Devices")
    page.get_by_label("Search").fill("nobody has this")
    press(page, "Show")
    page.get_by_text("No device fits").wait_for()
    page.get_by_label("Search").fill("ada.byron@")
    page.get_by_label("System").select_option("macOS")
    press(page, "Show")
    page.get_by_role("link", name="System: macOS").wait_for()
    press(page, SERIAL)
    heading(page, SERIAL)
    page.get_by_text("Ada Byron").first.wait_for()
    picture(page, "device")
    press(page, "‹ Devices")
    heading(page, "Devices")
    assert page.get_by_label("Search").input_value() == "ada.byron@"
    press(page, "Clear all")
    page.wait_for_url(f"**{HOME}/devices")
    picture(page, "devices", whole=False)


def every_page_fits_and_reads_by_day_and_night(page: "Page") -> None:
    """No page scrolls sideways, whatever is called how, and axe finds nothing, at three widths and in both themes."""
    for path in (
        "",
        "/devices",
        "/devices?search=nobody+has+this",
        "/settings",
        "/models",
        "/decisions",
        "/audit",
        "/runs/1",
        f"/device?serial_number={SERIAL}",
        f"/device?serial_number={LONG[:100]}",
    ):
        page.goto(f"{HOME}{path}")
        fits_and_reads(page, WIDTHS)
        if path in {"", "/devices"}:
            picture(page, f"phone{path.replace('/', '-')}", whole=False)


def test_refusals_are_pages_that_say_what_to_do(page: "Page", engine: sa.Engine) -> None:
    page.emulate_media(color_scheme="dark")
    sign_in(page, "acme-no-beta")
    heading(page, "Not part of the beta yet")
    press(page, "Sign out")
    heading(page, "You are signed out")

    sign_in(page, "acme-secondary")
    heading(page, "Connect Microsoft Intune")
    page.get_by_text("A Primary Admin has to do this").wait_for()
    press(page, "Sign out")
    heading(page, "You are signed out")

    sign_in(page, "acme-primary")
    heading(page, "Connect Microsoft Intune")
    press(page, "Continue to Microsoft")
    at_microsoft(page, "user@acme.example")
    page.get_by_role("button", name="Return to the application").click()
    heading(page, "Consent was not given")

    page.goto(f"{HOME}/connect/consent?admin_consent=True&tenant=0f2c1e5a-1234-5678-9abc-def012345678")
    heading(page, "Thank you. One more step, in allwhere")
    page.goto(f"{HOME}/connect/consent?admin_consent=True&tenant=0f2c1e5a-1234-5678-9abc-def012345678&state=made-up")
    heading(page, "This connection attempt is not yours to finish")
    with engine.connect() as db:
        assert connections.of_account(db, "acme") is None


def test_without_script_everything_still_works(chromium: "Browser", address: str, engine: sa.Engine) -> None:
    context = chromium.new_context(base_url=address, ignore_https_errors=True, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in to allwhere").click()
    page.locator('button[value="acme-primary"]').click()
    page.get_by_role("button", name="Continue to Microsoft").click()
    at_microsoft(page, "admin@acme.example")
    page.get_by_role("button", name="Accept").click()
    at_microsoft(page, "admin@acme.example")
    page.get_by_role("heading", level=1, name="Your first sync").wait_for()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Turn on").click()
    page.get_by_role("button", name="Yes, turn on").click()
    page.get_by_role("heading", level=1, name="Settings").wait_for()
    context.close()
    assert connection_of(engine).mdm_assignee_updates


def half_an_hour_passes(engine: sa.Engine) -> None:
    """Let the last request for a sync be older than the debounce."""
    with engine.begin() as db:
        earlier = schema.sync_requests.c.requested_at - timedelta(minutes=31)
        db.execute(sa.update(schema.sync_requests).values(requested_at=earlier))


def requests_for(engine: sa.Engine, trigger: str) -> int:
    with engine.connect() as db:
        asked = sa.select(sa.func.count()).where(schema.sync_requests.c.trigger == trigger)
        return int(db.scalar(asked) or 0)


def connection_of(engine: sa.Engine) -> connections.Record:
    with engine.connect() as db:
        return connections.get(db, "acme")


def audit_of(engine: sa.Engine) -> list[audit.Entry]:
    with engine.connect() as db:
        return audit.entries(db, "acme")
