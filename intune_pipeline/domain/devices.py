"""One Graph ``managedDevice`` made clean: what is empty, how serials compare, what a date is.

Belongs here: reading one record of Graph into a :class:`ManagedDevice`. Does not belong here: who is eligible
(``eligibility``), what type a device has (``classification``), what is known about its model (``facts``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from intune_pipeline.domain.empty_values import EMPTY_WORDS, imei
from intune_pipeline.domain.serials import serial_key

LONGEST_TEXT: Final = 500
"""Characters a value may have. No real one comes near it, and PostgreSQL refuses index entries over 2704 bytes."""

LONGEST_NAME: Final = 200
"""Characters of an operating system, maker or model: the three share one index entry."""

LARGEST_STORAGE: Final = 10**15
"""Bytes of storage a device can have: 1 PB. A larger number is a fault of whoever counted."""

LARGEST_MEMORY: Final = 64 * 2**40
"""Bytes of memory a device can have: 64 TiB."""

REMEMBERED_WORDS: Final = 4_096
"""Distinct values kept of fields that have few: systems, makers, models, versions, states."""

CLOCK_TOLERANCE: Final = timedelta(days=1)
"""How far a date may lie after the listing; what lies further has not happened, so it says nothing."""

# Control characters, invisible marks that only deceive the eye, and what UTF-8 or PostgreSQL cannot hold.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
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
    junk such as "Unknown"; ``eligibility`` says so. ``serial_key`` is its compared form, None where there is none.
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
    serial_key: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once, for a sync asks for it a dozen times.
        object.__setattr__(self, "serial_key", serial_key(self.serial_number))


DEVICE_FIELDS: Final = tuple(one.name for one in fields(ManagedDevice) if one.init)
"""What Intune shows of a device, in the order in which a `ManagedDevice` is made of it."""


def managed_device(record: object, *, listed_at: datetime | None = None) -> ManagedDevice:
    """Read one ``managedDevice`` of Graph, whatever is missing, odd or of the wrong type in it.

    Args:
        record: An entry of Graph's list.
        listed_at: When it was listed, aware; dates more than `CLOCK_TOLERANCE` after it count as unknown. None: every
            date is believed.

    Raises:
        ValueError: the entry is no object, or has no usable ``id``, without which nothing can be said about it.
    """
    if not isinstance(record, Mapping):
        raise ValueError("Microsoft Graph returned something else than a managed device.")  # noqa: TRY004 - one error
    device_id = identifier(record.get("id"))
    if device_id is None or device_id.lower() in EMPTY_WORDS:
        raise ValueError("Microsoft Graph returned a managed device without an id.")
    ownership = _word(record.get("managedDeviceOwnerType"))
    latest = listed_at + CLOCK_TOLERANCE if listed_at else None
    return ManagedDevice(
        intune_device_id=device_id,
        ownership=ownership.lower() if ownership else None,
        serial_number=identifier(record.get("serialNumber")),
        operating_system=_word(record.get("operatingSystem"), LONGEST_NAME),
        os_version=_word(record.get("osVersion")),
        manufacturer=_word(record.get("manufacturer"), LONGEST_NAME),
        model=_word(record.get("model"), LONGEST_NAME),
        imei=imei(identifier(record.get("imei"))),
        azure_ad_device_id=text(record.get("azureADDeviceId")),
        storage_bytes=size(record.get("totalStorageSpaceInBytes")),
        device_name=line(record.get("deviceName")),
        management_agent=_word(record.get("managementAgent")),
        management_state=_word(record.get("managementState")),
        enrolled_at=moment(record.get("enrolledDateTime"), latest=latest),
        last_contact_at=moment(record.get("lastSyncDateTime"), latest=latest),
        user_id=text(record.get("userId")),
        user_email=text(record.get("emailAddress")),
        user_principal_name=text(record.get("userPrincipalName")),
        user_display_name=text(record.get("userDisplayName")),
    )


def line(value: object, *, at_most: int = LONGEST_TEXT) -> str | None:
    """The value as one trimmed line; None for what is blank or no text at all.

    Characters nobody can see or PostgreSQL cannot hold (NUL, controls, lone surrogates) are removed.

    Args:
        value: Anything.
        at_most: Characters that are kept.
    """
    if not isinstance(value, str):
        return None
    cleaned = _one_line(value)
    return (cleaned if len(cleaned) <= at_most else cleaned[:at_most].rstrip()) or None


def text(value: object, *, at_most: int = LONGEST_TEXT) -> str | None:
    """The same as `line`, for fields where a word of `EMPTY_WORDS` cannot be a value: None for these too."""
    cleaned = line(value, at_most=at_most)
    return None if cleaned is None or cleaned.lower() in EMPTY_WORDS else cleaned


def _word(value: object, at_most: int = LONGEST_TEXT) -> str | None:
    """The same as `text`, for fields of which a fleet has few values: each is cleaned once."""
    return _cleaned_word(value, at_most) if isinstance(value, str) else None


@lru_cache(REMEMBERED_WORDS)
def _cleaned_word(value: str, at_most: int) -> str | None:
    return text(value, at_most=at_most)


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


def size(value: object, *, at_most: int = LARGEST_STORAGE) -> int | None:
    """A size in bytes, also where it came as digits; None for 0, for negative sizes and for what is no number.

    Args:
        value: Anything.
        at_most: Bytes such a device can have; None for more than that, too.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_LARGEST_INTEGER)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= at_most:
        return None
    return int(value)


def moment(value: object, *, latest: datetime | None = None) -> datetime | None:
    """A date of Graph as an aware datetime in UTC; None for what is no date and for dates no device can have.

    Graph: lists show seconds, single records up to seven fraction digits, of which six are kept; ``0001-01-01`` and
    ``9999-12-31`` mean "never", and so does every other date outside the years 2000 to 2199.

    Args:
        value: Anything.
        latest: Later dates count as unknown; None: no limit but the years.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        if parsed.tzinfo is not UTC:
            parsed = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.year in _YEARS and (latest is None or parsed <= latest) else None
