"""A sign-in at Microsoft proves the tenant a person belongs to, and nothing less does."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from intune_pipeline.domain.vocabulary import DirectoryRole, OwnershipProblem
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.sign_in import (
    SignedIn,
    SignInError,
    SignInProblem,
    SignInStart,
    finish_sign_in,
    start_sign_in,
)
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.tokens import TokenSigner
from intune_pipeline_tests.microsoft.browser import REDIRECT_URI, visit

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post':UserWarning")


def problem(cloud: MicrosoftCloud, credential: Credential, started: SignInStart, back: dict[str, str]) -> SignInProblem:
    with pytest.raises(SignInError) as caught:
        finish_sign_in(cloud, credential, started.flow, back)
    return caught.value.problem


def test_whoever_signs_in_proves_their_own_tenant(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: SandboxTenant,
    started: SignInStart,
    back: dict[str, str],
) -> None:
    query = parse_qs(urlsplit(started.url).query)
    assert set(query["scope"][0].split()) == {"openid", "profile"}
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"] == ["s-1"]
    kept = json.loads(json.dumps(started.flow))
    person = tenant.directory[1]
    assert finish_sign_in(cloud, credential, kept, back) == SignedIn(
        tenant.tenant_id, person.id, person.user_principal_name, frozenset(), OwnershipProblem.NO_ROLE
    )


@pytest.mark.parametrize(
    ("person", "roles", "problem"),
    [
        (0, {DirectoryRole.GLOBAL_ADMINISTRATOR}, None),
        (2, {DirectoryRole.PRIVILEGED_ROLE_ADMINISTRATOR}, None),
        (3, {DirectoryRole.CLOUD_APPLICATION_ADMINISTRATOR}, OwnershipProblem.NO_ROLE),
        (4, {DirectoryRole.GLOBAL_ADMINISTRATOR}, OwnershipProblem.GUEST),
        (5, {DirectoryRole.GLOBAL_ADMINISTRATOR}, OwnershipProblem.PERSONAL_ACCOUNT),
    ],
    ids=["global", "privileged role", "cloud application", "guest", "guest with a personal account"],
)
def test_a_sign_in_shows_the_roles_and_whether_they_suffice(
    cloud: MicrosoftCloud,
    credential: Credential,
    sandbox: SandboxCloud,
    tenant: SandboxTenant,
    started: SignInStart,
    person: int,
    roles: set[DirectoryRole],
    problem: OwnershipProblem | None,
) -> None:
    back = visit(sandbox, started.url, tenant, tenant.people[person])
    signed_in = finish_sign_in(cloud, credential, started.flow, back)
    assert (signed_in.roles, signed_in.problem) == (roles, problem)


def test_a_third_role_suffices_where_it_is_accepted(
    cloud: MicrosoftCloud,
    credential: Credential,
    sandbox: SandboxCloud,
    tenant: SandboxTenant,
    started: SignInStart,
) -> None:
    accepted = frozenset({DirectoryRole.CLOUD_APPLICATION_ADMINISTRATOR})
    back = visit(sandbox, started.url, tenant, tenant.people[3])
    assert finish_sign_in(cloud, credential, started.flow, back, accepted=accepted).problem is None


def test_a_code_is_good_once(
    cloud: MicrosoftCloud, credential: Credential, started: SignInStart, back: dict[str, str]
) -> None:
    finish_sign_in(cloud, credential, started.flow, back)
    assert problem(cloud, credential, started, back) is SignInProblem.EXPIRED


def test_an_answer_to_another_sign_in_is_refused(
    cloud: MicrosoftCloud, credential: Credential, started: SignInStart, back: dict[str, str]
) -> None:
    other = start_sign_in(cloud, credential, redirect_uri=REDIRECT_URI, state="s-2")
    assert problem(cloud, credential, other, back) is SignInProblem.EXPIRED
    assert problem(cloud, credential, other, back | {"state": "s-2"}) is SignInProblem.EXPIRED
    assert problem(cloud, credential, started, {}) is SignInProblem.EXPIRED


def test_a_nonce_of_another_sign_in_is_not_trusted(
    cloud: MicrosoftCloud, credential: Credential, started: SignInStart, back: dict[str, str]
) -> None:
    flow = started.flow | {"nonce": "another"}
    assert problem(cloud, credential, SignInStart("", flow), back) is SignInProblem.UNTRUSTED


def test_cancelling_is_told_from_failing(cloud: MicrosoftCloud, credential: Credential, started: SignInStart) -> None:
    assert problem(cloud, credential, started, {"error": "access_denied", "state": "s-1"}) is SignInProblem.DECLINED
    with pytest.raises(MicrosoftError) as caught:
        finish_sign_in(
            cloud,
            credential,
            started.flow,
            {"error": "invalid_request", "error_description": "AADSTS53003: Blocked.", "state": "s-1"},
        )
    assert caught.value.cause is Cause.CONDITIONAL_ACCESS


def test_our_own_wrong_secret_is_our_fault(
    cloud: MicrosoftCloud, sandbox: SandboxCloud, started: SignInStart, back: dict[str, str]
) -> None:
    with pytest.raises(MicrosoftError) as caught:
        finish_sign_in(cloud, Credential(sandbox.client_id, "wrong"), started.flow, back)
    assert caught.value.cause is Cause.OUR_CREDENTIAL


def test_an_unreachable_entra_is_an_outage(cloud: MicrosoftCloud, credential: Credential) -> None:
    nowhere = MicrosoftCloud("https://127.0.0.1:9", cloud.graph_url, cloud.ca_bundle)
    with pytest.raises(MicrosoftError) as caught:
        start_sign_in(nowhere, credential, redirect_uri=REDIRECT_URI, state="s")
    assert caught.value.cause is Cause.OUTAGE


FORGERIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another audience": lambda claims: claims | {"aud": "another-app"},
    "another issuer": lambda claims: claims | {"iss": "https://login.elsewhere.example/v2.0"},
    "another tenant's issuer": lambda claims: claims | {"tid": "11111111-2222-3333-4444-555555555555"},
    "no tenant": lambda claims: {name: value for name, value in claims.items() if name != "tid"},
    "a tenant that is no GUID": lambda claims: claims | {"tid": "acme"},
    "nobody": lambda claims: {name: value for name, value in claims.items() if name != "oid"},
    "expired": lambda claims: claims | {"exp": int(time.time()) - 3600},
    "never expiring": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "not yet valid": lambda claims: claims | {"nbf": int(time.time()) + 3600},
}


@pytest.mark.filterwarnings("ignore:JWS algorithm")
@pytest.mark.parametrize("forgery", [*FORGERIES, "another key", "no signature"])
def test_an_id_token_that_is_not_right_in_every_part_is_not_trusted(
    cloud: MicrosoftCloud,
    credential: Credential,
    started: SignInStart,
    back: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    forgery: str,
) -> None:
    stranger = RSAKey.generate_key(2048)

    def sign(self: TokenSigner, claims: dict[str, Any], *, seconds: int) -> str:
        claims = {"exp": int(time.time()) + seconds, **claims}
        if forgery == "no signature":
            return jwt.encode({"alg": "none"}, claims, "", algorithms=["none"])
        key = stranger if forgery == "another key" else self._key
        forged = FORGERIES.get(forgery, dict)(claims)
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, forged, key)

    monkeypatch.setattr(TokenSigner, "sign", sign)
    assert problem(cloud, credential, started, back) is SignInProblem.UNTRUSTED


@pytest.mark.parametrize(
    ("issuer", "is_trusted"),
    [("{login}/{tenantid}/v2.0", True), (None, True), ("https://login.elsewhere.example/{tenantid}/v2.0", False)],
)
def test_a_signing_key_that_is_bound_to_another_issuer_is_not_trusted(
    cloud: MicrosoftCloud,
    credential: Credential,
    started: SignInStart,
    back: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    issuer: str | None,
    is_trusted: bool,
) -> None:
    published = TokenSigner.key_set

    def key_set(self: TokenSigner) -> dict[str, list[dict[str, Any]]]:
        bound = {"issuer": issuer.replace("{login}", cloud.login_url)} if issuer else {}
        return {"keys": [{**key, **bound} for key in published(self)["keys"]]}

    monkeypatch.setattr(TokenSigner, "key_set", key_set)
    if is_trusted:
        assert finish_sign_in(cloud, credential, started.flow, back).tenant_id
    else:
        assert problem(cloud, credential, started, back) is SignInProblem.UNTRUSTED


def test_what_is_kept_for_a_sign_in_is_not_shown(started: SignInStart) -> None:
    assert started.flow["code_verifier"] not in repr(started)
