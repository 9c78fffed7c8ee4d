"""Stored plans: asked for, made, looked at for a day, approved, and done exactly so or not at all.

Belongs here: the tables ``plans`` and ``plan_lines``. Does not belong here: making a plan (``orchestration.sync.planning``)
and what its lines say (``domain.plan_lines``).

A plan is never applied as it is stored. Its approval asks for a sync, which plans anew under the tenant's lock and goes on
only when both plans write the same; else the new one is stored, with what changed, and waits for an approval of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.plan_lines import PlanLine, differences, lines_of
from intune_pipeline.domain.reconciliation import Plan
from intune_pipeline.domain.vocabulary import (
    AskedOutcome,
    ConnectionStatus,
    LookalikeGrade,
    OwnCause,
    PlanLineKind,
    PlanStatus,
    Trigger,
)
from intune_pipeline.errors import PipelineError, WrongUseError
from intune_pipeline.inventory import audit, sync_requests
from intune_pipeline.inventory.schema import plan_lines, plans

KEPT: Final = timedelta(days=1)


class UnknownPlanError(WrongUseError):
    """There is no such plan, or it is no longer kept."""


class NotApprovableError(WrongUseError):
    """The plan cannot be approved now."""


class PlanChangedError(PipelineError):
    """A sync would do something else than the approved plan says, so it did nothing."""

    cause = OwnCause.PLAN_CHANGED


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A plan that was asked for and is not made yet; ``id`` is the run key of its Dagster run."""

    id: UUID
    connection_id: int
    account: str
    tenant_id: str


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A stored plan without its lines; ``differences`` is how many things changed since the plan ``follows_id``."""

    id: UUID
    connection_id: int
    account_id: int
    account: str
    status: PlanStatus
    requested_by: str
    requested_at: datetime
    listed_at: datetime | None
    made_at: datetime | None
    counts: dict[str, Any]
    hold_reason: str | None
    follows_id: UUID | None
    differences: int
    approved_by: str | None
    approved_at: datetime | None
    sync_run_id: int | None
    error: str | None

    @property
    def is_open(self) -> bool:
        """Whether it is still being made."""
        return self.status in {PlanStatus.REQUESTED, PlanStatus.PLANNING}

    @property
    def is_made(self) -> bool:
        """Whether it has counts and lines."""
        return self.made_at is not None


def request(db: Connection, connection_id: int, *, requested_by: str) -> UUID:
    """Ask for a plan, unless one is being made already; returns that one's id or the new one's.

    Args:
        db: a connection in a transaction.
        connection_id: whose plan.
        requested_by: who asks, for people.
    """
    asked = {"connection_id": connection_id, "requested_by": requested_by}
    written = db.scalar(_REQUEST, asked)
    return UUID(str(written or db.scalars(_OPEN_OF, asked).one()))


def open_requests(db: Connection, limit: int) -> list[PlanRequest]:
    """Plans that were asked for and are not made yet, oldest first."""
    return [PlanRequest(**row) for row in db.execute(_OPEN, {"limit": limit}).mappings()]


def begin(db: Connection, plan_id: UUID) -> bool:
    """Note that a plan is being made; False when nobody waits for it any more."""
    began = (
        sa.update(plans).where(plans.c.id == plan_id, plans.c.status.in_(_UNMADE)).values(status=PlanStatus.PLANNING)
    )
    return db.execute(began).rowcount == 1


def fail(db: Connection, plan_id: UUID, sentence: str) -> bool:
    """Close a plan that could not be made; False when it was closed already."""
    failed = sa.update(plans).where(plans.c.id == plan_id, plans.c.status.in_(_UNMADE))
    return db.execute(failed.values(status=PlanStatus.FAILED, error=sentence)).rowcount == 1


def store(db: Connection, plan_id: UUID, plan: Plan) -> None:
    """Store what was planned for a request; a first plan lets its connection await approval again after a trouble.

    Args:
        db: a connection in a transaction.
        plan_id: the request.
        plan: the plan.
    """
    made = sa.update(plans).where(plans.c.id == plan_id, plans.c.status.in_(_UNMADE)).values(_values(plan))
    if db.execute(made).rowcount:
        _store_lines(db, plan_id, plan.connection_id, lines_of(plan))
        db.execute(_AWAIT_APPROVAL, {"id": plan.connection_id})


def keep(db: Connection, plan: Plan, *, requested_by: str) -> UUID:
    """Store a plan nobody asked the daemon for; returns its id."""
    return _insert(db, plan, lines_of(plan), {"requested_by": requested_by})


def _insert(db: Connection, plan: Plan, lines: Sequence[PlanLine], more: Mapping[str, Any]) -> UUID:
    values = {"connection_id": plan.connection_id, **_values(plan), **more}
    plan_id = UUID(str(db.execute(sa.insert(plans).values(values).returning(plans.c.id)).scalar_one()))
    _store_lines(db, plan_id, plan.connection_id, lines)
    db.execute(_AWAIT_APPROVAL, {"id": plan.connection_id})
    return plan_id


def _values(plan: Plan) -> dict[str, Any]:
    return {
        "status": PlanStatus.READY,
        "listed_at": plan.listing.listed_at,
        "made_at": sa.func.now(),
        "counts": plan.counts.as_dict(),
        "hold_reason": plan.hold_reason,
    }


def _store_lines(db: Connection, plan_id: UUID, connection_id: int, lines: Iterable[PlanLine]) -> None:
    rows = [
        {
            "plan_id": plan_id,
            "position": position,
            "connection_id": connection_id,
            "kind": line.kind,
            "name": line.name,
            "model": line.model,
            "note": line.note,
            "grade": line.grade,
            "lookalike_id": line.lookalike_id,
            "reasons": list(line.reasons),
            "fields": dict(line.fields),
        }
        for position, line in enumerate(lines)
    ]
    if rows:
        db.execute(sa.insert(plan_lines), rows)


def every(db: Connection, account: str) -> list[StoredPlan]:
    """The account's plans that are kept, newest first."""
    return [_stored(row) for row in db.execute(_SELECT, {"account": account, "id": None}).mappings()]


