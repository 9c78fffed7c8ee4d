"""Who is in, who is skipped and why: ownership, serials, twins and collisions.

Belongs here: the verdict on each listed device before allwhere's assets are looked at. Does not belong here: reading a
record (``devices``), what type a device has (``classification``), what happens to its asset (``reconciliation``).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final

from intune_pipeline.domain.classification import Classification, Classifier
from intune_pipeline.domain.devices import COMPANY, ManagedDevice
from intune_pipeline.domain.devices import PERSONAL as PERSONAL_OWNERSHIP

PERSONAL: Final = "personal"
OWNERSHIP_UNKNOWN: Final = "ownership_unknown"
NO_SERIAL: Final = "no_serial"
JUNK_SERIAL: Final = "junk_serial"
DESKTOP: Final = "desktop"
UNKNOWN_TYPE: Final = "unknown_type"
SUPERSEDED: Final = "superseded"
SERIAL_COLLISION: Final = "serial_collision"
SKIP_REASONS: Final = (
    PERSONAL, OWNERSHIP_UNKNOWN, NO_SERIAL, JUNK_SERIAL, DESKTOP, UNKNOWN_TYPE, SUPERSEDED, SERIAL_COLLISION,
)  # fmt: skip
"""Every reason there is; None stands for eligible."""

ACTIVE: Final = timedelta(days=30)
"""A device counts as active when its last contact is at most this long ago; Intune's own compliance default.

