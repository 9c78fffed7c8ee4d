"""How an account gets its Microsoft tenant: the way of a connection to ``connected``.

:func:`bind` notes the tenant an administrator signed in from and reserves nothing; :func:`claim` takes the tenant once its
grant is proven, too. Giving it to another account is ``tenant_moves``. Does not belong here: proving
(``microsoft``), the rule who may (``domain.tenant_ownership``), whose a tenant is (``tenant_owners``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import (
    ConnectionStatus,
    DirectoryRole,
    EndOfConnection,
    InvitationStatus,
    OwnershipProblem,
)
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit, invitations, tenant_owners
from intune_pipeline.inventory.connections import Record, get, of_account
from intune_pipeline.inventory.roles import in_account
from intune_pipeline.inventory.schema import connections
from intune_pipeline.inventory.tenant_owners import TenantLinkedElsewhereError

TENANT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TenantMismatchError(WrongUseError):
    """The account is connected to another tenant."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An administrator of a tenant who signed in to link it.

    Attributes:
        tenant_id: the tenant, in any case.
        oid: their object id in Entra.
        upn: their user principal name.
        roles: their directory roles that allow consent.
        at: when.
    """

    tenant_id: str
    oid: str = field(repr=False)
    upn: str = field(repr=False)
    roles: frozenset[DirectoryRole]
    at: datetime

    def as_details(self) -> dict[str, Any]:
        """For the audit log."""
        return _administrator(self.upn, self.oid, self.roles)


def add(
    db: Connection,
    account: str,
    tenant_id: str,
    *,
    actor: str,
    name: str | None = None,
    mdm_assignee_updates: bool | None = None,
    plan_first: bool = False,
) -> Record:
    """Connect an account to a tenant at once, creating the account when its slug is new: the operator's way.

    Settings that are not given stay as they are.

    Raises:
        WrongUseError: the slug or the tenant id is malformed.
        TenantLinkedElsewhereError: the tenant belongs to another account.
        TenantMismatchError: the account is connected to another tenant.
    """
    accounts.create(db, account, name)
    given = {"mdm_assignee_updates": mdm_assignee_updates, "plan_first": plan_first}
    claim(db, _note_candidate(db, account, tenant_id, actor=actor, **given))
    return get(db, account)


def bind(
    db: Connection,
    account: str,
    proof: Proof,
    *,
    actor: str,
    mdm_assignee_updates: bool | None = None,
    hold_lookalike_employees: bool | None = None,
    plan_first: bool = False,
    status: ConnectionStatus = ConnectionStatus.VERIFYING,
) -> Record:
    """Note the tenant an administrator signed in from; the connection is ``verifying`` until its grant is proven.

    Nothing is reserved: any number of accounts may verify a tenant, and the first to :func:`claim` it gets it. The
    account's former connection is taken up again, with its settings.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        proof: who signed in at Microsoft.
        actor: who connects, in allwhere.
        mdm_assignee_updates: the choice "Allow MDM to update allwhere assignee"; None keeps it.
        hold_lookalike_employees: the choice "Hold look-alikes for my decision"; None keeps it.
        plan_first: the choice "Show me what would happen first": once linked, it awaits the approval of a plan.
        status: ``awaiting_confirmation`` when a Primary Admin has to confirm the tenant first; see :func:`approve`.

    Raises:
        UnknownAccountError: there is no such account.
        TenantLinkedElsewhereError: the tenant belongs to another account.
        TenantMismatchError: the account is connected to another tenant.
    """
    return _note_candidate(
        db,
        account,
        proof.tenant_id,
        actor=actor,
        mdm_assignee_updates=mdm_assignee_updates,
        hold_lookalike_employees=hold_lookalike_employees,
        plan_first=plan_first,
        status=status,
        verifying_since=proof.at,
        proven_at=proof.at,
        proven_by_oid=proof.oid,
        proven_by_upn=proof.upn,
        proven_by_roles=sorted(proof.roles),
    )


def _note_candidate(db: Connection, account: str, tenant_id: str, *, actor: str, **columns: Any) -> Record:
    tenant_id = given_tenant_id(tenant_id)
    owner = accounts.get(db, account)
    tenant_owners.refuse_if_elsewhere(db, tenant_id, owner.id)
    before = of_account(db, account)
    if before is not None and before.tenant_id is not None and before.tenant_id != tenant_id:
        # Whatever it connects next, the account keeps the tenant it had.
        tenant_owners.take(db, before.tenant_id, owner.id)
    given = {**_NOT_GIVEN} | columns | {"account_id": owner.id, "tenant_id": tenant_id, "actor": actor}
    if db.execute(_NOTE_CANDIDATE, given).one_or_none() is None:
        raise TenantMismatchError(
            f"{account} is connected to another Microsoft tenant; disconnect it before you connect {tenant_id}."
        )
    return get(db, account)


_NOT_GIVEN: Mapping[str, Any] = {
    "mdm_assignee_updates": None,
    "hold_lookalike_employees": None,
    "plan_first": False,
    "status": ConnectionStatus.VERIFYING.value,
    "verifying_since": None,
    "proven_at": None,
    "proven_by_oid": None,
    "proven_by_upn": None,
    "proven_by_roles": [],
}
_NOTE_CANDIDATE = sa.text("""
    insert into connections as c (
        account_id, candidate_tenant_id, status, mdm_assignee_updates, hold_lookalike_employees, plan_first,
        requested_by, verifying_since, proven_at, proven_by_oid, proven_by_upn, proven_by_roles
    )
    values (
        :account_id, :tenant_id, :status, coalesce(:mdm_assignee_updates, false),
        coalesce(:hold_lookalike_employees, false), :plan_first, :actor,
        :verifying_since, :proven_at, :proven_by_oid, :proven_by_upn, cast(:proven_by_roles as text[])
    )
    on conflict (account_id) do update
    set candidate_tenant_id = excluded.candidate_tenant_id, status = excluded.status,
        verifying_since = excluded.verifying_since,
        tenant_id = case when c.status <> 'disconnected' then c.tenant_id end,
        connected_at = case when c.status <> 'disconnected' then c.connected_at end,
        disconnected_at = null, status_cause = null, status_message = null,
        mdm_assignee_updates = coalesce(:mdm_assignee_updates, c.mdm_assignee_updates),
        hold_lookalike_employees = coalesce(:hold_lookalike_employees, c.hold_lookalike_employees),
        plan_first = excluded.plan_first, requested_by = excluded.requested_by, proven_at = excluded.proven_at,
        proven_by_oid = excluded.proven_by_oid, proven_by_upn = excluded.proven_by_upn, proven_by_roles = excluded.proven_by_roles
    where c.tenant_id is null or c.tenant_id = excluded.candidate_tenant_id or c.status = 'disconnected'
    returning c.id
