"""Signing in and out, and who is let in."""

import ssl
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock

HOME = "/integrations/intune"


def test_an_admin_signs_in_and_lands_on_their_accounts_page(signed_in: Callable[[str], Browser]) -> None:
    browser = signed_in("acme-primary")
    assert browser.title == "Connect Microsoft Intune"
    assert "Petra Primary" in browser.text


def test_a_page_without_a_session_leads_to_the_sign_in(browser: Browser) -> None:
    browser.open(f"{HOME}/settings")
    assert browser.path == "/sign-in"
    assert "Petra" not in browser.text


def test_the_session_cookie_is_for_this_https_site_only_and_hidden_from_scripts(
    signed_in: Callable[[str], Browser], app: FastAPI
) -> None:
    browser = signed_in("acme-primary")
    cookie = next(cookie for cookie in browser.portal.cookies.jar if cookie.name == "__Host-allwhere-intune")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    assert cookie.path == "/"


def test_signing_in_begins_a_new_session(signed_in: Callable[[str], Browser]) -> None:
    first = signed_in("acme-primary")
    before = first.portal.cookies["__Host-allwhere-intune"]
    first.open("/sign-in/start").open_as("acme-secondary")
    assert "Sami Secondary" in first.text
    assert first.portal.cookies["__Host-allwhere-intune"] != before


def test_signing_out_ends_the_session_here_and_at_the_provider(signed_in: Callable[[str], Browser]) -> None:
    browser = signed_in("acme-primary")
    browser.press("Sign out")
    assert browser.title == "You are signed out"
    assert any("/oidc/logout" in address for address in browser.visited)
    browser.open(HOME)
    assert browser.path == "/sign-in"


def test_signing_out_needs_the_form_of_this_session(signed_in: Callable[[str], Browser]) -> None:
    browser = signed_in("acme-primary")
    assert browser.portal.post("/sign-out", data={"form_token": "forged"}).status_code == 403
    assert browser.open(HOME).title == "Connect Microsoft Intune"


def test_a_cancelled_sign_in_says_so(browser: Browser) -> None:
    browser.open("/sign-in/start").open_as("")
    assert browser.answer.status_code == 401
    assert "cancelled or refused" in browser.text


def test_an_answer_nobody_asked_for_is_refused(browser: Browser) -> None:
    browser.open("/sign-in/callback?code=stolen&state=made-up")
    assert browser.answer.status_code == 401
    assert "Sign in again" in browser.text


def test_an_answer_of_another_browsers_sign_in_is_refused(app: FastAPI, sandbox: SandboxCloud) -> None:
    victim, attacker = Browser(app, sandbox.ca_bundle), Browser(app, sandbox.ca_bundle)
    attacker.open("/sign-in/start")
    with httpx2.Client(verify=ssl.create_default_context(cafile=sandbox.ca_bundle)) as client:
        answer = client.post(attacker.url, data={"user": "globex-primary"})
    victim.open(answer.headers["location"])
    assert victim.answer.status_code == 401
    assert victim.open(HOME).path == "/sign-in"


def test_a_sign_in_works_once(app: FastAPI, sandbox: SandboxCloud) -> None:
    browser = Browser(app, sandbox.ca_bundle)
    browser.open("/sign-in/start").open_as("acme-primary")
    callback = next(address for address in browser.visited if "/sign-in/callback" in address)
    browser.open(callback)
    assert browser.answer.status_code == 401


def test_who_is_not_in_the_beta_reads_so(signed_in: Callable[[str], Browser]) -> None:
    browser = signed_in("acme-no-beta")
    assert browser.answer.status_code == 403
    assert browser.title == "Not part of the beta yet"
    assert browser.has_button("Sign out")


def test_visits_to_the_sign_in_are_never_too_many(browser: Browser) -> None:
    assert {browser.portal.get("/sign-in/start").status_code for _ in range(40)} == {302}


def test_too_many_failed_sign_ins_from_one_address_wait(
    browser: Browser, app: FastAPI, signed_in: Callable[[str], Browser], clock: Clock
) -> None:
    forged = "/sign-in/callback?code=stolen&state=made-up"
    answers = [browser.portal.get(forged).status_code for _ in range(25)]
    assert answers == [401] * 20 + [429] * 5
    assert int(browser.portal.get("/sign-in/start").headers["retry-after"]) > 0
    other = TestClient(app, base_url=PORTAL, client=("192.0.2.7", 50000), follow_redirects=False)
    assert other.get("/sign-in/start").status_code == 302
    clock.move(timedelta(minutes=10))
    assert signed_in("acme-primary").title == "Connect Microsoft Intune"


def test_a_network_of_ipv6_is_one_address(app: FastAPI) -> None:
    def ask(address: str) -> int:
        client = TestClient(app, base_url=PORTAL, client=(address, 50000), follow_redirects=False)
        return client.get("/sign-in/callback?code=stolen&state=made-up").status_code

    assert [ask(f"2001:db8::{number:x}") for number in range(21)][-1] == 429
    assert ask("2001:db8:0:1::1") == 401


@pytest.mark.parametrize(
    ("user", "seconds"), [("acme-primary", -3600), ("acme-secondary", -3600)], ids=["primary", "secondary"]
)
def test_an_expired_token_opens_nothing(app: FastAPI, sandbox: SandboxCloud, user: str, seconds: int) -> None:
    token = sandbox.sign_in_token(user, seconds=seconds)
    client = TestClient(app, base_url=PORTAL)
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."])
def test_what_is_no_token_opens_nothing(app: FastAPI, token: str) -> None:
    client = TestClient(app, base_url=PORTAL)
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_changed_after_signing_opens_nothing(app: FastAPI, sandbox: SandboxCloud) -> None:
    header, _, signature = sandbox.sign_in_token("acme-primary").split(".")
    _, payload, _ = sandbox.sign_in_token("globex-primary").split(".")
    client = TestClient(app, base_url=PORTAL)
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {header}.{payload}.{signature}"})
    assert answer.status_code == 401


def test_a_token_says_who_its_bearer_is(api: Callable[[str], TestClient]) -> None:
    assert api("acme-secondary").get("/api/v1/me").json() == {
        "subject": "auth0|acme-secondary",
        "account": "acme",
        "account_name": "Acme",
        "role": "secondary_admin",
    }
