"""Alerts: what operators are told, once per cause and tenant until it clears.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True, comment="null for what concerns every tenant"),
        sa.Column(
            "cause",
            sa.Text(),
            nullable=False,
            comment="a cause of microsoft.causes, or late, failed, lifecycle_hold …",
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="one sentence: what happened and what to do"),
        sa.Column(
            "raised_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="when it was first seen",
        ),
        sa.Column(
            "told_at", sa.DateTime(timezone=True), nullable=True, comment="when people were told; null: not yet"
        ),
        sa.Column(
            "cleared_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was over; the same cause then is a new alert",
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="alerts_connection_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="alerts_pkey"),
        comment="what operators are told, one message per cause and tenant until it clears",
    )
    op.create_index(
        "alerts_open_key",
        "alerts",
        ["cause", sa.text("coalesce(connection_id, 0)")],
        unique=True,
        postgresql_where=sa.text("cleared_at is null"),
    )
