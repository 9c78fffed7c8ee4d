"""Entra gives tokens to real MSAL, and the errors Microsoft would give."""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.sandbox.conftest import TrustingSession, app_token

ROLE = "DeviceManagementManagedDevices.Read.All"


def claims_of(token: str, keys_address: str, session: TrustingSession) -> dict[str, Any]:
    """The claims of a token signed by one of the published keys."""
    return jwt.decode(token, KeySet.import_key_set(session.get(keys_address).json()), algorithms=["RS256"]).claims


@pytest.mark.parametrize(
    "credential",
    [
        lambda cloud: cloud.client_secret,
        lambda cloud: {"private_key": cloud.client_certificate.read_text(), "public_certificate": _certificate(cloud)},
        lambda cloud: {"client_assertion": cloud.federated_token_file.read_text},
    ],
    ids=["secret", "certificate", "federated token"],
)
def test_every_kind_of_credential_gets_a_token_for_one_tenant_with_the_role(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession, credential: Callable[[SandboxCloud], Any]
) -> None:
    answer = app_token(cloud, tenant.tenant_id, session, credential(cloud))
    keys = f"{cloud.login_url}/{tenant.tenant_id}/discovery/v2.0/keys"
    claims = claims_of(answer["access_token"], keys, session)
    assert (claims["tid"], claims["aud"], claims["appid"]) == (tenant.tenant_id, cloud.graph_url, cloud.client_id)
    assert claims["roles"] == [ROLE]
    assert claims["exp"] - claims["iat"] == answer["expires_in"]


def _certificate(cloud: SandboxCloud) -> str:
    pem = cloud.client_certificate.read_text()
    return pem[pem.index("-----BEGIN CERTIFICATE-----") :]


@pytest.mark.parametrize(
    ("switches", "error", "code", "words"),
    [
        ({"exists": False}, "invalid_request", 90002, "not found"),
        ({"consented": False}, "unauthorized_client", 700016, "was not found in the directory 'acme'"),
        ({"app_disabled": True}, "unauthorized_client", 7000112, "is disabled"),
        ({"conditional_access": True}, "invalid_grant", 53003, "Conditional Access"),
    ],
)
def test_a_tenants_state_is_the_error_microsoft_gives(
    cloud: SandboxCloud,
    tenant: SandboxTenant,
    session: TrustingSession,
    switches: dict[str, bool],
    error: str,
    code: int,
    words: str,
) -> None:
    exists = switches.pop("exists", True)
    for name, value in switches.items():
        setattr(tenant, name, value)
    if not exists:
        # MSAL finds the tenant missing while it discovers the authority
        tenant.exists = False
        answer = session.get(f"{cloud.login_url}/{tenant.tenant_id}/v2.0/.well-known/openid-configuration").json()
    else:
        answer = app_token(cloud, tenant.tenant_id, session)
    assert (answer["error"], answer["error_codes"]) == (error, [code])
    assert answer["error_description"].startswith(f"AADSTS{code}: ")
    assert words in answer["error_description"]
    assert {"timestamp", "trace_id", "correlation_id"} <= answer.keys()


def test_msal_refuses_a_tenant_that_does_not_exist(cloud: SandboxCloud, session: TrustingSession) -> None:
    with pytest.raises(ValueError, match="11111111-1111-1111-1111-111111111111"):
        app_token(cloud, "11111111-1111-1111-1111-111111111111", session)


@pytest.mark.parametrize(
    ("credential", "code"),
    [("wrong", 7000215), ({"client_assertion": lambda: "no.good.assertion"}, 700027)],
    ids=["secret", "assertion"],
)
def test_a_wrong_credential_is_our_own_fault(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession, credential: Any, code: int
) -> None:
    answer = app_token(cloud, tenant.tenant_id, session, credential)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [code])


def test_throttled_token_requests_are_a_client_loop(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession
) -> None:
    cloud.faults.throttle_tokens = True
    assert app_token(cloud, tenant.tenant_id, session)["error_codes"] == [50196]


def test_a_scope_of_another_resource_is_refused(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession
) -> None:
    answer = session.post(
        f"{cloud.login_url}/{tenant.tenant_id}/oauth2/v2.0/token",
        {
            "grant_type": "client_credentials",
            "client_id": cloud.client_id,
            "client_secret": cloud.client_secret,
            "scope": "https://elsewhere.example/.default",
        },
    )
    assert answer.json()["error_codes"] == [70011]


def test_a_token_without_the_role_is_a_permission_removed(
    cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession
) -> None:
    tenant.role_granted = False
    token = app_token(cloud, tenant.tenant_id, session)["access_token"]
    keys = f"{cloud.login_url}/organizations/discovery/v2.0/keys"
    assert "roles" not in claims_of(token, keys, session)


def test_a_fresh_consent_may_take_a_while_to_reach_the_token(tenant: SandboxTenant) -> None:
    tenant.consented = tenant.role_granted = False
    tenant.propagation_seconds = 3600
    tenant.consent()
    assert (tenant.consented, tenant.effective_role) == (True, False)
    tenant.propagation_seconds = 0
    tenant.consent()
    assert tenant.effective_role


@pytest.mark.parametrize("authority", ["organizations", "common"])
def test_the_issuer_of_every_tenants_authority_is_a_template(
    cloud: SandboxCloud, session: TrustingSession, authority: str
) -> None:
    found = session.get(f"{cloud.login_url}/{authority}/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{cloud.login_url}/{{tenantid}}/v2.0"
    assert found["token_endpoint"] == f"{cloud.login_url}/{authority}/oauth2/v2.0/token"


def test_token_requests_are_in_the_log(cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession) -> None:
    app_token(cloud, tenant.tenant_id, session)
    assert [request.tenant for request in cloud.requests if request.path.endswith("/token")] == [tenant.tenant_id]
