"""A sign-in at an Entra that answers as a test tells it: what goes wrong is one sentence with what Microsoft's support asks for."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.sign_in import SignInError, SignInProblem, SignInStart, finish_sign_in, start_sign_in
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.tokens import TokenSigner
from intune_pipeline_tests.microsoft.browser import REDIRECT_URI
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post':UserWarning")

SignIn = Callable[[Said], MicrosoftError]


@pytest.fixture
def entra(scripted: tuple[ScriptedGraph, Connect]) -> ScriptedGraph:
    graph, _ = scripted
    return graph


@pytest.fixture
def entra_cloud(entra: ScriptedGraph, cloud: MicrosoftCloud, tmp_path: Path) -> MicrosoftCloud:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(entra.ca_pem)
    return MicrosoftCloud(entra.url, cloud.graph_url, bundle)


@pytest.fixture
def sign_in(entra: ScriptedGraph, entra_cloud: MicrosoftCloud, credential: Credential) -> SignIn:
    """Signs somebody in; the exchange of the code gets this answer."""

    def sign_in(answer: Said) -> MicrosoftError:
        def script(asked: Asked) -> Said:
            base = f"{entra.url}/organizations"
            known = {"issuer": base, "authorization_endpoint": f"{base}/a", "token_endpoint": f"{base}/token"}
            return Said(body=known) if "openid-configuration" in asked.target else answer

        entra.script = script
        started = start_sign_in(entra_cloud, credential, redirect_uri=REDIRECT_URI, state="s-1")
        with pytest.raises(MicrosoftError) as caught:
            finish_sign_in(entra_cloud, credential, started.flow, {"state": "s-1", "code": "c-1"})
        return caught.value

    return sign_in


def test_an_answer_that_breaks_off_is_an_outage(sign_in: SignIn, entra: ScriptedGraph) -> None:
    error = sign_in(Said(body={"access_token": "a"}, cut=True))
    assert error.cause is Cause.OUTAGE
    assert str(error).endswith(f"(tenant organizations, {entra.url}: a body that breaks off).")


@pytest.mark.parametrize("status", [200, 302, 403, 502])
def test_a_web_page_in_place_of_the_tokens_is_an_outage_and_no_expired_sign_in(sign_in: SignIn, status: int) -> None:
    error = sign_in(Said(status, b"<html>Please sign in at ADAS-PROXY</html>", {"Content-Type": "text/html"}))
    assert (error.cause, error.status) == (Cause.OUTAGE, status)
    assert "ADAS-PROXY" not in str(error)


def test_a_server_that_is_not_trusted_is_said_so(
    entra_cloud: MicrosoftCloud, cloud: MicrosoftCloud, credential: Credential
) -> None:
    stranger = MicrosoftCloud(entra_cloud.login_url, cloud.graph_url, cloud.ca_bundle)
    with pytest.raises(MicrosoftError) as caught:
        start_sign_in(stranger, credential, redirect_uri=REDIRECT_URI, state="s")
    assert caught.value.cause is Cause.OUTAGE
    assert caught.value.note == (
        f"{entra_cloud.login_url}: the server's certificate is not trusted, see MICROSOFT_CA_BUNDLE"
    )


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "AADSTS53003: Blocked.", "trace_id": "t-1"},
            {},
            (Cause.CONDITIONAL_ACCESS, 400, "AADSTS53003", "t-1"),
        ),
        (401, {"error": "any", "trace_id": "t-1"}, {"x-ms-request-id": "h-1"}, (Cause.UNEXPECTED, 401, "any", "h-1")),
        (429, {"error": "any"}, {}, (Cause.THROTTLED, 429, "any", "")),
    ],
    ids=["in the body", "in the header", "by its status"],
)
def test_a_refusal_names_status_code_and_request_id(
    sign_in: SignIn,
    status: int,
    body: dict[str, Any],
    headers: dict[str, str],
    expected: tuple[Cause, int, str, str],
) -> None:
    error = sign_in(Said(status, body, headers))
    assert (error.cause, error.status, error.code, error.request_id) == expected
    assert error.tenant_id == "organizations"


def test_a_tenant_entra_does_not_know_is_refused_when_the_sign_in_begins(
    entra: ScriptedGraph, entra_cloud: MicrosoftCloud, credential: Credential
) -> None:
    entra.script = lambda _: Said(400, {"error": "invalid_tenant", "error_codes": [90002], "trace_id": "t-1"})
    with pytest.raises(MicrosoftError) as caught:
        start_sign_in(entra_cloud, credential, redirect_uri=REDIRECT_URI, state="s")
    assert (caught.value.cause, caught.value.status, caught.value.request_id) == (Cause.TENANT_UNKNOWN, 400, "t-1")


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``claim(exp=…)`` changes what the next id tokens say, None leaves a claim out."""

    def claim(**changed: Any) -> None:
        def sign(self: TokenSigner, claims: dict[str, Any], *, seconds: int) -> str:
            claims = {"exp": int(time.time()) + seconds, **claims, **changed}
            said = {name: value for name, value in claims.items() if value is not None}
            return jwt.encode({"alg": "RS256", "kid": self._key.kid}, said, self._key)

        monkeypatch.setattr(TokenSigner, "sign", sign)

    return claim


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "oid", "tid"])
def test_an_id_token_without_what_it_must_hold_is_not_trusted(
    cloud: MicrosoftCloud,
    credential: Credential,
    started: SignInStart,
    back: dict[str, str],
    claim: Callable[..., None],
    name: str,
) -> None:
    claim(**{name: None})
    with pytest.raises(SignInError) as caught:
        finish_sign_in(cloud, credential, started.flow, back)
    assert caught.value.problem is SignInProblem.UNTRUSTED


def test_clocks_may_differ_by_a_minute(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: SandboxTenant,
    started: SignInStart,
    back: dict[str, str],
    claim: Callable[..., None],
) -> None:
    claim(exp=int(time.time()) - 60)
    assert finish_sign_in(cloud, credential, started.flow, back).tenant_id == tenant.tenant_id


def test_signing_keys_that_cannot_be_had_are_an_outage(
    cloud: MicrosoftCloud,
    credential: Credential,
    started: SignInStart,
    back: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(self: TokenSigner) -> dict[str, Any]:
        raise RuntimeError

    monkeypatch.setattr(TokenSigner, "key_set", fails)
    with pytest.raises(MicrosoftError) as caught:
        finish_sign_in(cloud, credential, started.flow, back)
    assert caught.value.cause is Cause.OUTAGE
    assert caught.value.note == f"{cloud.login_url}: no connection"
