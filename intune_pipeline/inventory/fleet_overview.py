"""An account's devices counted: by what became of them, and the synced ones by type, system, age and last contact.

Belongs here: counting, in one pass over the devices. Does not belong here: listing them (``device_list``) and words.
"""

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
        appeared: devices in Intune that were first listed since the given moment.
        left: devices that are gone and were listed since then.
        synced: the synced devices in Intune by `TYPE`, `SYSTEM`, `RELEASED` and `CONTACT`: value → devices.
    """

    in_intune: tuple[Count, ...]
    gone: int
    appeared: int
    left: int
    synced: Mapping[str, Mapping[str, int]]


def of_account(db: Connection, account: str, since: datetime | None) -> Overview:
    """Count an account's devices.

    Args:
        db: any connection.
        account: the account's slug.
        since: from when on a device counts as having appeared or left; None: none does.
    """
    chosen = filters.Chosen.of(db, account)
    rows = db.execute(_counting(chosen), {"since": since}).mappings().all()
    groups: dict[str, dict[str, int]] = {name: {} for name in (TYPE, SYSTEM, RELEASED, CONTACT)}
    outcomes = []
    gone = appeared = left = 0
    for row in rows:
        if row["of"] is not None:
            if row["is_fleet"]:
                groups[row["of"]][row[row["of"]] or ""] = row["devices"]
        elif row["is_gone"]:
            gone, left = gone + row["devices"], left + row["still_listed"]
        else:
            outcomes.append(Count(row["outcome"], row["reason"], row["devices"]))
            appeared += row["first_listed"]
    outcomes.sort(key=lambda one: (-one.devices, one.outcome, one.reason or ""))
    return Overview(tuple(outcomes), gone, appeared, left, groups)


def _counting(chosen: filters.Chosen) -> sa.Select[Any]:
    table = device_outcomes.c
    devices = (
        sa.select(
            chosen.is_gone.label("is_gone"),
            (filters.IS_SYNCED & sa.not_(chosen.is_gone)).label("is_fleet"),
            table.outcome,
            sa.case((table.outcome == Outcome.SKIPPED, table.reason)).label("reason"),
            table.device_type,
            filters.SYSTEM.label(SYSTEM),
            filters.YEAR.label(RELEASED),
            filters.CONTACT.label(CONTACT),
            table.first_seen_at,
            table.last_seen_at,
        )
        .outerjoin_from(device_outcomes, assets, assets.c.id == table.asset_id)
        .where(table.connection_id == chosen.connection_id)
        .subquery("devices")
    )
    c = devices.c
    since = sa.bindparam("since", type_=sa.DateTime(timezone=True))
    sets = [(c.is_gone, c.outcome, c.reason), *((c.is_fleet, c[name]) for name in (TYPE, SYSTEM, RELEASED, CONTACT))]
    return sa.select(
        sa.case(*((sa.func.grouping(c[name]) == 0, name) for name in (TYPE, SYSTEM, RELEASED, CONTACT))).label("of"),
        c.is_gone,
        c.is_fleet,
        c.outcome,
        c.reason,
        *(c[name] for name in (TYPE, SYSTEM, RELEASED, CONTACT)),
        sa.func.count().label("devices"),
        sa.func.count().filter(c.first_seen_at > since).label("first_listed"),
        sa.func.count().filter(c.last_seen_at >= since).label("still_listed"),
    ).group_by(sa.func.grouping_sets(*(sa.tuple_(*columns) for columns in sets)))
