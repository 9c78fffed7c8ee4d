"""Sealing what must rest in the database for a few minutes and be read by nobody else.

Belongs here: one cipher under a key derived from the portal's cookie key. Does not belong here: bypass codes, which
have keys of their own (``inventory.vault``).
"""

import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr


class Seal:
    """Seals JSON objects.

    Args:
        secret: the portal's cookie key.
        purpose: keeps keys of different uses apart.
    """

    def __init__(self, secret: SecretStr, purpose: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret.get_secret_value().encode())
        self._cipher = Fernet(urlsafe_b64encode(derived))

    def close(self, value: dict[str, Any]) -> str:
        """The sealed form."""
        return self._cipher.encrypt(json.dumps(value).encode()).decode()

    def open(self, sealed: str) -> dict[str, Any] | None:
        """The object, None when it was sealed with another key."""
        try:
            opened: dict[str, Any] = json.loads(self._cipher.decrypt(sealed.encode()))
        except InvalidToken:
            return None
        return opened
