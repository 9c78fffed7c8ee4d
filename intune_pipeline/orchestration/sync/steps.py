"""What the assets and ``plan`` have in common: listing a tenant, and counting what the list holds.

Belongs here: the few functions that put Microsoft's answers, the store's state and the domain's rules together. Does
not belong here: Dagster, asking about single devices (``device_details``), planning (``planning``), and writing to allwhere's tables.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection

from intune_pipeline.domain import erasure, reconciliation
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.eligibility import JudgedDevice, newest_by_id, without_personal_details
from intune_pipeline.domain.vocabulary import Ownership, SkipReason
from intune_pipeline.inventory import erasures
from intune_pipeline.inventory.frames import Listing
from intune_pipeline.inventory.unknown_models import UnknownModel
from intune_pipeline.microsoft.graph import GraphClient


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
    client: GraphClient,
    *,
    max_devices: int | None = None,
    on_page: Callable[[int, Sequence[ManagedDevice]], None] | None = None,
) -> Listed:
    """Read a tenant's list of devices.

    Args:
        client: the tenant's.
        max_devices: stop after so many records; the list then counts as incomplete.
        on_page: called after each page with the number of records so far, and the page's devices.

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
        before = len(devices)
        for record in records:
            try:
                device = managed_device(record, listed_at=listed_at)
            except ValueError:
                unreadable += 1
                continue
            devices.append(without_personal_details(device) if device.ownership == Ownership.PERSONAL else device)
        if on_page:
            on_page(read, devices[before:])
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
