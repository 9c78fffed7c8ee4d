"""What the assets and ``plan`` have in common: listing a tenant, and asking about its devices.

Belongs here: the few functions that put Microsoft's answers, the store's state and the domain's rules together. Does
not belong here: Dagster, planning (``planning``), and writing to allwhere's tables.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

from sqlalchemy import Connection, Engine

from intune_pipeline.domain import erasure, reconciliation
from intune_pipeline.domain.devices import LARGEST_MEMORY, ManagedDevice, managed_device, size, text
from intune_pipeline.domain.eligibility import JudgedDevice, newest_by_id, without_personal_details
from intune_pipeline.domain.fields import DeviceDetails
from intune_pipeline.domain.sizes import memory_gb
from intune_pipeline.domain.vocabulary import DetailState, Ownership, SkipReason
from intune_pipeline.inventory import details, erasures
from intune_pipeline.inventory.frames import Listing
from intune_pipeline.inventory.unknown_models import UnknownModel
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.graph import DetailFailure, DeviceDetail, GraphClient

#: Answers of single devices that are sealed and stored together.
ANSWERS_AT_ONCE = 100
#: How the names of Apple's systems begin in Graph's operatingSystem, in lower case.
APPLE_SYSTEMS = ("ios", "ipad", "iphone", "mac", "os x")


@dataclass(frozen=True, slots=True)
class Listed:
    """A tenant's devices as Graph listed them.

    Attributes:
        devices: one per id; personal ones left out, the personal details of those of unknown ownership too.
        personal_ids: ids of the personal devices, which are counted and otherwise forgotten.
        listed_at: when the listing began; aware.
        complete: whether it is the whole list.
        unreadable: entries without an id, about which nothing can be said; counted as failed.
        pages: how many pages were read.
    """

    devices: list[ManagedDevice]
    personal_ids: list[str]
    listed_at: datetime
    complete: bool
    unreadable: int
    pages: int

    @property
    def devices_listed(self) -> int:
        """How many devices the tenant has in Intune, as far as the list was read."""
        return len(self.devices) + len(self.personal_ids) + self.unreadable


def list_devices(
    client: GraphClient, *, max_devices: int | None = None, on_page: Callable[[int], None] | None = None
) -> Listed:
    """Read a tenant's list of devices.

    Args:
        client: the tenant's.
        max_devices: stop after so many records; the list then counts as incomplete.
        on_page: called after each page with the number of records so far.

    Raises:
        MicrosoftError: the list could not be read to its end.
    """
    listed_at = datetime.now(UTC)
    limit = sys.maxsize if max_devices is None else max_devices
    devices: list[ManagedDevice] = []
    read = unreadable = pages = 0
    for page in client.list_devices():
        pages += 1
        records = page[: limit - read]
        read += len(records)
        for record in records:
            try:
                device = managed_device(record, listed_at=listed_at)
            except ValueError:
                unreadable += 1
                continue
            devices.append(without_personal_details(device) if device.ownership == Ownership.PERSONAL else device)
        if on_page:
            on_page(read)
        if read >= limit:
            break
    unique = newest_by_id(devices)
    return Listed(
        devices=[device for device in unique if device.ownership != Ownership.PERSONAL],
        personal_ids=[device.intune_device_id for device in unique if device.ownership == Ownership.PERSONAL],
        listed_at=listed_at,
        # What was cut off at the limit may have been the end, but nobody looked.
        complete=read < limit and not unreadable,
        unreadable=unreadable,
        pages=pages,
    )


def without_erased(db: Connection, account_id: int, listed: Listed) -> Listed:
    """The list without the account's erased people."""
    return replace(listed, devices=erasure.without_erased(listed.devices, erasures.standing(db, account_id)))


@dataclass(frozen=True, slots=True)
class Detailed:
    """What is known of eligible devices beyond the list.

    Attributes:
        rows: id, memory in GiB, whether a bypass code is stored, and how fresh that is, of each eligible device.
        said: what was not asked for and why, a sentence for people; "" when nothing was left out.
    """

    rows: list[tuple[str, int | None, bool, str]]
    said: str


def details_due(
    db: Connection,
    connection_id: int,
    judged: Iterable[JudgedDevice],
    vault: Vault,
    refresh_after: timedelta | None,
) -> list[str]:
    """Ids of the devices to ask about now: eligible, with something to tell, and new, stale or failed the last time.

    Args:
        db: any connection.
        connection_id: whose devices.
        judged: the listed devices.
        vault: a closed one takes no bypass codes, so they are not asked for.
        refresh_after: age from which an answer is stale; None: details are off.
    """
    if refresh_after is None:
        return []
    wanted = [one.device.intune_device_id for one in judged if one.skip_reason is None and _has_details(one, vault)]
    return details.due(db, connection_id, wanted, refresh_after=refresh_after)


