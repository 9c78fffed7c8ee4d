"""What a sync held back until a person decides: look-alike employees and lifecycle ends.

Belongs here: showing who waits, writing decisions down and taking them back. Does not belong here: what is held and why
(``domain``), the devices that wait and what was decided (``held``), and doing what was decided, which the next sync does
like everything else it writes.

A decision is about everything that waits, about what a search finds, or about a chosen few. What it is about is locked
first: of two people who decide at once about the same, one decides, and the other is told or decides about the rest. It
can be taken back until a sync takes it up, which a sync does with its first batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import (
    EmployeeAnswer,
    EmployeeDecision,
    EmployeeHoldKind,
    HoldKind,
    LifecycleDecision,
    Trigger,
)
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit, held, sync_requests
from intune_pipeline.inventory import connections as links
from intune_pipeline.inventory import hold_statements as statements
from intune_pipeline.inventory.schema import connections, hold_decisions, lifecycle_holds

_DECIDED: Final = {
    EmployeeAnswer.CREATE: EmployeeDecision.CREATED,
    EmployeeAnswer.LINK: EmployeeDecision.LINKED,
    EmployeeAnswer.SKIP: EmployeeDecision.SKIPPED,
}


_SHOWN: Final = 5
"""How many of those that stand in a decision's way are named."""


class NothingWaitsError(WrongUseError):
    """What was to be decided does not wait for a decision."""


class CannotUndoError(WrongUseError):
    """The decision does not exist, was taken back already, or a sync has taken it up."""


@dataclass(frozen=True, slots=True)
class WaitingEmployee:
    """A user who is not created as an employee before somebody decides.

    Attributes:
        id: the hold's id.
        first_name: the user's, None where no name can be read.
        last_name: see there.
        email: the work e-mail Intune shows.
        lookalike: the employee who could be the same person, with their addresses; None when removed meanwhile, and for
            shared accounts.
        created_at: when the sync held the user back.
        kind: whether for a look-alike, or because the user looks like a shared account.
        reason: why, a phrase for people.
        grade: how sure it is that both are one person; None for shared accounts.
        display_name: as Intune shows it.
    """

    id: int
    first_name: str | None
    last_name: str | None
    email: str
    lookalike: str | None
    created_at: datetime
    kind: str
    reason: str | None
    grade: str | None
    display_name: str | None

    @property
    def shown(self) -> str:
        """The user for people: the name, else as Intune shows it."""
        name = " ".join(filter(None, (self.first_name, self.last_name)))
        return name if self.kind == EmployeeHoldKind.LOOKALIKE else self.display_name or name or self.email


@dataclass(frozen=True, slots=True)
class WaitingEnds:
    """Lifecycle ends that wait because there were too many at once.

    Attributes:
        id: the hold's id.
        intune_device_ids: the devices.
        reason: what was exceeded, one sentence.
        created_at: when a sync first held them back.
    """

    id: int
    intune_device_ids: list[str]
    reason: str
    created_at: datetime


def employees_waiting(
    db: Connection, account: str, search: str = "", *, limit: int | None = None, offset: int = 0
) -> list[WaitingEmployee]:
    """The held employees of an account that wait for a decision, by name.

    Args:
        db: any connection.
        account: the account's slug.
        search: part of a name or address, the user's or the look-alike's; "" finds all.
        limit: how many at most.
        offset: how many of them to pass over.
    """
    given = {"account": account, **held.searched(search), "limit": limit, "offset": offset}
    return [WaitingEmployee(*row) for row in db.execute(statements.WAITING_EMPLOYEES, given)]


def lifecycle_waiting(db: Connection, account: str) -> list[WaitingEnds]:
    """The held lifecycle ends of an account that wait for a decision: one hold, or none."""
    columns = (lifecycle_holds.c[name] for name in WaitingEnds.__slots__)
    waiting = (
        sa.select(*columns)
        .join(connections, connections.c.id == lifecycle_holds.c.connection_id)
        .where(
            connections.c.account_id == accounts.get(db, account).id,
            lifecycle_holds.c.decision == LifecycleDecision.WAITING,
        )
    )
    return [WaitingEnds(*row) for row in db.execute(waiting)]


