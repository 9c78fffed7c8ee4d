"""People who asked to be erased: how they are recognised without being known, and what is left out of their devices.

Belongs here: digests of what identifies a person, and blanking. Does not belong here: where erasures are stored and what
was erased (``inventory.erasures``).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from intune_pipeline.domain.devices import ManagedDevice

# Android Enterprise puts 32 hexadecimal digits before a principal name.
_PREFIX = re.compile(r"^[0-9a-f]{32}(?=[^@]+@)")


def identifying(values: Iterable[str | None]) -> set[str]:
    """The compared forms of addresses, principal names and Entra user ids; empty ones are left out."""
    keys = {value.strip().lower() for value in values if value and value.strip()}
    return keys | {_PREFIX.sub("", key) for key in keys}


def digest(salt: str, key: str) -> str:
    """A salted digest of a compared form."""
    return hashlib.sha256(f"{salt}\n{key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erased person.

    Attributes:
        salt: of the digests.
        digests: of everything that identified the person.
    """

    salt: str
    digests: frozenset[str]

    def is_of(self, values: Iterable[str | None]) -> bool:
        """Whether any of these identifies the person."""
        return any(digest(self.salt, key) in self.digests for key in identifying(values))


def is_erased(erasures: Iterable[Erasure], values: Iterable[str | None]) -> bool:
    """Whether any of these identifies somebody who was erased."""
    kept = tuple(values)
    return any(erasure.is_of(kept) for erasure in erasures)


def without_erased(devices: Iterable[ManagedDevice], erasures: Iterable[Erasure]) -> list[ManagedDevice]:
    """The devices, those of erased people without a user and without the name people give a device after themselves."""
    known = tuple(erasures)
    if not known:
        return list(devices)
    return [_without_user(device) if is_erased(known, _identity(device)) else device for device in devices]


def _identity(device: ManagedDevice) -> tuple[str | None, ...]:
    return device.user_id, device.user_email, device.user_principal_name


def _without_user(device: ManagedDevice) -> ManagedDevice:
    return replace(
        device, device_name=None, user_id=None, user_email=None, user_principal_name=None, user_display_name=None
    )
