"""Connecting that Microsoft ended: recorded, told to operators where it is theirs, and begun again by a button."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import alerts, audit, schema
from intune_pipeline.microsoft import consent
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.portal import verification
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.test_connect import connect, to_microsoft

HOME = "/integrations/intune"
TENANT = "0f2c1e5a-1234-5678-9abc-def012345678"
SignIn = Callable[[str], Browser]


def answered(browser: Browser, error: str) -> Browser:
    """Come back from Microsoft's consent page with an error."""
    state = to_microsoft(browser).url.partition("state=")[2].partition("&")[0]
    return browser.open(f"https://portal.test{HOME}/connect/consent?{error}&tenant={TENANT}&state={state}")


def recorded(engine: sa.Engine) -> list[audit.Entry]:
    with engine.connect() as db:
        return audit.entries(db, "acme")


def alarms(engine: sa.Engine) -> list[str]:
    with engine.connect() as db:
        return [trouble.message for trouble in alerts.troubles(db, late_after=timedelta(days=2))]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("error=server_error&error_description=AADSTS9999999%3A+of+tomorrow", "AADSTS9999999"),
        ("error=brand_new_error&admin_consent=True", "brand_new_error"),
    ],
)
def test_an_unknown_error_is_recorded_alerted_and_tried_again(
    signed_in: SignIn, engine: sa.Engine, error: str, code: str
) -> None:
    browser = answered(signed_in("acme-primary"), error)
    assert "does not know yet. It is recorded, and allwhere has been told" in browser.text
    assert code in browser.text
    (entry,) = recorded(engine)
    assert (entry.action, entry.actor, entry.subject) == ("connect_refused", "primary@acme.example", TENANT)
    assert entry.details == {"why": "failed", "cause": "unexpected", "code": code}
    (alarm,) = alarms(engine)
    assert "connect failed: 1 times within two hours, most by account acme" in alarm
    assert browser.follow("Connect Microsoft Intune").title == "Connect Microsoft Intune"
    page = browser.open(f"{HOME}/audit").text
    assert "Because: Microsoft answered with an error" in page
    assert f"code: {code}" in page


def test_what_the_customer_decides_is_recorded_and_wakes_nobody(signed_in: SignIn, engine: sa.Engine) -> None:
    answered(signed_in("acme-primary"), "error=access_denied&error_description=AADSTS65004%3A+no")
    assert [entry.details for entry in recorded(engine)] == [{"why": "declined", "code": "AADSTS65004"}]
    assert alarms(engine) == []


def test_text_of_the_browsers_own_invention_is_not_recorded(signed_in: SignIn, engine: sa.Engine) -> None:
    answered(signed_in("acme-primary"), "error=%3Cscript%3E+write+to+evil.example")
    assert "script" not in str([entry.details for entry in recorded(engine)])


def test_a_grant_that_ends_in_an_unknown_error_is_recorded_and_alerted(
    signed_in: SignIn,
    tenants: dict[str, SandboxTenant],
    engine: sa.Engine,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = consent.GrantCheck(consent.GrantOutcome.REFUSED, Cause.UNEXPECTED, "request-1")
    monkeypatch.setattr(verification, "verify_grant", lambda *_, **__: refused)
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    assert "allwhere has been told" in browser.text
    assert recorded(engine)[0].details == {"why": "failed", "cause": "unexpected"}
    assert len(alarms(engine)) == 1
    with engine.connect() as db:
        assert db.scalar(sa.select(schema.connections.c.status)) == "error"
    assert browser.follow("Connect Microsoft Intune").has_button("Continue to Microsoft")
