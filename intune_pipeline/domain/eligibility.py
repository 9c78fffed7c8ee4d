"""Who is in, who is skipped and why: ownership, serials, twins and collisions.

Belongs here: the verdict on each listed device before allwhere's assets are looked at. Does not belong here: reading a
record (``devices``), what type a device has (``classification``), what happens to its asset (``reconciliation``).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Final

from intune_pipeline.domain.catalogue import Classification
from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.serials import is_junk_serial
from intune_pipeline.domain.vocabulary import DeviceType, Ownership, SkipReason

ACTIVE: Final = timedelta(days=30)
"""A device counts as active when its last contact is at most this long ago; Intune's own compliance default.

"Ago" is counted from the newest contact of the whole list, or from the listing where clocks run ahead of it, so that a
recorded fleet is judged as it was when it was recorded.
"""

SAME_TIME: Final = timedelta(hours=24)
"""Two records are in use at the same time when their last contacts are at most this far apart; Intune's agents call every
eight hours, and a laptop sleeps at night."""

_SKIPPED_TYPES: Final = {DeviceType.DESKTOP: SkipReason.DESKTOP, DeviceType.UNKNOWN: SkipReason.UNKNOWN_TYPE}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+")

# Makers by the first word of their name; these change that word between their own products.
_SAME_MAKER: Final = {"hewlett": "hp", "asustek": "asus", "micro": "msi"}


@dataclass(frozen=True, slots=True)
class JudgedDevice:
    """A device, what it is, and why it is skipped.

    Attributes:
        device: As listed; without personal details unless it belongs to the company.
        classification: Its type and the rule that decided.
        skip_reason: None: eligible.
    """

    device: ManagedDevice
    classification: Classification
    skip_reason: SkipReason | None


def judge(devices: Iterable[ManagedDevice], classifier: Classifier, *, listed_at: datetime) -> list[JudgedDevice]:
    """Say of every device of one tenant whether it is eligible, in the order given.

    The reasons are tried in this order: ownership, serial, the other records of the same serial, type. A verdict
    depends on the set of devices, never on their order.

    Args:
        devices: One record per id, see `newest_by_id`.
        classifier: Says what type each device has.
        listed_at: When Graph listed them, aware.
    """
    listed = [
        device if device.ownership == Ownership.COMPANY else without_personal_details(device) for device in devices
    ]
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


def is_leaving(device: ManagedDevice) -> bool:
    """Whether the device is being retired, wiped or deleted.

    Graph: managementState is retirePending, wipeIssued, deletePending … and, when that came to nothing,
    retireFailed, wipeCanceled …
    """
    state = (device.management_state or "").lower()
    return state.startswith(("retire", "wipe", "delete")) and not state.endswith(("failed", "canceled"))


def _own_reason(device: ManagedDevice, key: str | None) -> SkipReason | None:
    if device.ownership != Ownership.COMPANY:
        return SkipReason.PERSONAL if device.ownership == Ownership.PERSONAL else SkipReason.OWNERSHIP_UNKNOWN
    if key is None:
        return SkipReason.NO_SERIAL
    return SkipReason.JUNK_SERIAL if is_junk_serial(key) else None


def _recency(device: ManagedDevice) -> tuple[datetime, bool, datetime, str, str]:
    """Orders records of one device or serial: last contact, staying before leaving, enrolment; the rest breaks ties."""
    return (
        device.last_contact_at or _NEVER,
        not is_leaving(device),
        device.enrolled_at or _NEVER,
        device.intune_device_id,
        repr(device),
    )


def _twins(twins: Sequence[ManagedDevice], active_since: datetime) -> list[SkipReason | None]:
    """The skip reason of each of several records of one serial: the newest wins, unless different machines contest it."""
    active = [twin.last_contact_at is not None and twin.last_contact_at >= active_since for twin in twins]
    contestants = [twin for twin, is_active in zip(twins, active, strict=True) if is_active]
    if _are_different_machines(contestants) or _are_in_use_at_once(contestants):
        return [SkipReason.SERIAL_COLLISION if is_active else SkipReason.SUPERSEDED for is_active in active]
    winner = max(range(len(twins)), key=lambda index: _recency(twins[index]))
    return [None if index == winner else SkipReason.SUPERSEDED for index in range(len(twins))]


def _are_in_use_at_once(records: Iterable[ManagedDevice]) -> bool:
    """Whether different users use records of one serial at the same time: several machines with one made-up serial.

    A machine that is wiped and given to somebody else ends its old record before the new one is enrolled, so a record
    that was in contact after the enrolment of the next one is another machine. Records on their way out do not count
    beside a newer one.
    """
    newest: dict[str, ManagedDevice] = {}
    for record in sorted(records, key=_recency):
        if users := _users(record):
            newest[users[0]] = record
    machines = sorted(newest.values(), key=_recency)
    staying = [machine for machine in machines[:-1] if not is_leaving(machine)] + machines[-1:]
    # Neighbours are enough: where each next machine was enrolled after the last contact of the one before, so was every
    # later one.
    return any(_overlap(older, newer) for older, newer in pairwise(staying))


def _overlap(older: ManagedDevice, newer: ManagedDevice) -> bool:
    older_contact, newer_contact = older.last_contact_at or _NEVER, newer.last_contact_at or _NEVER
    return (
        newer_contact - older_contact <= SAME_TIME
        and older_contact > (newer.enrolled_at or _NEVER)
        and not set(_users(older)) & set(_users(newer))
    )


def _users(record: ManagedDevice) -> list[str]:
    """Whatever tells who uses a record, in lower case."""
    shown = (record.user_id, record.user_principal_name, record.user_email)
    return [user.lower() for user in shown if user]


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
