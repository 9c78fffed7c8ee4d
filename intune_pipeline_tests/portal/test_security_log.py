"""Attacks leave a trace, and many of a kind alarm operators."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from intune_pipeline.inventory import alerts, schema
from intune_pipeline.portal.access_tokens import AccessTokens
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.customers import Customer, furnish

HOME = "/integrations/intune"
KNOWN = {"subject", "account", "address", "route", "cause", "event", "log_level"}


@pytest.fixture
def acme(app: FastAPI, engine: sa.Engine) -> Customer:
    return furnish(engine, "acme", "ACME")


def traces(doing: Callable[[], object]) -> list[dict[str, object]]:
    """What the security log tells of something."""
    with capture_logs() as logs:
        doing()
    return [dict(line) for line in logs if set(line) == KNOWN]


def test_a_sign_in_and_a_sign_out_are_logged(signed_in: Callable[[str], Browser]) -> None:
    logged = traces(lambda: signed_in("acme-primary").press("Sign out"))
    assert [line["event"] for line in logged] == ["organization_bound", "signed_in", "signed_out"]
    assert {(line["subject"], line["account"], line["address"]) for line in logged} == {
        ("auth0|acme-primary", "acme", "testclient")
    }
    assert "primary@acme.example" not in str(logged)


def test_each_kind_of_refusal_is_logged_with_its_cause(
    app: FastAPI, signed_in: Callable[[str], Browser], api: Callable[[str], TestClient], acme: Customer
) -> None:
    nobody, secondary = TestClient(app, base_url=PORTAL, follow_redirects=False), signed_in("acme-secondary")
    missing = {"serial_number": "NOT-THERE", "reason": "curious, no more"}
    attacks: dict[str, tuple[Callable[[], object], str, str]] = {
        "a forged answer": (lambda: nobody.get("/sign-in/callback?code=x&state=x"), "sign_in_refused", "mismatching_state"),
        "a forged token": (
            lambda: nobody.get("/api/v1/me", headers={"Authorization": "Bearer a.b.c"}), "token_refused", "malformed",
        ),
        "not in the beta": (lambda: api("acme-no-beta").get("/api/v1/me"), "role_refused", "not in the beta"),
        "a Secondary Admin": (
            lambda: api("acme-secondary").post("/api/v1/device/bypass-code", json=missing), "role_refused", "not a Primary Admin",
        ),
        "a forged form": (
            lambda: secondary.portal.post(f"{HOME}/sync", data={"form_token": "x"}), "form_refused", "form token",
        ),
        "guessing": (
            lambda: api("acme-primary").post("/api/v1/device/bypass-code", json=missing), "reveal_failed", "NoCodeError",
        ),
        "a huge header": (
            lambda: nobody.get("/sign-in", headers={"x": "x" * 20000}), "request_refused", "Request Header Fields Too Large",
        ),
    }  # fmt: skip
    for name, (attack, event, cause) in attacks.items():
        logged = [line for line in traces(attack) if line["event"] != "organization_bound"]
        assert [(line["event"], line["cause"]) for line in logged] == [(event, cause)], name
        assert logged[0]["address"] == "testclient", name


def test_a_limit_that_is_hit_is_logged(api: Callable[[str], TestClient], acme: Customer) -> None:
    client = api("acme-primary")
    logged = traces(lambda: [client.post("/api/v1/syncs") for _ in range(8)])
    hits = [line for line in logged if line["event"] == "limit_hit"]
    assert {(line["account"], line["cause"], line["route"]) for line in hits} == {
        ("acme", "syncs", "POST /api/v1/syncs")
    }
    assert len(hits) == 2


def test_a_wrong_audience_is_our_setting_and_not_the_persons_fault(
    app: FastAPI, browser: Browser, sandbox: SandboxCloud, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = AccessTokens(sandbox.sign_in_url, "https://other.example", sandbox.ca_bundle)
    object.__setattr__(app.state.portal, "access_tokens", elsewhere)
    browser.open("/sign-in/start")
    logged = traces(lambda: browser.open_as("acme-primary"))
    assert browser.answer.status_code == 502
    assert "on our side" in browser.text
    assert [(line["event"], line["cause"]) for line in logged] == [("sign_in_misconfigured", "access token: audience")]
    with engine.begin() as db:
        [found] = alerts.troubles(db, late_after=timedelta(hours=26))
    assert found.cause == "sign_in_misconfigured"
    assert "AUTH0_AUDIENCE" in found.message


def test_many_of_a_kind_within_two_hours_are_an_alert_and_older_ones_are_not(app: FastAPI, engine: sa.Engine) -> None:
    client = TestClient(app, base_url=PORTAL, follow_redirects=False)
    for _ in range(20):
        client.get("/sign-in/callback?code=x&state=x")
    table = schema.security_counts

    def causes() -> list[str]:
        with engine.begin() as db:
            return [found.cause for found in alerts.troubles(db, late_after=timedelta(hours=26))]

    assert causes() == []
    with engine.begin() as db:
        db.execute(sa.update(table).where(table.c.event == "sign_in_refused").values(times=50))
    assert causes() == ["sign_in_refused"]
    with engine.begin() as db:
        alerts.record(db, alerts.troubles(db, late_after=timedelta(hours=26)))
        db.execute(sa.update(table).values(hour=table.c.hour - timedelta(hours=3)))
    assert causes() == []
