"""Signing and checking JSON Web Tokens with one key. Which claims a token carries is decided by who issues it."""

import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

Claims = dict[str, Any]
_REGISTRY = JWSRegistry(algorithms=["RS256", "PS256"])
_REGISTRY.max_header_length = 8192  # MSAL sends its certificate along in the header of a client assertion.


class InvalidTokenError(Exception):
    """A token that is malformed, signed by another key, expired, or meant for somebody else."""


class TokenSigner:
    """Issues RS256 tokens with one key and checks them again."""

    def __init__(self, key: RSAKey) -> None:
        self._key = key

    def sign(self, claims: Claims, *, seconds: int) -> str:
        """A token of these claims that is valid from now on for ``seconds``."""
        now = int(time.time())
        header = {"alg": "RS256", "kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(header, {"iat": now, "nbf": now, "exp": now + seconds, **claims}, self._key)

    def verify(self, token: str, *, audience: str) -> Claims:
        """The claims of a valid token for ``audience``.

        Raises:
            InvalidTokenError: The token is not that.
        """
        try:
            claims = jwt.decode(token, self._key, registry=_REGISTRY).claims
            jwt.JWTClaimsRegistry(
                leeway=60, aud={"essential": True, "value": audience}, exp={"essential": True}
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise InvalidTokenError(str(error)) from error
        return claims

    def key_set(self) -> dict[str, list[dict[str, Any]]]:
        """The public key as a JWKS document."""
        return {"keys": [{**self._key.as_dict(private=False), "use": "sig", "alg": "RS256"}]}
