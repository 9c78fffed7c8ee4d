"""A person consents and signs in at the sandbox's Microsoft, or does not."""

from typing import Any

import pytest

from intune_pipeline.sandbox import tenants
from intune_pipeline.sandbox.authorization_codes import challenge_of
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.sandbox.browser import Browser
from intune_pipeline_tests.sandbox.conftest import TrustingSession
from intune_pipeline_tests.sandbox.test_entra import claims_of

CALLBACK = "https://portal.example/integrations/intune/callback?kept=yes"
VERIFIER = "v" * 43


@pytest.fixture
def browser(session: TrustingSession) -> Browser:
    return Browser(session)


@pytest.fixture
def consent(cloud: SandboxCloud) -> dict[str, str]:
    return {
        "client_id": cloud.client_id,
        "scope": f"{cloud.graph_url}/.default",
        "redirect_uri": CALLBACK,
        "state": "a-state",
    }


@pytest.fixture
def sign_in(cloud: SandboxCloud) -> dict[str, str]:
    return {
        "client_id": cloud.client_id,
        "response_type": "code",
        "scope": "openid profile",
        "redirect_uri": CALLBACK,
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }


def test_an_administrator_accepts_and_the_app_is_called_back(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, consent: dict[str, str]
) -> None:
    tenant.consented = tenant.role_granted = False
    page = browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **consent)
    page = browser.stay(page, "admin@acme.example")
    assert "DeviceManagementManagedDevices.Read.All" in page.text
    assert not tenant.consented
    assert browser.leave(page, "Accept") == {
        "kept": "yes",
        "admin_consent": "True",
        "tenant": tenant.tenant_id,
        "state": "a-state",
        "scope": f"{cloud.graph_url}/.default",
    }
    assert tenant.consented
    assert tenant.effective_role


@pytest.mark.parametrize(
    ("user", "refusal"),
    [("admin@acme.example", "Cancel"), ("user@acme.example", "Return to the application")],
    ids=["cancelled", "needs an admin"],
)
def test_a_refusal_tells_the_app_nothing_but_that(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, consent: dict[str, str], user: str, refusal: str
) -> None:
    tenant.consented = False
    page = browser.stay(browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **consent), user)
    assert browser.leave(page, refusal) == {
        "kept": "yes",
        "error": "access_denied",
        "error_subcode": "cancel",
        "state": "a-state",
    }
    assert not tenant.consented


def test_an_ordinary_user_cannot_accept(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession, consent: dict[str, str]
) -> None:
    tenant.consented = False
    _, user = tenant.directory
    answer = session.post(
        f"{cloud.login_url}/organizations/v2.0/adminconsent",
        {"account": f"{tenant.tenant_id}/{user.id}", "decision": "accept"},
        params=consent,
        allow_redirects=False,
    )
    assert "Need admin approval" in answer.text
    assert not tenant.consented


def test_a_tenants_own_page_offers_its_own_people_only(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, consent: dict[str, str]
) -> None:
    everybody = browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **consent).buttons
    own = browser.open(f"{cloud.login_url}/{tenant.tenant_id}/v2.0/adminconsent", **consent).buttons
    assert (len(everybody), len(own)) == (13, 6), "two tenants' people and somebody with a personal account"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_id": "somebody-else"}, "AADSTS700016"),
        ({"redirect_uri": "http://portal.example/callback"}, "AADSTS50011"),
        ({"redirect_uri": "javascript:alert(1)"}, "AADSTS50011"),
    ],
)
def test_a_request_entra_does_not_know_stays_on_an_error_page(
    cloud: SandboxCloud, browser: Browser, consent: dict[str, str], changed: dict[str, str], code: str
) -> None:
    page = browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **{**consent, **changed})
    assert page.status == 400
    assert code in page.text
    assert not page.buttons


def test_a_disabled_app_stays_on_an_error_page(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, consent: dict[str, str]
) -> None:
    tenant.app_disabled = True
    page = browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **consent)
    assert "AADSTS7000112" in browser.stay(page, "admin@acme.example").text


def test_signing_in_proves_the_tenant(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, session: TrustingSession, sign_in: dict[str, str]
) -> None:
    page = browser.open(f"{cloud.login_url}/organizations/oauth2/v2.0/authorize", **sign_in)
    back = browser.leave(page, "user@acme.example")
    assert back["state"] == "a-state"
    tokens = session.post(f"{cloud.login_url}/organizations/oauth2/v2.0/token", redeeming(cloud, back["code"])).json()
    claims = claims_of(tokens["id_token"], f"{cloud.login_url}/organizations/discovery/v2.0/keys", session)
    assert (claims["tid"], claims["nonce"], claims["aud"]) == (tenant.tenant_id, "a-nonce", cloud.client_id)
    assert claims["iss"] == f"{cloud.login_url}/{tenant.tenant_id}/v2.0"


