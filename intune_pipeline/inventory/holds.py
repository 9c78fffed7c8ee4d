"""What a sync held back until a person decides: look-alike employees and lifecycle ends.

Belongs here: showing what waits, and writing decisions down. Does not belong here: what is held and why (``domain``), and
doing what was decided, which the next sync does like everything else it writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import EmployeeDecision, EmployeeHoldKind, LifecycleDecision
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.schema import connections, lifecycle_holds

_DECIDED: Final = {
    "create": EmployeeDecision.CREATED,
    "link": EmployeeDecision.LINKED,
    "skip": EmployeeDecision.SKIPPED,
}


class NothingWaitsError(WrongUseError):
    """What was to be decided does not wait for a decision."""


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


def employees_waiting(db: Connection, account: str) -> list[WaitingEmployee]:
    """The held employees of an account that wait for a decision, by name."""
    return [WaitingEmployee(*row) for row in db.execute(_EMPLOYEES, {"account": account})]


def lifecycle_waiting(db: Connection, account: str) -> list[WaitingEnds]:
    """The held lifecycle ends of an account that wait for a decision: one hold, or none."""
    account_id = accounts.get(db, account).id
    columns = (lifecycle_holds.c[name] for name in WaitingEnds.__slots__)
    waiting = (
        sa.select(*columns)
        .join(connections, connections.c.id == lifecycle_holds.c.connection_id)
        .where(connections.c.account_id == account_id, lifecycle_holds.c.decision == LifecycleDecision.WAITING)
    )
    return [WaitingEnds(*row) for row in db.execute(waiting)]


def decide_employees(db: Connection, account: str, hold_ids: Sequence[int], decision: str, *, decided_by: str) -> int:
    """Decide about held employees, all of them or none; the next sync creates and assigns.

    Linking writes the person's address down as a work e-mail of the look-alike, by which every sync then finds him.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        hold_ids: ids of waiting holds.
        decision: ``create`` a new employee (a shared account is a person after all), ``link`` to the look-alike, or
            ``skip``: no employee and no assignee, from now on.
        decided_by: a portal user, or ``operator:NAME``.

    Returns:
        How many were decided.

    Raises:
        UnknownAccountError: there is no such account.
        NothingWaitsError: one of them does not wait, is to be linked to an employee who was removed meanwhile, or to be
            created without a name.
    """
    account_id = accounts.get(db, account).id
    ids = sorted(set(hold_ids))
    given = {"account": account, "account_id": account_id, "ids": ids}
    waiting = {row.id: row for row in db.execute(_LOCKED_EMPLOYEES, given)}
    if unknown := [str(one) for one in ids if one not in waiting]:
        raise NothingWaitsError(f"In {account} no held employee {', '.join(unknown)} waits for a decision.")
    if decision == "link":
        if alone := [str(row.id) for row in waiting.values() if row.lookalike_id is None]:
            raise NothingWaitsError(
                f"{', '.join(alone)} looks like no employee, or that one was removed meanwhile; create or skip instead."
            )
        db.execute(_LINKED, given)
    if decision == "create" and (nameless := [row.email for row in waiting.values() if not row.has_name]):
        raise NothingWaitsError(
            f"Intune shows no first and last name for {', '.join(nameless)}; add the employee with this e-mail in allwhere."
        )
    db.execute(_DECIDE, {**given, "decision": _DECIDED[decision], "decided_by": decided_by})
    for row in waiting.values():
        audit.record(db, account_id, actor=decided_by, action="release", subject=row.email, decision=_DECIDED[decision])
    return len(ids)


def decide_lifecycle(db: Connection, account: str, decision: LifecycleDecision, *, decided_by: str) -> int:
    """Release or drop the lifecycle ends that wait; the next sync ends those that are released and still gone.

    Dropped ones stay as they are for as long as the device is away.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        decision: ``released`` or ``dropped``.
        decided_by: a portal user, or ``operator:NAME``.

    Returns:
        How many devices the decision is about.

    Raises:
        UnknownAccountError: there is no such account.
        NothingWaitsError: none waits.
    """
    account_id = accounts.get(db, account).id
    of_account = sa.select(connections.c.id).where(connections.c.account_id == account_id)
    decided = db.execute(
        sa.update(lifecycle_holds)
        .where(lifecycle_holds.c.connection_id.in_(of_account), lifecycle_holds.c.decision == LifecycleDecision.WAITING)
        .values(decision=decision, decided_by=decided_by, decided_at=sa.func.now())
        .returning(lifecycle_holds.c.intune_device_ids)
    ).scalar_one_or_none()
    if decided is None:
        raise NothingWaitsError(f"In {account} no lifecycle ends wait for a decision.")
    audit.record(db, account_id, actor=decided_by, action="release", decision=decision, intune_device_ids=decided)
    return len(decided)


_EMPLOYEES = sa.text("""
    select h.id, h.first_name, h.last_name, h.email,
           e.first_name || ' ' || e.last_name || coalesce(' (' || emails.list || ')', '') as lookalike, h.created_at,
           h.kind, h.reason, h.grade, h.display_name
    from employee_holds h
    join connections c on c.id = h.connection_id
    join accounts a on a.id = c.account_id
    left join employees e on e.id = h.lookalike_id
    left join lateral (
        select string_agg(m.email, ', ' order by m.email_key) as list from employee_emails m where m.employee_id = e.id
    ) emails on true
    where a.slug = :account and h.decision = 'waiting'
    order by h.kind, h.grade desc, h.last_name, h.first_name, h.display_name, h.id
""")
_LOCKED_EMPLOYEES = sa.text("""
    select h.id, h.email, h.lookalike_id, h.first_name is not null and h.last_name is not null as has_name
    from employee_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.id = any(cast(:ids as bigint[])) and h.decision = 'waiting'
    order by h.id for update of h
""")
_LINKED = sa.text("""
    insert into employee_emails (employee_id, account_id, email, kind)
    select h.lookalike_id, :account_id, h.email, 'work' from employee_holds h
    where h.id = any(cast(:ids as bigint[]))
    order by h.email_key
    on conflict do nothing
""")
_DECIDE = sa.text("""
    update employee_holds set decision = :decision, decided_by = :decided_by, decided_at = now()
    where id = any(cast(:ids as bigint[]))
""")
