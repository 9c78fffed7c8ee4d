"""What a sync held back until a person decides: employees who look like others, lifecycle ends that were too many.

Belongs here: listing and deciding. Does not belong here: what is held and what a decision does, which the next sync
reads (``domain``, ``reconciliation``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit

Decision = Literal["create", "link", "skip"]
_STORED = {"create": "created", "link": "linked", "skip": "skipped"}


class HoldError(WrongUseError):
    """What was decided about does not wait, or cannot be decided so."""


@dataclass(frozen=True, slots=True)
class EmployeeHold:
    """A person a sync would create beside an employee of the same name.

    Attributes:
        id: for the decision.
        first_name: as the sync would store it.
        last_name: likewise.
        email: their work e-mail.
        lookalike_id: the employee of the same name; None when that employee is gone.
        lookalike: that employee's name and e-mails, for people; None likewise.
        assets: assets that wait to get this person as assignee.
        created_at: when the sync held them back.
    """

    id: int
    first_name: str
    last_name: str
    email: str
    lookalike_id: int | None
    lookalike: str | None
    assets: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LifecycleHold:
    """Devices that are gone from Intune, more at once than the connection allows.

    Attributes:
        id: the hold's.
        intune_device_ids: the devices.
        reason: what was exceeded, one sentence.
        created_at: when the run held them.
    """

    id: int
    intune_device_ids: tuple[str, ...]
    reason: str
    created_at: datetime


def employees_waiting(connection: Connection, account: str) -> list[EmployeeHold]:
    """The held employees of an account, by name.

    Raises:
        UnknownAccountError: there is no such account.
    """
    owner = accounts.get(connection, account)
    return [EmployeeHold(**row) for row in connection.execute(_EMPLOYEES, {"account_id": owner.id}).mappings()]


def decide_employees(
    connection: Connection, account: str, hold_ids: Collection[int] | None, decision: Decision, *, decided_by: str
) -> int:
    """Decide about held employees; the next sync does it. Returns how many were decided.

    Args:
        connection: a connection in a transaction.
        account: the account's slug.
        hold_ids: which; None decides all that wait.
        decision: ``create`` the employee, ``link`` the e-mail to the look-alike, or ``skip`` the person for good.
        decided_by: who, also for the audit log.

    Raises:
        UnknownAccountError: there is no such account.
        HoldError: one of them does not wait, or has nobody to be linked to; nothing is decided then.
    """
    owner = accounts.get(connection, account)
    waiting = {
        row.id: row
        for row in connection.execute(_LOCK_EMPLOYEES, {"account_id": owner.id})
        if hold_ids is None or row.id in hold_ids
    }
    missing = sorted(set(hold_ids or ()) - set(waiting))
    if missing:
        raise HoldError(f"No employee of {account} waits under {missing[0]}; see: intune-pipeline holds list {account}")
    alone = [row.email for row in waiting.values() if row.lookalike_id is None]
    if decision == "link" and alone:
        raise HoldError(
            f"{alone[0]} cannot be linked, because the employee of the same name is gone; create or skip it."
        )
    connection.execute(
        sa.text("""
            update employee_holds set decision = :decision, decided_by = :decided_by, decided_at = now()
            where id = any(:ids)
        """),
        {"decision": _STORED[decision], "decided_by": decided_by, "ids": list(waiting)},
    )
    for row in waiting.values():
        audit.record(
            connection, owner.id, actor=decided_by, action="release", subject=row.email, decision=_STORED[decision]
        )
    return len(waiting)


def lifecycle_waiting(connection: Connection, account: str) -> list[LifecycleHold]:
    """The held lifecycle ends of an account; at most one hold waits at a time.

    Raises:
        UnknownAccountError: there is no such account.
    """
    owner = accounts.get(connection, account)
    return [
        LifecycleHold(row.id, tuple(row.intune_device_ids), row.reason, row.created_at)
        for row in connection.execute(_LIFECYCLE, {"account_id": owner.id})
    ]


def decide_lifecycle(
    connection: Connection, account: str, decision: Literal["released", "dropped"], *, decided_by: str
) -> int:
    """Release the held lifecycle ends, so that the next sync applies those still gone, or drop them.

    Returns:
        The number of devices decided about.

    Raises:
        UnknownAccountError: there is no such account.
        HoldError: nothing waits.
    """
    owner = accounts.get(connection, account)
    given = {"account_id": owner.id, "decision": decision, "decided_by": decided_by}
    decided = connection.execute(_DECIDE_LIFECYCLE, given).one_or_none()
    if decided is None:
        raise HoldError(f"No lifecycle ends of {account} are held.")
    audit.record(
        connection,
        owner.id,
        actor=decided_by,
        action="release",
        subject=f"lifecycle hold {decided.id}",
        decision=decision,
        devices=decided.devices,
    )
    return int(decided.devices)


_EMPLOYEES = sa.text("""
    select h.id, h.first_name, h.last_name, h.email, h.lookalike_id,
           nullif(concat_ws(', ', e.first_name || ' ' || e.last_name, m.emails), '') as lookalike, coalesce(w.assets, 0) as assets,
           h.created_at
    from employee_holds h
    join connections c on c.id = h.connection_id
    left join employees e on e.id = h.lookalike_id
    left join lateral (
        select string_agg(email, ', ' order by email_key) as emails from employee_emails where employee_id = e.id
    ) m on true
    left join lateral (select count(*) as assets from held_assignments where employee_hold_id = h.id) w on true
    where c.account_id = :account_id and h.decision = 'waiting'
    order by h.last_name, h.first_name, h.id
""")
_LOCK_EMPLOYEES = sa.text("""
    select h.id, h.email, h.lookalike_id from employee_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.decision = 'waiting'
    order by h.id for update of h
""")
_LIFECYCLE = sa.text("""
    select h.id, h.intune_device_ids, h.reason, h.created_at
    from lifecycle_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.decision = 'waiting'
    order by h.id
""")
_DECIDE_LIFECYCLE = sa.text("""
    update lifecycle_holds h set decision = :decision, decided_by = :decided_by, decided_at = now()
    from connections c
    where c.id = h.connection_id and c.account_id = :account_id and h.decision = 'waiting'
    returning h.id, jsonb_array_length(h.intune_device_ids) as devices
""")
