"""Owning a tenant is proven, not belonging to it: every way to link somebody else's tenant ends with a sentence."""

import logging
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import audit, connections, schema
from intune_pipeline.portal.verification import STEP, Verification
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import PersonalAccounts, SandboxTenant
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.test_connect import HOME, admin_of, connect, connection_of, to_microsoft, user_of

Tenants = dict[str, SandboxTenant]
SignIn = Callable[[str], Browser]
ADMIN, MEMBER, PRIVILEGED, APPLICATIONS, GUEST, PERSONAL_GUEST = range(6)


def past_consent(browser: Browser, tenant_id: str) -> Browser:
    """Open by hand what Microsoft redirects to after consent; the browser is at Microsoft's sign-in then."""
    state = to_microsoft(browser).url.partition("state=")[2].partition("&")[0]
    return browser.open(f"{PORTAL}{HOME}/connect/consent?admin_consent=True&tenant={tenant_id}&state={state}")


def sign_in_as(browser: Browser, tenant: SandboxTenant, person: int) -> Browser:
    return browser.pick_account(f"{tenant.tenant_id}/{tenant.people[person].id}")


def refusals(engine: sa.Engine, account: str) -> list[audit.Entry]:
    with engine.connect() as db:
        return [entry for entry in audit.entries(db, account) if entry.action == "connect_refused"]


def syncs_asked(engine: sa.Engine) -> list[str]:
    with engine.connect() as db:
        query = (
            sa.select(schema.accounts.c.slug)
            .select_from(schema.sync_requests.join(schema.connections).join(schema.accounts))
            .order_by(schema.sync_requests.c.id)
        )
        return list(db.scalars(query))


