"""One sync at a time per connection: a lock in the database that goes with the process that holds it.

Belongs here: holding and looking at the lock. Does not belong here: the sync log (``sync_runs``).
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.vocabulary import RunStatus
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.schema import accounts, connections, sync_runs

#: High half of the advisory locks' key; the connection's id is the low half.
LOCK_SPACE = 0x53594E43

#: SQL: whether the sync lock of the connection ``c`` is held by anybody.
LOCK_IS_HELD = f"""exists (
    select from pg_locks where locktype = 'advisory' and classid = {LOCK_SPACE} and objid = c.id and objsubid = 1
      and granted and database = (select oid from pg_database where datname = current_database())
)"""  # noqa: S608 - a constant


class SyncLockedError(PipelineError):
    """Another sync of this connection runs.

    Attributes:
        sync_run_id: the run that holds the lock, None in the moment before it is written down.
    """

    def __init__(self, message: str, sync_run_id: int | None) -> None:
        super().__init__(message)
        self.sync_run_id = sync_run_id


class SyncLockLostError(PipelineError):
    """The database dropped the connection that held the lock; nothing more may be written."""


class SyncLock:
    """The right to sync one connection; see :func:`locked`."""

    def __init__(self, db: Connection, connection_id: int) -> None:
        self._connection = db
        self.connection_id = connection_id

    def ensure_held(self) -> None:
        """Make sure the lock is still ours, before something that must not happen twice.

        Raises:
            SyncLockLostError: it is not; another sync may be running.
        """
        try:
            held = self._connection.scalar(
                sa.text("""
                    select exists (select from pg_locks where locktype = 'advisory' and granted and pid = pg_backend_pid()
                                   and classid = :space and objid = :id and objsubid = 1)
                """),
                {"space": LOCK_SPACE, "id": self.connection_id},
            )
        except (sa.exc.SQLAlchemyError, PipelineError):
            held = False
        if not held:
            raise SyncLockLostError(
                "The database dropped the connection that kept other syncs of this tenant away, so this one stops; "
                "what it wrote is whole, and the next sync goes on."
            )


@contextlib.contextmanager
def locked(engine: Engine, connection_id: int) -> Iterator[SyncLock]:
    """Hold the sync lock of a connection on a database connection of its own; a process that dies lets go of it.

    Raises:
        SyncLockedError: another sync holds it; the sentence says which, and since when.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        # Closed for good at the end, not returned to the pool: that lets go of the lock even when nothing else does.
        db.detach()
        key = {"key": LOCK_SPACE << 32 | connection_id}
        if not db.scalar(sa.text("select pg_try_advisory_lock(:key)"), key):
            # In a transaction, as whose rows may be seen is told to the database at the begin of one.
            with engine.begin() as other:
                raise locked_by(other, connection_id)
        try:
            yield SyncLock(db, connection_id)
        finally:
            # Closing lets go a moment later, when the server notices.
            with contextlib.suppress(sa.exc.SQLAlchemyError, PipelineError):
                db.scalar(sa.text("select pg_advisory_unlock(:key)"), key)


def locked_by(db: Connection, connection_id: int) -> SyncLockedError:
    """What there is to say of the sync that holds a connection's lock."""
    row = db.execute(
        sa.select(sync_runs.c.id, sync_runs.c.trigger, sync_runs.c.started_at, accounts.c.slug)
        .join_from(connections, accounts)
        .outerjoin(
            sync_runs, sa.and_(sync_runs.c.connection_id == connections.c.id, sync_runs.c.status == RunStatus.RUNNING)
        )
        .where(connections.c.id == connection_id)
        .order_by(sync_runs.c.id.desc())
        .limit(1)
    ).one()
    if row.id is None:
        return SyncLockedError(f"Another sync of {row.slug} is just beginning; try again in a moment.", None)
    return SyncLockedError(
        f"Sync {row.id} of {row.slug} ({row.trigger}) has been running since {row.started_at:%Y-%m-%d %H:%M:%S} UTC; "
        "wait until it ends.",
        row.id,
    )
