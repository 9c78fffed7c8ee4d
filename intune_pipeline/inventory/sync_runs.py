"""The sync log: every sync from its start to its end, one at a time per connection.

Belongs here: the lock, opening, progress, closing, and what is read of it: reports, last runs. Does not belong here: all
tenants at once (``fleet``), asking for a sync (``sync_requests``) and doing it (``orchestration``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB, insert

from intune_pipeline.domain.counts import MEANINGS, RunCounts
from intune_pipeline.domain.vocabulary import OwnCause, RequestStatus, RunPhase, RunStatus, Trigger
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory.schema import OPEN_REQUESTS, accounts, connections, sync_requests, sync_runs
from intune_pipeline.inventory.sync_locks import SyncLockLostError

#: Cause and sentence of a sync that a person ended.
CANCELED = (OwnCause.CANCELED, "The run was canceled.")
_DIED_SENTENCE = "The sync's process ended without a word, so the sync was closed; the next one starts afresh."


@dataclass(slots=True, kw_only=True)
class SyncRun(RunCounts):
    """One sync; the attributes are the columns of ``sync_runs``."""

    id: int
    connection_id: int
    trigger: str
    status: str
    phase: str
    started_at: datetime
    progress_at: datetime
    finished_at: datetime | None
    dagster_run_id: str | None
    list_complete: bool
    devices_skipped: int
    skipped_by_reason: dict[str, int]
    devices_read: int
    devices_classified: int
    devices_reconciled: int
    requests: int
    throttled: int
    undoes_run_id: int | None
    started_by: str | None
    cause: str | None
    error: str | None


class UnknownRunError(WrongUseError):
    """There is no such run."""


@dataclass(frozen=True, slots=True)
class RunOfAccount:
    """A run and whose it is."""

    id: int
    connection_id: int
    account_id: int
    account: str
    trigger: str
    status: str


def open_run(db: Connection, connection_id: int, trigger: str, dagster_run_id: str | None) -> int:
    """Write down that a sync begins; returns its id.

    Only the holder of the connection's lock may call this: whatever else is ``running`` is then known to be dead, and is
    closed with its requests.

    Args:
        db: a connection in a transaction.
        connection_id: whose sync.
        trigger: one of ``schema.TRIGGERS``.
        dagster_run_id: a run that Dagster resumes keeps its row, and counts from zero.
    """
    _close_dead(db, connection_id, dagster_run_id)
    new = insert(sync_runs).values(connection_id=connection_id, trigger=trigger, dagster_run_id=dagster_run_id)
    kept = {"connection_id", "trigger", "dagster_run_id", "id", "started_at"}
    fresh = {column.name: sa.text("default") for column in sync_runs.columns if column.name not in kept}
    return int(
        db.execute(
            new.on_conflict_do_update(index_elements=["dagster_run_id"], set_=fresh).returning(sync_runs.c.id)
        ).scalar_one()
    )


def progress(db: Connection, sync_run_id: int, *, phase: RunPhase | None = None, **counts: int | bool) -> None:
    """Note how far a running sync is: one row, by its key. The counts are columns of ``sync_runs``."""
    values = {**counts, **({"phase": phase} if phase else {})}
    db.execute(
        sa.update(sync_runs)
        .where(sync_runs.c.id == sync_run_id, sync_runs.c.status == RunStatus.RUNNING)
        .values(progress_at=sa.func.clock_timestamp(), **values)
    )


def warn(db: Connection, sync_run_id: int, warnings: Mapping[str, str]) -> None:
    """Note what checks of a sync warn of: sentences by check, beside those noted before."""
    noted = sync_runs.c.warnings.op("||")(sa.bindparam("new", dict(warnings), JSONB))
    db.execute(sa.update(sync_runs).where(sync_runs.c.id == sync_run_id).values(warnings=noted))


def succeed(db: Connection, sync_run_id: int, counts: Mapping[str, Any]) -> None:
    """Close a sync as succeeded in the transaction that wrote its last batch; its connection is ``connected`` then.

    Args:
        db: a connection in a transaction.
        sync_run_id: the sync.
        counts: columns of ``sync_runs``; devices listed must be those synced, skipped and failed.

    Raises:
        SyncLockLostError: the sync was closed by somebody else meanwhile, so the transaction must not be committed.
    """
    closed = db.execute(
        sa.update(sync_runs)
        .where(sync_runs.c.id == sync_run_id, sync_runs.c.status == RunStatus.RUNNING)
        .values(
            status=RunStatus.SUCCEEDED,
            phase=RunPhase.DONE,
            finished_at=sa.func.clock_timestamp(),
            progress_at=sa.func.clock_timestamp(),
            **counts,
        )
        .returning(sync_runs.c.connection_id)
    ).scalar_one_or_none()
    if closed is None:
        raise SyncLockLostError(
            f"Sync {sync_run_id} was closed while it still worked, so its end is not written; the next sync goes on."
        )
    db.execute(
        sa.text("""
            update connections
            set status = 'connected', status_cause = null, status_message = null, plan_first = false,
                connected_at = coalesce(connected_at, now())
            where id = :id and status <> 'disconnected'
              and (status <> 'connected' or status_cause is not null or plan_first)
        """),
        {"id": closed},
    )
    _close_requests(db, sync_run_id, error=None)


def fail(db: Connection, sync_run_id: int, cause: str, sentence: str) -> bool:
    """Close a running sync as failed, with the requests it served; False when it was closed already.

    Args:
        db: a connection in a transaction.
        sync_run_id: the sync.
        cause: stored name of a cause of ``microsoft.causes``, or of our own: ``died``, ``canceled`` …
        sentence: what happened and what to do.
    """
    closed = db.execute(
        sa.update(sync_runs)
        .where(sync_runs.c.id == sync_run_id, sync_runs.c.status == RunStatus.RUNNING)
        .values(
            status=RunStatus.FAILED,
            finished_at=sa.func.clock_timestamp(),
            progress_at=sa.func.clock_timestamp(),
            cause=cause,
            error=sentence,
        )
    )
    if closed.rowcount:
        _close_requests(db, sync_run_id, error=sentence)
    return closed.rowcount == 1


def of_account(db: Connection, run_id: int) -> RunOfAccount:
    """A run and whose it is.

    Raises:
        UnknownRunError: there is no such run.
    """
    query = (
        sa.select(
            sync_runs.c.id,
            sync_runs.c.connection_id,
            connections.c.account_id,
            accounts.c.slug.label("account"),
            sync_runs.c.trigger,
            sync_runs.c.status,
        )
        .join_from(sync_runs, connections)
        .join(accounts)
        .where(sync_runs.c.id == run_id)
    )
    row = db.execute(query).mappings().one_or_none()
    if row is None:
        raise UnknownRunError(f"There is no run {run_id}; intune-pipeline runs ACCOUNT lists an account's runs.")
    return RunOfAccount(**row)


def open_undo(db: Connection, run: RunOfAccount, *, started_by: str) -> int:
    """Write down that a run begins to be undone; returns the undo's id. Only the holder of the lock may call this."""
    _close_dead(db, run.connection_id, dagster_run_id=None)
    undo = sa.insert(sync_runs).values(
        connection_id=run.connection_id, trigger=Trigger.UNDO, undoes_run_id=run.id, started_by=started_by
    )
    return int(db.execute(undo.returning(sync_runs.c.id)).scalar_one())


