"""Checking the access tokens of the sign-in provider: signature, issuer, audience, lifetime.

Belongs here: one class that knows the provider's published keys. Does not belong here: what the claims allow
(``access``).
"""

import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from intune_pipeline.portal.errors import SignInNeededError, SignInProviderError

_ALGORITHMS = ["RS256"]
_KEYS_KEPT_SECONDS = 600
_SECONDS_BETWEEN_LOOKUPS = 30
_TIMEOUT_SECONDS = 10
_LEEWAY_SECONDS = 60


def trusted(ca_bundle: Path | None) -> ssl.SSLContext | bool:
    """The value for ``verify`` in `httpx2`: this bundle's authorities, or the system's."""
    return ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True


def discovery_url(issuer: str) -> str:
    """Where an OIDC issuer describes itself."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


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
        self._keys: KeySet | None = None
        self._looked_up_at = float("-inf")

    def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token, all checks passed.

        Raises:
            SignInNeededError: the token is not good.
            SignInProviderError: the provider's keys could not be read.
        """
        try:
            decoded = self._decode(token)
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, UnicodeError):
            raise SignInNeededError("The access token is not valid here or has expired. Sign in again.") from None
        return decoded.claims

    def _decode(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._key_set(_KEYS_KEPT_SECONDS), algorithms=_ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(token, self._key_set(_SECONDS_BETWEEN_LOOKUPS), algorithms=_ALGORITHMS)

    def _key_set(self, max_age_seconds: float) -> KeySet:
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

    def _look_up(self) -> KeySet:
        try:
            with httpx2.Client(verify=self._verify, timeout=_TIMEOUT_SECONDS) as client:
                description = client.get(discovery_url(self._issuer)).raise_for_status().json()
                keys = client.get(str(description["jwks_uri"])).raise_for_status().json()
            return KeySet.import_key_set(keys)
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, JoseError):
            raise SignInProviderError(
                "The sign-in service's keys could not be read. Try again in a minute; if it goes on, tell allwhere."
            ) from None
