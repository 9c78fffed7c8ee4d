"""Links that ask a customer's Microsoft administrator for consent.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

_STATUSES = "'open', 'answered', 'confirmed', 'refused', 'withdrawn'"
_CONNECTION_STATUSES = (
    "'pending', 'verifying', 'awaiting_confirmation', 'awaiting_approval', 'connected', 'needs_consent', 'error', "
    "'disconnected'"
)
_STEPS = "'consent', 'sign_in', 'invited_sign_in', 'invited_consent', 'invited_proof'"


def upgrade() -> None:
    """Add the table, and the steps of an invited administrator."""
    op.create_table(
        "admin_invitations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("token_hash", sa.Text(), nullable=False, comment="SHA-256 of the link's secret"),
        sa.Column("requested_by", sa.Text(), nullable=False, comment="who asks, in allwhere"),
        sa.Column(
            "choices",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="what was ticked on the connect page",
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default="open",
            nullable=False,
            comment="open, answered, confirmed, refused, withdrawn; an open one ends by expires_at",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="72 hours after it was made"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"
        ),
        sa.CheckConstraint(f"status in ({_STATUSES})", name=op.f("admin_invitations_status_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("admin_invitations_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("admin_invitations_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("admin_invitations_token_hash_key")),
        comment="links that ask a customer's Microsoft administrator for consent; each is answered once",
    )
    op.create_index(
        "admin_invitations_account_id_key",
        "admin_invitations",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("status in ('open', 'answered')"),
    )
    op.drop_constraint("connections_status_check", "connections")
    op.create_check_constraint(op.f("connections_status_check"), "connections", f"status in ({_CONNECTION_STATUSES})")
    op.drop_constraint("connect_attempts_step_check", "connect_attempts")
    op.create_check_constraint(op.f("connect_attempts_step_check"), "connect_attempts", f"step in ({_STEPS})")
