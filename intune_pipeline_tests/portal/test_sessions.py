"""Sessions that end: what a stolen cookie, an old tab and a late form can and cannot do."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts, schema, sessions
from intune_pipeline.portal.browser_sessions import safe_return
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
COOKIE = "__Host-allwhere-intune"
SignIn = Callable[[str], Browser]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def copy_of(browser: Browser, app: FastAPI) -> TestClient:
    """A thief's browser: the same cookie, elsewhere."""
    cookies = {COOKIE: browser.portal.cookies[COOKIE]}
    return TestClient(app, base_url=PORTAL, cookies=cookies, follow_redirects=False)


def is_open(client: TestClient) -> bool:
    """Whether a cookie still opens the first page."""
    return not client.get(HOME).headers.get("location", "").startswith("/sign-in")


def grow_old(engine: sa.Engine, by: timedelta) -> None:
    """Let every password have been given longer ago."""
    with engine.begin() as db:
        table = schema.portal_sessions
        db.execute(sa.update(table).values(authenticated_at=table.c.authenticated_at - by))


def test_the_database_knows_only_a_hash_of_the_cookie(signed_in: SignIn, engine: sa.Engine) -> None:
    token = signed_in("acme-primary").portal.cookies[COOKIE]
    with engine.connect() as db:
        kept = db.execute(sa.text("select * from portal_sessions")).one()
    assert token not in str(kept)
    assert (kept.subject, kept.role, kept.email) == ("auth0|acme-primary", "primary_admin", "primary@acme.example")


def test_a_stolen_cookie_is_not_renewed_by_beginning_a_sign_in(signed_in: SignIn, app: FastAPI, clock: Clock) -> None:
    thief = copy_of(signed_in("acme-primary"), app)
    for _ in range(16):
        clock.move(timedelta(minutes=30))
        answer = thief.get("/sign-in/start")
        assert COOKIE not in answer.headers.get("set-cookie", "")
        open_still = is_open(thief)
    assert not open_still


def test_a_session_ends_after_eight_hours_however_busy(signed_in: SignIn, app: FastAPI, clock: Clock) -> None:
    client = copy_of(signed_in("acme-primary"), app)
    for _ in range(15):
        clock.move(timedelta(minutes=30))
        assert is_open(client)
    clock.move(timedelta(minutes=30))
    assert not is_open(client)


def test_a_session_ends_after_an_hour_without_a_request(signed_in: SignIn, app: FastAPI, clock: Clock) -> None:
    client = copy_of(signed_in("acme-primary"), app)
    clock.move(timedelta(minutes=59))
    assert is_open(client)
    clock.move(timedelta(minutes=60))
    assert not is_open(client)


def test_a_page_that_asks_for_news_by_itself_keeps_no_session_alive(
    signed_in: SignIn, app: FastAPI, clock: Clock, acme: Customer
) -> None:
    client = copy_of(signed_in("acme-primary"), app)
    for _ in range(6):
        clock.move(timedelta(minutes=10))
        news = client.get(f"{HOME}/progress.json", headers={"Accept": "application/json"})
    assert news.status_code == 401


def test_signing_out_ends_copies_of_the_cookie_too(signed_in: SignIn, app: FastAPI) -> None:
    browser, other = signed_in("acme-primary"), signed_in("acme-primary")
    thief = copy_of(browser, app)
    browser.press("Sign out")
    assert not is_open(thief)
    assert is_open(copy_of(other, app))


def test_signing_out_everywhere_ends_every_session_of_the_person_and_of_nobody_else(
    signed_in: SignIn, app: FastAPI, acme: Customer
) -> None:
    browser, other, colleague = signed_in("acme-primary"), signed_in("acme-primary"), signed_in("acme-secondary")
    browser.open(f"{HOME}/settings").press("Sign out everywhere")
    assert browser.title == "You are signed out"
    assert not is_open(copy_of(other, app))
    assert is_open(copy_of(colleague, app))


def test_an_operator_ends_an_accounts_sessions(
    signed_in: SignIn, app: FastAPI, engine: sa.Engine, clock: Clock
) -> None:
    ours, theirs = signed_in("acme-primary"), signed_in("globex-primary")
    with engine.begin() as db:
        assert sessions.end_of_account(db, accounts.get(db, "acme").id, clock()) == 1
    assert not is_open(copy_of(ours, app))
    assert is_open(copy_of(theirs, app))


def test_signing_in_anew_ends_the_session_this_browser_had(signed_in: SignIn, app: FastAPI) -> None:
    browser = signed_in("acme-primary")
    thief = copy_of(browser, app)
    browser.open("/sign-in/start").open_as("acme-primary")
    assert not is_open(thief)


def test_a_deep_link_survives_the_sign_in(browser: Browser, acme: Customer) -> None:
    browser.open(f"{HOME}/devices?search=ACME-SN1&order=asc")
    browser.follow("Sign in to allwhere").open_as("acme-primary")
    assert browser.url == f"{PORTAL}{HOME}/devices?search=ACME-SN1&order=asc"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/integrations/intune", "//evil.example/integrations/intune", "/\\evil.example",
        "/integrations/intune\\@evil.example", "/integrations/intunes", "/integrations/intune\r\nx", "javascript:alert(1)",
        "/sign-out", "", "/integrations/intune/" + "x" * 5000,
    ],
)  # fmt: skip
def test_a_sign_in_leads_to_pages_of_the_portal_only(address: str) -> None:
    assert safe_return(address) == HOME


