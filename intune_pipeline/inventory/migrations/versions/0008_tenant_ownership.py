"""A tenant belongs to the account that proved its administrator and its grant; nothing is reserved before.

Connections that never worked lose the tenant they had put their hand on. A tenant that several accounts had one after
the other belongs to the one that has it now, else to the last.

Revision ID: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"

_GUID = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"


def upgrade() -> None:
    """Add who proved a tenant and whose it is, from what the connections say."""
    op.create_table(
        "tenant_owners",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Entra tenant GUID, lower case"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account it belongs to"),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="when the account proved it, or an operator moved it",
        ),
        sa.CheckConstraint(f"tenant_id ~ {_GUID}", name=op.f("tenant_owners_tenant_id_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("tenant_owners_account_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("tenant_owners_pkey")),
        comment="which account a tenant belongs to, also after a disconnect; only an operator moves it",
    )
    op.create_index(op.f("tenant_owners_account_id_idx"), "tenant_owners", ["account_id"])
    for column in _COLUMNS:
        op.add_column("connections", column)
    op.alter_column(
        "connections",
        "tenant_id",
        comment="Entra tenant GUID, lower case; null until an administrator's role and the grant are proven",
        existing_comment="Entra tenant GUID, lower case; null until the tenant is proven",
    )
    op.drop_constraint("connections_connected_tenant_check", "connections")
    op.drop_index("connections_tenant_id_key", "connections")
    op.execute(_FORGET_UNPROVEN)
    op.execute(_END_VERIFYING)
    op.execute(_OWNERS)
    op.execute(_ONE_OWNER)
    op.create_check_constraint(
        op.f("connections_connected_tenant_check"), "connections", "status <> 'connected' or tenant_id is not null"
    )
    op.create_check_constraint(
        op.f("connections_candidate_tenant_id_check"), "connections", f"candidate_tenant_id ~ {_GUID}"
    )
    op.create_index("connections_tenant_id_key", "connections", ["tenant_id"], unique=True)
    op.create_index(
        "connections_candidate_tenant_id_idx",
        "connections",
        ["candidate_tenant_id"],
        postgresql_where=sa.text("candidate_tenant_id is not null"),
    )


_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column(
        "candidate_tenant_id",
        sa.Text(),
        comment="the tenant whose administrator signed in and whose grant is not proven yet; reserves nothing",
    ),
    sa.Column("requested_by", sa.Text(), comment="who began to connect it, in allwhere"),
    sa.Column(
        "verifying_since",
        sa.DateTime(timezone=True),
        comment="when verifying began, the last time",
    ),
    sa.Column(
        "proven_at",
        sa.DateTime(timezone=True),
        comment="when an administrator of the tenant last signed in to link it",
    ),
    sa.Column("proven_by_oid", sa.Text(), comment="that administrator's object id in Entra"),
    sa.Column("proven_by_upn", sa.Text(), comment="that administrator's user principal name"),
    sa.Column(
        "proven_by_roles",
        ARRAY(sa.Text()),
        server_default=sa.text("'{}'::text[]"),
        nullable=False,
        comment="that administrator's directory roles that allow consent",
    ),
)
_FORGET_UNPROVEN = """
    update connections set tenant_id = null where connected_at is null and status <> 'connected'
"""
_END_VERIFYING = """
    update connections
    set status = case when tenant_id is null then 'pending' else 'needs_consent' end, status_cause = 'consent_missing',
        status_message = 'Connecting was not finished. Connect again: a Global Administrator or a Privileged Role '
                         'Administrator of your Microsoft tenant has to sign in.'
    where status = 'verifying'
"""
_OWNERS = """
    insert into tenant_owners (tenant_id, account_id, since)
    select distinct on (tenant_id) tenant_id, account_id, coalesce(connected_at, created_at)
    from connections
    where tenant_id is not null
    order by tenant_id, status = 'disconnected', disconnected_at desc nulls first, id desc
"""
_ONE_OWNER = """
    update connections c set tenant_id = null
    from tenant_owners o
    where o.tenant_id = c.tenant_id and o.account_id <> c.account_id
"""
