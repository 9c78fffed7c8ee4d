"""The change feed: every change of an account's assets and employees, resumable from any cursor.

Belongs here: reading events, marking what a moment has seen, deleting what is older than promised. Does not belong here:
writing events, which triggers do, serving them (``portal``) and webhooks, which read the same events.

A cursor never skips a row that is committed late. Sequence numbers cannot order commits: a transaction may take its number
early and commit after others that took theirs later. So a read covers whole transactions only, those below PostgreSQL's
snapshot horizon, before which nothing runs any more; and within such a window it goes by the events' ids, which two
transactions that change the same row take one after the other. The cursor says which window and how far.
"""

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.domain.vocabulary import ChangedEntity
from intune_pipeline.errors import WrongUseError

KEPT_FOR: Final = timedelta(days=90)
"""How long a cursor can be resumed."""

PAGE_SIZE: Final = 1_000
LATEST: Final = "latest"
"""In place of a cursor: begin with what changes from now on."""

FEED: Final = frozenset({ChangedEntity.ASSET, ChangedEntity.EMPLOYEE})
"""What the feed tells of; webhooks tell of the ends of syncs too."""

MARK_EVERY: Final = timedelta(seconds=30)


class BadCursorError(WrongUseError):
    """Not a cursor of this feed."""


class CursorExpiredError(WrongUseError):
    """What the cursor would go on with has been deleted."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come.

    Attributes:
        lower: First transaction of the window that is being read.
        upper: The first one after it.
        last_id: The last event of the window that was read.
        at: When the cursor was given, in whole seconds since the epoch.
    """

    lower: int
    upper: int
    last_id: int
    at: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.lower, self.upper, self.last_id, self.at])).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a cursor as it was given.

        Raises:
            BadCursorError: it is none.
        """
        try:
            numbers = orjson.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        except (ValueError, binascii.Error):
            numbers = None
        is_cursor = isinstance(numbers, list) and len(numbers) == 4 and all(
            isinstance(one, int) and 0 <= one < 2**63 for one in numbers
        )  # fmt: skip
        if not is_cursor:
            raise BadCursorError(
                "This is not a cursor of the change feed; begin without one, or with the last one given."
            )
        return cls(*numbers)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the feed.

    Attributes:
        changes: Events in the order in which they happened: ``id``, ``entity``, ``entity_id``, ``kind``, ``at``, ``run_id``,
            ``fields`` (name → before, after) and ``current``: the asset or employee as it is now, null when it is gone.
        cursor: Where to go on.
        more: Whether there may be more already.
    """

    changes: list[dict[str, Any]]
    cursor: str
    more: bool


def read(db: Connection, account_id: int, cursor: str | None = None, *, limit: int = PAGE_SIZE) -> Page:
    """The next changes after a cursor; the same ones again for the same cursor.

    Args:
        db: any connection; the read must begin a new snapshot, so not within a repeatable-read transaction.
        account_id: whose.
        cursor: the last one given; None: from the oldest change that is kept; ``latest``: from now on.
        limit: how many at most.

    Raises:
        BadCursorError: not a cursor.
        CursorExpiredError: the cursor is older than 90 days.
    """
    now = datetime.now(UTC)
    if cursor == LATEST:
        return Page([], str(latest(db, now)), more=False)
    start = Cursor.parse(cursor) if cursor else Cursor(0, 0, 0, int(now.timestamp()))
    if now.timestamp() - start.at > KEPT_FOR.total_seconds():
        raise CursorExpiredError("This cursor is older than 90 days; list everything anew and begin with a new cursor.")
    rows, reached = events(db, account_id, start, now, limit=limit)
    return Page(told(db, account_id, rows), str(reached), more=len(rows) == limit)


def latest(db: Connection, now: datetime) -> Cursor:
    """Where what changes from now on begins."""
    horizon = int(db.execute(_HORIZON).scalar_one())
    return Cursor(horizon, horizon, 0, int(now.timestamp()))


def events(
    db: Connection,
    account_id: int,
    start: Cursor,
    now: datetime,
    *,
    limit: int,
    entities: Collection[ChangedEntity] = FEED,
) -> tuple[list[sa.Row[Any]], Cursor]:
    """The next rows of ``change_events`` after a cursor, and the cursor after them; as many as the limit: there may be more.

    Args:
        db: a connection whose next statement has a new snapshot.
        account_id: whose.
        start: the last cursor.
        now: goes into the new one.
        limit: how many at most.
        entities: what they must be about.
    """
    horizon = int(db.execute(_HORIZON).scalar_one())
    found: list[sa.Row[Any]] = []
    lower, upper, last_id = start.lower, start.upper, start.last_id
    while True:
        given = {
            "account_id": account_id,
            "lower": lower,
            "upper": upper,
            "last_id": last_id,
            "limit": limit - len(found),
            "entities": sorted(entities),
        }
        rows = db.execute(_WINDOW, given).all()
        found += rows
        last_id = rows[-1].id if rows else last_id
        if len(found) == limit or upper >= horizon:
            return found, Cursor(lower, upper, last_id, int(now.timestamp()))
        lower, upper, last_id = upper, horizon, 0


