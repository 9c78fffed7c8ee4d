"""Verifying a grant: how long, how often, from when, and what is asked for once it is there."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory import audit, connections, schema
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.consent import GrantCheck, GrantOutcome
from intune_pipeline.portal import verification
from intune_pipeline.portal.access import person_of
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.verification import PATIENCE, STEP, Verdict, Verification, verify
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.test_connect import connect, connection_of

Tenants = dict[str, SandboxTenant]
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
def portal(app: FastAPI) -> PortalContext:
    parts = app.state.portal
    assert isinstance(parts, PortalContext)
    return parts


@pytest.fixture
def begin(signed_in: Callable[[str], Browser], tenants: Tenants) -> Callable[[], Browser]:
    """``begin()`` connects acme, whose consent spreads for an hour."""
    tenants["acme"].propagation_seconds = 3600
    return lambda: connect(signed_in("acme-primary"), tenants["acme"])


def arrive(tenants: Tenants) -> None:
    """The consent has reached every corner."""
    tenants["acme"].propagation_seconds = 0
    tenants["acme"].consent()


def status(engine: sa.Engine) -> str:
    connection = connection_of(engine)
    assert connection is not None
    return connection.status


def requests_of(engine: sa.Engine) -> list[tuple[str, str]]:
    with engine.connect() as db:
        rows = db.execute(sa.select(schema.sync_requests.c.trigger, schema.sync_requests.c.requested_by))
        return [tuple(row) for row in rows]


def test_a_quarter_of_an_hour_counts_from_the_administrators_sign_in(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock
) -> None:
    began = clock.now
    begin()
    connection = connection_of(engine)
    assert connection is not None
    assert connection.proven_at == connection.verifying_since == began
    verifying = Verification(portal)
    clock.move(PATIENCE - A_MOMENT)
    verifying.step()
    assert status(engine) == "verifying"
    clock.move(STEP)
    verifying.step()
    ended = connection_of(engine)
    assert ended is not None
    assert (ended.status, ended.status_cause) == ("needs_consent", "consent_missing")
    assert ended.status_message == (
        "Microsoft did not pass your consent on within 15 minutes, or it was withdrawn. "
        "Connect again; if that ends the same way, write to allwhere."
    )


def test_a_restart_does_not_grant_another_quarter_of_an_hour(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock
) -> None:
    begin()
    clock.move(PATIENCE - STEP)
    Verification(portal).step()
    clock.move(STEP)
    Verification(portal).step()
    assert status(engine) == "needs_consent"


def test_consent_that_is_there_at_the_last_try_still_connects(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock, tenants: Tenants
) -> None:
    begin()
    clock.move(PATIENCE + STEP)
    arrive(tenants)
    Verification(portal).step()
    assert status(engine) == "connected"


def test_it_is_not_tried_again_before_a_minute_has_passed(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock, tenants: Tenants
) -> None:
    begin()
    arrive(tenants)
    verifying = Verification(portal)
    clock.move(STEP - A_MOMENT)
    verifying.step()
    assert status(engine) == "verifying", "whoever began it tried a moment ago"
    clock.move(A_MOMENT)
    verifying.step()
    assert status(engine) == "connected"


def test_who_leaves_and_begins_again_has_a_quarter_of_an_hour_again(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock
) -> None:
    begin()
    verifying = Verification(portal)
    clock.move(PATIENCE)
    verifying.step()
    assert status(engine) == "needs_consent"
    begin()
    clock.move(STEP)
    verifying.step()
    assert status(engine) == "verifying"
    clock.move(PATIENCE)
    verifying.step()
    assert status(engine) == "needs_consent"


def test_of_two_that_verify_at_once_one_asks_for_the_first_sync(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, tenants: Tenants
) -> None:
    begin()
    arrive(tenants)
    connection = connection_of(engine)
    assert connection is not None
    verdicts: list[Verdict] = []
    threads = [threading.Thread(target=lambda: verdicts.append(verify(portal, connection)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == [Verdict.CONNECTED, Verdict.STALE, Verdict.STALE, Verdict.STALE]
    assert requests_of(engine) == [("initial", "primary@acme.example")]
    with engine.connect() as db:
        assert [entry.action for entry in audit.entries(db, "acme")] == ["connect"]


def test_a_late_answer_does_not_revive_or_harm_what_was_ended_meanwhile(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, tenants: Tenants
) -> None:
    begin()
    seen = connection_of(engine)
    assert seen is not None
    with engine.begin() as db:
        connections.disconnect(db, "acme", actor="petra")
    arrive(tenants)
    assert verify(portal, seen) == (Verdict.STALE, None)
    tenants["acme"].intune_licensed = False
    assert verify(portal, seen)[0] is Verdict.STALE
    assert status(engine) == "disconnected"
    assert requests_of(engine) == []


def test_a_row_nobody_proved_is_never_verified(
    connected: Callable[..., int], portal: PortalContext, engine: sa.Engine, clock: Clock, tenants: Tenants
) -> None:
    connected("acme", status="verifying")
    verifying = Verification(portal)
    verifying.step()
    clock.move(STEP)
    verifying.step()
    assert status(engine) == "verifying"
    assert requests_of(engine) == []


def test_the_reason_a_grant_is_refused_for_is_stored(
    begin: Callable[[], Browser], portal: PortalContext, engine: sa.Engine, clock: Clock, tenants: Tenants
) -> None:
    begin()
    tenants["acme"].consent()
    tenants["acme"].app_disabled = True
    clock.move(STEP)
    try:
        Verification(portal).step()
    finally:
        tenants["acme"].app_disabled = False
    ended = connection_of(engine)
    assert ended is not None
    assert (ended.status, ended.status_cause, ended.candidate_tenant_id) == ("error", "app_disabled", None)
    assert ended.proven_by_upn == tenants["acme"].directory[0].user_principal_name


@pytest.mark.parametrize(("request_id", "shown"), [("r-1", "r-1"), ("", "unknown")])
def test_a_refusal_that_is_the_operators_is_logged_with_what_microsofts_support_asks_for(
    begin: Callable[[], Browser],
    portal: PortalContext,
    engine: sa.Engine,
    tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    request_id: str,
    shown: str,
) -> None:
    begin()
    connection = connection_of(engine)
    assert connection is not None
    tried: list[tuple[object, ...]] = []

    def refuse(*of: object, within: timedelta) -> GrantCheck:
        tried.append((*of, within))
        return GrantCheck(GrantOutcome.REFUSED, Cause.OUR_CREDENTIAL, request_id)

    monkeypatch.setattr(verification, "verify_grant", refuse)
    assert verify(portal, connection) == (Verdict.REFUSED, Cause.OUR_CREDENTIAL)
    tenant_id = tenants["acme"].tenant_id
    assert tried == [(portal.microsoft.cloud, portal.microsoft.credential, tenant_id, timedelta(seconds=10))]
    logged = [record.getMessage() for record in caplog.records if record.name == verification.__name__]
    assert logged == [f"Microsoft refused the tenant {tenant_id} of account acme: our_credential, request {shown}."]
    ended = connection_of(engine)
    assert ended is not None
    assert (ended.status, ended.status_cause) == ("error", "our_credential")
    assert ended.status_message == Cause.OUR_CREDENTIAL.sentence
    with engine.connect() as db:
        (entry,) = audit.entries(db, "acme")
        counted = db.execute(sa.select(schema.security_counts.c.event, schema.security_counts.c.account)).all()
    assert (entry.action, entry.actor, entry.subject) == ("connect_refused", "primary@acme.example", tenant_id)
    assert entry.details == {"why": "failed", "cause": "our_credential"}
    assert ("connect_failed", "acme") in [tuple(row) for row in counted]


def test_a_refusal_without_a_reason_is_unexpected_and_one_the_customer_mends_is_not_logged(
    begin: Callable[[], Browser],
    portal: PortalContext,
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for cause, expected in ((None, Cause.UNEXPECTED), (Cause.NO_INTUNE_LICENCE, Cause.NO_INTUNE_LICENCE)):
        begin()
        connection = connection_of(engine)
        assert connection is not None
        check = GrantCheck(GrantOutcome.REFUSED, cause)
        monkeypatch.setattr(verification, "verify_grant", lambda *_, check=check, **__: check)
        caplog.clear()
        assert verify(portal, connection) == (Verdict.REFUSED, expected)
        assert len(caplog.records) == (expected is Cause.UNEXPECTED)
        monkeypatch.undo()


@pytest.mark.parametrize("roles", [["secondary_admin", "primary_admin"], ["primary_admin", "secondary_admin", "x"]])
def test_of_several_roles_the_strongest_counts(portal: PortalContext, roles: list[str]) -> None:
    claims = {"sub": "auth0|petra", portal.settings.auth0_roles_claim: roles}
    assert person_of(claims, portal.settings).role is Role.PRIMARY_ADMIN
