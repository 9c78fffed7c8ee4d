"""The account's assets and employees, a page at a time, all of them or those that changed since a moment.

Belongs here: reading for programs. Does not belong here: the list of devices people look at (``device_list``) and what happened
to each (``change_feed``).

What changed since a moment is told by transactions, not by clocks: a change takes its time when its transaction begins and is
seen when it commits. The newest mark before the moment says which transactions had surely ended by then; whatever a later one
changed is given. So nothing is missed that was committed late, and a little is given twice. What was removed is in no list:
the change feed tells it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import ChangedEntity
from intune_pipeline.inventory.change_feed import ASSET_CONTENT, EMPLOYEE_CONTENT


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list.

    Attributes:
        rows: as the change feed tells their ``current``, by id.
        next_after: the id to go on after; None on the last page.
        as_of: what was committed before this moment is in the list, if it is the first page's: the next ``modified_after``.
    """

    rows: list[dict[str, Any]]
    next_after: int | None
    as_of: datetime


def page(
    db: Connection,
    account_id: int,
    entity: ChangedEntity,
    *,
    modified_after: datetime | None = None,
    after: int = 0,
    limit: int,
) -> Listed:
    """Assets or employees by id.

    Args:
        db: a connection whose next statement has a new snapshot.
        account_id: whose.
        entity: asset or employee.
        modified_after: only those that changed since, and perhaps some that changed a little before; None: all.
        after: only higher ids.
        limit: how many at most.
    """
    as_of = db.execute(sa.text("select clock_timestamp()")).scalar_one()
    given = {
        "account_id": account_id,
        "entity": entity,
        "modified_after": modified_after,
        "after": after,
        "limit": limit + 1,
    }
    rows = [row.content for row in db.execute(_PAGES[entity], given)]
    shown = rows[:limit]
    return Listed(shown, shown[-1]["id"] if len(rows) > limit else None, as_of)


_CHANGED = """(cast(:modified_after as timestamptz) is null or {alias}.{column} > :modified_after or {alias}.id in (
          select c.entity_id from change_events c
          where c.account_id = :account_id and c.entity = :entity and c.transaction_id >= coalesce((
              select m.horizon from feed_marks m where m.at <= :modified_after order by m.at desc limit 1), 0)))"""
_PAGES = {
    ChangedEntity.ASSET: sa.text(f"""
        select {ASSET_CONTENT} as content from assets a
        where a.account_id = :account_id and a.id > :after and {_CHANGED.format(alias="a", column="updated_at")}
        order by a.id limit :limit
    """),  # noqa: S608 - constants
    ChangedEntity.EMPLOYEE: sa.text(f"""
        select {EMPLOYEE_CONTENT} as content from employees e
        where e.account_id = :account_id and e.id > :after and {_CHANGED.format(alias="e", column="created_at")}
        order by e.id limit :limit
    """),  # noqa: S608 - constants
}
