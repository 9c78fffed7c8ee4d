"""When a device is gone from Intune, when many at once are held, and what then becomes of their assets.

Belongs here: counting absences, which devices Graph is asked about, the guard against mass endings. Does not belong here:
devices that are listed (``reconciliation``).

A device is gone when it was absent from several complete lists, far enough apart, *and* a request by its id was answered
404. Absence from one list proves nothing: answers can be incomplete, and lists shrink by faults far more often than
fleets do. Nothing here happens while the connection's switch is off; absences count from the first list after it was
turned on.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.vocabulary import AssetStatus, LifecycleDecision

ENDING_STATUS: Final = AssetStatus.ALLOCATED
"""Only assets in this status end."""

ENDED_STATUS: Final = AssetStatus.TRANSFERRED
"""What they become, without assignee: handed off, no confirmed holder."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What earlier syncs remember of a device.

    Attributes:
        intune_device_id: Intune's id of the record.
        serial_key: Its serial in compared form.
        was_synced: Whether it ever had an asset.
        ended: Whether it was found gone, and has not come back since.
        absent_lists: Complete lists in a row, far enough apart, that did not hold it.
        absent_since: When the first of these was read.
        candidate_user: Compared e-mail of the user seen instead of the assignee, waiting for confirmation.
        candidate_syncs: Consecutive syncs that showed this user.
        listed_user: Compared e-mail of the user the last list showed, "" for nobody; None: from before this was remembered.
        listed_user_since: When a list first showed this user without interruption.
    """

    intune_device_id: str
    serial_key: str | None
    was_synced: bool = False
    ended: bool = False
    absent_lists: int = 0
    absent_since: datetime | None = None
    candidate_user: str | None = None
    candidate_syncs: int = 0
    listed_user: str | None = None
    listed_user_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """How long a device has been absent, this list included."""

    memory: DeviceMemory
    lists: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class LifecycleHold:
    """Endings held back because there were too many at once.

    Attributes:
        id: allwhere's id.
        intune_device_ids: The devices that would have ended.
        decision: ``waiting``, ``released`` or ``dropped``.
        decided_at: When a person decided; None while waiting.
    """

    id: int
    intune_device_ids: frozenset[str]
    decision: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class GoneDevice:
    """All records of one serial, proven gone from Intune."""

    serial_key: str
    intune_device_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of devices that are gone.

    Attributes:
        ending: Devices that end now.
        held: Devices that wait for an operator.
        reason: Why they are held, one sentence; None when none is.
    """

    ending: tuple[GoneDevice, ...]
    held: tuple[GoneDevice, ...]
    reason: str | None


def absences(
    memories: Iterable[DeviceMemory], listed: Collection[str], *, listed_at: datetime, complete: bool, policy: Policy
) -> list[Absence]:
    """The devices that once were synced and are not in this list, each with its absence up to and including this list.

    With the switch off nobody is counted, and what was counted before is forgotten. An incomplete list counts for
    nothing.

    Args:
        memories: What is remembered of every device of the connection.
        listed: Ids of all devices in this list, of whatever kind.
        listed_at: When the list was read.
        complete: Whether it is the whole list.
        policy: The connection's settings.
    """
    if not complete:
        return []
    missing = [memory for memory in memories if _is_tracked(memory) and memory.intune_device_id not in listed]
    if not policy.mdm_assignee_updates:
        return [Absence(memory, 0, None) for memory in missing]
    return [_counted(memory, listed_at, timedelta(hours=policy.absent_hours)) for memory in missing]


def _counted(memory: DeviceMemory, listed_at: datetime, apart: timedelta) -> Absence:
    if memory.absent_since is None:
        return Absence(memory, 1, listed_at)
    is_far_enough = listed_at >= memory.absent_since + memory.absent_lists * apart
    return Absence(memory, memory.absent_lists + is_far_enough, memory.absent_since)


def suspects(found: Iterable[Absence], holds: Iterable[LifecycleHold], policy: Policy) -> list[str]:
    """Ids of the devices absent for long enough that Graph is asked whether they are gone; sorted."""
    dropped = _decided(holds, LifecycleDecision.DROPPED)
    return sorted(
        absence.memory.intune_device_id
        for absence in found
        if absence.lists >= policy.absent_lists and policy.mdm_assignee_updates and not _covers(dropped, absence)
    )


def siblings(suspected: Collection[str], memories: Iterable[DeviceMemory]) -> list[str]:
    """Ids of all other records remembered of the suspects' serials: they must be proven gone too; sorted.

    They were never synced, being skipped for one reason or another, or they are absent for a shorter time.

    Args:
        suspected: Ids of `suspects`.
        memories: What is remembered of every device of the connection.
    """
    if not suspected:
        return []
    memories = tuple(memories)
    serials = {memory.serial_key for memory in memories if memory.intune_device_id in suspected} - {None}
    return sorted(
        memory.intune_device_id
        for memory in memories
        if memory.serial_key in serials and not memory.ended and memory.intune_device_id not in suspected
    )


