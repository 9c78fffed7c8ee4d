"""An account's devices counted: by what became of them, and the synced ones by type, system, age and last contact.

Belongs here: counting, in one pass over the devices. Does not belong here: listing them (``device_list``) and words.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import Outcome
from intune_pipeline.inventory import device_filters as filters
from intune_pipeline.inventory.schema import assets, device_outcomes

TYPE: Final = "device_type"
SYSTEM: Final = "system"
RELEASED: Final = "released"
CONTACT: Final = "contact"


@dataclass(frozen=True, slots=True)
class Count:
    """How many devices in Intune have an outcome; those skipped by reason, those failed all together."""

    outcome: str
    reason: str | None
    devices: int


@dataclass(frozen=True, slots=True)
class Overview:
    """An account's devices in numbers.

    Attributes:
        in_intune: devices that Intune lists, by outcome and reason, most devices first.
        gone: devices that earlier syncs listed and the last complete list does not hold.
        appeared: devices in Intune that were first listed after the sync that is compared with.
        left: devices that are gone and were listed by that sync, or later.
        synced: the synced devices in Intune by `TYPE`, `SYSTEM`, `RELEASED` and `CONTACT`: value → devices.
    """

    in_intune: tuple[Count, ...]
    gone: int
    appeared: int
    left: int
    synced: Mapping[str, Mapping[str, int]]


def of_account(db: Connection, account: str, began: datetime | None = None, ended: datetime | None = None) -> Overview:
    """Count an account's devices.

    Args:
        db: any connection.
        account: the account's slug.
        began: when the sync began that is compared with; None: no device counts as having appeared or left.
        ended: when it ended. In between it read the list.
    """
    chosen = filters.Chosen.of(db, account)
    groups: dict[str, Counter[str]] = {name: Counter() for name in (TYPE, SYSTEM, RELEASED, CONTACT)}
    outcomes: Counter[tuple[str, str | None]] = Counter()
    gone = appeared = left = 0
    for row in db.execute(_counting(chosen), {"began": began, "ended": ended}):
        if row.is_gone:
            gone, left = gone + row.devices, left + row.still_listed
            continue
        outcomes[row.outcome, row.reason] += row.devices
        appeared += row.first_listed
        if row.outcome == Outcome.SYNCED:
            groups[TYPE][row.device_type or ""] += row.devices
            groups[SYSTEM][filters.system_of(row.operating_system)] += row.devices
            groups[RELEASED][filters.year_of(row.year)] += row.devices
            groups[CONTACT][row.contact] += row.devices
    counts = [Count(outcome, reason, devices) for (outcome, reason), devices in outcomes.items()]
    counts.sort(key=lambda one: (-one.devices, one.outcome, one.reason or ""))
    return Overview(tuple(counts), gone, appeared, left, groups)


def _counting(chosen: filters.Chosen) -> sa.Select[Any]:
    """Few lines for many devices: those alike in everything that is told of them are one line."""
    table = device_outcomes.c
    is_fleet = filters.IS_SYNCED & sa.not_(chosen.is_gone)
    began, ended = (sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in ("began", "ended"))
    alike = (
        chosen.is_gone.label("is_gone"),
        table.outcome,
        sa.case((table.outcome == Outcome.SKIPPED, table.reason)).label("reason"),
        sa.case((is_fleet, table.device_type)).label("device_type"),
        sa.case((is_fleet, table.operating_system)).label("operating_system"),
        sa.case((is_fleet, filters.YEAR)).label("year"),
        sa.case((is_fleet, filters.CONTACT)).label("contact"),
    )
    devices = (
        sa.select(*alike, table.first_seen_at, table.last_seen_at)
        .outerjoin_from(device_outcomes, assets, assets.c.id == table.asset_id)
        .where(table.connection_id == chosen.connection_id)
        .subquery("devices")
    )
    return sa.select(
        *(devices.c[column.name] for column in alike),
        sa.func.count().label("devices"),
        sa.func.count().filter(devices.c.first_seen_at > ended).label("first_listed"),
        sa.func.count().filter(devices.c.last_seen_at >= began).label("still_listed"),
    ).group_by(*(devices.c[column.name] for column in alike))
