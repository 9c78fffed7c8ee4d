"""Whose tokens are believed, and for how long without asking again."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from intune_pipeline.portal.access_tokens import AccessTokens
from intune_pipeline.portal.errors import SignInNeededError, SignInProviderError
from intune_pipeline.sandbox.cloud import SandboxCloud


@pytest.fixture
def tokens(sandbox: SandboxCloud) -> AccessTokens:
    return AccessTokens(sandbox.sign_in_url, sandbox.environment()["AUTH0_AUDIENCE"], sandbox.ca_bundle)


def test_a_token_of_another_audience_or_issuer_is_refused(sandbox: SandboxCloud) -> None:
    token = sandbox.sign_in_token("acme-primary")
    audience = sandbox.environment()["AUTH0_AUDIENCE"]
    for issuer, wanted in ((sandbox.sign_in_url, "https://other.example"), (sandbox.sign_in_url.rstrip("/"), audience)):
        with pytest.raises(SignInNeededError):
            AccessTokens(issuer, wanted, sandbox.ca_bundle).claims(token)


def test_a_token_signed_by_somebody_else_is_refused(tokens: AccessTokens, sandbox: SandboxCloud) -> None:
    claims = {
        "iss": sandbox.sign_in_url,
        "aud": sandbox.environment()["AUTH0_AUDIENCE"],
        "sub": "auth0|acme-primary",
        "exp": int(time.time()) + 600,
    }
    key = RSAKey.generate_key(2048, parameters={"kid": "mine"})
    with pytest.raises(SignInNeededError):
        tokens.claims(jwt.encode({"alg": "RS256", "kid": "mine"}, claims, key))
    secret = "guessed" * 8
    with pytest.raises(SignInNeededError):
        tokens.claims(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret)))


def test_keys_known_already_outlast_an_outage_of_the_provider(
    tokens: AccessTokens, sandbox: SandboxCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sandbox.sign_in_token("acme-primary")
    tokens.claims(token)
    monkeypatch.setattr(tokens, "_issuer", "https://127.0.0.1:1/")
    monkeypatch.setattr(tokens, "_looked_up_at", float("-inf"))
    assert tokens.claims(token)["sub"] == "auth0|acme-primary"


def test_without_any_key_an_outage_is_said() -> None:
    with pytest.raises(SignInProviderError, match="could not be read"):
        AccessTokens("https://127.0.0.1:1/", "x").claims("a.b.c")