""")


def approve(db: Connection, connection: Record, *, actor: str, now: datetime) -> bool:
    """Confirm the tenant an invited administrator signed in from; its grant is verified from now on.

    Args:
        db: a connection in a transaction.
        connection: as the Primary Admin saw it.
        actor: the Primary Admin.
        now: the present moment.

    Returns:
        False when it does not await confirmation of this tenant any more.
    """
    approved = db.execute(
        sa.update(connections)
        .where(
            connections.c.id == connection.id,
            connections.c.status == ConnectionStatus.AWAITING_CONFIRMATION,
            connections.c.candidate_tenant_id == connection.candidate_tenant_id,
        )
        .values(status=ConnectionStatus.VERIFYING, requested_by=actor, verifying_since=now)
    )
    if approved.rowcount:
        audit.record(
            db, connection.account_id, actor=actor, action="confirm", subject=connection.candidate_tenant_id or ""
        )
    return approved.rowcount == 1


def claim(db: Connection, connection: Record) -> bool:
    """Link the tenant a connection verifies, now that its grant is proven.

    The connection is ``connected`` then, or ``awaiting_approval`` where a plan is to be looked at first.

    A tenant belongs to one account, however many claim it at once. Others that still verify it are ended, with a
    sentence.

    Args:
        db: a connection in a transaction.
        connection: as it was when the grant was proven.

    Returns:
        False when it is not verifying this tenant any more: it is connected already, was ended, or began anew.

    Raises:
        TenantLinkedElsewhereError: the tenant belongs to another account.
    """
    tenant_id = connection.candidate_tenant_id
    if tenant_id is None:
        return False
    given = {"id": connection.id, "tenant": tenant_id}
    try:
        with db.begin_nested() as attempt:
            tenant_owners.take(db, tenant_id, connection.account_id)
            if db.execute(_CLAIM, given).one_or_none() is None:
                attempt.rollback()
                return False
    except sa.exc.IntegrityError:
        raise TenantLinkedElsewhereError(tenant_id) from None
    details: dict[str, Any] = {
        "mdm_assignee_updates": connection.mdm_assignee_updates,
        "hold_lookalike_employees": connection.hold_lookalike_employees,
    }
    if connection.proven_at:
        details |= _administrator(connection.proven_by_upn, connection.proven_by_oid, connection.proven_by_roles)
    audit.record(
        db, connection.account_id, actor=connection.requested_by or "", action="connect", subject=tenant_id, **details
    )
    invitations.end(db, connection.account_id, InvitationStatus.CONFIRMED)
    for account_id, other in db.execute(_VERIFYING_TOO, given).all():
        with in_account(db, account_id):
            overtaken(db, get(db, other))
    return True


_CLAIM = sa.text("""
    update connections
    set tenant_id = :tenant, candidate_tenant_id = null,
        status = case when plan_first then 'awaiting_approval' else 'connected' end, status_cause = null,
        status_message = null,
        connected_at = coalesce(connected_at, now())
    where id = :id and status = 'verifying' and candidate_tenant_id = :tenant
    returning id
