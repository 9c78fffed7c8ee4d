"""A Microsoft administrator without a user in allwhere answers a link, in a real browser, by keyboard, on a phone too."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import accounts, connections
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.chromium import needs_chromium
from intune_pipeline_tests.end_to_end.test_portal_story import HOME, at_microsoft, heading, press, served, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium


@pytest.fixture
def address(engine: sa.Engine) -> Iterator[str]:
    with engine.begin() as db:
        accounts.create(db, "acme", "Acme")
    tenant = SandboxTenant("acme", generate_fleet(seed=11, size=20), consented=False)
    with SandboxCloud([tenant]).running() as sandbox, served(engine, sandbox) as url:
        yield url


def tab(chromium: "Browser", address: str, width: int) -> "Page":
    viewport = {"width": width, "height": 720}
    page = chromium.new_context(base_url=address, ignore_https_errors=True, viewport=viewport).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(20_000)
    return page


def fits(page: "Page") -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_an_administrator_answers_a_link_and_the_primary_admin_confirms(
    chromium: "Browser", address: str, engine: sa.Engine
) -> None:
    petra, ada = tab(chromium, address, 360), tab(chromium, address, 360)
    sign_in(petra, "acme-primary")
    press(petra, "Make a link for your Microsoft administrator")
    heading(petra, "Send this link to your Microsoft administrator")
    fits(petra)
    link = petra.get_by_label("The link, shown only now:").input_value()

    ada.goto(link)
    heading(ada, "Acme asks to connect your Microsoft Intune")
    fits(ada)
    press(ada, "Continue to Microsoft")
    at_microsoft(ada, "admin@acme.example")
    heading(ada, "Consent for Acme?")
    fits(ada)
    press(ada, "Go to Microsoft's consent page")
    at_microsoft(ada, "admin@acme.example")
    ada.get_by_role("button", name="Accept").click()
    at_microsoft(ada, "admin@acme.example")
    heading(ada, "Thank you. Acme confirms now")
    fits(ada)

    petra.goto(HOME)
    heading(petra, "Microsoft Intune")
    press(petra, "Confirm the tenant")
    heading(petra, "Is acme.example your company's Microsoft tenant?")
    fits(petra)
    press(petra, "Yes, connect acme.example")
    heading(petra, "Your first sync")
    with engine.connect() as db:
        assert connections.get(db, "acme").status == "connected"
