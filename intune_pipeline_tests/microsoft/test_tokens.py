"""Tokens of one tenant, with each kind of credential, and what goes wrong with them."""

import time
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

from intune_pipeline.errors import WrongUseError
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.microsoft.tokens import REQUIRED_ROLE, TenantTokens, read_claims
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant

KINDS: dict[str, Callable[[SandboxCloud], Credential]] = {
    "secret": lambda cloud: Credential(cloud.client_id, cloud.client_secret),
    "certificate": lambda cloud: Credential(cloud.client_id, client_certificate=cloud.client_certificate),
    "federated": lambda cloud: Credential(cloud.client_id, federated_token_file=cloud.federated_token_file),
}


def failure(cloud: MicrosoftCloud, credential: Credential, tenant_id: str) -> MicrosoftError:
    with pytest.raises(MicrosoftError) as caught:
        TenantTokens(cloud, credential, tenant_id).token()
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_credential_opens_the_tenant(
    kind: str, sandbox: SandboxCloud, cloud: MicrosoftCloud, tenant: SandboxTenant
) -> None:
    claims = TenantTokens(cloud, KINDS[kind](sandbox), tenant.tenant_id).claims()
    assert claims.tenant_id == tenant.tenant_id
    assert claims.roles == {REQUIRED_ROLE}


def test_a_token_is_kept_until_graph_refuses_it(
    sandbox: SandboxCloud, cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    tokens = TenantTokens(cloud, credential, tenant.tenant_id)
    first = tokens.token()
    assert tokens.token() == first
    second = tokens.token(refused=first)
    assert second != first
    assert tokens.token(refused=first) == second
    assert sandbox.requests.count("/token") == 2


@pytest.mark.parametrize(
    ("switch", "value", "cause"),
    [
        ("consented", False, Cause.CONSENT_MISSING),
        ("app_disabled", True, Cause.APP_DISABLED),
        ("conditional_access", True, Cause.CONDITIONAL_ACCESS),
        ("exists", False, Cause.TENANT_UNKNOWN),
    ],
)
def test_entras_refusals_name_their_cause_and_request(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant, switch: str, value: bool, cause: Cause
) -> None:
    setattr(tenant, switch, value)
    error = failure(cloud, credential, tenant.tenant_id)
    assert error.cause is cause
    assert error.request_id
    assert error.tenant_id == tenant.tenant_id


def test_a_refusal_is_not_replayed_once_the_customer_has_acted(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    tenant.consented = False
    tokens = TenantTokens(cloud, credential, tenant.tenant_id)
    with pytest.raises(MicrosoftError):
        tokens.token()
    tenant.consented = True
    assert tokens.token()


def test_a_throttled_sign_in_can_pass(
    sandbox: SandboxCloud, cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    sandbox.faults.throttle_tokens = True
    error = failure(cloud, credential, tenant.tenant_id)
    assert (error.cause, error.code) == (Cause.THROTTLED, "AADSTS50196")


def test_an_unreachable_entra_is_an_outage(cloud: MicrosoftCloud, credential: Credential) -> None:
    nowhere = MicrosoftCloud("https://127.0.0.1:9", cloud.graph_url, cloud.ca_bundle)
    assert failure(nowhere, credential, "a-tenant").cause is Cause.OUTAGE


def test_a_wrong_secret_is_our_own_fault(cloud: MicrosoftCloud, sandbox: SandboxCloud, tenant: SandboxTenant) -> None:
    error = failure(cloud, Credential(sandbox.client_id, "wrong-secret"), tenant.tenant_id)
    assert error.cause is Cause.OUR_CREDENTIAL
    assert error.cause.connection_status is None


@pytest.mark.parametrize("content", [None, "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("kind", ["client_certificate", "federated_token_file"])
def test_a_credential_file_that_is_no_use_is_named(
    cloud: MicrosoftCloud, sandbox: SandboxCloud, tenant: SandboxTenant, tmp_path: Path, kind: str, content: str | None
) -> None:
    path = tmp_path / "credential"
    if content is not None:
        path.write_text(content)
    error = failure(cloud, Credential(sandbox.client_id, **{kind: path}), tenant.tenant_id)
    assert error.cause is Cause.OUR_CREDENTIAL
    if content is None or kind == "client_certificate":
        assert str(path) in str(error)


def test_the_ca_bundle_holds_although_the_environment_names_another(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: SandboxTenant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.setenv("CURL_CA_BUNDLE", certifi.where())
    with GraphClient(cloud, credential, tenant.tenant_id, deadline=time.monotonic() + 10) as client:
        client.probe()


def test_a_server_of_another_authority_is_not_trusted(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    stranger = MicrosoftCloud(cloud.login_url, cloud.graph_url, Path(certifi.where()))
    error = failure(stranger, credential, tenant.tenant_id)
    assert error.cause is Cause.OUTAGE
    assert "MICROSOFT_CA_BUNDLE" in str(error)


def test_secrets_are_in_no_text(sandbox: SandboxCloud, credential: Credential) -> None:
    assert sandbox.client_secret not in f"{credential} {credential!r}"


def test_exactly_one_credential_is_given() -> None:
    for options in ({}, {"client_secret": "s", "federated_token_file": Path("t")}):
        with pytest.raises(
            WrongUseError, match=r"^Give exactly one of client secret, client certificate and federated token file\.$"
        ):
            Credential("app", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://graph.example", "graph.example", "https://graph.example/v1.0", ""])
def test_only_https_origins_are_clouds(url: str) -> None:
    with pytest.raises(WrongUseError, match="https origin"):
        MicrosoftCloud("https://login.example", url)


@pytest.mark.parametrize("token", ["", "no token", "a.b.c", "e30.W10.x"])
def test_a_token_that_says_nothing_has_no_role(token: str) -> None:
    assert read_claims(token).roles == frozenset()
