"""One Graph ``managedDevice`` made clean: what is empty, how serials compare, what a date is.

Belongs here: reading one record of Graph into a :class:`ManagedDevice`. Does not belong here: who is eligible
(``eligibility``), what type a device has (``classification``), what is known about its model (``facts``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

COMPANY = "company"
PERSONAL = "personal"

EMPTY_WORDS = frozenset({"", "unknown", "null", "none", "00000000-0000-0000-0000-000000000000"})
"""Values Intune shows where it knows nothing; they never overwrite a value of allwhere."""

LONGEST_TEXT = 500
"""Characters a value may have. No real one comes near it, and PostgreSQL refuses index entries over 2704 bytes."""

SERIAL_SPACES = "\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
"""Characters a serial is compared without; the generated column ``assets.serial_key`` removes the same."""

_SPACES = re.compile(f"[{SERIAL_SPACES}]+")
_ASCII_UPPER = {ord(lower): ord(lower.upper()) for lower in "abcdefghijklmnopqrstuvwxyz"}
# Control characters, invisible marks that only deceive the eye, and what UTF-8 or PostgreSQL cannot hold.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_LARGEST_INTEGER = 2**63 - 1
# Intune began in 2011; the nanoseconds of pandas end in 2262.
_YEARS = range(2000, 2200)


@dataclass(frozen=True, slots=True)
class ManagedDevice:
    """One device as Intune shows it, with every empty value as None.

    Sizes stay in bytes and the model stays as shown; ``sizes`` and ``facts`` turn them into what allwhere stores.
    ``ownership`` is lower-cased; anything but ``company`` and ``personal`` counts as unknown. ``serial_number`` may be
    junk such as "Unknown"; ``eligibility`` says so.
    """

    intune_device_id: str
    ownership: str | None
    serial_number: str | None
    operating_system: str | None
    os_version: str | None
    manufacturer: str | None
    model: str | None
    imei: str | None
    azure_ad_device_id: str | None
    storage_bytes: int | None
    device_name: str | None
    management_agent: str | None
    management_state: str | None
    enrolled_at: datetime | None
    last_contact_at: datetime | None
    user_id: str | None
    user_email: str | None
    user_principal_name: str | None
    user_display_name: str | None

    @property
    def serial_key(self) -> str | None:
        """The serial in its compared form, None where there is none."""
        return serial_key(self.serial_number)


def managed_device(record: Mapping[str, Any]) -> ManagedDevice:
    """Read one ``managedDevice`` of Graph, whatever is missing, odd or of the wrong type in it.

    Raises:
        ValueError: the record has no usable ``id``, without which nothing can be said about it.
    """
    device_id = identifier(record.get("id"))
    if device_id is None or device_id.lower() in EMPTY_WORDS:
        raise ValueError("Microsoft Graph returned a managed device without an id.")
    ownership = text(record.get("managedDeviceOwnerType"))
    return ManagedDevice(
        intune_device_id=device_id,
        ownership=ownership.lower() if ownership else None,
        serial_number=identifier(record.get("serialNumber")),
        operating_system=text(record.get("operatingSystem")),
        os_version=text(record.get("osVersion")),
        manufacturer=text(record.get("manufacturer")),
        model=text(record.get("model")),
        imei=text(identifier(record.get("imei"))),
        azure_ad_device_id=text(record.get("azureADDeviceId")),
        storage_bytes=size(record.get("totalStorageSpaceInBytes")),
        device_name=text(record.get("deviceName")),
        management_agent=text(record.get("managementAgent")),
        management_state=text(record.get("managementState")),
        enrolled_at=moment(record.get("enrolledDateTime")),
        last_contact_at=moment(record.get("lastSyncDateTime")),
        user_id=text(record.get("userId")),
        user_email=text(record.get("emailAddress")),
        user_principal_name=text(record.get("userPrincipalName")),
        user_display_name=text(record.get("userDisplayName")),
    )


def text(value: object) -> str | None:
    """The value as one trimmed line of at most `LONGEST_TEXT` characters; None for what is empty or no text at all.

    Characters nobody can see or PostgreSQL cannot hold (NUL, controls, lone surrogates) are removed.
    """
    if not isinstance(value, str):
        return None
    cleaned = _one_line(value)[:LONGEST_TEXT].rstrip()
    return None if cleaned.lower() in EMPTY_WORDS else cleaned


def identifier(value: object) -> str | None:
    """An id or serial as shown, also where it came as a number; None where there is none.

    Words like ``Unknown`` stay: a junk serial is reported as the junk it is. What is longer than `LONGEST_TEXT` would,
    cut short, name something else, so it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_INTEGER:
        return str(value)
    if not isinstance(value, str):
        return None
    cleaned = _one_line(value)
    return cleaned if 0 < len(cleaned) <= LONGEST_TEXT else None


def _one_line(value: str) -> str:
    if value.isprintable():
        return value.strip()
    return _LINE_BREAKS.sub(" ", _UNPRINTABLE.sub("", value)).strip()


def size(value: object) -> int | None:
    """A size in bytes, also where it came as digits; None for 0, for negative sizes and for what is no number."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_LARGEST_INTEGER)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _LARGEST_INTEGER:
        return None
    return min(int(value), _LARGEST_INTEGER)


def moment(value: object) -> datetime | None:
    """A date of Graph as an aware datetime in UTC; None for what is no date and for dates no device can have.

    Graph: lists show seconds, single records up to seven fraction digits, of which six are kept; ``0001-01-01`` and
    ``9999-12-31`` mean "never", and so does every other date outside the years 2000 to 2199.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        parsed = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.year in _YEARS else None


def serial_key(serial_number: str | None) -> str | None:
    """The compared form of a serial number: no spaces, A to Z in upper case; None where nothing is left."""
    if serial_number is None:
        return None
    if serial_number.isascii() and serial_number.isalnum():
        return serial_number.upper()
    return _SPACES.sub("", serial_number).translate(_ASCII_UPPER) or None
