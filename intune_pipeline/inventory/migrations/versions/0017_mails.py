"""E-mails to customers' admins: who asked for them, and what each was told.

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_KINDS = (
    "connection_broken",
    "not_connected",
    "tenant_waiting",
    "plan_waiting",
    "late",
    "sync_failed",
    "lifecycle_hold",
    "employee_hold",
    "drift",
    "serial_collision",
    "unknown_models",
    "ownership_unknown",
    "devices_failed",
    "check_warned",
    "webhook_off",
)


def upgrade() -> None:
    """Nobody has asked yet."""
    op.create_table(
        "mail_subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("subject", sa.Text(), nullable=False, comment="the sign-in provider's id of the person"),
        sa.Column("email", sa.Text(), nullable=False, comment="verified by the sign-in provider"),
        sa.Column("digest", sa.Text(), nullable=False, comment="daily or weekly, for what is not told at once"),
        sa.Column(
            "unsubscribe_token",
            sa.Text(),
            nullable=False,
            comment="random; in the link that ends the e-mails",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="when the person asked for e-mails",
        ),
        sa.Column(
            "digest_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the last digest was due, or the start",
        ),
        sa.CheckConstraint("digest in ('daily', 'weekly')", name=op.f("mail_subscriptions_digest_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("mail_subscriptions_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("mail_subscriptions_pkey")),
        sa.UniqueConstraint("account_id", "subject", name=op.f("mail_subscriptions_account_id_subject_key")),
        sa.UniqueConstraint("unsubscribe_token", name=op.f("mail_subscriptions_unsubscribe_token_key")),
        comment="admins who chose to be told by e-mail; nobody else is",
    )
    op.create_table(
        "mails_told",
        sa.Column("subscription_id", sa.BigInteger(), nullable=False, comment="the person's row"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what they were told of"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"),
        sa.CheckConstraint(f"kind in ({', '.join(repr(kind) for kind in _KINDS)})", name=op.f("mails_told_kind_check")),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["mail_subscriptions.id"],
            name=op.f("mails_told_subscription_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "kind", name=op.f("mails_told_pkey")),
        comment="what each person was told of by e-mail; forgotten when it is over, so that it is told anew",
    )