""")
_VERIFYING_TOO = sa.text("select id, slug from accounts_verifying_tenant(:tenant)")


def overtaken(db: Connection, connection: Record) -> None:
    """End a verification because another account has proven the tenant first.

    Args:
        db: a connection in a transaction.
        connection: whose; nothing happens when it is not verifying this tenant any more.
    """
    sentence = (
        "Another allwhere account proved this Microsoft tenant first, so nothing was connected here. If the tenant is "
        "yours, write to your allwhere contact."
    )
    if end_verifying(db, connection, ConnectionStatus.PENDING, EndOfConnection.OVERTAKEN, sentence):
        refused(
            db,
            connection.account_id,
            actor=connection.requested_by or "",
            tenant_id=connection.candidate_tenant_id or "",
            why=EndOfConnection.OVERTAKEN,
        )


def refused(
    db: Connection,
    account_id: int,
    *,
    actor: str,
    tenant_id: str,
    why: str,
    proof: Proof | None = None,
    **more: str,
) -> None:
    """Record that somebody did not get to link a tenant.

    Args:
        db: a connection in a transaction.
        account_id: the account they wanted to link it to.
        actor: who connects, in allwhere.
        tenant_id: which tenant.
        why: the stored word.
        proof: who signed in at Microsoft.
        more: what Microsoft answered.
    """
    details: dict[str, Any] = {"why": str(why)} | more | (proof.as_details() if proof else {})
    audit.record(db, account_id, actor=actor, action="connect_refused", subject=tenant_id, **details)


def last_sign_in_told_roles(db: Connection) -> tuple[datetime, bool] | None:
    """When somebody last signed in at Microsoft to link a tenant, of any account, and whether the token told their roles.

    None when nobody has. The application's manifest decides it, so the newest sign-in speaks for all.
    """
    row = db.execute(_LAST_SIGN_IN, {"not_told": OwnershipProblem.ROLES_NOT_TOLD.value}).one_or_none()
    return None if row is None else (row.at, row.told)


_LAST_SIGN_IN = sa.text("""
    select proven_at as at, true as told from connections where proven_at is not null
    union all
    select at, details ->> 'why' <> :not_told from audit_log
    where action = 'connect_refused' and details ->> 'why' in ('no_role', :not_told)
    order by at desc limit 1
""")


def end_verifying(db: Connection, connection: Record, status: str, cause: str, message: str) -> bool:
    """End a verification, or the wait for an approval, without a claim; what the account had before is not touched.

    Args:
        db: a connection in a transaction.
        connection: as it was when it was tried.
        status: how the connection is doing now.
        cause: the stored name of the cause.
        message: one sentence: what happened and what to do.

    Returns:
        False when it is not verifying this tenant any more.
    """
    ended = db.execute(
        sa.update(connections)
        .where(
            connections.c.id == connection.id,
            connections.c.status.in_([ConnectionStatus.VERIFYING, ConnectionStatus.AWAITING_CONFIRMATION]),
            connections.c.candidate_tenant_id.is_not_distinct_from(connection.candidate_tenant_id),
        )
        .values(status=status, status_cause=cause, status_message=message, candidate_tenant_id=None)
    )
    return ended.rowcount == 1


def _administrator(upn: str | None, oid: str | None, roles: Iterable[str]) -> dict[str, Any]:
    return {"signed_in_as": upn, "object_id": oid, "directory_roles": ", ".join(sorted(roles))}


def given_tenant_id(given: str) -> str:
    """The tenant id as it is stored.

    Raises:
        WrongUseError: it is malformed.
    """
    tenant_id = given.strip().lower()
    if not TENANT_ID.fullmatch(tenant_id):
        raise WrongUseError(f"{tenant_id!r} is no tenant id; it looks like 0f2c1e5a-1234-5678-9abc-def012345678.")
    return tenant_id