def test_a_member_does_not_take_the_tenant_over_after_a_disconnect(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    """Consent stays in Entra after a disconnect; any member could sign in and connect it to a stranger's account."""
    owner = connect(signed_in("acme-primary"), tenants["acme"])
    owner.open(f"{HOME}/settings/disconnect").press("Disconnect")
    assert tenants["acme"].effective_role, "disconnecting takes no consent back"

    stranger = past_consent(signed_in("globex-primary"), tenants["acme"].tenant_id)
    stranger.pick_account(user_of(tenants["acme"]))

    assert connection_of(engine, "globex") is None
    assert syncs_asked(engine) == ["acme"]
    assert stranger.title == "You are not an administrator of this Microsoft tenant"
    assert "Global Administrator" in stranger.text
    (entry,) = refusals(engine, "globex")
    assert (entry.actor, entry.subject) == ("primary@globex.example", tenants["acme"].tenant_id)
    member = tenants["acme"].directory[1]
    assert entry.details == {
        "why": "no_role",
        "signed_in_as": member.user_principal_name,
        "object_id": member.id,
        "directory_roles": "",
    }


def test_a_member_does_not_claim_a_tenant_before_its_administrator(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI, clock: Clock
) -> None:
    """A stranger's row that waits for consent would keep the administrator out and come alive by their consent."""
    stranger = past_consent(signed_in("globex-primary"), tenants["acme"].tenant_id)
    stranger.pick_account(user_of(tenants["acme"]))

    owner = connect(signed_in("acme-primary"), tenants["acme"])
    assert owner.title == "Your first sync"
    clock.move(STEP)
    Verification(app.state.portal).step()
    connection = connection_of(engine, "acme")
    assert connection is not None
    assert (connection.status, connection.tenant_id) == ("connected", tenants["acme"].tenant_id)
    assert connection_of(engine, "globex") is None
    assert syncs_asked(engine) == ["acme"]


def test_not_even_an_administrator_reserves_a_tenant_before_the_grant_is_proven(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI, clock: Clock
) -> None:
    early = past_consent(signed_in("globex-primary"), tenants["acme"].tenant_id)
    early.pick_account(admin_of(tenants["acme"]))
    assert early.title == "Verifying your consent"

    assert connect(signed_in("acme-primary"), tenants["acme"]).title == "Your first sync"
    # The portal acts for one account at a time and does not see the other's verification: that ends at its next try.
    clock.move(STEP)
    Verification(app.state.portal).step()
    ended = connection_of(engine, "globex")
    assert ended is not None
    assert (ended.status, ended.status_cause, ended.tenant_id) == ("pending", "overtaken", None)
    clock.move(STEP)
    Verification(app.state.portal).step()
    assert connection_of(engine, "globex") == ended
    assert syncs_asked(engine) == ["acme"]
    assert "Another allwhere account proved this Microsoft tenant first" in early.open(f"{HOME}/verifying").text


def test_a_verification_that_finds_the_tenant_taken_ends_itself(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI, clock: Clock
) -> None:
    """As when another process linked the tenant and could not see this account's row."""
    early = past_consent(signed_in("globex-primary"), tenants["acme"].tenant_id)
    early.pick_account(admin_of(tenants["acme"]))
    waiting = connection_of(engine, "globex")
    connect(signed_in("acme-primary"), tenants["acme"])
    assert waiting is not None
    with engine.begin() as db:
        db.execute(
            sa.update(schema.connections)
            .where(schema.connections.c.id == waiting.id)
            .values(status="verifying", candidate_tenant_id=tenants["acme"].tenant_id)
        )
    clock.move(STEP)
    Verification(app.state.portal).step()
    ended = connection_of(engine, "globex")
    assert ended is not None
    assert (ended.status, ended.status_cause, ended.tenant_id) == ("pending", "overtaken", None)


def test_an_administrator_does_not_move_a_linked_tenant_to_another_account(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    owner = connect(signed_in("acme-primary"), tenants["acme"])
    owner.open(f"{HOME}/settings/disconnect").press("Disconnect")
    browser = connect(signed_in("globex-primary"), tenants["acme"])
    assert browser.title == "This tenant is connected to another allwhere account"
    assert "only allwhere moves a tenant" in browser.text
    refused = connection_of(engine, "globex")
    assert refused is None or refused.tenant_id is None
    assert syncs_asked(engine) == ["acme"]
    assert connect(owner, tenants["acme"]).title == "Your first sync", "its own account connects it again"


@pytest.mark.parametrize(
    ("person", "title", "why"),
    [
        (MEMBER, "You are not an administrator of this Microsoft tenant", "no_role"),
        (APPLICATIONS, "You are not an administrator of this Microsoft tenant", "no_role"),
        (GUEST, "Guests cannot connect a tenant", "guest"),
        (PERSONAL_GUEST, "Personal Microsoft accounts cannot connect a tenant", "personal_account"),
    ],
    ids=["member", "application administrator", "guest administrator", "personal guest administrator"],
)
def test_only_the_tenants_own_administrators_link_it(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, person: int, title: str, why: str
) -> None:
    tenants["acme"].consent()
    browser = sign_in_as(past_consent(signed_in("acme-primary"), tenants["acme"].tenant_id), tenants["acme"], person)
    assert browser.title == title
    assert "Nothing was changed in allwhere" in browser.text
    assert connection_of(engine) is None
    (entry,) = refusals(engine, "acme")
    assert entry.details["why"] == why
    assert entry.details["object_id"] == tenants["acme"].people[person].id


def test_a_personal_account_links_nothing(signed_in: SignIn, engine: sa.Engine) -> None:
    personal = PersonalAccounts()
    browser = sign_in_as(past_consent(signed_in("acme-primary"), personal.tenant_id), personal, 0)
    assert browser.title == "Personal Microsoft accounts cannot connect a tenant"
    assert connection_of(engine) is None


def test_a_privileged_role_administrator_links_their_tenant(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    browser = to_microsoft(signed_in("acme-primary"))
    sign_in_as(browser, tenants["acme"], PRIVILEGED).press("Accept")
    assert sign_in_as(browser, tenants["acme"], PRIVILEGED).title == "Your first sync"
    connection = connection_of(engine)
    assert connection is not None
    assert connection.proven_by_roles == ["privileged_role_administrator"]


def test_a_cloud_application_administrator_suffices_where_the_setting_says_so(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine, app: FastAPI
) -> None:
    portal = app.state.portal
    setting = {"microsoft_accept_cloud_application_administrator": True}
    object.__setattr__(portal, "microsoft", portal.microsoft.model_copy(update=setting))
    tenants["acme"].consent()
    browser = past_consent(signed_in("acme-primary"), tenants["acme"].tenant_id)
    assert sign_in_as(browser, tenants["acme"], APPLICATIONS).title == "Your first sync"


def test_without_the_claim_nobody_is_connected_and_operators_are_told(
    signed_in: SignIn,
    tenants: Tenants,
    sandbox: SandboxCloud,
    engine: sa.Engine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox.registration, "group_membership_claims", None)
    with caplog.at_level(logging.ERROR):
        browser = connect(signed_in("acme-primary"), tenants["acme"])
    assert browser.title == "Microsoft did not say which roles you hold"
    assert "write to your allwhere contact" in browser.text
    assert "set groupMembershipClaims to DirectoryRole" in caplog.text
    assert tenants["acme"].directory[0].user_principal_name not in caplog.text
    assert connection_of(engine) is None


def test_who_proved_it_is_stored_audited_and_shown(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    administrator = tenants["acme"].directory[0]
    connection = connection_of(engine)
    assert connection is not None
    assert connection.requested_by == "primary@acme.example"
    assert (connection.proven_by_oid, connection.proven_by_upn) == (
        administrator.id,
        administrator.user_principal_name,
    )
    assert connection.proven_by_roles == ["global_administrator"]
    with engine.connect() as db:
        (entry,) = audit.entries(db, "acme")
    assert entry.details["signed_in_as"] == administrator.user_principal_name
    assert entry.details["object_id"] == administrator.id
    assert entry.details["directory_roles"] == "global_administrator"
    settings = browser.open(f"{HOME}/settings").text
    assert f"{administrator.user_principal_name}, Global Administrator" in " ".join(settings.split())


def test_a_consent_and_a_sign_in_of_two_tenants_leave_a_trace(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    tenants["globex"].consent()
    browser = past_consent(signed_in("acme-primary"), tenants["globex"].tenant_id)
    browser.pick_account(admin_of(tenants["acme"]))
    assert browser.title == "Consent and sign-in are from different tenants"
    assert [entry.details["why"] for entry in refusals(engine, "acme")] == ["wrong_tenant"]


def test_connecting_again_keeps_the_settings(signed_in: SignIn, tenants: Tenants, engine: sa.Engine) -> None:
    ticked = ("mdm_assignee_updates", "hold_lookalike_employees")
    browser = connect(signed_in("acme-primary"), tenants["acme"], tick=ticked)
    browser.open(f"{HOME}/settings/disconnect").press("Disconnect")
    page = browser.open(f"{HOME}/connect").text
    assert len(re.findall(r'type="checkbox"[^>]* checked', page)) == 2
    connect(browser, tenants["acme"])
    connection = connection_of(engine)
    assert connection is not None
    assert connection.mdm_assignee_updates is connection.hold_lookalike_employees is True


def test_the_admins_of_an_account_read_that_their_tenant_was_moved(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    from intune_pipeline.inventory import tenant_moves

    browser = connect(signed_in("acme-primary"), tenants["acme"])
    with engine.begin() as db:
        tenant_moves.move(db, tenants["acme"].tenant_id, "globex", actor="operator:me", reason="acme was bought")
    page = browser.open(HOME).text
    assert "allwhere moved your Microsoft tenant" in page
    assert "allwhere moved your Microsoft tenant" in browser.open(f"{HOME}/connect").text
    log = browser.open(f"{HOME}/audit").text
    assert "allwhere moved a Microsoft tenant" in log
    assert "acme was bought" in log
    assert connect(signed_in("globex-primary"), tenants["acme"]).title == "Your first sync"


def test_a_connection_that_was_never_proven_is_not_synced(
    signed_in: SignIn, tenants: Tenants, engine: sa.Engine
) -> None:
    tenants["acme"].intune_licensed = False
    browser = connect(signed_in("acme-primary"), tenants["acme"])
    browser.open(HOME)
    assert re.search(r"<button[^>]* disabled[^>]*>\s*Sync Now", browser.text) or not browser.has_button("Sync Now")
    assert "Connect Microsoft Intune again" in browser.text
    with engine.connect() as db, pytest.raises(connections.NotConnectedError, match="no tenant is proven yet"):
        connections.syncable(db, "acme")
    tenants["acme"].intune_licensed = True
    assert connect(browser, tenants["acme"]).title == "Your first sync"
