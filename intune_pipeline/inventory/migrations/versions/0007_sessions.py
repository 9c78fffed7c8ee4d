"""Sign-ins of the portal, its limits and security counts in the database; accounts by the provider's organisation id.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables, and to accounts a column that is filled at the first sign-in."""
    op.add_column(
        "accounts",
        sa.Column(
            "org_id",
            sa.Text(),
            comment="the sign-in provider's immutable id of the organisation; null until the first sign-in or an operator sets it",
        ),
    )
    op.create_unique_constraint(op.f("accounts_org_id_key"), "accounts", ["org_id"])
    op.create_table(
        "portal_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("token_hash", sa.Text(), nullable=False, comment="SHA-256 of the token in the browser's cookie"),
        sa.Column("account_id", sa.BigInteger(), comment="null: an organisation allwhere does not know"),
        sa.Column("subject", sa.Text(), nullable=False, comment="the sign-in provider's id of the person"),
        sa.Column("email", sa.Text(), nullable=False, comment="verified e-mail, empty when there is none"),
        sa.Column("name", sa.Text(), nullable=False, comment="for show, empty when there is none"),
        sa.Column("role", sa.Text(), comment="primary_admin or secondary_admin; null for somebody who is no admin"),
        sa.Column("beta", sa.Boolean(), nullable=False, comment="whether the person has the permission intune:beta"),
        sa.Column("authenticated_at", _TIME, comment="auth_time of the provider; null when it did not say"),
        sa.Column("signed_in_at", _TIME, nullable=False, comment="when the session began"),
        sa.Column("last_seen_at", _TIME, nullable=False, comment="last request, to the minute"),
        sa.Column("ended_at", _TIME, comment="signed out or ended by an operator; null: not ended by anybody"),
        sa.CheckConstraint("role in ('primary_admin', 'secondary_admin')", name=op.f("portal_sessions_role_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("portal_sessions_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("portal_sessions_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("portal_sessions_token_hash_key")),
        comment="sign-ins to the portal; ended after 8 hours, after an hour without a request, or by somebody",
    )
    op.create_index(op.f("portal_sessions_account_id_idx"), "portal_sessions", ["account_id"])
    op.create_index(op.f("portal_sessions_subject_idx"), "portal_sessions", ["subject"])
    op.create_table(
        "kept_forms",
        sa.Column(
            "token_hash", sa.Text(), nullable=False, comment="SHA-256 of the token in the address that shows it again"
        ),
        sa.Column(
            "session_id",
            sa.BigInteger(),
            nullable=False,
            comment="the session it was typed in; one form per session is kept",
        ),
        sa.Column("sealed", sa.Text(), nullable=False, comment="where it was sent and what was typed, encrypted"),
        sa.Column("kept_at", _TIME, nullable=False, comment="forgotten an hour later"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["portal_sessions.id"], name=op.f("kept_forms_session_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("kept_forms_pkey")),
        sa.UniqueConstraint("session_id", name=op.f("kept_forms_session_id_key")),
        comment="forms sent with a sign-in that had ended or was too old, shown again after signing in",
    )
    op.create_table(
        "rate_limits",
        sa.Column("name", sa.Text(), nullable=False, comment="what is limited"),
        sa.Column("key", sa.Text(), nullable=False, comment="whose uses are counted: an account or an address"),
        sa.Column(
            "used_until",
            _TIME,
            nullable=False,
            comment="theoretical arrival time of the generic cell rate algorithm; in the past: nothing is used up",
        ),
        sa.PrimaryKeyConstraint("name", "key", name=op.f("rate_limits_pkey")),
        comment="how much of each limit is used up, for all processes of the portal together",
    )
    op.create_index(op.f("rate_limits_used_until_idx"), "rate_limits", ["used_until"])
    op.create_table(
        "security_counts",
        sa.Column("hour", _TIME, nullable=False, comment="the hour, by its beginning"),
        sa.Column("event", sa.Text(), nullable=False, comment="an event of the security log"),
        sa.Column("account", sa.Text(), nullable=False, comment="the account's slug, empty when none is known"),
        sa.Column("times", sa.Integer(), nullable=False, comment="how often"),
        sa.PrimaryKeyConstraint("hour", "event", "account", name=op.f("security_counts_pkey")),
        comment="how often each security event happened; many in an hour alarm operators",
    )
