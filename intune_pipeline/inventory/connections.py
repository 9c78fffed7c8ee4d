"""Accounts' links to their Microsoft Intune tenants: which tenant, in which state, with which settings.

Belongs here: reading, changing and ending a connection. Does not belong here: how an account gets its tenant
(``linking``), whose a tenant is (``tenant_owners``), syncing (``sync_requests``, ``sync_runs``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.vocabulary import (
    ConnectionStatus,
    RequestStatus,
)
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.schema import accounts as accounts_table
from intune_pipeline.inventory.schema import connections, sync_requests


class NotConnectedError(WrongUseError):
    """The account has no connection, or it was disconnected."""


class AwaitingApprovalError(WrongUseError):
    """Nothing may be synced before somebody approved a plan."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"Nothing of {account} is synced before its plan is approved; look at the plan of the first sync and approve it."
        )


SETTINGS = tuple(field.name for field in fields(Policy))


@dataclass(frozen=True, slots=True)
class Record:
    """A connection, with its account's slug; the other attributes are the columns of ``connections``."""

    id: int
    account_id: int
    account: str
    tenant_id: str | None
    candidate_tenant_id: str | None
    requested_by: str | None = field(repr=False)
    verifying_since: datetime | None
    proven_at: datetime | None
    proven_by_oid: str | None = field(repr=False)
    proven_by_upn: str | None = field(repr=False)
    proven_by_roles: list[str]
    status: str
    status_cause: str | None
    status_message: str | None
    mdm_assignee_updates: bool
    hold_lookalike_employees: bool
    plan_first: bool
    assignee_confirmations: int
    enrolment_manager_devices: int
    absent_lists: int
    absent_hours: int
    lifecycle_max_share: float
    lifecycle_max_devices: int
    connected_at: datetime | None
    disconnected_at: datetime | None

    @property
    def policy(self) -> Policy:
        """Its settings alone."""
        return Policy(**{name: getattr(self, name) for name in SETTINGS})


@dataclass(frozen=True, slots=True)
class Tenant:
    """What the nightly tick looks at; ``status`` is ``awaiting_approval`` whenever nothing may be synced before that."""

    connection_id: int
    account: str
    tenant_id: str | None
    status: str


def tenant_domain(db: Connection, account_id: int) -> str:
    """The domain of the administrator who proved the account's tenant; "" without one."""
    query = sa.select(sa.func.split_part(connections.c.proven_by_upn, "@", 2)).where(
        connections.c.account_id == account_id, connections.c.tenant_id.is_not(None)
    )
    return str(db.scalar(query) or "")


_RECORDS = sa.select(
    *(accounts_table.c.slug.label("account") if name == "account" else connections.c[name] for name in Record.__slots__)
).join(accounts_table, accounts_table.c.id == connections.c.account_id)


def every(db: Connection) -> list[Record]:
    """All connections, by account."""
    return [Record(**row) for row in db.execute(_RECORDS.order_by(accounts_table.c.slug)).mappings()]


def with_status(db: Connection, status: str) -> list[Record]:
    """The connections in one status, by account."""
    query = _RECORDS.where(connections.c.status == status).order_by(accounts_table.c.slug)
    return [Record(**row) for row in db.execute(query).mappings()]


def accounts_being_verified(db: Connection) -> list[int]:
    """Ids of the accounts whose connection is ``verifying``, for the portal, which otherwise sees one account at a time."""
    return list(db.scalars(sa.text("select * from accounts_being_verified()")))


def of_account(db: Connection, account: str) -> Record | None:
    """The connection of an account, None when it never had one."""
    row = db.execute(_RECORDS.where(accounts_table.c.slug == account)).mappings().one_or_none()
    return None if row is None else Record(**row)


def get(db: Connection, account: str) -> Record:
    """The connection of an account, whatever its status.

    Raises:
        UnknownAccountError: there is no such account.
        NotConnectedError: the account never had a connection.
    """
    record = of_account(db, account)
    if record is None:
        accounts.get(db, account)
        raise NotConnectedError(
            f"{account} is not connected to Microsoft Intune; connect it with: "
            f"intune-pipeline connections add {account} --tenant-id GUID"
        )
    return record