def by_ids(db: Connection, account_id: int, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Events as the feed tells them, in the order of the ids; those that are deleted already are left out."""
    rows = {row.id: row for row in db.execute(_BY_IDS, {"account_id": account_id, "ids": list(ids)})}
    return told(db, account_id, [rows[one] for one in ids if one in rows])


def mark(db: Connection) -> bool:
    """Remember which changes a reader of this moment has seen, half a minute after the last mark at the earliest."""
    return db.execute(_MARK, {"every": MARK_EVERY}).rowcount == 1


def delete_old(db: Connection) -> int:
    """Delete events no cursor can be resumed from any more, and marks as old; returns how many events."""
    db.execute(sa.text("delete from feed_marks where at < now() - :kept"), {"kept": KEPT_FOR})
    return db.execute(sa.text("delete from change_events where at < now() - :kept"), {"kept": KEPT_FOR}).rowcount


def told(db: Connection, account_id: int, rows: Sequence[sa.Row[Any]]) -> list[dict[str, Any]]:
    """Events of assets and employees as the feed tells them, with how the asset or employee is now."""
    current: dict[str, Mapping[int, Any]] = {one: _current(db, account_id, one, rows) for one in FEED}
    return [
        {
            "id": row.id,
            "entity": row.entity,
            "entity_id": row.entity_id,
            "kind": row.kind,
            "at": row.at.isoformat(),
            "run_id": row.sync_run_id,
            "fields": {} if row.field is None else {row.field: [row.old_value, row.new_value]},
            "current": current[row.entity].get(row.entity_id),
        }
        for row in rows
    ]


def _current(
    db: Connection, account_id: int, entity: ChangedEntity, rows: Iterable[sa.Row[Any]]
) -> Mapping[int, dict[str, Any]]:
    ids = sorted({row.entity_id for row in rows if row.entity == entity})
    if not ids:
        return {}
    found = db.execute(_ASSETS if entity is ChangedEntity.ASSET else _EMPLOYEES, {"account_id": account_id, "ids": ids})
    # The driver would parse JSON at a third of the speed.
    return {row.id: orjson.loads(row.content) for row in found}


_HORIZON = sa.text("select (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint")
# A window's first id is looked up once, so that a reader who polls does not walk through all that came before it.
_WINDOW = sa.text("""
    select id, entity, entity_id, kind, sync_run_id, field, old_value, new_value, at from change_events
    where account_id = :account_id and transaction_id >= :lower and transaction_id < :upper
      and entity = any(cast(:entities as text[]))
      and id > case when :last_id > 0 then :last_id else (
          select coalesce(min(e.id) - 1, 0) from change_events e
          where e.account_id = :account_id and e.transaction_id >= :lower and e.transaction_id < :upper
      ) end
    order by id limit :limit
""")
_BY_IDS = sa.text("""
    select id, entity, entity_id, kind, sync_run_id, field, old_value, new_value, at from change_events
    where account_id = :account_id and id = any(cast(:ids as bigint[]))
""")
_MARK = sa.text("""
    insert into feed_marks (at, horizon)
    select clock_timestamp(), (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
    where not exists (select from feed_marks where at > clock_timestamp() - cast(:every as interval))
""")
ASSET_CONTENT: Final = f"to_jsonb(a) - '{SEALED_FIELD}' - 'serial_key' - 'account_id'"
EMPLOYEE_CONTENT: Final = """jsonb_build_object(
        'id', e.id, 'first_name', e.first_name, 'last_name', e.last_name,
        'emails', coalesce((select jsonb_agg(jsonb_build_object('email', m.email, 'kind', m.kind) order by m.email_key)
                            from employee_emails m where m.employee_id = e.id), '[]')
    )"""
_ASSETS = sa.text(f"""
    select id, ({ASSET_CONTENT})::text as content
    from assets a where account_id = :account_id and id = any(cast(:ids as bigint[]))
""")  # noqa: S608 - a constant
_EMPLOYEES = sa.text(f"""
    select e.id, ({EMPLOYEE_CONTENT})::text as content
    from employees e where e.account_id = :account_id and e.id = any(cast(:ids as bigint[]))
""")  # noqa: S608 - a constant
