"""Syncs and requests that are still open, for those who close what a dead run left behind.

Belongs here: who holds a tenant's lock, which requests wait for a run's end, handing requests from one run to the next.
Does not belong here: asking for a sync (``sync_requests``) and the log of syncs (``sync_runs``).
"""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import RequestStatus
from intune_pipeline.inventory.schema import OPEN_REQUESTS, sync_requests
from intune_pipeline.inventory.sync_locks import LOCK_IS_HELD, SyncLockedError, locked_by

_IS_OPEN = sync_requests.c.status.in_(OPEN_REQUESTS)

_LOCKED = sa.text(
    f"select a.slug from connections c join accounts a on a.id = c.account_id where {LOCK_IS_HELD}"  # noqa: S608
)

_LOCKED_CONNECTION = sa.text(
    f"select c.id from connections c join accounts a on a.id = c.account_id where a.slug = :account and {LOCK_IS_HELD}"  # noqa: S608
)

_UNSERVED = sa.text(
    """
    select q.id, a.slug as account, r.status as sync_status, r.error
    from sync_requests q
    join connections c on c.id = q.connection_id
    join accounts a on a.id = c.account_id
    left join sync_runs r on r.id = q.sync_run_id
    where q.status = 'started' and r.status is distinct from 'running'
    """
)

_JOIN = sa.text(
    f"""
    update sync_requests q
    set status = 'started', sync_run_id = r.id
    from sync_runs r join connections c on c.id = r.connection_id
    where q.connection_id = r.connection_id and q.status = 'pending' and r.status = 'running' and {LOCK_IS_HELD}
    """  # noqa: S608 - a constant
)


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request whose run was asked for and that no sync works on now.

    Attributes:
        id: the request's.
        account: the account's slug.
        sync_status: how the sync that served it ended; None when none began.
        error: the sentence of a sync that failed.
    """

    id: UUID
    account: str
    sync_status: str | None
    error: str | None


def locked_accounts(db: Connection) -> set[str]:
    """Slugs of the accounts whose sync lock somebody holds, which proves that somebody's process lives."""
    return set(db.scalars(_LOCKED))


def blocking(db: Connection, account: str) -> SyncLockedError | None:
    """What keeps an account from syncing now, as whoever tried would be told; None: nothing does."""
    connection_id = db.scalar(_LOCKED_CONNECTION, {"account": account})
    return None if connection_id is None else locked_by(db, connection_id)


def join_running(db: Connection) -> int:
    """Let pending requests of tenants that are syncing wait for that sync; returns how many do now."""
    return db.execute(_JOIN).rowcount


def unserved(db: Connection) -> list[Unserved]:
    """Requests that were started and whose sync is over, or never began."""
    return [Unserved(*row) for row in db.execute(_UNSERVED)]


def take_over(db: Connection, connection_id: int) -> None:
    """Free a connection's open requests from whatever sync they wait for; only the holder of its lock may do so."""
    db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.connection_id == connection_id, _IS_OPEN)
        .values(sync_run_id=None)
    )


def release(db: Connection, sync_run_id: int) -> None:
    """Free the open requests that wait for a sync which is about to be closed and may be started over."""
    db.execute(
        sa.update(sync_requests).where(sync_requests.c.sync_run_id == sync_run_id, _IS_OPEN).values(sync_run_id=None)
    )


def serve(db: Connection, connection_id: int, sync_run_id: int) -> None:
    """Let every open request of a connection wait for this sync, which has just begun."""
    db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.connection_id == connection_id, _IS_OPEN)
        .values(status=RequestStatus.STARTED, sync_run_id=sync_run_id)
    )
