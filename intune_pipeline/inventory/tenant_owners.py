"""Which account a Microsoft tenant belongs to, for good: the first that proved it, until an operator moves it.

Belongs here: the table ``tenant_owners``. Does not belong here: what proves a tenant and what a connection is doing
(``connections``). A tenant keeps its owner when the connection ends and when the account connects another tenant.
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.errors import WrongUseError


class TenantLinkedElsewhereError(WrongUseError):
    """The tenant belongs to another account."""

    def __init__(self, tenant_id: str) -> None:
        super().__init__(
            f"The Microsoft tenant {tenant_id} is already linked to another allwhere account; when it has to change hands, "
            f"an operator moves it: intune-pipeline connections move {tenant_id} --to ACCOUNT --reason TEXT"
        )


def refuse_if_elsewhere(db: Connection, tenant_id: str, account_id: int) -> None:
    """Look whether a tenant is free for an account. Nothing is reserved: only :func:`take` decides.

    Raises:
        TenantLinkedElsewhereError: it belongs to another account.
    """
    owner = owner_of(db, tenant_id)
    if owner not in {None, account_id}:
        raise TenantLinkedElsewhereError(tenant_id)


def owner_of(db: Connection, tenant_id: str) -> int | None:
    """The id of the account a tenant belongs to, None when it was never linked.

    A connection written by hand owns its tenant too.
    """
    # A function of the tables' owner: row-level security hides another account's rows from the portal.
    owner: int | None = db.execute(sa.text("select owner_of_tenant(:tenant)"), {"tenant": tenant_id}).scalar_one()
    return owner


def take(db: Connection, tenant_id: str, account_id: int) -> None:
    """Make an account the owner of a tenant. Of several that take it at once, one gets it and the others wait for that.

    Args:
        db: a connection in a transaction.
        tenant_id: a tenant whose administrator and grant are proven.
        account_id: the account they were proven for.

    Raises:
        TenantLinkedElsewhereError: it belongs to another account.
    """
    db.execute(
        sa.text("insert into tenant_owners (tenant_id, account_id) values (:tenant, :account) on conflict do nothing"),
        {"tenant": tenant_id, "account": account_id},
    )
    if owner_of(db, tenant_id) != account_id:
        raise TenantLinkedElsewhereError(tenant_id)


def give(db: Connection, tenant_id: str, account_id: int) -> None:
    """Make an account the owner of a tenant whoever owns it: for an operator's command only."""
    db.execute(
        sa.text("""
            insert into tenant_owners (tenant_id, account_id) values (:tenant, :account)
            on conflict (tenant_id) do update set account_id = excluded.account_id, since = now()
        """),
        {"tenant": tenant_id, "account": account_id},
    )