def decide_employees(
    db: Connection,
    account: str,
    hold_ids: Sequence[int] | None,
    decision: EmployeeAnswer,
    *,
    decided_by: str,
    search: str = "",
) -> int:
    """Decide about held employees; the next sync creates and assigns.

    Those who were chosen are decided about all together or not at all. Of everybody, or everybody a search finds, those
    go on waiting about whom nothing like that can be decided: who looks like nobody is not linked, who has no name is not
    created. Linking writes the person's address down as a work e-mail of the look-alike, by which every sync then finds
    them.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        hold_ids: ids of waiting holds; None: everybody the search finds.
        decision: create a new employee (a shared account is a person after all), link to the look-alike, or
            skip: no employee and no assignee, from now on.
        decided_by: a portal user, or ``operator:NAME``.
        search: part of a name or address; "" finds all.

    Returns:
        How many were decided.

    Raises:
        UnknownAccountError: there is no such account.
        NothingWaitsError: one who was chosen does not wait, is to be linked to an employee who was removed meanwhile, or to
            be created without a name; or nobody is found about whom that can be decided.
    """
    account_id = accounts.get(db, account).id
    found = (
        sorted(set(hold_ids)) if hold_ids is not None else [one.id for one in employees_waiting(db, account, search)]
    )
    waiting = {row.id: row for row in db.execute(statements.LOCKED_EMPLOYEES, {"account_id": account_id, "ids": found})}
    impossible = {
        EmployeeAnswer.LINK: [row for row in waiting.values() if row.lookalike_id is None],
        EmployeeAnswer.CREATE: [row for row in waiting.values() if not row.has_name],
        EmployeeAnswer.SKIP: [],
    }[decision]
    if hold_ids is None:
        waiting = {key: row for key, row in waiting.items() if row not in impossible}
    else:
        _refuse(account, [one for one in found if one not in waiting], impossible, decision)
    if not waiting:
        raise NothingWaitsError(f"In {account} nobody waits who was looked for and could be decided about so.")
    word = _DECIDED[decision]
    about = {"account_id": account_id, "ids": list(waiting)}
    decision_id = _decide(db, account, HoldKind.EMPLOYEES, word, size=len(waiting), decided_by=decided_by)
    db.execute(
        statements.DECIDED_EMPLOYEES, {**about, "decision": word, "decided_by": decided_by, "decision_id": decision_id}
    )
    if decision == EmployeeAnswer.LINK:
        db.execute(statements.LINKED, about)
    told = [(row.email, _details(row, word)) for row in waiting.values()]
    audit.record_each(db, account_id, told, actor=decided_by, action="release")
    return len(waiting)


def _details(row: Any, decision: str) -> dict[str, Any]:
    """What the audit log tells of one decision; to whom, when it linked."""
    if decision != EmployeeDecision.LINKED:
        return {"decision": decision}
    return {"decision": decision, "linked_to": row.lookalike_name, "employee_id": row.lookalike_id}


def decide_lifecycle(
    db: Connection,
    account: str,
    decision: LifecycleDecision,
    *,
    decided_by: str,
    device_ids: Sequence[str] | None = None,
    search: str = "",
) -> int:
    """Release or drop lifecycle ends that wait; the next sync ends those that are released and still gone.

    Dropped ones stay as they are for as long as the device is away. The others go on waiting.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        decision: ``released`` or ``dropped``.
        decided_by: a portal user, or ``operator:NAME``.
        device_ids: Intune's ids of waiting devices, all of them decided about or none; None: every device the search finds.
        search: what `held.devices` looks for; "" finds all.

    Returns:
        How many devices the decision is about.

    Raises:
        UnknownAccountError: there is no such account.
        NothingWaitsError: none waits, one that was chosen does not, or none is found.
    """
    account_id = accounts.get(db, account).id
    hold = db.execute(statements.LOCKED_ENDS, {"account_id": account_id}).one_or_none()
    if hold is None:
        raise NothingWaitsError(f"In {account} no lifecycle ends wait for a decision.")
    wanted = set(device_ids or ())
    if device_ids is None:
        wanted = set(held.device_ids(db, account, search))
    elif decided := sorted(wanted.difference(hold.intune_device_ids)):
        raise NothingWaitsError(f"In {account} the end of {_named(decided)} does not wait for a decision (any more).")
    chosen = [one for one in hold.intune_device_ids if one in wanted]
    if not chosen:
        raise NothingWaitsError(f"In {account} no device waits that was looked for.")
    decision_id = _decide(db, account, HoldKind.LIFECYCLE, decision, size=len(chosen), decided_by=decided_by)
    about = {"decision": decision, "decided_by": decided_by, "decided_at": sa.func.now(), "decision_id": decision_id}
    ends, waiting = lifecycle_holds, lifecycle_holds.c.id == hold.id
    if len(chosen) == len(hold.intune_device_ids):
        db.execute(sa.update(ends).where(waiting).values(**about))
    else:
        rest = [one for one in hold.intune_device_ids if one not in wanted]
        db.execute(sa.update(ends).where(waiting).values(intune_device_ids=rest))
        kept = {name: getattr(hold, name) for name in ("connection_id", "sync_run_id", "reason", "created_at")}
        db.execute(sa.insert(ends).values(intune_device_ids=chosen, **kept, **about))
    audit.record(db, account_id, actor=decided_by, action="release", decision=decision, intune_device_ids=chosen)
    return len(chosen)


