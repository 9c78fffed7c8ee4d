"""Two ways a member of a tenant, who administers nothing, took it over: replayed in a real browser against the sandbox.

The stranger is a Primary Admin of another allwhere account with an ordinary user in the victim's tenant.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import accounts, connections, schema
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.chromium import needs_chromium
from intune_pipeline_tests.end_to_end.test_portal_story import HOME, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
VERIFICATION_LOOKS_EVERY_MS = 5_000


@pytest.fixture
def tenant() -> SandboxTenant:
    return SandboxTenant("acme", generate_fleet(seed=11, size=20), consented=False)


@pytest.fixture
def address(engine: sa.Engine, tenant: SandboxTenant) -> Iterator[str]:
    """A portal with the victim's account acme and the stranger's account globex."""
    with engine.begin() as db:
        accounts.create(db, "acme", "Acme")
        accounts.create(db, "globex", "Globex")
    tenants = [tenant, SandboxTenant("globex", consented=False)]
    with SandboxCloud(tenants).running() as sandbox, served(engine, sandbox) as url:
        yield url


def person(chromium: "Browser", address: str, user: str) -> "Page":
    """A browser of their own in which somebody has signed in to allwhere."""
    page = chromium.new_context(base_url=address, ignore_https_errors=True).new_page()
    page.set_default_timeout(20_000)
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in to allwhere").click()
    page.locator(f'button[value="{user}"]').click()
    heading(page, "Connect Microsoft Intune")
    return page


def heading(page: "Page", text: str) -> None:
    page.get_by_role("heading", level=1, name=text).wait_for()


def connect(page: "Page") -> None:
    """The administrator's way: consent, then sign in."""
    page.goto(f"{HOME}/connect")
    page.get_by_role("button", name="Continue to Microsoft").click()
    page.get_by_role("button", name="admin@acme.example").click()
    page.get_by_role("button", name="Accept").click()
    page.get_by_role("button", name="admin@acme.example").click()


def sneak_past_consent(page: "Page", tenant: SandboxTenant) -> None:
    """Go to Microsoft's consent page, come back from it by hand, and sign in as a member without a role."""
    page.goto(f"{HOME}/connect")
    page.get_by_role("button", name="Continue to Microsoft").click()
    heading(page, "Pick an account")
    (state,) = parse_qs(urlsplit(page.url).query)["state"]
    page.goto(f"{HOME}/connect/consent?admin_consent=True&tenant={tenant.tenant_id}&state={state}")
    page.get_by_role("button", name="user@acme.example").click()


def linked(engine: sa.Engine) -> dict[str, str]:
    """Which accounts are connected, and who asked for syncs."""
    with engine.connect() as db:
        return {record.account: record.status for record in connections.every(db)}


def syncs(engine: sa.Engine) -> int:
    with engine.connect() as db:
        return int(db.scalar(sa.select(sa.func.count()).select_from(schema.sync_requests)) or 0)


def test_after_a_disconnect_a_member_does_not_connect_the_tenant_elsewhere(
    chromium: "Browser", address: str, engine: sa.Engine, tenant: SandboxTenant
) -> None:
    owner = person(chromium, address, "acme-primary")
    connect(owner)
    heading(owner, "Your first sync")
    owner.goto(f"{HOME}/settings/disconnect")
    owner.get_by_role("button", name="Disconnect").click()
    owner.get_by_role("heading", name="Disconnected").wait_for()
    assert tenant.effective_role, "the consent stays in Entra"

    stranger = person(chromium, address, "globex-primary")
    sneak_past_consent(stranger, tenant)
    stranger.wait_for_load_state()
    assert linked(engine) == {"acme": "disconnected"}
    assert syncs(engine) == 1
    heading(stranger, "You are not an administrator of this Microsoft tenant")


def test_a_member_does_not_claim_the_tenant_before_its_administrator_connects(
    chromium: "Browser", address: str, engine: sa.Engine, tenant: SandboxTenant
) -> None:
    stranger = person(chromium, address, "globex-primary")
    sneak_past_consent(stranger, tenant)
    stranger.wait_for_load_state()

    owner = person(chromium, address, "acme-primary")
    connect(owner)
    heading(owner, "Your first sync")
    owner.wait_for_timeout(VERIFICATION_LOOKS_EVERY_MS)
    assert linked(engine) == {"acme": "connected"}
    assert syncs(engine) == 1
    heading(stranger, "You are not an administrator of this Microsoft tenant")
