"""Signing in with a provider that is not Auth0 and not ours: npm's ``oidc-provider``, where node is there."""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import accounts, schema
from intune_pipeline.portal.app import create_app
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.conftest import Clock

HERE = Path(__file__).parent / "oidc"
AUDIENCE = "https://api.allwhere.test/intune"
CLAIMS = {
    "groups": "viewer primary_admin",
    "permissions": "read:x intune:beta",
    "tenant": "t-123",
    "tenant_name": "acme",
}
PERSON = {"name": "Ada Byron", "email": "ada@acme.example", "email_verified": True}

Start = Callable[..., Browser]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider, installed from its lock file."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    directory = tmp_path_factory.mktemp("oidc")
    for file in HERE.iterdir():
        if file.is_file():
            shutil.copy(file, directory)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    installed = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode:
        pytest.skip(f"oidc-provider could not be installed: {installed.stderr[-200:]}")
    return directory


@pytest.fixture
def start(
    modules: Path, engine: sa.Engine, sandbox: SandboxCloud, microsoft_settings: MicrosoftSettings, clock: Clock
) -> Iterator[Start]:
    """``start(**differences)`` runs the provider and a portal that signs in with it; returns a browser."""
    running = []

    def run(portal_audience: str = AUDIENCE, **differences: Any) -> Browser:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = {
            "port": port, "redirect": f"{PORTAL}/sign-in/callback", "signed_out": f"{PORTAL}/signed-out",
            "audience": AUDIENCE, "id_token_alg": "ES256", "access_token_alg": "ES256",
            "access_claims": CLAIMS, "id_claims": PERSON,
        }  # fmt: skip
        process = subprocess.Popen(
            ["node", "provider.mjs", json.dumps(given | differences)], cwd=modules, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        portal = PortalSettings(
            portal_url=PORTAL, portal_session_secret="s" * 40, auth0_domain="unused", auth0_issuer=issuer,
            auth0_client_id="portal", auth0_client_secret="portal-secret-of-no-use-anywhere-else",
            auth0_audience=portal_audience, auth0_roles_claim="groups", auth0_organization_claim="tenant",
            auth0_organization_name_claim="tenant_name",
        )  # fmt: skip
        with engine.begin() as db:
            accounts.create(db, "acme", "Acme")
        return Browser(create_app(Settings(), portal, microsoft_settings, engine, clock=clock), sandbox.ca_bundle)

    yield run
    for process in running:
        process.terminate()
        process.wait()


def sign_in(browser: Browser) -> Browser:
    """Through the provider's own pages."""
    browser.open("/sign-in/start").press("Sign-in", login="ada", password="x")
    return browser.press("Continue") if browser.has_button("Continue") else browser


@pytest.mark.parametrize(
    ("id_token_alg", "access_token_alg"), [("ES256", "ES256"), ("RS256", "RS256"), ("RS256", "ES256")]
)
def test_who_signs_in_there_is_an_admin_here(
    start: Start, engine: sa.Engine, id_token_alg: str, access_token_alg: str
) -> None:
    browser = sign_in(start(id_token_alg=id_token_alg, access_token_alg=access_token_alg))
    assert (browser.answer.status_code, browser.title) == (200, "Connect Microsoft Intune"), browser.text
    assert "Ada Byron" in browser.text
    with engine.connect() as db:
        kept = db.execute(sa.select(schema.portal_sessions)).one()
        org_id = db.scalar(sa.select(schema.accounts.c.org_id))
    assert (kept.email, kept.role, kept.beta, org_id) == ("ada@acme.example", "primary_admin", True, "t-123")
    assert kept.authenticated_at is not None


def test_a_provider_that_puts_little_into_the_id_token_will_do(start: Start, engine: sa.Engine) -> None:
    browser = sign_in(start(id_claims={}, access_claims=CLAIMS | PERSON | {"email_verified": False}))
    assert browser.title == "Connect Microsoft Intune", browser.text
    with engine.connect() as db:
        kept = db.execute(sa.select(schema.portal_sessions)).one()
    assert (kept.name, kept.email) == ("Ada Byron", "")


def test_an_id_token_signed_with_the_client_secret_is_refused(start: Start) -> None:
    browser = sign_in(start(id_token_alg="HS256"))
    assert browser.answer.status_code == 502
    assert "could not be trusted" in browser.text


def test_a_token_for_another_api_is_our_settings_fault(start: Start) -> None:
    browser = sign_in(start(portal_audience="https://another.example"))
    assert browser.answer.status_code == 502
    assert "on our side" in browser.text


def test_a_very_long_name_is_cut(start: Start) -> None:
    browser = sign_in(start(id_claims=PERSON | {"name": "Ada " * 2000}))
    assert browser.title == "Connect Microsoft Intune"
    assert len(browser.text) < 20_000


def test_signing_out_ends_the_session_at_the_provider(start: Start) -> None:
    browser = sign_in(start())
    browser.press("Sign out")
    assert "/session/end" in browser.url
