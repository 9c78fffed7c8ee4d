"""The portal's people sign in as they would with Auth0."""

from typing import Any

import pytest

from intune_pipeline.sandbox.authorization_codes import challenge_of
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.sign_in import ROLES_CLAIM
from intune_pipeline_tests.sandbox.browser import Browser
from intune_pipeline_tests.sandbox.conftest import TrustingSession
from intune_pipeline_tests.sandbox.test_entra import claims_of

CALLBACK = "http://127.0.0.1:8000/signed-in"
VERIFIER = "v" * 43


class Portal:
    """The relying party, with the settings the sandbox hands out."""

    def __init__(self, cloud: SandboxCloud, session: TrustingSession) -> None:
        self.settings = cloud.environment()
        self.session = session
        self.browser = Browser(session)
        self.issuer = self.settings["AUTH0_ISSUER"]
        self.request = {
            "client_id": self.settings["AUTH0_CLIENT_ID"],
            "response_type": "code",
            "scope": "openid profile email",
            "audience": self.settings["AUTH0_AUDIENCE"],
            "redirect_uri": CALLBACK,
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }

    def redeem(self, code: str, secret: str | None = None) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        credential = self.settings["AUTH0_CLIENT_ID"], secret or self.settings["AUTH0_CLIENT_SECRET"]
        answer: dict[str, Any] = self.session.post(f"{self.issuer}oauth/token", form, auth=credential).json()
        return answer

    def claims(self, token: str) -> dict[str, Any]:
        return claims_of(token, f"{self.issuer}.well-known/jwks.json", self.session)


@pytest.fixture
def portal(cloud: SandboxCloud, session: TrustingSession) -> Portal:
    return Portal(cloud, session)


@pytest.mark.parametrize(
    ("button", "role", "permissions"),
    [
        ("Petra Primary", "primary_admin", ["intune:beta"]),
        ("Sami Secondary", "secondary_admin", ["intune:beta"]),
        ("Noor Nobeta", "primary_admin", []),
    ],
)
def test_each_of_the_three_people_signs_in_with_role_account_and_permissions(
    portal: Portal, button: str, role: str, permissions: list[str]
) -> None:
    page = portal.browser.open(f"{portal.issuer}authorize", **portal.request, organization="acme")
    back = portal.browser.leave(page, button)
    assert back["state"] == "a-state"
    tokens = portal.redeem(back["code"])
    identity, access = portal.claims(tokens["id_token"]), portal.claims(tokens["access_token"])
    assert (identity["iss"], identity["aud"], identity["nonce"]) == (portal.issuer, "sandbox-portal", "a-nonce")
    assert identity["org_name"] == access["org_name"] == "acme"
    assert identity[ROLES_CLAIM] == access[ROLES_CLAIM] == [role]
    assert portal.settings["AUTH0_AUDIENCE"] in access["aud"]
    assert access["permissions"] == permissions
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert portal.session.get(f"{portal.issuer}userinfo", headers=bearer).json()["name"] == button


def test_discovery_names_the_endpoints_under_an_issuer_ending_in_a_slash(portal: Portal) -> None:
    found = portal.session.get(f"{portal.issuer}.well-known/openid-configuration").json()
    assert portal.issuer.endswith("/")
    assert found["issuer"] == portal.issuer == f"http://{portal.settings['AUTH0_DOMAIN']}/"
    assert found["authorization_endpoint"] == f"{portal.issuer}authorize"


def test_every_account_has_its_people_on_the_page(portal: Portal) -> None:
    page = portal.browser.open(f"{portal.issuer}authorize", **portal.request)
    assert len(page.buttons) == 2 * 3 + 1


def test_cancelling_and_silent_sign_in_are_errors_the_portal_hears_of(portal: Portal) -> None:
    page = portal.browser.open(f"{portal.issuer}authorize", **portal.request)
    assert portal.browser.leave(page, "Cancel")["error"] == "access_denied"
    silent = portal.session.get(
        f"{portal.issuer}authorize", params={**portal.request, "prompt": "none"}, allow_redirects=False
    )
    assert "error=login_required" in silent.headers["location"]


def test_a_stranger_is_neither_sent_back_nor_given_tokens(portal: Portal) -> None:
    for changed in ({"client_id": "stranger"}, {"redirect_uri": "http://elsewhere.example/"}):
        assert portal.browser.open(f"{portal.issuer}authorize", **{**portal.request, **changed}).status == 403
    page = portal.browser.open(f"{portal.issuer}authorize", **portal.request, organization="acme")
    code = portal.browser.leave(page, "Petra")["code"]
    assert portal.redeem(code, secret="wrong") == {"error": "access_denied", "error_description": "Unauthorized"}


def test_a_code_is_good_once(portal: Portal) -> None:
    page = portal.browser.open(f"{portal.issuer}authorize", **portal.request, organization="acme")
    code = portal.browser.leave(page, "Petra")["code"]
    assert "id_token" in portal.redeem(code)
    assert portal.redeem(code)["error"] == "invalid_grant"


def test_signing_out_leads_back_to_the_portal_and_nowhere_unsafe(portal: Portal) -> None:
    address = f"{portal.issuer}v2/logout"
    answer = portal.session.get(address, params={"returnTo": "http://127.0.0.1:8000/"}, allow_redirects=False)
    assert answer.headers["location"] == "http://127.0.0.1:8000/"
    assert portal.session.get(address, params={"returnTo": "http://elsewhere.example"}).status_code == 400


def test_a_test_may_have_a_token_without_a_browser(cloud: SandboxCloud, portal: Portal) -> None:
    assert portal.claims(cloud.sign_in_token("globex-secondary"))["org_name"] == "globex"
    with pytest.raises(KeyError):
        cloud.sign_in_token("nobody")