def newest(db: Connection, account: str) -> StoredPlan | None:
    """The account's newest plan; None when none is kept."""
    return next(iter(every(db, account)), None)


def get(db: Connection, plan_id: UUID, account: str | None = None) -> StoredPlan:
    """A plan that is kept, of this account.

    Raises:
        UnknownPlanError: there is none.
    """
    row = db.execute(_SELECT, {"account": account, "id": plan_id}).mappings().one_or_none()
    if row is None:
        raise UnknownPlanError(f"There is no plan {plan_id}; a plan is kept for a day.")
    return _stored(row)


def _stored(row: Mapping[Any, Any]) -> StoredPlan:
    return StoredPlan(**{**row, "status": PlanStatus(row["status"])})


def lines(db: Connection, plan_id: UUID) -> list[PlanLine]:
    """All lines of a plan, in their order, employees by their ids."""
    query = sa.select(plan_lines).where(plan_lines.c.plan_id == plan_id).order_by(plan_lines.c.position)
    return [line_of(row) for row in db.execute(query).mappings()]


def approve(db: Connection, plan: StoredPlan, *, actor: str) -> UUID:
    """Approve a plan and ask for the sync that does it; returns the request's id.

    Args:
        db: a connection in a transaction.
        plan: as it was seen.
        actor: who approves, for people.

    Raises:
        NotApprovableError: it is not the newest, not made, approved already, or another sync is asked for or running.
        NotConnectedError: the account was disconnected.
    """
    first = newest(db, plan.account)
    if first is None or first.id != plan.id:
        raise NotApprovableError("There is a newer plan; look at that one.")
    approved = db.execute(
        sa.update(plans)
        .where(plans.c.id == plan.id, plans.c.status == PlanStatus.READY)
        .values(status=PlanStatus.APPROVED, approved_by=actor, approved_at=sa.func.now())
    )
    if not approved.rowcount:
        raise NotApprovableError("This plan cannot be approved: it is not made yet, was approved already, or failed.")
    trigger = Trigger.MANUAL if db.scalar(_HAS_SYNCED, {"id": plan.connection_id}) else Trigger.INITIAL
    asked = sync_requests.request(
        db, plan.connection_id, requested_by=actor, debounce=timedelta(0), trigger=trigger, plan_id=plan.id
    )
    if asked.outcome != AskedOutcome.ACCEPTED or asked.request_id is None:
        raise NotApprovableError("A sync is asked for or running. When it has ended, ask for a plan again.")
    audit.record(db, plan.account_id, actor=actor, action="approve", subject=str(plan.id), **_changes_of(plan.counts))
    return asked.request_id


def _changes_of(counts: Mapping[str, Any]) -> dict[str, Any]:
    said = ("assets_created", "assets_updated", "employees_created", "lifecycle_transitions")
    return {name: counts[name] for name in said if name in counts}


def approved_for(db: Connection, connection_id: int) -> UUID | None:
    """The approved plan that an open request of a connection asks for; None when none does."""
    plan_id = db.scalar(_APPROVED_FOR, {"id": connection_id})
    return None if plan_id is None else UUID(str(plan_id))