def gone_devices(
    suspected: Collection[str],
    memories: Iterable[DeviceMemory],
    *,
    proven_gone: Collection[str],
    listed_serials: Collection[str],
) -> list[GoneDevice]:
    """The serials of which every record is proven gone, every synced one is suspected, and none is listed; sorted.

    Args:
        suspected: Ids of `suspects`.
        memories: What is remembered of every device of the connection.
        proven_gone: Ids that Graph answered with 404.
        listed_serials: Compared serials of all devices in this list: a re-enrolled device is not gone.
    """
    by_serial: dict[str, list[DeviceMemory]] = defaultdict(list)
    for memory in memories if suspected else ():
        if memory.serial_key and not memory.ended:
            by_serial[memory.serial_key].append(memory)
    return [
        GoneDevice(serial_key, tuple(sorted(one.intune_device_id for one in records if one.was_synced)))
        for serial_key, records in sorted(by_serial.items())
        if serial_key not in listed_serials
        and any(one.intune_device_id in suspected for one in records)
        and all(one.intune_device_id in proven_gone for one in records)
        and all(one.intune_device_id in suspected for one in records if one.was_synced)
    ]


def judge_endings(
    gone: Iterable[GoneDevice],
    *,
    changes_asset: Mapping[str, bool],
    synced_devices: int,
    found: Iterable[Absence],
    holds: Iterable[LifecycleHold],
    policy: Policy,
) -> Verdict:
    """Let the endings through, or hold all of them when there are too many or a hold still waits.

    Devices whose assets do not change anyway, because a person already took care of them, and devices an operator has
    released are not held and do not count.

    Args:
        gone: Devices proven gone.
        changes_asset: By compared serial, whether the ending changes the asset.
        synced_devices: Devices of the connection that have an asset and have not ended.
        found: Every absence.
        holds: The connection's holds.
        policy: The connection's settings.
    """
    holds = tuple(holds)
    released = _decided(holds, LifecycleDecision.RELEASED)
    absence_of = {absence.memory.intune_device_id: absence for absence in found}
    free: list[GoneDevice] = []
    counted: list[GoneDevice] = []
    for device in gone:
        is_released = all(_covers(released, absence_of[one]) for one in device.intune_device_ids)
        (free if is_released or not changes_asset[device.serial_key] else counted).append(device)
    reason = _why_held(
        len(counted), synced_devices, any(hold.decision == LifecycleDecision.WAITING for hold in holds), policy
    )
    if reason:
        return Verdict(tuple(free), tuple(counted), reason)
    return Verdict(tuple(sorted((*free, *counted), key=lambda device: device.serial_key)), (), None)


def moot_holds(holds: Iterable[LifecycleHold], found: Iterable[Absence]) -> tuple[int, ...]:
    """Ids of the waiting holds none of whose devices is absent any more, so that there is nothing left to decide.

    Args:
        holds: The connection's holds.
        found: Every absence from a complete list.
    """
    absent = {absence.memory.intune_device_id for absence in found if absence.lists}
    return tuple(
        hold.id for hold in holds if hold.decision == LifecycleDecision.WAITING and not hold.intune_device_ids & absent
    )


def _why_held(count: int, synced_devices: int, is_waiting: bool, policy: Policy) -> str | None:  # noqa: FBT001
    if count == 0:
        return None
    if count > policy.lifecycle_max_devices:
        return f"{counted(count, 'device')} would end at once; up to {policy.lifecycle_max_devices} may."
    if count > policy.lifecycle_max_share * synced_devices:
        return (
            f"{count} of {counted(synced_devices, 'synced device')} would end at once; "
            f"up to {policy.lifecycle_max_share:.0%} may."
        )
    if is_waiting:
        return f"{counted(count, 'device')} would end while an earlier hold still waits for a decision."
    return None


def _is_tracked(memory: DeviceMemory) -> bool:
    return memory.was_synced and not memory.ended


def _decided(holds: Iterable[LifecycleHold], decision: str) -> dict[str, datetime]:
    """When each device was last part of a hold with this decision."""
    decided: dict[str, datetime] = {}
    for hold in holds:
        if hold.decision == decision and hold.decided_at:
            for device_id in hold.intune_device_ids:
                decided[device_id] = max(decided.get(device_id, hold.decided_at), hold.decided_at)
    return decided


def _covers(decided: Mapping[str, datetime], absence: Absence) -> bool:
    """Whether a decision was about this absence, not about an earlier one of the same device."""
    at = decided.get(absence.memory.intune_device_id)
    return at is not None and absence.since is not None and at >= absence.since