"Ago" is counted from the newest contact of the whole list, or from the listing where clocks run ahead of it, so that a
recorded fleet is judged as it was when it was recorded.
"""

SHORTEST_SERIAL: Final = 4
"""Characters a serial has at least, spaces and dots not counted."""

_SKIPPED_TYPES: Final = {"desktop": DESKTOP, "unknown": UNKNOWN_TYPE}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+")

# What firmware shows when nobody entered a serial, without spaces, dots, punctuation and case.
_JUNK_SERIALS: Final = frozenset({
    "01234567890", "0123456789", "1234567890", "123456789", "12345678", "CHASSISSERIALNUMBER", "DEFAULT",
    "DEFAULTSTRING", "EMPTY", "INVALID", "NONE", "NOTAPPLICABLE", "NOTAVAILABLE", "NOTDEFINED", "NOTSET",
    "NOTSPECIFIED", "NULL", "SERIAL", "SERIALNUMBER", "SYSTEMSERIALNUMBER", "TOBEFILLEDBYOEM", "UNDEFINED", "UNKNOWN",
    "UNSPECIFIED",
})  # fmt: skip

# Makers by the first word of their name; these change that word between their own products.
_SAME_MAKER: Final = {"hewlett": "hp", "asustek": "asus", "micro": "msi"}


@dataclass(frozen=True, slots=True)
class JudgedDevice:
    """A device, what it is, and why it is skipped.

    Attributes:
        device: As listed; without personal details unless it belongs to the company.
        classification: Its type and the rule that decided.
        skip_reason: One of `SKIP_REASONS`; None: eligible.
    """

    device: ManagedDevice
    classification: Classification
    skip_reason: str | None


def judge(devices: Iterable[ManagedDevice], classifier: Classifier, *, listed_at: datetime) -> list[JudgedDevice]:
    """Say of every device of one tenant whether it is eligible, in the order given.

    The reasons are tried in this order: ownership, serial, the other records of the same serial, type. A verdict
    depends on the set of devices, never on their order.

    Args:
        devices: One record per id, see `newest_by_id`.
        classifier: Says what type each device has.
        listed_at: When Graph listed them, aware.
    """
    listed = [device if device.ownership == COMPANY else without_personal_details(device) for device in devices]
    keys = [device.serial_key for device in listed]
    reasons = [_own_reason(device, key) for device, key in zip(listed, keys, strict=True)]
    by_serial: dict[str, list[int]] = defaultdict(list)
    for index, (key, reason) in enumerate(zip(keys, reasons, strict=True)):
        if key and reason is None:
            by_serial[key].append(index)
    newest_contact = max((device.last_contact_at for device in listed if device.last_contact_at), default=listed_at)
    active_since = min(newest_contact, listed_at) - ACTIVE
    for indexes in by_serial.values():
        if len(indexes) > 1:
            verdicts = _twins([listed[index] for index in indexes], active_since)
            for index, reason in zip(indexes, verdicts, strict=True):
                reasons[index] = reason
    judged = []
    for device, reason in zip(listed, reasons, strict=True):
        classification = classifier.classify(
            device.operating_system or "", device.manufacturer or "", device.model or ""
        )
        judged.append(JudgedDevice(device, classification, reason or _SKIPPED_TYPES.get(classification.device_type)))
    return judged


def newest_by_id(devices: Iterable[ManagedDevice]) -> list[ManagedDevice]:
    """One record per id, the newest of each, by id.

    Graph: the list's page token is a keyset on (deviceName, id), so a device renamed while the list is read can come
    twice.
    """
    newest: dict[str, ManagedDevice] = {}
    for device in devices:
        other = newest.get(device.intune_device_id)
        if other is None or _recency(other) < _recency(device):
            newest[device.intune_device_id] = device
    return [newest[device_id] for device_id in sorted(newest)]


def without_personal_details(device: ManagedDevice) -> ManagedDevice:
    """The device with everything left out that could tell of a person: user, device name, IMEI."""
    return replace(
        device,
        imei=None,
        device_name=None,
        user_id=None,
        user_email=None,
        user_principal_name=None,
        user_display_name=None,
    )


def is_junk_serial(key: str) -> bool:
    """Whether a serial, in its compared form, is what firmware shows when nobody entered one."""
    letters = _NO_LETTER_OR_DIGIT.sub("", key).upper()
    return len(key.replace(".", "")) < SHORTEST_SERIAL or len(set(letters)) <= 1 or letters in _JUNK_SERIALS


def is_leaving(device: ManagedDevice) -> bool:
    """Whether the device is being retired, wiped or deleted.

    Graph: managementState is retirePending, wipeIssued, deletePending … and, when that came to nothing,
    retireFailed, wipeCanceled …
    """
    state = (device.management_state or "").lower()
    return state.startswith(("retire", "wipe", "delete")) and not state.endswith(("failed", "canceled"))


def _own_reason(device: ManagedDevice, key: str | None) -> str | None:
    if device.ownership != COMPANY:
        return PERSONAL if device.ownership == PERSONAL_OWNERSHIP else OWNERSHIP_UNKNOWN
    if key is None:
        return NO_SERIAL
    return JUNK_SERIAL if is_junk_serial(key) else None


def _recency(device: ManagedDevice) -> tuple[datetime, bool, datetime, str, str]:
    """Orders records of one device or serial: last contact, staying before leaving, enrolment; the rest breaks ties."""
    return (
        device.last_contact_at or _NEVER,
        not is_leaving(device),
        device.enrolled_at or _NEVER,
        device.intune_device_id,
        repr(device),
    )


def _twins(twins: Sequence[ManagedDevice], active_since: datetime) -> list[str | None]:
    """The skip reason of each of several records of one serial: the newest wins, unless different machines contest it."""
    active = [twin.last_contact_at is not None and twin.last_contact_at >= active_since for twin in twins]
    if _are_different_machines([twin for twin, is_active in zip(twins, active, strict=True) if is_active]):
        return [SERIAL_COLLISION if is_active else SUPERSEDED for is_active in active]
    winner = max(range(len(twins)), key=lambda index: _recency(twins[index]))
    return [None if index == winner else SUPERSEDED for index in range(len(twins))]


@dataclass(frozen=True, slots=True)
class _Machine:
    """All active records of one serial that show the same maker and model, as one."""

    maker: str
    model: str
    first_enrolled_at: datetime
    last_contact_at: datetime
    is_leaving: bool


def _are_different_machines(records: Iterable[ManagedDevice]) -> bool:
    by_look: dict[tuple[str, str], list[ManagedDevice]] = defaultdict(list)
    for record in records:
        by_look[_maker(record), _model(record)].append(record)
    machines = [
        _Machine(
            maker,
            model,
            min(record.enrolled_at or _NEVER for record in same),
            max(record.last_contact_at or _NEVER for record in same),
            all(is_leaving(record) for record in same),
        )
        for (maker, model), same in by_look.items()
    ]
    machines.sort(key=lambda machine: (machine.last_contact_at, not machine.is_leaving, machine.maker, machine.model))
    return any(_contest(older, newer) for older, newer in combinations(machines, 2))


def _contest(older: _Machine, newer: _Machine) -> bool:
    """Whether two looks of one serial are two machines, neither of which may speak for the other.

    They are two machines when both show a maker and the makers differ, or both show a model and the models differ.
    Yet the newer one speaks for both when

    - the older one is being retired, wiped or deleted;
    - the makers do not differ, and the older one's last contact lies before the newer one's enrolment: a re-enrolment,
      after which agents often show the model differently;
    - the makers do not differ, and one shows a code where the other shows a name ("MacBookPro18,3", "MacBook Pro").
    """
    if older.is_leaving:
        return False
    if older.maker and newer.maker and older.maker != newer.maker:
        return True
    if not older.model or not newer.model or _bare(older.model) == _bare(newer.model):
        return False
    re_enrolled = older.last_contact_at <= newer.first_enrolled_at
    return not re_enrolled and _is_code(older.model) == _is_code(newer.model)


def _maker(device: ManagedDevice) -> str:
    words = _NO_LETTER_OR_DIGIT.sub(" ", (device.manufacturer or "").casefold()).split()
    return _SAME_MAKER.get(words[0], words[0]) if words else ""


def _model(device: ManagedDevice) -> str:
    """The model in lower case with single spaces, without the maker some agents put before it."""
    words = (device.model or "").casefold().split()
    return " ".join(words[1:] if len(words) > 1 and words[0] == _maker(device) else words)


def _bare(model: str) -> str:
    return _NO_LETTER_OR_DIGIT.sub("", model)


def _is_code(model: str) -> bool:
    """Whether a model is an order code or identifier ("20XWS00A00", "MacBookPro18,3") rather than a name."""
    return " " not in model and any(character.isdigit() for character in model)