def test_a_form_sent_too_late_is_kept_and_shown_again(
    signed_in: SignIn, engine: sa.Engine, clock: Clock, acme: Customer
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/models/teach")
    clock.move(timedelta(hours=2))
    note = "Typed for a long time: <b>&"
    browser.press("Show what would change", model_pattern="^ACME MacBook", note=note, device_type="tablet")
    assert browser.answer.status_code == 401
    assert "What you typed is kept" in browser.text
    with engine.connect() as db:
        assert note not in str(db.execute(sa.text("select * from kept_forms")).one())
    browser.follow("Sign in").open_as("acme-primary")
    assert browser.title == "Send this again?"
    assert "Typed for a long time: &lt;b&gt;&amp;" in browser.text
    browser.press("Send it")
    assert browser.title == "Every model of this pattern is a tablet?"


def test_a_kept_form_is_shown_to_nobody_else(signed_in: SignIn, app: FastAPI, clock: Clock, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/models/teach")
    clock.move(timedelta(hours=2))
    browser.press("Show what would change", model_pattern="secret-word")
    found = re.search(r"form%3D([\w-]+)", browser.text)
    assert found
    for user in ("acme-secondary", "globex-primary"):
        answer = signed_in(user).open(f"{HOME}/send-again?form={found.group(1)}").answer
        assert answer.status_code == 404
        assert "secret-word" not in answer.text
    clock.move(timedelta(hours=1, seconds=1))
    assert signed_in("acme-primary").open(f"{HOME}/send-again?form={found.group(1)}").answer.status_code == 404


def test_a_form_of_another_site_is_not_kept(signed_in: SignIn, engine: sa.Engine, clock: Clock) -> None:
    browser = signed_in("acme-primary")
    clock.move(timedelta(hours=2))
    answer = browser.portal.post(f"{HOME}/models/teach", data={"form_token": "1.forged", "note": "theirs"})
    assert answer.status_code == 401
    with engine.connect() as db:
        assert db.scalar(sa.text("select count(*) from kept_forms")) == 0


def test_a_form_of_the_organisation_before_says_so_and_writes_nothing(
    signed_in: SignIn, engine: sa.Engine, acme: Customer, app: FastAPI
) -> None:
    furnish(engine, "globex", "GLOBEX")
    tab = signed_in("acme-primary").open(f"{HOME}/settings")
    stale = tab.form_token()
    tab.open("/sign-in/start").open_as("globex-primary")
    answer = tab.portal.post(f"{HOME}/settings/lookalikes", data={"form_token": stale, "hold": "true"})
    assert answer.status_code == 403
    assert "You changed the organisation" in answer.text
    assert "GLOBEX" in answer.text
    with engine.connect() as db:
        assert set(db.scalars(sa.select(schema.connections.c.hold_lookalike_employees))) == {False}


def test_disconnecting_asks_for_a_sign_in_of_the_last_ten_minutes(
    signed_in: SignIn, engine: sa.Engine, acme: Customer
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings/disconnect")
    grow_old(engine, timedelta(minutes=11))
    browser.press("Disconnect")
    assert (browser.answer.status_code, browser.title) == (401, "Sign in again to do this")
    assert status_of(engine, acme) == "connected"
    browser.follow("Sign in")
    assert "max_age=600" in browser.url
    browser.open_as("acme-primary").press("Send it")
    assert status_of(engine, acme) == "disconnected"


def test_a_provider_that_does_not_ask_again_proves_nothing(
    signed_in: SignIn, engine: sa.Engine, acme: Customer, clock: Clock
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings/disconnect")
    grow_old(engine, timedelta(minutes=11))
    browser.press("Disconnect")
    # To the portal the provider's auth_time is an hour old.
    clock.move(timedelta(minutes=59))
    browser.follow("Sign in").open_as("acme-primary")
    assert browser.answer.status_code == 401
    assert "did not ask you to sign in again" in browser.text
    assert status_of(engine, acme) == "connected"


def test_an_old_token_of_the_api_reveals_nothing(
    app: FastAPI, sandbox: SandboxCloud, acme: Customer, clock: Clock
) -> None:
    headers = {"Authorization": f"Bearer {sandbox.sign_in_token('acme-primary')}"}
    client = TestClient(app, base_url=PORTAL, headers=headers)
    asked = {"serial_number": acme.serial_number, "reason": "the user left"}
    assert client.post("/api/v1/device/bypass-code", json=asked).json()["bypass_code"] == acme.bypass_code
    clock.move(timedelta(minutes=11))
    answer = client.post("/api/v1/device/bypass-code", json=asked)
    assert answer.status_code == 401
    assert "insufficient_user_authentication" in answer.headers["www-authenticate"]
    assert acme.bypass_code not in answer.text


def test_six_reveals_within_an_hour_are_one_too_many(
    app: FastAPI, api: Callable[[str], TestClient], acme: Customer
) -> None:
    asked = {"serial_number": acme.serial_number, "reason": "the user left"}
    client = api("acme-primary")
    answers = [client.post("/api/v1/device/bypass-code", json=asked).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_a_renamed_organisation_takes_no_account_over(
    app: FastAPI, engine: sa.Engine, api: Callable[[str], TestClient]
) -> None:
    """Accounts go by the organisation's immutable id once somebody signed in; its name is for show."""
    assert api("acme-primary").get("/api/v1/me").json()["account"] == "acme"
    with engine.begin() as db:
        impostor = accounts.of_organization(db, "org_somebody_else", "acme")
        assert impostor == (None, False)
        bound = db.scalar(sa.select(schema.accounts.c.org_id).where(schema.accounts.c.slug == "acme"))
        assert accounts.of_organization(db, str(bound), "Renamed Ltd")[0] == accounts.get(db, "acme")


def status_of(engine: sa.Engine, customer: Customer) -> str:
    """The connection's status."""
    table = schema.connections
    with engine.connect() as db:
        return str(db.scalar(sa.select(table.c.status).where(table.c.id == customer.connection_id)))