def syncable(db: Connection, account: str) -> Record:
    """The connection of an account when a sync may be tried: whatever its state, unless there is no tenant any more.

    Raises:
        UnknownAccountError: there is no such account.
        NotConnectedError: the account has no connection, it was disconnected, or its tenant is not proven yet.
    """
    record = get(db, account)
    if record.status == ConnectionStatus.DISCONNECTED:
        raise NotConnectedError(
            f"{account} was disconnected from Microsoft Intune on {record.disconnected_at:%Y-%m-%d}; connect it again to sync it."
        )
    if record.tenant_id is None:
        raise NotConnectedError(f"{account} has not finished connecting to Microsoft Intune; no tenant is proven yet.")
    return record


def tenants_of(db: Connection) -> list[Tenant]:
    """Every connection with its status, by account: for the nightly tick, which names those it leaves out."""
    status = sa.case((connections.c.plan_first, ConnectionStatus.AWAITING_APPROVAL), else_=connections.c.status)
    columns = (connections.c.id, accounts_table.c.slug, connections.c.tenant_id, status)
    query = sa.select(*columns).join_from(accounts_table, connections).order_by(accounts_table.c.slug)
    return [Tenant(*row) for row in db.execute(query)]


def set_status(
    db: Connection, connection_id: int, status: str, cause: str | None = None, message: str | None = None
) -> bool:
    """Say how a connection is doing; a disconnected one stays disconnected.

    Args:
        db: a connection in a transaction.
        connection_id: whose status.
        status: one of ``schema.CONNECTION_STATUSES`` but ``disconnected``, for which there is :func:`disconnect`.
        cause: the stored name of a cause of ``microsoft.causes``, None when all is well.
        message: one sentence: what happened and what to do.

    Returns:
        Whether anything changed.
    """
    changed = db.execute(
        sa.text("""
            update connections
            set status = :status, status_cause = :cause, status_message = :message,
                connected_at = case when :status = 'connected' then coalesce(connected_at, now()) else connected_at end
            where id = :id and status <> 'disconnected'
              and (status, status_cause, status_message) is distinct from (:status, :cause, :message)
        """),
        {"id": connection_id, "status": status, "cause": cause, "message": message},
    )
    return changed.rowcount == 1


def change_settings(db: Connection, account: str, values: Mapping[str, Any], *, actor: str) -> Record:
    """Change settings of :class:`Policy`; they take effect at the next sync.

    Raises:
        UnknownAccountError: there is no such account.
        NotConnectedError: the account never had a connection.
        WrongUseError: a setting does not exist, or its value is out of range.
    """
    unknown = sorted(set(values) - set(SETTINGS))
    if unknown:
        raise WrongUseError(f"{unknown[0]!r} is no setting of a connection; there are {', '.join(SETTINGS)}.")
    before = get(db, account)
    changed = {name: [getattr(before, name), value] for name, value in values.items() if getattr(before, name) != value}
    if not changed:
        return before
    try:
        with db.begin_nested():
            db.execute(sa.update(connections).where(connections.c.id == before.id).values(**values))
    except sa.exc.IntegrityError:
        raise WrongUseError(
            f"The settings of {account} are out of range: numbers are at least 1 (absent_hours and lifecycle_max_devices "
            "at least 0) and lifecycle_max_share is between 0 and 1."
        ) from None
    audit.record(db, before.account_id, actor=actor, action="settings", subject=account, changed=changed)
    return get(db, account)


def disconnect(db: Connection, account: str, *, actor: str) -> Record:
    """End a connection: no new syncs. Assets, employees and history stay, and the tenant remains the account's own.

    Raises:
        UnknownAccountError: there is no such account.
        NotConnectedError: the account has no connection, or it is disconnected already.
    """
    before = get(db, account)
    ended = db.execute(
        sa.update(connections)
        .where(connections.c.id == before.id, connections.c.status != ConnectionStatus.DISCONNECTED)
        .values(
            status=ConnectionStatus.DISCONNECTED,
            status_cause=None,
            status_message=None,
            candidate_tenant_id=None,
            disconnected_at=sa.func.now(),
        )
    )
    if ended.rowcount == 0:
        raise NotConnectedError(f"{account} is disconnected already.")
    fail_waiting_syncs(db, before.id)
    audit.record(db, before.account_id, actor=actor, action="disconnect", subject=before.tenant_id or "")
    return get(db, account)


def fail_waiting_syncs(db: Connection, connection_id: int) -> None:
    """Close what was asked for and has not begun: the connection ended."""
    db.execute(
        sa.update(sync_requests)
        .where(sync_requests.c.connection_id == connection_id, sync_requests.c.status == RequestStatus.PENDING)
        .values(
            status=RequestStatus.FAILED,
            finished_at=sa.func.now(),
            error="The account was disconnected before the sync began.",
        )
    )