def check(db: Connection, plan_id: UUID, plan: Plan) -> PlanChangedError | None:
    """Compare what a sync is about to do with the plan that was approved.

    Where they differ, the sync's own plan is stored in the place of the approved one, with what changed.

    Args:
        db: a connection in a transaction, to be committed before the error is raised.
        plan_id: the approved plan.
        plan: what the sync is about to do; made under the tenant's lock.

    Returns:
        What to raise; None when both write the same.
    """
    made = lines_of(plan)
    changed = differences(lines(db, plan_id), made)
    if not changed:
        return None
    approved = get_any(db, plan_id)
    db.execute(sa.update(plans).where(plans.c.id == plan_id).values(status=PlanStatus.CHANGED))
    told = [{"name": one.name, "before": _json(one.before), "after": _json(one.after)} for one in changed]
    more = {"requested_by": approved.requested_by, "follows_id": plan_id, "differences": told}
    _insert(db, plan, made, more)
    things = "1 thing has" if len(changed) == 1 else f"{len(changed)} things have"
    return PlanChangedError(
        f"{things} changed since the approved plan was made, so nothing was synced. Look at the new plan, which names them, "
        "and approve it."
    )


def get_any(db: Connection, plan_id: UUID) -> StoredPlan:
    """A plan whatever its age."""
    row = db.execute(_SELECT_ANY, {"id": plan_id}).mappings().one()
    return _stored(row)


def applied(db: Connection, plan_id: UUID, sync_run_id: int) -> None:
    """Note that a sync did exactly this plan, in the transaction that ends the sync."""
    db.execute(sa.update(plans).where(plans.c.id == plan_id).values(status=PlanStatus.APPLIED, sync_run_id=sync_run_id))


def _json(line: PlanLine | None) -> dict[str, Any] | None:
    return None if line is None else {"kind": str(line.kind), "name": line.name, "fields": dict(line.fields)}


def line_of(row: Mapping[Any, Any]) -> PlanLine:
    """A line from its row."""
    return PlanLine(
        PlanLineKind(row["kind"]),
        row["name"],
        row["fields"],
        row["model"],
        row["note"],
        LookalikeGrade(row["grade"]) if row["grade"] else None,
        tuple(row["reasons"]),
        row["lookalike_id"],
    )


_UNMADE = (PlanStatus.REQUESTED, PlanStatus.PLANNING)
_REQUEST = sa.text("""
    insert into plans (connection_id, requested_by) values (:connection_id, :requested_by)
    on conflict (connection_id) where status in ('requested', 'planning') do nothing
    returning id
""")
_OPEN_OF = sa.text("select id from plans where connection_id = :connection_id and status in ('requested', 'planning')")
_OPEN = sa.text("""
    select p.id, p.connection_id, a.slug as account, c.tenant_id
    from plans p join connections c on c.id = p.connection_id join accounts a on a.id = c.account_id
    where p.status in ('requested', 'planning') and c.tenant_id is not null
    order by p.requested_at, p.id limit :limit
""")
_COLUMNS: Final = """
    select p.id, p.connection_id, c.account_id, a.slug as account, p.status, p.requested_by, p.requested_at, p.listed_at,
           p.made_at, p.counts, p.hold_reason, p.follows_id, jsonb_array_length(p.differences) as differences,
           p.approved_by, p.approved_at, p.sync_run_id, p.error
    from plans p join connections c on c.id = p.connection_id join accounts a on a.id = c.account_id
"""
_SELECT_ANY = sa.text(f"{_COLUMNS} where p.id = :id")
_SELECT = sa.text(f"""
    {_COLUMNS}
    where coalesce(p.made_at, p.requested_at) > now() - interval '{KEPT.days} day'
      and (cast(:account as text) is null or a.slug = :account) and (cast(:id as uuid) is null or p.id = :id)
    order by coalesce(p.made_at, p.requested_at) desc, p.id
""")
_HAS_SYNCED = sa.text("""
    select exists (select from sync_runs where connection_id = :id and status = 'succeeded' and trigger <> 'undo')
""")
_APPROVED_FOR = sa.text("""
    select plan_id from sync_requests
    where connection_id = :id and status in ('pending', 'started') and plan_id is not null
""")
_AWAIT_APPROVAL = sa.text(f"""
    update connections set status = '{ConnectionStatus.AWAITING_APPROVAL}', status_cause = null, status_message = null
    where id = :id and plan_first and status in ('{ConnectionStatus.NEEDS_CONSENT}', '{ConnectionStatus.ERROR}')
""")  # noqa: S608 - constants
