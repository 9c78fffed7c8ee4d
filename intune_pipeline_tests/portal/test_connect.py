"""Connecting: to Microsoft and back, and every way it can end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import audit, connections, schema
from intune_pipeline.portal.verification import PATIENCE, STEP, Verification
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.portal.browser import Browser
from intune_pipeline_tests.portal.conftest import Clock

HOME = "/integrations/intune"
Tenants = dict[str, SandboxTenant]
SignIn = Callable[[str], Browser]


def admin_of(tenant: SandboxTenant) -> str:
    return f"{tenant.tenant_id}/{tenant.directory[0].id}"


def user_of(tenant: SandboxTenant) -> str:
    return f"{tenant.tenant_id}/{tenant.directory[1].id}"


def to_microsoft(browser: Browser, **choices: tuple[str, ...]) -> Browser:
    return browser.open(f"{HOME}/connect").press("Continue to Microsoft", **choices)


def consent(browser: Browser, tenant: SandboxTenant) -> Browser:
    return browser.pick_account(admin_of(tenant)).press("Accept")


def connect(browser: Browser, tenant: SandboxTenant, **choices: tuple[str, ...]) -> Browser:
    consent(to_microsoft(browser, **choices), tenant)
    return browser.pick_account(admin_of(tenant))


def connection_of(engine: sa.Engine, account: str = "acme") -> connections.Record | None:
    with engine.connect() as db:
        return connections.of_account(db, account)


def add_employee(engine: sa.Engine, account: str, kind: str) -> None:
    with engine.begin() as db:
        account_id = db.scalar(sa.select(schema.accounts.c.id).where(schema.accounts.c.slug == account))
        employee = db.scalar(
            sa.insert(schema.employees)
            .values(account_id=account_id, first_name="Ada", last_name="Byron")
            .returning(schema.employees.c.id)
        )
        db.execute(
            sa.insert(schema.employee_emails).values(
                employee_id=employee, account_id=account_id, email=f"ada-{employee}@home.example", kind=kind
            )
        )


def test_consent_and_sign_in_connect_the_tenant_and_start_the_first_sync(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    browser = connect(signed_in("acme-primary"), tenants["acme"])

    assert browser.path == f"{HOME}/progress"
    assert browser.title == "Your first sync"
    connection = connection_of(engine)
    assert connection is not None
    assert (connection.status, connection.tenant_id) == ("connected", tenants["acme"].tenant_id)
    with engine.connect() as db:
        asked = db.execute(sa.select(schema.sync_requests)).one()
        logged = audit.entries(db, "acme")
    assert (asked.trigger, asked.status, asked.requested_by) == ("initial", "pending", "primary@acme.example")
    assert [(entry.action, entry.actor) for entry in logged] == [("connect", "primary@acme.example")]


def test_the_page_warns_with_the_accounts_own_figures_and_offers_to_hold(signed_in: SignIn, engine: sa.Engine) -> None:
    add_employee(engine, "acme", "work")
    add_employee(engine, "acme", "personal")
    add_employee(engine, "globex", "personal")
    page = signed_in("acme-primary").open(f"{HOME}/connect").text
    assert "You have 2 employees; <strong>1</strong> of them" in page
    assert (
        'name="hold_lookalike_employees" value="true" aria-describedby="hold_lookalike_employees-hint" checked' in page
    )
    assert 'name="mdm_assignee_updates" value="true" aria-describedby="mdm_assignee_updates-hint">' in page


def test_the_hold_box_is_unchecked_when_every_employee_has_a_work_email(signed_in: SignIn, engine: sa.Engine) -> None:
    add_employee(engine, "acme", "work")
    page = signed_in("acme-primary").open(f"{HOME}/connect").text
    assert "No duplicates expected" in page
    assert "checked" not in page


@pytest.mark.parametrize("ticked", [True, False])
def test_choices_travel_through_microsoft_and_back(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, ticked: bool
) -> None:
    choices = ("mdm_assignee_updates", "hold_lookalike_employees") if ticked else ()
    connect(signed_in("acme-primary"), tenants["acme"], tick=choices)
    connection = connection_of(engine)
    assert connection is not None
    assert connection.mdm_assignee_updates is connection.hold_lookalike_employees is ticked


def test_cancelling_at_microsoft_changes_nothing(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    browser = to_microsoft(signed_in("acme-primary")).pick_account(admin_of(tenants["acme"])).press("Cancel")
    assert browser.title == "Consent was not given"
    assert connection_of(engine) is None


def test_a_user_who_may_not_consent_comes_back_to_an_explanation(signed_in: SignIn, tenants: Tenants) -> None:
    browser = to_microsoft(signed_in("acme-primary")).pick_account(user_of(tenants["acme"]))
    assert browser.title == "Need admin approval"
    browser.press("Return to the application")
    assert "Privileged Role Administrator" in browser.text


def test_approval_needed_is_explained(signed_in: SignIn, engine: sa.Engine) -> None:
    browser = to_microsoft(signed_in("acme-primary"))
    state = browser.url.partition("state=")[2].partition("&")[0]
    browser.open(
        f"https://portal.test{HOME}/connect/consent?error=access_denied&error_description=AADSTS90094%3A+approval"
        f"&admin_consent=True&tenant=0f2c1e5a-1234-5678-9abc-def012345678&state={state}"
    )
    assert browser.title == "An administrator has to approve this"
    assert connection_of(engine) is None


def test_an_answer_without_state_gets_a_neutral_page_and_changes_nothing(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    tenant_id = tenants["acme"].tenant_id
    browser = signed_in("acme-primary").open(f"{HOME}/connect/consent?admin_consent=True&tenant={tenant_id}")
    assert browser.title == "Thank you. One more step, in allwhere"
    assert connection_of(engine) is None


def test_a_made_up_state_changes_nothing(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    browser = signed_in("acme-primary").open(
        f"{HOME}/connect/consent?admin_consent=True&tenant={tenants['acme'].tenant_id}&state=made-up"
    )
    assert browser.title == "This connection attempt is not yours to finish"
    assert connection_of(engine) is None


def test_a_state_works_once(signed_in: SignIn, tenants: Tenants) -> None:
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    for step in ("/connect/consent?", "/connect/sign-in?"):
        used = next(address for address in browser.visited if step in address)
        assert browser.open(used).title == "This step was already done"


def test_a_state_is_good_for_a_quarter_of_an_hour(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    browser = to_microsoft(signed_in("acme-primary"))
    with engine.begin() as db:
        db.execute(sa.update(schema.connect_attempts).values(expires_at=sa.func.now() - timedelta(seconds=1)))
    consent(browser, tenants["acme"])
    assert browser.title == "That took too long"
    assert connection_of(engine) is None


@pytest.mark.parametrize("other", ["acme-primary", "globex-primary"])
def test_a_state_is_bound_to_its_session(signed_in: SignIn, tenants: Tenants, engine: sa.Engine, other: str) -> None:
    """Somebody sends a link with their own state to an admin of another account, or another browser."""
    attacker, victim = signed_in("acme-primary"), signed_in(other)
    to_microsoft(attacker).pick_account(admin_of(tenants["globex"])).press("Accept")
    link = next(address for address in attacker.visited if "/connect/consent?" in address)
    with engine.begin() as db:
        db.execute(sa.update(schema.connect_attempts).values(used_at=None))
    assert victim.open(link).title == "This connection attempt is not yours to finish"
    assert connection_of(engine, "acme") is None
    assert connection_of(engine, "globex") is None


def test_the_tenant_in_the_redirect_is_believed_only_after_a_sign_in_of_that_tenant(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    """An attacker with an app grant in somebody else's tenant must not get that tenant's devices."""
    tenants["globex"].consent()
    browser = to_microsoft(signed_in("acme-primary"))
    state = browser.url.partition("state=")[2].partition("&")[0]
    browser.open(
        f"https://portal.test{HOME}/connect/consent?admin_consent=True&tenant={tenants['globex'].tenant_id}&state={state}"
    )
    browser.pick_account(admin_of(tenants["acme"]))
    assert browser.title == "Consent and sign-in are from different tenants"
    assert connection_of(engine) is None


def test_a_tenant_belongs_to_one_account(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    connect(signed_in("acme-primary"), tenants["acme"])
    browser = connect(signed_in("globex-primary"), tenants["acme"])
    assert browser.title == "This tenant is connected to another allwhere account"
    assert "acme" not in browser.text.lower().replace("primary@acme", "")
    assert connection_of(engine, "globex") is None


def test_an_account_does_not_change_tenants_by_connecting_again(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    with engine.begin() as db:
        connections.set_status(db, connection_of(engine).id, "needs_consent", "consent_missing", "Gone.")  # type: ignore[union-attr]
    tenants["globex"].consent()
    to_microsoft(browser)
    assert f"/{tenants['acme'].tenant_id}/v2.0/adminconsent" in browser.url, "it leads to the tenant it is bound to"
    state = browser.url.partition("state=")[2].partition("&")[0]
    browser.open(
        f"https://portal.test{HOME}/connect/consent?admin_consent=True&tenant={tenants['globex'].tenant_id}&state={state}"
    )
    browser.pick_account(admin_of(tenants["globex"]))
    assert browser.title == "Your account is connected to another tenant"
    connection = connection_of(engine)
    assert connection is not None
    assert connection.tenant_id == tenants["acme"].tenant_id


def test_a_tenant_without_intune_is_told_so(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    tenants["acme"].intune_licensed = False
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    assert browser.title == "This tenant has no Intune"
    connection = connection_of(engine)
    assert connection is not None
    assert (connection.status, connection.status_cause) == ("error", "no_intune_licence")
    assert "Intune licence" in browser.open(HOME).text


def test_consent_that_still_spreads_is_verified_without_anybody_doing_anything(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI, clock: Clock
) -> None:
    tenants["acme"].propagation_seconds = 3600
    verification = Verification(app.state.portal)
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    assert browser.title == "Verifying your consent"
    assert browser.portal.get(f"{HOME}/verifying.json").json()["go_to"] is None

    verification.step()
    clock.move(STEP)
    verification.step()
    assert browser.open(f"{HOME}/verifying").title == "Verifying your consent"

    tenants["acme"].propagation_seconds = 0
    tenants["acme"].consent()
    verification.step()
    assert browser.open(f"{HOME}/verifying").title == "Verifying your consent", "a minute has to pass between tries"
    clock.move(STEP)
    verification.step()
    assert browser.portal.get(f"{HOME}/verifying.json").json()["go_to"] == f"{HOME}/progress"
    assert browser.open(f"{HOME}/verifying").title == "Your first sync"


def test_after_a_quarter_of_an_hour_verifying_ends_with_what_to_do(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI, clock: Clock
) -> None:
    tenants["acme"].propagation_seconds = 3600
    verification = Verification(app.state.portal)
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    verification.step()
    for _ in range(PATIENCE // STEP + 1):
        clock.move(STEP)
        verification.step()
    browser.open(f"{HOME}/verifying")
    assert browser.path == HOME
    assert "Connect again" in browser.text
    connection = connection_of(engine)
    assert connection is not None
    assert connection.status == "needs_consent"


def test_a_secondary_admin_cannot_connect(signed_in: SignIn) -> None:
    browser = signed_in("acme-secondary").open(f"{HOME}/connect")
    assert not browser.has_button("Continue to Microsoft")
    answer = browser.portal.post(f"{HOME}/connect", data={"form_token": browser.form_token()})
    assert answer.status_code == 403


def test_neither_state_nor_sign_in_secrets_rest_in_the_database_in_the_clear(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    browser = consent(to_microsoft(signed_in("acme-primary")), tenants["acme"])
    state = browser.url.partition("state=")[2].partition("&")[0]
    assert len(state) >= 22
    with engine.connect() as db:
        rows = str(db.execute(sa.select(schema.connect_attempts)).all())
    assert state not in rows
    assert "code_verifier" not in rows
