"""Who owns which field of an asset, and what Intune's record says about it.

Belongs here: the field policy table and nothing else. Does not belong here: reading a record (``devices``), what is known
about a model (``facts``), when an asset is created or changed (``reconciliation``).

Null protection follows from the table: a reading that is empty is left out of what Intune says, so it can overwrite
nothing. Empty is None, and for sizes 0; ``devices`` has already made None of blank text, "Unknown", the all-zero GUID,
sizes no machine has and year 1, and ``empty_values`` knows what else is empty in a field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from intune_pipeline.domain import empty_values
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.facts import fact_values
from intune_pipeline.domain.sizes import storage_gb


class Owner(Enum):
    """Whose word counts for a field of an existing asset."""

    INTUNE = "Intune: every value that is not empty overwrites allwhere's"
    ALLWHERE = "allwhere: set when the sync creates the asset, filled when empty"
    GUARDED = "allwhere: set when the sync creates the asset, changed only where the connection allows it"
    PERSON = "a person: a sync never touches it"


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """A secret as the vault sealed it: comparable, and never shown.

    Attributes:
        token: Ciphertext; equal for equal secrets of one device.
    """

    token: str

    def __repr__(self) -> str:
        return "(sealed)"


Value = str | int | Sealed | None
"""What a field of an asset can hold."""


@dataclass(frozen=True, slots=True)
class DeviceDetails:
    """What only a single request tells of a device; both None until it was asked for.

    Attributes:
        memory_gb: GiB.
        bypass_code: The activation-lock bypass code, sealed.
    """

    memory_gb: int | None = None
    bypass_code: Sealed | None = None


class _Reading(NamedTuple):
    judged: JudgedDevice
    details: DeviceDetails


class _Kind(NamedTuple):
    operating_system: str
    manufacturer: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of ``assets``.

    Attributes:
        name: The column.
        owner: Whose word counts.
        reading: What Intune says of one device, cleaned.
        of_kind: What it says, or is known, of every device with the same system, maker and model.
    """

    name: str
    owner: Owner
    reading: Callable[[_Reading], Value] | None = None
    of_kind: Callable[[_Kind], Value] | None = None

    @property
    def is_said(self) -> bool:
        """Whether Intune says anything about the field."""
        return bool(self.reading or self.of_kind)


SEALED_FIELD: Final = "activation_lock_bypass_code"
"""The one field that holds a secret."""

FIELDS: Final = (
    # Graph has no colour: the column is Intune's by the specification, and stays as it is.
    Field("color", Owner.INTUNE),
    Field("display_size", Owner.INTUNE, of_kind=lambda kind: kind.facts.get("display_size")),
    Field("imei", Owner.INTUNE, lambda reading: reading.judged.device.imei),
    Field("make", Owner.INTUNE, of_kind=lambda kind: empty_values.maker(kind.manufacturer)),
    Field("model", Owner.INTUNE, of_kind=lambda kind: kind.facts.get("model")),
    Field("model_name", Owner.INTUNE, of_kind=lambda kind: kind.facts.get("model_name")),
    Field("memory_gb", Owner.INTUNE, lambda reading: reading.details.memory_gb),
    Field("storage_gb", Owner.INTUNE, lambda reading: storage_gb(reading.judged.device.storage_bytes)),
    Field("storage_type", Owner.INTUNE, of_kind=lambda kind: kind.facts.get("storage_type")),
    Field("operating_system", Owner.INTUNE, of_kind=lambda kind: empty_values.operating_system(kind.operating_system)),
    Field("os_version", Owner.INTUNE, lambda reading: empty_values.os_version(reading.judged.device.os_version)),
    Field("release_date", Owner.INTUNE, of_kind=lambda kind: kind.facts.get("release_date")),
    Field("intune_device_id", Owner.INTUNE, lambda reading: reading.judged.device.intune_device_id),
    Field("azure_ad_device_id", Owner.INTUNE, lambda reading: reading.judged.device.azure_ad_device_id),
    Field(SEALED_FIELD, Owner.INTUNE, lambda reading: reading.details.bypass_code),
    Field("asset_type", Owner.ALLWHERE, lambda reading: reading.judged.classification.device_type),
    Field("status", Owner.GUARDED),
    Field("assignee_id", Owner.GUARDED),
    Field("serial_number", Owner.PERSON),
    Field("name", Owner.PERSON),
    Field("condition", Owner.PERSON),
    Field("location", Owner.PERSON),
    Field("notes", Owner.PERSON),
)
"""Every field of an asset. ``serial_number`` is what is matched: as Intune shows it in a new asset, then left alone."""

INTUNE_FIELDS: Final = tuple(field.name for field in FIELDS if field.owner is Owner.INTUNE)
"""Names of the fields whose source of truth is Intune."""

FILLED_FIELDS: Final = tuple(field.name for field in FIELDS if field.owner is Owner.ALLWHERE)
"""Names of the fields that Intune only fills."""

_READINGS: Final = tuple((field.name, field.reading) for field in FIELDS if field.reading)
_KIND_READINGS: Final = tuple((field.name, field.of_kind) for field in FIELDS if field.of_kind)
_REMEMBERED_KINDS: Final = 4_096


def intune_values(judged: JudgedDevice, details: DeviceDetails) -> dict[str, Value]:
    """What Intune says about a device, by field; fields it says nothing about are not there.

    Args:
        judged: The device.
        details: What single requests told about it.
    """
    device = judged.device
    reading = _Reading(judged, details)
    values = _kind_values(device.operating_system or "", device.manufacturer or "", device.model or "").copy()
    for name, read in _READINGS:
        if value := read(reading):
            values[name] = value
    return values


@lru_cache(_REMEMBERED_KINDS)
def _kind_values(operating_system: str, manufacturer: str, model: str) -> dict[str, Value]:
    facts = fact_values(operating_system, manufacturer, empty_values.model(model) or "")
    kind = _Kind(operating_system, manufacturer, facts)
    return {name: value for name, read in _KIND_READINGS if (value := read(kind))}
