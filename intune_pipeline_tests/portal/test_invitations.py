"""A link for the colleague who is the Microsoft administrator: what they see, what they prove, who confirms."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from intune_pipeline.inventory import audit, schema
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock
from intune_pipeline_tests.portal.test_connect import HOME, admin_of, connect, connection_of
from intune_pipeline_tests.portal.test_ownership import APPLICATIONS, GUEST, MEMBER, PRIVILEGED

Tenants = dict[str, SandboxTenant]
SignIn = Callable[[str], Browser]
MAKE = "Make a link for your Microsoft administrator"


@pytest.fixture
def petra(signed_in: SignIn) -> Browser:
    """The Primary Admin of acme."""
    return signed_in("acme-primary")


@pytest.fixture
def link(petra: Browser) -> str:
    """A link she made."""
    page = petra.open(f"{HOME}/connect").press(MAKE, tick=("mdm_assignee_updates",)).text
    found = re.search(r'value="(https://[^"]+/invitation/[^"]+)"', page)
    assert found
    return found.group(1)


@pytest.fixture
def ada(app: FastAPI, sandbox: SandboxCloud) -> Browser:
    """A browser in which nobody is signed in to allwhere."""
    return Browser(app, sandbox.ca_bundle)


def to_review(browser: Browser, link: str, tenant: SandboxTenant, person: int = 0) -> Browser:
    browser.open(link).follow("Continue to Microsoft")
    return browser.pick_account(f"{tenant.tenant_id}/{tenant.people[person].id}")


def to_proof(browser: Browser, link: str, tenant: SandboxTenant) -> Browser:
    to_review(browser, link, tenant).follow("Go to Microsoft")
    return browser.pick_account(admin_of(tenant)).press("Accept")


def answer(browser: Browser, link: str, tenant: SandboxTenant) -> Browser:
    return to_proof(browser, link, tenant).pick_account(admin_of(tenant))


def status(engine: sa.Engine) -> str | None:
    connection = connection_of(engine)
    return None if connection is None else connection.status


def syncs(engine: sa.Engine) -> int:
    with engine.connect() as db:
        return int(db.scalar(sa.select(sa.func.count()).select_from(schema.sync_requests)) or 0)


def test_an_administrator_without_a_user_consents_and_a_primary_admin_confirms_by_name(
    petra: Browser, ada: Browser, link: str, tenants: Tenants, sandbox: SandboxCloud, engine: sa.Engine
) -> None:
    page = ada.open(link)
    assert page.title == "Acme asks to connect your Microsoft Intune"
    assert "primary@acme.example" in page.text
    assert "DeviceManagementManagedDevices.Read.All" in page.text

    sandbox.requests.clear()
    done = answer(ada, link, tenants["acme"])
    assert done.title == "Thank you. Acme confirms now"
    waiting = connection_of(engine)
    assert waiting is not None
    assert (waiting.status, waiting.tenant_id) == ("awaiting_confirmation", None)
    assert not [one for one in sandbox.requests if "managedDevices" in one.path], "nothing is read before"
    assert syncs(engine) == 0

    assert "Waiting for your confirmation" in petra.open(HOME).text
    question = petra.open(f"{HOME}/confirm")
    assert question.title == "Is acme.example your company's Microsoft tenant?"
    assert "admin@acme.example, Global Administrator" in question.text
    assert petra.press("Yes, connect acme.example").title == "Your first sync"
    linked = connection_of(engine)
    assert linked is not None
    assert (linked.status, linked.tenant_id) == ("connected", tenants["acme"].tenant_id)
    assert linked.mdm_assignee_updates, "the choices of who made the link"
    assert linked.proven_by_upn == "admin@acme.example"
    assert syncs(engine) == 1
    with engine.connect() as db:
        told = [(entry.action, entry.actor) for entry in reversed(audit.entries(db, "acme"))]
    assert told == [
        ("invite", "primary@acme.example"),
        ("answer", "Microsoft administrator"),
        ("confirm", "primary@acme.example"),
        ("connect", "primary@acme.example"),
    ]
    assert ada.open(link).title == "This link does not work any more"


@pytest.mark.parametrize(
    ("person", "title"),
    [
        (MEMBER, "You are not an administrator of this Microsoft tenant"),
        (APPLICATIONS, "You are not an administrator of this Microsoft tenant"),
        (GUEST, "Guests cannot connect a tenant"),
    ],
)
def test_a_role_is_needed_before_consent(
    ada: Browser, link: str, tenants: Tenants, engine: sa.Engine, person: int, title: str
) -> None:
    assert to_review(ada, link, tenants["acme"], person).title == title
    assert "open the link you were sent once more" in ada.text
    assert status(engine) is None
    assert ada.open(link).title == "Acme asks to connect your Microsoft Intune", "somebody else may answer it"


@pytest.mark.parametrize(
    ("person", "title"),
    [
        (MEMBER, "You are not an administrator of this Microsoft tenant"),
        (PRIVILEGED, "You signed in as somebody else"),
    ],
)
def test_the_same_administrator_signs_in_after_consent(
    ada: Browser, link: str, tenants: Tenants, engine: sa.Engine, person: int, title: str
) -> None:
    to_proof(ada, link, tenants["acme"])
    ada.pick_account(f"{tenants['acme'].tenant_id}/{tenants['acme'].people[person].id}")
    assert ada.title == title
    assert status(engine) is None


def test_a_consent_redirect_made_by_hand_for_another_tenant_leads_nowhere(
    ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    to_review(ada, link, tenants["acme"])
    state = re.search(r"state=([\w-]+)", ada.text)
    assert state
    ada.open(
        f"{PORTAL}/invitation/consent?admin_consent=True&tenant={tenants['globex'].tenant_id}&state={state.group(1)}"
    )
    assert ada.title == "Consent and sign-in are from different tenants"
    assert status(engine) is None


def test_the_administrator_refuses(
    petra: Browser, ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    assert to_review(ada, link, tenants["acme"]).follow("Refuse").title == "You refused"
    assert status(engine) is None
    assert ada.open(link).title == "This link does not work any more"
    assert "Refused to connect" in petra.open(f"{HOME}/audit").text


def test_the_administrator_withdraws_before_the_confirmation(
    petra: Browser, ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    answer(ada, link, tenants["acme"])
    question = petra.open(f"{HOME}/confirm")
    assert to_review(ada, link, tenants["acme"]).follow("Withdraw").title == "You refused"
    assert status(engine) == "pending"
    assert question.press("Yes, connect acme.example").title == "There is nothing to confirm any more"
    assert status(engine) == "pending"
    assert syncs(engine) == 0
    assert "Your Microsoft administrator refused" in petra.open(f"{HOME}/connect").text


def test_an_administrator_of_another_tenant_does_not_withdraw(
    ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    answer(ada, link, tenants["acme"])
    assert to_review(ada, link, tenants["globex"]).follow("Withdraw").title != "You refused"
    assert status(engine) == "awaiting_confirmation"


def test_the_primary_admin_withdraws_and_says_no(
    petra: Browser, ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    petra.open(f"{HOME}/connect").press("Withdraw the link")
    assert ada.open(link).title == "This link does not work any more"

    again = petra.open(f"{HOME}/connect").press(MAKE).text
    link = re.search(r'value="(https://[^"]+/invitation/[^"]+)"', again).group(1)  # type: ignore[union-attr]
    answer(ada, link, tenants["acme"])
    assert petra.open(f"{HOME}/confirm").press("No, this is not our tenant").title == "Connect Microsoft Intune"
    assert status(engine) == "pending"
    assert syncs(engine) == 0


def test_a_link_lives_72_hours_and_a_new_one_replaces_it(petra: Browser, ada: Browser, link: str, clock: Clock) -> None:
    clock.move(timedelta(hours=72) - timedelta(seconds=1))
    assert ada.open(link).title == "Acme asks to connect your Microsoft Intune"
    clock.move(timedelta(seconds=1))
    assert ada.open(link).title == "This link does not work any more"


def test_a_new_link_replaces_the_one_before(petra: Browser, ada: Browser, link: str) -> None:
    petra.open(f"{HOME}/connect").press(MAKE)
    assert ada.open(link).title == "This link does not work any more"


def test_a_state_is_of_one_browser_and_good_once(
    ada: Browser, app: FastAPI, sandbox: SandboxCloud, link: str, tenants: Tenants
) -> None:
    answer(ada, link, tenants["acme"])
    returns = [address for address in ada.visited if re.search("/invitation/(sign-in|consent)", address)]
    assert len(returns) == 3
    other = Browser(app, sandbox.ca_bundle)
    other.open(link)
    for address in returns:
        assert other.open(address).title == "This connection attempt is not yours to finish"
        assert ada.open(address).title == "This step was already done"


def test_secondary_admins_and_others_neither_invite_nor_confirm(
    signed_in: SignIn, ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    answer(ada, link, tenants["acme"])
    sami = signed_in("acme-secondary").open(f"{HOME}/confirm")
    assert not sami.has_button("Yes, connect")
    form = {"form_token": sami.form_token(), "tenant_id": tenants["acme"].tenant_id, "decision": "confirm"}
    assert sami.portal.post(f"{HOME}/confirm", data=form).status_code == 403
    assert status(engine) == "awaiting_confirmation"
    george = signed_in("globex-primary").open(f"{HOME}/connect")
    assert "A link is waiting" not in george.text


def test_who_is_connected_meanwhile_needs_no_answer(
    petra: Browser, ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    to_proof(ada, link, tenants["acme"])
    connect(petra, tenants["acme"])
    ada.pick_account(admin_of(tenants["acme"]))
    assert ada.title == "This link does not work any more"
    assert status(engine) == "connected"


def test_neither_the_links_secret_nor_who_signed_in_rests_in_the_clear(
    ada: Browser, link: str, tenants: Tenants, engine: sa.Engine
) -> None:
    to_review(ada, link, tenants["acme"])
    with engine.connect() as db:
        rows = str(db.execute(sa.select(schema.admin_invitations)).all())
        rows += str(db.execute(sa.select(schema.connect_attempts)).all())
    assert link.rpartition("/")[2] not in rows
    assert "admin@acme.example" not in rows