def undo_decision(db: Connection, account: str, decision_id: int, *, undone_by: str) -> int:
    """Take a decision back: what it was about waits again.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        decision_id: the decision's id.
        undone_by: a portal user, or ``operator:NAME``.

    Returns:
        How many people or devices wait again; less than were decided about where somebody was erased meanwhile.

    Raises:
        UnknownAccountError: there is no such account.
        CannotUndoError: there is no such decision, it was taken back already, or a sync has taken it up or runs now.
    """
    account_id = accounts.get(db, account).id
    given = {"account_id": account_id, "id": decision_id}
    made = db.execute(statements.LOCKED_DECISION, given).one_or_none()
    if made is None:
        raise CannotUndoError(f"In {account} there is no decision {decision_id}.")
    if made.undone_at:
        raise CannotUndoError(f"Decision {decision_id} was taken back by {made.undone_by} already.")
    if made.applied_run_id:
        raise CannotUndoError(
            f"Sync {made.applied_run_id} has taken decision {decision_id} up; what it wrote is put back by: "
            f"intune-pipeline undo {made.applied_run_id}"
        )
    if made.is_syncing:
        raise CannotUndoError(
            f"A sync of {account} is running and may count on decision {decision_id}; wait for its end."
        )
    if made.kind == HoldKind.EMPLOYEES:
        db.execute(statements.UNLINKED, given)
        waiting = db.execute(statements.EMPLOYEES_WAIT, given).rowcount
    else:
        waiting = _wait_again(db, made.connection_id, decision_id)
    db.execute(
        sa.update(hold_decisions)
        .where(hold_decisions.c.id == decision_id)
        .values(undone_by=undone_by, undone_at=sa.func.now())
    )
    audit.record(
        db, account_id, actor=undone_by, action="undo", subject=f"decision {decision_id}", decision=made.decision
    )
    return waiting


def sync_now(db: Connection, account: str, *, requested_by: str, trigger: Trigger) -> sync_requests.Answer:
    """Ask for a sync that applies what was decided, whenever the last one was asked for.

    A sync that runs already may have read the decisions of before; what it does not take up waits for the next one.

    Raises:
        NotConnectedError: the account is not connected.
    """
    link = links.syncable(db, account)
    return sync_requests.request(db, link.id, requested_by=requested_by, debounce=timedelta(0), trigger=trigger)


def _refuse(account: str, unknown: Sequence[int], impossible: Sequence[Any], decision: str) -> None:
    if unknown:
        raise NothingWaitsError(f"In {account} no held employee {_named(unknown)} waits for a decision.")
    if impossible and decision == EmployeeAnswer.LINK:
        raise NothingWaitsError(
            f"{_named([row.id for row in impossible])} looks like no employee, or that one was removed meanwhile; "
            "create or skip instead."
        )
    if impossible:
        raise NothingWaitsError(
            f"Intune shows no first and last name for {_named([row.email for row in impossible])}; add the employee with "
            "this e-mail in allwhere."
        )


def _named(some: Sequence[object]) -> str:
    more = f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""
    return ", ".join(map(str, some[:_SHOWN])) + more


def _decide(
    db: Connection,
    account: str,
    kind: HoldKind,
    decision: EmployeeDecision | LifecycleDecision,
    *,
    size: int,
    decided_by: str,
) -> int:
    values = {"kind": kind, "decision": decision, "size": size, "decided_by": decided_by}
    made = sa.insert(hold_decisions).values(connection_id=links.get(db, account).id, **values)
    return int(db.execute(made.returning(hold_decisions.c.id)).scalar_one())


def _wait_again(db: Connection, connection_id: int, decision_id: int) -> int:
    """Put the devices of a decision back to those that wait."""
    ends = lifecycle_holds
    decided = db.execute(sa.delete(ends).where(ends.c.decision_id == decision_id).returning(ends)).one()
    again = {name: getattr(decided, name) for name in ("sync_run_id", "reason", "created_at")}
    ids = orjson.dumps(decided.intune_device_ids).decode()
    db.execute(statements.WAIT_AGAIN, {"connection_id": connection_id, **again, "ids": ids})
    return len(decided.intune_device_ids)
