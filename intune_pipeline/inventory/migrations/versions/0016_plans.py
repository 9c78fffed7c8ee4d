"""Stored plans of syncs, the approval of the first one, and the request that has to do one.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"

_STATUSES = "'requested', 'planning', 'ready', 'approved', 'applied', 'changed', 'failed'"
_KINDS = "'created', 'updated', 'ended', 'employee_added', 'employee_held', 'ending_held', 'skipped', 'failed'"


def upgrade() -> None:
    """Nobody waits for an approval yet."""
    op.create_table(
        "plans",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="run key of its Dagster run",
        ),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column(
            "status",
            sa.Text(),
            server_default="requested",
            nullable=False,
            comment="requested, planning, ready; approved, then applied or changed; failed",
        ),
        sa.Column("requested_by", sa.Text(), server_default="", nullable=False, comment="who asked for it"),
        sa.Column(
            "requested_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"
        ),
        sa.Column(
            "listed_at",
            sa.DateTime(timezone=True),
            comment="when the list it was made from was read; null until made",
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), comment="when it was made; it is kept for a day"),
        sa.Column(
            "counts",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="the counts the sync would report",
        ),
        sa.Column("hold_reason", sa.Text(), comment="why endings are held; null when none is"),
        sa.Column(
            "follows_id", sa.Uuid(), comment="the approved plan in whose place it stands, because that one held no more"
        ),
        sa.Column(
            "differences",
            JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="what changed since that one: name, line before, line after",
        ),
        sa.Column("approved_by", sa.Text(), comment="who approved it"),
        sa.Column("approved_at", sa.DateTime(timezone=True), comment="when"),
        sa.Column("sync_run_id", sa.BigInteger(), comment="the sync that did exactly this, null for none"),
        sa.Column("error", sa.Text(), comment="one sentence when it could not be made"),
        sa.CheckConstraint(f"status in ({_STATUSES})", name=op.f("plans_status_check")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("plans_connection_id_fkey")),
        sa.ForeignKeyConstraint(["sync_run_id"], ["sync_runs.id"], name=op.f("plans_sync_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("plans_pkey")),
        comment="what a sync would do, asked for and made; approved, a sync does exactly that or says what changed",
    )
    op.create_index(op.f("plans_connection_id_requested_at_idx"), "plans", ["connection_id", "requested_at"])
    op.create_index(
        "plans_open_key",
        "plans",
        ["connection_id"],
        unique=True,
        postgresql_where=sa.text("status in ('requested', 'planning')"),
    )
    op.create_table(
        "plan_lines",
        sa.Column("plan_id", sa.Uuid(), nullable=False, comment="the plan's row"),
        sa.Column("position", sa.Integer(), nullable=False, comment="from 0"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what the plan says about it"),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="serial number, else the device's id; of a person the e-mail",
        ),
        sa.Column("model", sa.Text(), server_default="", nullable=False, comment="the device's model, for people"),
        sa.Column(
            "note",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="why; a person's name; why a device is skipped",
        ),
        sa.Column(
            "grade",
            sa.Text(),
            comment="how sure it is that the person is an employee already, null without a look-alike",
        ),
        sa.Column("lookalike_id", sa.BigInteger(), comment="that employee"),
        sa.Column(
            "reasons",
            JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="why it could be that employee",
        ),
        sa.Column(
            "fields",
            JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="each field's value before and after, secrets hidden",
        ),
        sa.CheckConstraint(f"kind in ({_KINDS})", name=op.f("plan_lines_kind_check")),
        sa.CheckConstraint("grade in ('surely', 'probably', 'perhaps')", name=op.f("plan_lines_grade_check")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("plan_lines_plan_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "position", name=op.f("plan_lines_pkey")),
        comment="a stored plan line by line: assets, people, devices left out",
    )
    op.add_column(
        "sync_requests",
        sa.Column(
            "plan_id",
            sa.Uuid(),
            comment="the approved plan that the sync has to do, null for whatever is due",
        ),
    )
    op.create_foreign_key(
        op.f("sync_requests_plan_id_fkey"), "sync_requests", "plans", ["plan_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column(
        "connections",
        sa.Column(
            "plan_first",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="nothing is synced before somebody approved a plan; false again once a sync has done one",
        ),
    )
