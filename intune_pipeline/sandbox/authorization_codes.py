"""One-time codes of the OAuth code flow with PKCE, for both of the sandbox's identity providers."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Generic, TypeVar

_CODE_SECONDS = 300

Person = TypeVar("Person")


class InvalidCodeError(Exception):
    """A code that does not exist, was used, is too old or is redeemed by somebody else."""


@dataclass(frozen=True)
class Authorization(Generic[Person]):
    """What a person agreed to in the browser and the app may redeem once.

    Attributes:
        person: Who signed in.
        redirect_uri: Where the code went.
        scope: What was asked for.
        nonce: The app's nonce, repeated in the id_token.
        code_challenge: S256 challenge of PKCE.
    """

    person: Person
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None


class AuthorizationCodes(Generic[Person]):
    """Issues codes and redeems each once."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[float, Authorization[Person]]] = {}

    def issue(self, authorization: Authorization[Person]) -> str:
        """A code for this authorization, good for five minutes."""
        code = secrets.token_urlsafe(32)
        self._issued[code] = (time.monotonic() + _CODE_SECONDS, authorization)
        return code

    def redeem(self, code: str, *, redirect_uri: str, code_verifier: str) -> Authorization[Person]:
        """The authorization behind a code, which is spent by asking.

        Raises:
            InvalidCodeError: The code is not good, or the redirect URI or the PKCE verifier does not fit.
        """
        expires, authorization = self._issued.pop(code, (0.0, None))
        if authorization is None or time.monotonic() > expires:
            raise InvalidCodeError("The code is unknown, was already redeemed or has expired.")
        if authorization.redirect_uri != redirect_uri:
            raise InvalidCodeError("The redirect_uri is not the one the code was issued for.")
        if authorization.code_challenge is not None and challenge_of(code_verifier) != authorization.code_challenge:
            raise InvalidCodeError("The code_verifier does not match the code_challenge.")
        return authorization


def challenge_of(code_verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
