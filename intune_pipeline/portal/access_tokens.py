"""Checking the access tokens of the sign-in provider: signature, issuer, audience, lifetime.

Belongs here: one class that knows the provider's published keys, and which algorithms are believed. Does not belong
here: what the claims allow (``access``).
"""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx2
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    DecodeError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.portal.errors import SignInNeededError, SignInProviderError

BELIEVED_ALGORITHMS: Final = ("RS256", "ES256")
"""Signatures by the provider's private key. Never ``none``, and never HMAC, whose key would be a public one here."""

_KEYS_KEPT_SECONDS = 600
_SECONDS_BETWEEN_LOOKUPS = 30
_TIMEOUT_SECONDS = 10
_LEEWAY_SECONDS = 60


def trusted(ca_bundle: Path | None) -> ssl.SSLContext | bool:
    """The value for ``verify`` in `httpx2`: this bundle's authorities, or the system's."""
    return ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True


class TokenProblem(StrEnum):
    """Why a token is refused. The audience and the issuer are settings of ours, not a fault of who signed in."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    AUDIENCE = "audience"
    ISSUER = "issuer"
    CLAIMS = "claims"


class TokenRefusedError(SignInNeededError):
    """A token is not good.

    Attributes:
        problem: why.
    """

    event = SecurityEvent.TOKEN_REFUSED

    def __init__(self, problem: TokenProblem) -> None:
        super().__init__("The access token is not valid here or has expired. Sign in again.", cause=problem.value)
        self.problem = problem


def believed(description: Mapping[str, Any]) -> list[str]:
    """The algorithms a provider says it signs with, without those that are never believed; RS256 when it says none."""
    announced = description.get("id_token_signing_alg_values_supported") or ["RS256"]
    return [algorithm for algorithm in BELIEVED_ALGORITHMS if algorithm in announced]


def discovery_url(issuer: str) -> str:
    """Where an OIDC issuer describes itself."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a provider publishes about its signatures."""

    keys: KeySet
    algorithms: list[str]


class AccessTokens:
    """Validates access tokens against the issuer's key set, which is looked up once and kept for ten minutes.

    A token signed with a key not seen before makes it look again, at most every 30 seconds. Safe to share between
    threads.

    Args:
        issuer: the OIDC issuer exactly as tokens name it.
        audience: the API's audience.
        ca_bundle: PEM file of the authorities to trust, None for the system's.
    """

    def __init__(self, issuer: str, audience: str, ca_bundle: Path | None = None) -> None:
        self._issuer = issuer
        self._verify = trusted(ca_bundle)
        self._registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._lock = threading.Lock()
        self._keys: _Keys | None = None
        self._looked_up_at = float("-inf")

    def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token, all checks passed.

        Raises:
            TokenRefusedError: the token is not good.
            SignInProviderError: the provider's keys could not be read.
        """
        try:
            decoded = self._decode(token)
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, UnicodeError) as error:
            raise TokenRefusedError(_problem(error)) from None
        return decoded.claims

    def _decode(self, token: str) -> jwt.Token:
        try:
            return self._decode_with(token, self._published(_KEYS_KEPT_SECONDS))
        except InvalidKeyIdError:
            return self._decode_with(token, self._published(_SECONDS_BETWEEN_LOOKUPS))

    def _decode_with(self, token: str, published: _Keys) -> jwt.Token:
        return jwt.decode(token, published.keys, algorithms=published.algorithms)

    def _published(self, max_age_seconds: float) -> _Keys:
        """The issuer's keys, not older than this where it answers; when it does not, those known already."""
        with self._lock:
            if self._keys is None or time.monotonic() - self._looked_up_at > max_age_seconds:
                try:
                    self._keys = self._look_up()
                except SignInProviderError:
                    if self._keys is None:
                        raise
                self._looked_up_at = time.monotonic()
            return self._keys

    def _look_up(self) -> _Keys:
        try:
            with httpx2.Client(verify=self._verify, timeout=_TIMEOUT_SECONDS) as client:
                description = client.get(discovery_url(self._issuer)).raise_for_status().json()
                keys = client.get(str(description["jwks_uri"])).raise_for_status().json()
            signing: list[Key] = [key for key in KeySet.import_key_set(keys).keys if isinstance(key, RSAKey | ECKey)]
            return _Keys(KeySet(signing), believed(description))
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, JoseError):
            raise SignInProviderError(
                "The sign-in service's keys could not be read. Try again in a minute; if it goes on, tell allwhere."
            ) from None


def _problem(error: Exception) -> TokenProblem:
    """What is wrong with a token, by the error its check ended with."""
    if isinstance(error, InvalidClaimError | MissingClaimError):
        return {"aud": TokenProblem.AUDIENCE, "iss": TokenProblem.ISSUER}.get(error.claim, TokenProblem.CLAIMS)
    known: tuple[tuple[type[Exception], TokenProblem], ...] = (
        (ExpiredTokenError, TokenProblem.EXPIRED),
        (BadSignatureError, TokenProblem.SIGNATURE),
        (InvalidKeyIdError, TokenProblem.SIGNATURE),
        (UnsupportedAlgorithmError, TokenProblem.ALGORITHM),
        (DecodeError, TokenProblem.MALFORMED),
    )
    return next((problem for kind, problem in known if isinstance(error, kind)), TokenProblem.MALFORMED)