PEOPLE = {
    "admin@acme.example": [tenants.GLOBAL_ADMINISTRATOR, tenants.MEMBER],
    "user@acme.example": [tenants.MEMBER],
    "roles@acme.example": [tenants.PRIVILEGED_ROLE_ADMINISTRATOR, tenants.MEMBER],
    "apps@acme.example": [tenants.CLOUD_APPLICATION_ADMINISTRATOR, tenants.MEMBER],
    "gus_partner.example#EXT#@acme.example": [tenants.GLOBAL_ADMINISTRATOR, tenants.GUEST],
    "mia_outlook.example#EXT#@acme.example": [tenants.GLOBAL_ADMINISTRATOR, tenants.GUEST],
    "pat@outlook.example": [tenants.MEMBER],
}


@pytest.mark.parametrize("person", PEOPLE)
def test_a_token_tells_roles_and_who_is_a_guest_from_where(
    cloud: SandboxCloud,
    tenant: SandboxTenant,
    browser: Browser,
    session: TrustingSession,
    sign_in: dict[str, str],
    person: str,
) -> None:
    claims = signed_in(cloud, browser, session, sign_in, person)
    assert claims["wids"] == PEOPLE[person]
    providers = {"gus_": f"https://sts.windows.net/{tenants.PARTNER_TENANT_ID}/", "mia_": "live.com"}
    assert claims.get("idp") == providers.get(person[:4])
    assert claims["tid"] == (tenants.PERSONAL_TENANT_ID if person.startswith("pat") else tenant.tenant_id)


def test_an_app_that_does_not_ask_for_roles_is_not_told_them(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, session: TrustingSession, sign_in: dict[str, str]
) -> None:
    control = f"{cloud.login_url}/_sandbox/app-registration"
    assert session.get(control).json() == {"groupMembershipClaims": "DirectoryRole"}
    assert session.post(control, json={"groupMembershipClaims": None}).json() == {"groupMembershipClaims": None}
    assert "wids" not in signed_in(cloud, browser, session, sign_in, "admin@acme.example")
    assert session.post(control, json={"groupMembershipClaims": "Roles"}).status_code == 400


@pytest.mark.parametrize(("person", "may"), [("roles", True), ("apps", False), ("gus_partner.example#EXT#", True)])
def test_who_may_grant_an_application_permission(
    cloud: SandboxCloud, tenant: SandboxTenant, browser: Browser, consent: dict[str, str], person: str, may: bool
) -> None:
    page = browser.open(f"{cloud.login_url}/{tenant.tenant_id}/v2.0/adminconsent", **consent)
    offered = browser.stay(page, f"{person}@acme.example").text
    assert ("Permissions requested" in offered) is may
    assert ("Need admin approval" in offered) is not may


def test_a_personal_account_grants_nothing(cloud: SandboxCloud, browser: Browser, consent: dict[str, str]) -> None:
    page = browser.open(f"{cloud.login_url}/organizations/v2.0/adminconsent", **consent)
    assert "AADSTS500200" in browser.stay(page, "pat@outlook.example").text


def signed_in(
    cloud: SandboxCloud, browser: Browser, session: TrustingSession, sign_in: dict[str, str], person: str
) -> dict[str, Any]:
    """The claims of the id token after this person signed in."""
    page = browser.open(f"{cloud.login_url}/organizations/oauth2/v2.0/authorize", **sign_in)
    code = browser.leave(page, person)["code"]
    tokens = session.post(f"{cloud.login_url}/organizations/oauth2/v2.0/token", redeeming(cloud, code)).json()
    return claims_of(tokens["id_token"], f"{cloud.login_url}/organizations/discovery/v2.0/keys", session)


@pytest.mark.parametrize(
    "spoilt", [{"code_verifier": "w" * 43}, {"redirect_uri": "https://other.example/"}, {"code": "x"}]
)
def test_a_code_is_good_once_and_for_its_own_app_only(
    cloud: SandboxCloud, browser: Browser, session: TrustingSession, sign_in: dict[str, str], spoilt: dict[str, str]
) -> None:
    address = f"{cloud.login_url}/organizations/oauth2/v2.0/token"
    page = browser.open(f"{cloud.login_url}/organizations/oauth2/v2.0/authorize", **sign_in)
    form = redeeming(cloud, browser.leave(page, "user@acme.example")["code"])
    assert session.post(address, {**form, **spoilt}).json()["error"] == "invalid_grant"
    good = redeeming(cloud, browser.leave(page, "user@acme.example")["code"])
    assert session.post(address, good).status_code == 200
    assert session.post(address, good).json()["error"] == "invalid_grant"


def redeeming(cloud: SandboxCloud, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": cloud.client_id,
        "client_secret": cloud.client_secret,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
