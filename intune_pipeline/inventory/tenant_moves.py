"""An operator's way to give a tenant to another account.

Belongs here: what happens to both accounts. Does not belong here: whose a tenant is (``tenant_owners``).
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import EndOfConnection
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit, tenant_owners
from intune_pipeline.inventory.connections import fail_waiting_syncs
from intune_pipeline.inventory.linking import given_tenant_id
from intune_pipeline.inventory.schema import accounts as accounts_table


def move(db: Connection, tenant_id: str, account: str, *, actor: str, reason: str) -> str:
    """Give a tenant to another account. Its former connection ends and says so; the new owner still has to connect it.

    Args:
        db: a connection in a transaction.
        tenant_id: a GUID, in any case.
        account: the new owner's slug.
        actor: the operator.
        reason: why, for both accounts' audit logs.

    Returns:
        The former owner's slug.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: the tenant id is malformed, the tenant was never linked, or it is the account's already.
    """
    tenant_id = given_tenant_id(tenant_id)
    owner = accounts.get(db, account)
    former_id = tenant_owners.owner_of(db, tenant_id)
    if former_id is None:
        raise WrongUseError(
            f"The tenant {tenant_id} belongs to no account yet; connect it in the portal, or with: "
            f"intune-pipeline connections add {account} --tenant-id {tenant_id}"
        )
    if former_id == owner.id:
        raise WrongUseError(f"The tenant {tenant_id} belongs to {account} already.")
    former = db.execute(sa.select(accounts_table.c.slug).where(accounts_table.c.id == former_id)).scalar_one()
    tenant_owners.give(db, tenant_id, owner.id)
    today = f"{datetime.now(UTC):%-d %B %Y}"
    sentence = (
        f"allwhere moved your Microsoft tenant {tenant_id} to another allwhere account on {today}. Your assets, employees "
        "and history are kept. If you did not expect this, write to your allwhere contact."
    )
    ended = db.execute(_END_MOVED, {"account": former_id, "tenant": tenant_id, "message": sentence})
    for connection_id in ended.scalars().all():
        fail_waiting_syncs(db, connection_id)
    audit.record(db, former_id, actor=actor, action="move", subject=tenant_id, reason=reason, direction="away")
    audit.record(db, owner.id, actor=actor, action="move", subject=tenant_id, reason=reason, direction="here")
    return str(former)


_END_MOVED = sa.text(f"""
    update connections
    set status = 'disconnected', tenant_id = null, candidate_tenant_id = null, status_cause = '{EndOfConnection.MOVED}',
        status_message = :message, disconnected_at = coalesce(disconnected_at, now())
    where account_id = :account and (tenant_id = :tenant or candidate_tenant_id = :tenant)
    returning id
""")  # noqa: S608 - a constant
