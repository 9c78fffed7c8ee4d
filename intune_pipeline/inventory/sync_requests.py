"""Asks for a sync: Sync Now, the first sync after connecting.

Belongs here: asking, with the debounce, and what became of it. Does not belong here: turning requests into runs
(``orchestration``) and the runs themselves (``sync_runs``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import AskedOutcome, RequestStatus, Trigger
from intune_pipeline.inventory import audit
from intune_pipeline.inventory.connections import AwaitingApprovalError, NotConnectedError
from intune_pipeline.inventory.schema import OPEN_REQUESTS, connections, sync_requests
from intune_pipeline.inventory.sync_locks import LOCK_IS_HELD

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking for a sync came to.

    Attributes:
        outcome: accepted, joined or too early.
        request_id: the request that was written or joined, None when it is too early.
        sync_run_id: the run that was joined, None when none runs yet.
        possible_at: when asking is possible again, None unless it is too early.
    """

    outcome: AskedOutcome
    request_id: UUID | None = None
    sync_run_id: int | None = None
    possible_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A request with the account it is for; ``id`` is the run key of its Dagster run."""

    id: UUID
    connection_id: int
    account: str
    tenant_id: str
    trigger: str
    requested_by: str
    requested_at: datetime
    status: str
    sync_run_id: int | None
    error: str | None


# One statement decides and writes. Two at once: the unique index on open requests lets one row in. A sync that runs
# counts only while its database lock is held, so that a dead run's row holds nobody up.
_ASK = sa.text(f"""
    insert into sync_requests (connection_id, trigger, requested_by, requested_at, status, sync_run_id, plan_id)
    select c.id, :trigger, :requested_by, clock_timestamp(),
           case when running.id is null then 'pending' else 'started' end, running.id, cast(:plan_id as uuid)
    from connections c
    left join lateral (
        select r.id from sync_runs r
        where r.connection_id = c.id and r.status = 'running' and {LOCK_IS_HELD}
        order by r.id desc limit 1
    ) running on true
    where c.id = :connection_id and c.status <> 'disconnected' and c.tenant_id is not null
      and (not c.plan_first or cast(:plan_id as uuid) is not null)
      and (:trigger = 'initial' or running.id is not null or not exists (
          select from sync_requests earlier
          where earlier.connection_id = c.id and earlier.status <> 'failed'
            and earlier.requested_at > clock_timestamp() - :debounce
      ))
    on conflict (connection_id) where status in ('pending', 'started') do nothing
    returning id, sync_run_id
""")  # noqa: S608 - a constant

_AWAITS_APPROVAL = sa.text("""
    select a.slug from connections c join accounts a on a.id = c.account_id
    where c.id = :connection_id and c.plan_first and c.status <> 'disconnected' and cast(:plan_id as uuid) is null
""")

_LAST = sa.text("""
    select id, status, sync_run_id, requested_at from sync_requests
    where connection_id = :connection_id and status <> 'failed'
    order by requested_at desc limit 1
""")


def request(
    db: Connection,
    connection_id: int,
    *,
    requested_by: str,
    debounce: timedelta,
    trigger: Trigger = Trigger.MANUAL,
    plan_id: UUID | None = None,
) -> Answer:
    """Ask for a sync, unless one is asked for, running, or was asked for within the debounce.

    The first sync after connecting (``initial``) knows no debounce, and a request that failed counts for nothing. The
    caller commits soon: others that ask at the same moment wait for it.

    Args:
        db: a connection in a transaction.
        connection_id: whose sync.
        requested_by: who asks, for people.
        debounce: how long after a request the next one is too early.
        trigger: why.
        plan_id: the approved plan that the sync has to do; see ``inventory.plans``.

    Raises:
        NotConnectedError: the connection was disconnected or has no tenant.
        AwaitingApprovalError: nothing may be synced before somebody approved a plan.
    """
    asked = {
        "connection_id": connection_id,
        "trigger": trigger,
        "requested_by": requested_by,
        "debounce": debounce,
        "plan_id": plan_id,
    }
    for _ in range(_TRIES):
        written = db.execute(_ASK, asked).one_or_none()
        if written is not None:
            answer = Answer(
                AskedOutcome.JOINED if written.sync_run_id else AskedOutcome.ACCEPTED, written.id, written.sync_run_id
            )
            _note(db, asked, answer)
            return answer
        if (account := db.scalar(_AWAITS_APPROVAL, asked)) is not None:
            raise AwaitingApprovalError(account)
        last = db.execute(_LAST, asked).one_or_none()
        if last is None:
            continue
        if last.status in OPEN_REQUESTS:
            answer = Answer(AskedOutcome.JOINED, last.id, last.sync_run_id)
            _note(db, asked, answer)
            return answer
        return Answer(AskedOutcome.TOO_EARLY, possible_at=last.requested_at + debounce)
    raise NotConnectedError("This account is not connected to Microsoft Intune any more; connect it again to sync it.")


def _note(db: Connection, asked: Mapping[str, Any], answer: Answer) -> None:
    """Who pressed Sync Now is in the audit log; other syncs are nobody's deed."""
    if asked["trigger"] == Trigger.MANUAL:
        account_id = db.execute(
            sa.select(connections.c.account_id).where(connections.c.id == asked["connection_id"])
        ).scalar_one()
        audit.record(db, account_id, actor=asked["requested_by"], action="sync", outcome=answer.outcome)


