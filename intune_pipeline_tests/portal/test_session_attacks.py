"""Attacks on sessions, replayed from outside: cookies, forms and time, and nothing of how sessions are kept."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
SignIn = Callable[[str], Browser]
Wait = Callable[[timedelta], None]


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


@pytest.fixture
def wait(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """``wait(some_time)`` lets it pass, for the portal and for whatever signs cookies."""
    really, passed = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: really() + passed[0])

    def until(by: timedelta) -> None:
        passed[0] += by.total_seconds()
        clock.move(by)

    return until


def stolen(app: FastAPI, browser: Browser) -> TestClient:
    """A thief's browser with all cookies of another."""
    return TestClient(app, base_url=PORTAL, cookies=dict(browser.portal.cookies), follow_redirects=False)


def opens(client: TestClient) -> bool:
    """Whether the cookies open a page of the account."""
    return client.get(f"{HOME}/devices").status_code == 200


def test_a_stolen_cookie_cannot_be_kept_alive_by_beginning_sign_ins(
    signed_in: SignIn, app: FastAPI, acme: Customer, wait: Wait
) -> None:
    thief = stolen(app, signed_in("acme-primary"))
    for _ in range(17):
        assert thief.get("/sign-in/start").is_redirect
        wait(timedelta(minutes=29))
        still = opens(thief)
    assert not still, "eight hours after the sign-in"


def test_a_stolen_cookie_ends_with_the_owners_sign_out(signed_in: SignIn, app: FastAPI, acme: Customer) -> None:
    owner = signed_in("acme-primary")
    thief = stolen(app, owner)
    assert opens(thief)
    owner.press("Sign out")
    assert not opens(thief)


def test_after_signing_out_the_browser_keeps_no_page(signed_in: SignIn, acme: Customer) -> None:
    browser = signed_in("acme-primary").open(HOME)
    answer = browser.portal.post("/sign-out", data={"form_token": browser.form_token()}, follow_redirects=False)
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_a_cookie_found_after_an_idle_hour_opens_nothing(
    signed_in: SignIn, app: FastAPI, acme: Customer, wait: Wait
) -> None:
    found = stolen(app, signed_in("acme-primary"))
    wait(timedelta(minutes=61))
    assert not opens(found)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("device/reveal", {"serial_number": "ACME-SN1", "reason": "I am at your desk"}),
        ("settings/disconnect", {}),
        ("decisions/devices", {"scope": "found", "decision": "released"}),
    ],
)
def test_at_a_desk_left_open_nothing_is_done_that_cannot_be_taken_back(
    signed_in: SignIn, acme: Customer, engine: sa.Engine, wait: Wait, path: str, typed: dict[str, str]
) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/settings")
    wait(timedelta(minutes=11))
    answer = browser.portal.post(f"{HOME}/{path}", data={"form_token": browser.form_token(), **typed})
    assert answer.status_code == 401
    assert acme.bypass_code not in answer.text
    with engine.connect() as db:
        left = db.execute(sa.text("select c.status, h.decision from connections c, lifecycle_holds h")).one()
    assert tuple(left) == ("connected", "waiting")


def test_colleagues_behind_one_address_are_not_kept_out_by_each_others_visits(browser: Browser) -> None:
    assert {browser.portal.get("/sign-in/start").status_code for _ in range(60)} == {302}


def test_a_form_of_another_organisations_tab_writes_nothing_and_says_so(
    signed_in: SignIn, engine: sa.Engine, acme: Customer
) -> None:
    furnish(engine, "globex", "GLOBEX")
    tab = signed_in("acme-primary").open(f"{HOME}/settings")
    stale = tab.form_token()
    tab.open("/sign-in/start").open_as("globex-primary")
    answer = tab.portal.post(f"{HOME}/settings/lookalikes", data={"form_token": stale, "hold": "true"})
    assert answer.status_code == 403
    assert "another organisation" in answer.text
    with engine.connect() as db:
        assert set(db.scalars(sa.text("select hold_lookalike_employees from connections"))) == {False}


def test_what_was_typed_is_not_lost_with_the_session(signed_in: SignIn, acme: Customer, wait: Wait) -> None:
    browser = signed_in("acme-primary").open(f"{HOME}/models/teach")
    form = {"form_token": browser.form_token(), "model_pattern": "^Typed for long$", "device_type": "tablet"}
    wait(timedelta(hours=9))
    browser.answer = browser.portal.post(f"{HOME}/models/teach", data=form)
    assert "What you typed is kept" in browser.text
    wait(-timedelta(hours=9))
    browser.follow("Sign in").open_as("acme-primary")
    assert "^Typed for long$" in browser.text
