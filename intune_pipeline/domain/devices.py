"""One Graph ``managedDevice`` made clean: what is empty, how serials and e-mails compare, what a date is.

Belongs here: reading one record of Graph into a :class:`ManagedDevice`. Does not belong here: who is eligible
(``eligibility``), what type a device has (``classification``), what its model string says (``model_facts``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

COMPANY = "company"
PERSONAL = "personal"

#: Values Intune shows where it knows nothing; they never overwrite a value of allwhere.
EMPTY_WORDS = frozenset({"", "unknown", "null", "none", "00000000-0000-0000-0000-000000000000"})

# The same characters are removed by the generated column assets.serial_key, so that both sides compare alike.
SERIAL_SPACES = "\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
_SPACES = re.compile(f"[{SERIAL_SPACES}]+")
_ASCII_UPPER = {ord(lower): ord(lower.upper()) for lower in "abcdefghijklmnopqrstuvwxyz"}
_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True, slots=True)
class ManagedDevice:
    """One device as Intune shows it, with every empty value as None.

    Sizes stay in bytes and the model stays as shown; ``model_facts`` turns them into what allwhere stores.
    ``ownership`` is lower-cased; anything but ``company`` and ``personal`` counts as unknown.
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
        ValueError: the record has no ``id``, without which nothing can be said about it.
    """
    device_id = text(record.get("id"))
    if device_id is None:
        raise ValueError("Microsoft Graph returned a managed device without an id.")
    ownership = text(record.get("managedDeviceOwnerType"))
    return ManagedDevice(
        intune_device_id=device_id,
        ownership=ownership.lower() if ownership else None,
        serial_number=text(record.get("serialNumber")),
        operating_system=text(record.get("operatingSystem")),
        os_version=text(record.get("osVersion")),
        manufacturer=text(record.get("manufacturer")),
        model=text(record.get("model")),
        imei=text(record.get("imei")),
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
    """The value as trimmed text; None for what counts as empty, and for what is not text at all.

    NUL characters, which PostgreSQL cannot hold, are removed.
    """
    if not isinstance(value, str):
        return None
    cleaned = value.replace("\x00", "").strip()
    return None if cleaned.lower() in EMPTY_WORDS else cleaned


def size(value: object) -> int | None:
    """A size in bytes; None for 0, for negative sizes and for what is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value <= 0:
        return None
    return int(value) if value < 2**63 else None


def moment(value: object) -> datetime | None:
    """A date of Graph as an aware datetime in UTC; None for year 1, year 9999 and what is no date.

    Graph: lists show seconds, single records up to seven fraction digits; ``0001-01-01`` and ``9999-12-31`` mean
    "never".
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(_FRACTION.sub(_six_digits, value.strip()))
    except ValueError:
        return None
    if parsed.year <= 1 or parsed.year >= 9999:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _six_digits(fraction: re.Match[str]) -> str:
    return fraction.group()[:7]


def serial_key(serial_number: str | None) -> str | None:
    """The compared form of a serial number: no spaces, A to Z in upper case; None where nothing is left."""
    if serial_number is None:
        return None
    return _SPACES.sub("", serial_number).translate(_ASCII_UPPER) or None