def waiting_since(db: Connection, connection_id: int) -> datetime | None:
    """When a sync was asked for that no run was started for yet; None: none waits."""
    found: datetime | None = db.scalar(
        sa.select(sa.func.min(sync_requests.c.requested_at)).where(
            sync_requests.c.connection_id == connection_id, sync_requests.c.status == RequestStatus.PENDING
        )
    )
    return found


def possible_at(db: Connection, connection_id: int, debounce: timedelta) -> datetime | None:
    """When Sync Now is possible again; None when it is possible now, or would join what is under way."""
    return db.execute(
        sa.text("""
            select requested_at + :debounce from sync_requests
            where connection_id = :connection_id and status = 'succeeded'
              and requested_at > clock_timestamp() - :debounce
              and not exists (
                  select from sync_requests s
                  where s.connection_id = :connection_id and s.status in ('pending', 'started')
              )
            order by requested_at desc limit 1
        """),
        {"connection_id": connection_id, "debounce": debounce},
    ).scalar_one_or_none()


def is_open(db: Connection, connection_id: int) -> bool:
    """Whether a sync was asked for that has not ended, begun or not."""
    asked = sa.select(sync_requests.c.id).where(
        sync_requests.c.connection_id == connection_id, sync_requests.c.status.in_(OPEN_REQUESTS)
    )
    return db.execute(asked).first() is not None


_SELECT = """
    select s.id, s.connection_id, a.slug as account, c.tenant_id, s.trigger, s.requested_by, s.requested_at, s.status,
           s.sync_run_id, s.error
    from sync_requests s join connections c on c.id = s.connection_id join accounts a on a.id = c.account_id
"""


def pending(db: Connection, limit: int) -> list[SyncRequest]:
    """Requests no run was started for yet, oldest first."""
    query = sa.text(f"{_SELECT} where s.status = 'pending' order by s.requested_at, s.id limit :limit")
    return [SyncRequest(**row) for row in db.execute(query, {"limit": limit}).mappings()]


def get(db: Connection, request_id: UUID) -> SyncRequest | None:
    """One request, None when there is none of this id."""
    query = sa.text(f"{_SELECT} where s.id = :id")
    row = db.execute(query, {"id": request_id}).mappings().one_or_none()
    return None if row is None else SyncRequest(**row)


def mark_started(db: Connection, request_ids: Collection[UUID], sync_run_id: int | None = None) -> int:
    """Note that runs exist for these requests; returns how many were pending.

    To be called once the runs are there, not when they are asked for: what is pending is asked for again, and a run key
    starts nothing twice.

    Args:
        db: a connection in a transaction.
        request_ids: the requests.
        sync_run_id: the sync that serves them, as soon as it has begun.
    """
    started = db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.id.in_(request_ids), sync_requests.c.status.in_(OPEN_REQUESTS))
        .values(status=RequestStatus.STARTED, sync_run_id=sa.func.coalesce(sync_run_id, sync_requests.c.sync_run_id))
    )
    return started.rowcount


def mark_finished(db: Connection, request_id: UUID, error: str | None = None) -> bool:
    """Close one request whose run ended without a sync of its own to close it; False when it was closed already.

    Args:
        db: a connection in a transaction.
        request_id: the request.
        error: one sentence why it failed; None when it succeeded.
    """
    closed = db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.id == request_id, sync_requests.c.status.in_(OPEN_REQUESTS))
        .values(
            status=RequestStatus.FAILED if error else RequestStatus.SUCCEEDED, finished_at=sa.func.now(), error=error
        )
    )
    return closed.rowcount == 1
