"""What a plan needs from allwhere's database, as the domain's values.

Belongs here: reading assets, employees, holds and what earlier syncs remember. Does not belong here: deciding
(``domain.reconciliation``) and writing (``reconciliation``).
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from intune_pipeline.domain.fields import FILLED_FIELDS, INTUNE_FIELDS, SEALED_FIELD, Value
from intune_pipeline.domain.kept import KeptValue
from intune_pipeline.domain.people import Employee, EmployeeDirectory, KnownUser
from intune_pipeline.domain.reconciliation import (
    Asset,
    DeviceMemory,
    EmployeeHold,
    LifecycleHold,
    Sealed,
    State,
)
from intune_pipeline.domain.vocabulary import KeptKind
from intune_pipeline.inventory import schema
from intune_pipeline.inventory.details import kept

VALUE_FIELDS: Final = (*INTUNE_FIELDS, *FILLED_FIELDS)
"""Columns of ``assets`` a sync may write, but for status and assignee."""

#: Every change of a row gives it another xmin: whoever sees the same one again need not look at the values.
ROW_VERSION: Final = "cast(cast(xmin as text) as bigint)"
_IDENTITY: Final = (
    *(
        schema.assets.c[name]
        for name in ("id", "serial_number", "serial_key", "status", "assignee_id", "assigned_by_person_at")
    ),
    sa.literal_column(ROW_VERSION),
)
ASSETS: Final = sa.select(*_IDENTITY, *(schema.assets.c[name] for name in VALUE_FIELDS)).where(
    schema.assets.c.account_id == sa.bindparam("account_id")
)
"""The assets of an account, for `asset_of`."""


def load_state(db: Connection, connection_id: int) -> State:
    """Everything a plan needs from allwhere's database.

    Args:
        db: Any connection.
        connection_id: The connection that is synced.

    Raises:
        LookupError: There is no such connection.
    """
    connections = schema.connections
    account_id = db.scalar(sa.select(connections.c.account_id).where(connections.c.id == connection_id))
    if account_id is None:
        raise LookupError(f"There is no connection {connection_id}.")
    # Before the holds: of what is decided while they are read, the next sync is the one that takes it up.
    open_decisions = tuple(row.id for row in _rows(db, _OPEN_DECISIONS, connection_id))
    assets = map(asset_of, db.execute(ASSETS, {"account_id": account_id}).all())
    return State(
        connection_id=connection_id,
        account_id=account_id,
        assets={asset.serial_key: asset for asset in assets},
        directory=EmployeeDirectory(employees_of(db, account_id), _known_users(db, connection_id)),
        memory={row.intune_device_id: DeviceMemory(*row) for row in _rows(db, _MEMORY, connection_id)},
        details=kept(db, connection_id),
        employee_holds={
            row.email_key: EmployeeHold(row.id, row.decision, row.lookalike_id, row.kind)
            for row in _rows(db, _EMPLOYEE_HOLDS, connection_id)
        },
        pending_assets=frozenset(row.asset_id for row in _rows(db, _PENDING, connection_id)),
        lifecycle_holds=tuple(
            LifecycleHold(row.id, frozenset(row.intune_device_ids), row.decision, row.decided_at)
            for row in _rows(db, _LIFECYCLE_HOLDS, connection_id)
        ),
        kept=_kept_values(db, account_id),
        open_decisions=open_decisions,
    )


def forget_devices(db: Connection, connection_id: int, intune_device_ids: Iterable[str]) -> int:
    """Forget devices that have become personal: outcomes and details are deleted, their assets stay as they are.

    Call it before `load_state`, so that a device listed as personal is not taken for one that is gone.

    Returns:
        How many devices were known.
    """
    ids = sa.cast(list(intune_device_ids), postgresql.ARRAY(sa.Text))
    forgotten = 0
    for table in (schema.device_details, schema.device_outcomes):
        known = (table.c.connection_id == connection_id) & (table.c.intune_device_id == sa.func.any(ids))
        forgotten = db.execute(sa.delete(table).where(known)).rowcount
    return forgotten


def asset_of(row: sa.Row[Any]) -> Asset:
    """One row of `ASSETS`."""
    asset_id, serial_number, serial_key, status, assignee_id, assigned_at, version, *stored = row
    values: dict[str, Value] = dict(zip(VALUE_FIELDS, stored, strict=True))
    if token := values.get(SEALED_FIELD):
        values[SEALED_FIELD] = Sealed(str(token))
    return Asset(asset_id, serial_number, serial_key, status, assignee_id, values, assigned_at, version)


def employees_of(db: Connection, account_id: int) -> Iterator[Employee]:
    """The employees of an account with their addresses, by id."""
    rows = db.execute(_EMPLOYEES, {"account_id": account_id}).all()
    for (employee_id, first_name, last_name), group in itertools.groupby(rows, key=lambda row: row[:3]):
        emails = tuple((row.email_key, row.kind) for row in group if row.email_key is not None)
        yield Employee(employee_id, first_name, last_name, emails)


def _kept_values(db: Connection, account_id: int) -> dict[str, dict[str, list[KeptValue]]]:
    kept: dict[str, dict[str, list[KeptValue]]] = {}
    for row in db.execute(_KEPT, {"account_id": account_id}):
        value = KeptValue(row.id, KeptKind(row.kind), row.evidence, row.intune_value)
        kept.setdefault(row.serial_key, {}).setdefault(row.field, []).append(value)
    return kept


def _known_users(db: Connection, connection_id: int) -> list[KnownUser]:
    return [KnownUser(*row) for row in _rows(db, _KNOWN_USERS, connection_id)]


def _rows(db: Connection, query: sa.TextClause, connection_id: int) -> Iterable[sa.Row[Any]]:
    return db.execute(query, {"connection_id": connection_id}).all()


_EMPLOYEES = sa.text("""
    select e.id, e.first_name, e.last_name, m.email_key, m.kind
    from employees e left join employee_emails m on m.employee_id = e.id
    where e.account_id = :account_id
    order by e.id, m.email_key
""")
_KNOWN_USERS = sa.text("""
    select user_id, principal_name, employee_id from known_users where connection_id = :connection_id
""")
_MEMORY = sa.text("""
    select intune_device_id, serial_key, first_synced_at is not null, ended_at is not null, absent_lists, absent_since,
           candidate_user, candidate_syncs, listed_user, listed_user_since
    from device_outcomes where connection_id = :connection_id
""")
_EMPLOYEE_HOLDS = sa.text("""
    select id, email_key, decision, lookalike_id, kind from employee_holds where connection_id = :connection_id
""")
_PENDING = sa.text("""
    select a.asset_id from held_assignments a join employee_holds h on h.id = a.employee_hold_id
    where h.connection_id = :connection_id
""")
_KEPT = sa.text("""
    select id, serial_key, field, kind, evidence, intune_value from kept_values where account_id = :account_id order by id
""")
#: What a sync that then failed took up is taken up again.
_OPEN_DECISIONS = sa.text("""
    select d.id from hold_decisions d left join sync_runs r on r.id = d.applied_run_id
    where d.connection_id = :connection_id and d.undone_at is null and (r.id is null or r.status <> 'succeeded')
    order by d.id
""")
_LIFECYCLE_HOLDS = sa.text("""
    select id, intune_device_ids, decision, decided_at from lifecycle_holds where connection_id = :connection_id
""")