def ask_details(
    client: Callable[[], GraphClient], due: Sequence[str], judged: Iterable[JudgedDevice]
) -> Iterator[list[details.Answer]]:
    """Ask about these devices; answers come in small lists, to be sealed at once.

    Args:
        client: opens the tenant's client; called only when there is something to ask.
        due: ids of devices.
        judged: the devices, whose serial numbers the codes are bound to.
    """
    serials = {one.device.intune_device_id: one.device.serial_number for one in judged}
    answers = (answer_of(asked, serials) for asked in client().details(due)) if due else iter(())
    while some := list(islice(answers, ANSWERS_AT_ONCE)):
        yield some


def refresh_details(
    engine: Engine,
    connection_id: int,
    judged: Sequence[JudgedDevice],
    client: Callable[[], GraphClient],
    *,
    vault: Vault,
    refresh_after: timedelta | None,
) -> Detailed:
    """Ask for what is due and store it, bypass codes sealed as they arrive; see `details_due`.

    A detail that cannot be had is no failure of its device; it is asked for again at the next sync.
    """
    with engine.connect() as db:
        due = details_due(db, connection_id, judged, vault, refresh_after)
    failed: set[str] = set()
    for answers in ask_details(client, due, judged):
        with engine.begin() as db:
            details.store(db, connection_id, answers, vault)
        failed.update(answer.intune_device_id for answer in answers if answer.failure)
    with engine.connect() as db:
        kept = details.kept(db, connection_id)
    fresh = set(due) - failed

    def row(device_id: str) -> tuple[str, int | None, bool, str]:
        known = kept.get(device_id, DeviceDetails())
        state = (
            DetailState.FAILED
            if device_id in failed
            else DetailState.FETCHED
            if device_id in fresh
            else DetailState.KEPT
        )
        return (
            device_id,
            known.memory_gb,
            known.bypass_code is not None,
            state if device_id in kept else DetailState.NOT_NEEDED,
        )

    return Detailed(
        rows=[row(one.device.intune_device_id) for one in judged if one.skip_reason is None],
        said=_left_out(vault, refresh_after),
    )


def answer_of(asked: tuple[str, DeviceDetail | DetailFailure], serials: Mapping[str, str | None]) -> details.Answer:
    """What is stored of an answer about one device, whatever its values are."""
    device_id, answer = asked
    if isinstance(answer, DetailFailure):
        return details.Answer(device_id, failure=answer.cause.sentence)
    return details.Answer(
        device_id,
        memory_gb(size(answer.get("physicalMemoryInBytes"), at_most=LARGEST_MEMORY)),
        text(answer.get("activationLockBypassCode")),
        serial_number=serials.get(device_id),
    )


def _has_details(one: JudgedDevice, vault: Vault) -> bool:
    """Whether Graph can tell more of a device. Graph: memory is Windows only, bypass codes are Apple's."""
    system = (one.device.operating_system or "").lower()
    return system.startswith("windows") or (vault.is_open and system.startswith(APPLE_SYSTEMS))


def _left_out(vault: Vault, refresh_after: timedelta | None) -> str:
    if refresh_after is None:
        return "INTUNE_DETAILS is off: neither memory nor bypass codes are asked for."
    return "" if vault.is_open else "BYPASS_CODE_KEYS is not set: bypass codes are not collected."


def new_listing(listed: Listed, *, tenant_id: str, account: str, run_id: str) -> Listing:
    """What every frame of a run stems from, after a fresh list."""
    return Listing(
        listing_id=str(uuid4()),
        tenant_id=tenant_id,
        partition_key=account,
        run_id=run_id,
        listed_at=listed.listed_at,
        complete=listed.complete,
        devices_listed=listed.devices_listed,
        personal=len(listed.personal_ids),
        unreadable=listed.unreadable,
    )


def domain_listing(listing: Listing) -> reconciliation.Listing:
    """What the domain wants to know of a listing."""
    return reconciliation.Listing(listing.listed_at, listing.complete, listing.personal, listing.unreadable)


def unknown_models(judged: Iterable[JudgedDevice]) -> list[UnknownModel]:
    """The kinds of devices that no rule could classify, the most frequent first."""
    kinds: dict[tuple[str, str, str], list[str | None]] = {}
    for one in judged:
        if one.skip_reason == SkipReason.UNKNOWN_TYPE:
            device = one.device
            kind = (device.operating_system or "", device.manufacturer or "", device.model or "")
            kinds.setdefault(kind, []).append(device.serial_number)
    ordered = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    return [UnknownModel(*kind, devices=len(serials), example_serial_number=serials[0]) for kind, serials in ordered]


def skipped_by_reason(judged: Iterable[JudgedDevice]) -> dict[str, int]:
    """How many devices were skipped, by reason."""
    return dict(Counter(one.skip_reason for one in judged if one.skip_reason))