def close_undo(db: Connection, sync_run_id: int, counts: Mapping[str, int]) -> None:
    """Close an undo as succeeded."""
    db.execute(
        sa.update(sync_runs)
        .where(sync_runs.c.id == sync_run_id, sync_runs.c.status == RunStatus.RUNNING)
        .values(
            status=RunStatus.SUCCEEDED,
            phase=RunPhase.DONE,
            finished_at=sa.func.clock_timestamp(),
            progress_at=sa.func.clock_timestamp(),
            **counts,
        )
    )


def _close_dead(db: Connection, connection_id: int, dagster_run_id: str | None) -> None:
    """Close whatever else is ``running``: the holder of the lock knows that it is dead."""
    dead = sa.select(sync_runs.c.id).where(
        sync_runs.c.connection_id == connection_id, sync_runs.c.status == RunStatus.RUNNING
    )
    if dagster_run_id is not None:
        dead = dead.where(sync_runs.c.dagster_run_id.is_distinct_from(dagster_run_id))
    for sync_run_id in db.scalars(dead).all():
        fail(db, sync_run_id, OwnCause.DIED, _DIED_SENTENCE)


def _close_requests(db: Connection, sync_run_id: int, error: str | None) -> None:
    db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.sync_run_id == sync_run_id, sync_requests.c.status.in_(OPEN_REQUESTS))
        .values(
            status=RequestStatus.FAILED if error else RequestStatus.SUCCEEDED, finished_at=sa.func.now(), error=error
        )
    )


