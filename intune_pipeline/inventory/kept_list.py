"""Every value of an account that syncs leave as it is, listed for a person.

Belongs here: listing, searched and paged. Does not belong here: locking and lifting (``kept_values``).
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.inventory import accounts, held


@dataclass(frozen=True, slots=True)
class KeptOfAsset:
    """One kept value.

    Attributes:
        serial_number: of the asset; in compared form where there is no asset.
        field: the column, or ``asset``: that there is none.
        kind: ``locked`` or ``undone``.
        value: what allwhere has; None for nothing, and for the bypass code.
        intune_value: what Intune says instead.
        set_by: who locked it, or undid the run.
        set_at: when.
        sync_run_id: the undo that keeps it.
    """

    serial_number: str
    field: str
    kind: str
    value: str | None
    intune_value: str | None
    set_by: str
    set_at: datetime
    sync_run_id: int | None


def page(
    db: Connection, account: str, search: str = "", *, limit: int, offset: int = 0
) -> tuple[int, list[KeptOfAsset]]:
    """How many are kept, and some of them, the newest first.

    Args:
        db: any connection.
        account: the account's slug.
        search: part of a serial number, a field's name or who set it; "" finds all.
        limit: how many at most.
        offset: how many of them to pass over.
    """
    found = held.searched(search)
    given = {"account_id": accounts.get(db, account).id, **found, "limit": limit, "offset": offset}
    rows = db.execute(_KEPT, given).all()
    total = rows[0].total if rows else int(db.execute(_COUNT, given).scalar_one())
    return total, [KeptOfAsset(*row[:-1]) for row in rows]


_FOUND = """
    from kept_values k
    left join assets a on a.account_id = k.account_id and a.serial_key = k.serial_key
    left join employees e on e.id = a.assignee_id
    where k.account_id = :account_id
      and (cast(:pattern as text) is null or concat_ws(' ', a.serial_number, replace(k.field, '_', ' '), k.set_by) ilike :pattern
           or k.serial_key like :key)
"""
_COUNT = sa.text(f"select count(*) {_FOUND}")
_KEPT = sa.text(f"""
    select coalesce(a.serial_number, k.serial_key), k.field, k.kind,
           case k.field when 'assignee_id' then e.first_name || ' ' || e.last_name
                        when 'activation_lock_bypass_code' then null
                        else to_jsonb(a) ->> k.field end,
           k.intune_value, k.set_by, k.set_at, k.sync_run_id, count(*) over () as total
    {_FOUND}
    order by k.set_at desc, k.id desc limit :limit offset :offset
""")
