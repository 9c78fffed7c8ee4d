"""Ciphers of bypass codes: a key ring that wraps data keys, and a data key per account that seals codes.

Belongs here: cryptography, without a database. Does not belong here: where keys and codes are stored (``vault``).

A code is sealed with AES-256-GCM, its account and its asset's compared serial number being the associated data: moved to
another row it opens nowhere. ``KeyRing`` is all that a key management service would replace.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

FORM: Final = "v1."
EARLIER_FORM: Final = "gAAAA"
_NONCE_BYTES: Final = 12
_KEY_BITS: Final = 256


class KeyRing:
    """Wraps data keys with the first of its keys, unwraps with all of them.

    Args:
        keys: Fernet keys, checked by the settings.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._fernets = [Fernet(key.get_secret_value()) for key in keys]

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"

    def __len__(self) -> int:
        return len(self._fernets)

    def wrap(self, data_key: bytes) -> str:
        """The data key encrypted with the first key."""
        return self._fernets[0].encrypt(data_key).decode()

    def unwrap(self, wrapped: str) -> bytes | None:
        """The data key; None when none of the keys opens it."""
        try:
            return MultiFernet(self._fernets).decrypt(wrapped)
        except InvalidToken:
            return None

    def is_current(self, wrapped: str) -> bool:
        """Whether the first key wrapped it."""
        try:
            self._fernets[0].decrypt(wrapped)
        except InvalidToken:
            return False
        return True


class AccountSeal:
    """Seals and opens one account's codes.

    Args:
        account_id: whose codes.
        data_keys: the account's keys; the first seals, all open.
        ring: opens codes in the form of earlier versions, which were bound to nothing.
    """

    def __init__(self, account_id: int, data_keys: Sequence[bytes], ring: KeyRing) -> None:
        self._account_id = account_id
        self._ciphers = [AESGCM(key) for key in data_keys]
        self._ring = ring

    def __repr__(self) -> str:
        return f"AccountSeal({self._account_id})"

    def seal(self, code: str, serial_key: str, known: Iterable[str | None] = ()) -> str:
        """The ciphertext of a code: a known one where it holds the same code, so that nothing seems to have changed.

        Args:
            code: in the clear.
            serial_key: the compared serial number of the code's asset.
            known: ciphertexts the device may have already; None and those that do not open are passed over.
        """
        for ciphertext in known:
            if ciphertext is not None and self.open(ciphertext, serial_key) == code:
                return ciphertext
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, code.encode(), self._bound_to(serial_key))
        return FORM + urlsafe_b64encode(nonce + sealed).decode()

    def open(self, ciphertext: str, serial_key: str) -> str | None:
        """The code in the clear; None when no key opens it for this account and serial number."""
        if ciphertext.startswith(EARLIER_FORM):
            earlier = self._ring.unwrap(ciphertext)
            return None if earlier is None else earlier.decode()
        try:
            raw = urlsafe_b64decode(ciphertext.removeprefix(FORM))
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._bound_to(serial_key)).decode()
            except (InvalidTag, ValueError):
                continue
        return None

    def _bound_to(self, serial_key: str) -> bytes:
        return f"{self._account_id}\n{serial_key}".encode()


def new_data_key() -> bytes:
    """A key for one account."""
    return AESGCM.generate_key(_KEY_BITS)