_REQUESTED_BY = (
    sa.select(sync_requests.c.requested_by)
    .where(
        sync_requests.c.connection_id == sync_runs.c.connection_id,
        sync_requests.c.sync_run_id == sync_runs.c.id,
        # Who asked while a sync was running joined it and did not start it.
        sync_requests.c.trigger == sync_runs.c.trigger,
        sync_requests.c.requested_at <= sync_runs.c.started_at,
    )
    .order_by(sync_requests.c.requested_at)
    .limit(1)
    .scalar_subquery()
)
_COLUMNS = {field.name: sync_runs.c[field.name] for field in fields(SyncRun)} | {
    "started_by": sa.func.coalesce(sync_runs.c.started_by, sa.func.nullif(_REQUESTED_BY, "")).label("started_by")
}
_RUNS = sa.select(*_COLUMNS.values())
_RUNS_OF_ACCOUNT = _RUNS.join_from(sync_runs, connections).join(accounts).order_by(sync_runs.c.id.desc())


def _one(db: Connection, query: sa.Select[Any]) -> SyncRun | None:
    row = db.execute(query.limit(1)).mappings().one_or_none()
    return None if row is None else SyncRun(**row)


def get(db: Connection, sync_run_id: int) -> SyncRun | None:
    """One sync by its id."""
    return _one(db, _RUNS.where(sync_runs.c.id == sync_run_id))


def of_dagster_run(db: Connection, dagster_run_id: str) -> SyncRun | None:
    """The sync a Dagster run did; None when it ended before it began."""
    return _one(db, _RUNS.where(sync_runs.c.dagster_run_id == dagster_run_id))


def running(db: Connection, account: str) -> SyncRun | None:
    """The sync of an account that runs now."""
    return _one(db, _RUNS_OF_ACCOUNT.where(accounts.c.slug == account, sync_runs.c.status == RunStatus.RUNNING))


def last_good(db: Connection, account: str) -> SyncRun | None:
    """The last sync of an account that succeeded."""
    return _one(
        db,
        _RUNS_OF_ACCOUNT.where(
            accounts.c.slug == account, sync_runs.c.status == RunStatus.SUCCEEDED, sync_runs.c.trigger != Trigger.UNDO
        ),
    )


def last(db: Connection, account: str, limit: int = 30) -> list[SyncRun]:
    """The last syncs of an account, newest first."""
    query = _RUNS_OF_ACCOUNT.where(accounts.c.slug == account).limit(limit)
    return [SyncRun(**row) for row in db.execute(query).mappings()]


def undone_by(db: Connection, account: str) -> dict[int, int]:
    """The undo that holds now, by the run it undoes; an undo that was itself undone does not hold."""
    query = (
        sa.select(sync_runs.c.id, sync_runs.c.undoes_run_id)
        .join_from(sync_runs, connections)
        .join(accounts)
        .where(
            accounts.c.slug == account,
            sync_runs.c.undoes_run_id.is_not(None),
            sync_runs.c.status == RunStatus.SUCCEEDED,
        )
        .order_by(sync_runs.c.id.desc())
    )
    holds: dict[int, int] = {}
    # An undo is younger than the run it undoes, so that whether it holds is known when it is looked at.
    for undo_id, undoes in db.execute(query):
        if undo_id not in holds:
            holds.setdefault(undoes, undo_id)
    return holds


def all_running(db: Connection) -> list[SyncRun]:
    """Every sync that is written down as running, of all tenants, whether or not its process lives.

    Undos are no runs of Dagster and are left out.
    """
    query = _RUNS.where(sync_runs.c.status == RunStatus.RUNNING, sync_runs.c.trigger != Trigger.UNDO).order_by(
        sync_runs.c.id
    )
    return [SyncRun(**row) for row in db.execute(query).mappings()]


_NAMES = tuple(MEANINGS)
#: What a sync reports, in the order in which people read it.
REPORTED = ("status", *_NAMES[:2], "devices_skipped", *_NAMES[2:])


def report(run: SyncRun | None) -> dict[str, Any]:
    """What ``sync --json`` prints of a sync, and ``error`` when it failed.

    None is a run that ended before its sync began: it is reported as failed, with counts of zero.
    """
    if run is None:
        nothing: dict[str, Any] = dict.fromkeys(REPORTED, 0)
        sentence = "The run ended before its sync began; see its log in Dagster."
        return {**nothing, "status": RunStatus.FAILED, "devices_skipped": {}, "error": sentence}
    found = {name: getattr(run, name) for name in REPORTED}
    return {**found, "devices_skipped": run.skipped_by_reason, **({"error": run.error} if run.error else {})}
