"""Decisions about held employees and lifecycle ends: who, when, about how many, and the sync that took them up.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_HOLDS = {"employee_holds": "employees", "lifecycle_holds": "lifecycle"}


def upgrade() -> None:
    """What was decided before becomes a decision; a sync that ended since has taken it up."""
    op.create_table(
        "hold_decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="employees, lifecycle: the ends of assets whose devices are gone",
        ),
        sa.Column("decision", sa.Text(), nullable=False, comment="created, linked, skipped; released, dropped"),
        sa.Column("size", sa.Integer(), nullable=False, comment="how many people or devices it is about"),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="who decided"),
        sa.Column(
            "decided_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="when"
        ),
        sa.Column(
            "applied_run_id",
            sa.BigInteger(),
            comment="the sync that took it up; null while it waits for one and can be taken back",
        ),
        sa.Column("undone_by", sa.Text(), comment="who took it back"),
        sa.Column("undone_at", sa.DateTime(timezone=True), comment="when"),
        sa.CheckConstraint("kind in ('employees', 'lifecycle')", name=op.f("hold_decisions_kind_check")),
        sa.CheckConstraint(
            "decision in ('created', 'linked', 'skipped', 'released', 'dropped')",
            name=op.f("hold_decisions_decision_check"),
        ),
        sa.CheckConstraint("undone_at is null or applied_run_id is null", name=op.f("hold_decisions_undone_check")),
        sa.ForeignKeyConstraint(["applied_run_id"], ["sync_runs.id"], name=op.f("hold_decisions_applied_run_id_fkey")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("hold_decisions_connection_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("hold_decisions_pkey")),
        comment="what people decided about held employees and lifecycle ends: for all, for a search or for a chosen few",
    )
    op.create_index(
        op.f("hold_decisions_connection_id_decided_at_idx"), "hold_decisions", ["connection_id", "decided_at"]
    )
    for table in _HOLDS:
        of_decision = "the decision it was part of" if table == "employee_holds" else "the decision"
        op.add_column(table, sa.Column("decision_id", sa.BigInteger(), comment=f"{of_decision}, null while waiting"))
        op.create_foreign_key(
            op.f(f"{table}_decision_id_fkey"), table, "hold_decisions", ["decision_id"], ["id"], ondelete="SET NULL"
        )
        op.create_index(op.f(f"{table}_decision_id_idx"), table, ["decision_id"])
    op.add_column(
        "employee_holds",
        sa.Column(
            "adds_address",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="whether linking wrote the address down, so that taking it back removes it",
        ),
    )
    op.execute("""
        update employee_holds h set adds_address = true from employee_emails m
        where h.decision = 'linked' and m.employee_id = h.lookalike_id and m.email_key = h.email_key and m.kind = 'work'
    """)
    _name_what_was_decided()


def _name_what_was_decided() -> None:
    for table, kind in _HOLDS.items():
        size = "count(*)" if table == "employee_holds" else "sum(jsonb_array_length(h.intune_device_ids))"
        op.execute(f"""
            insert into hold_decisions (connection_id, kind, decision, size, decided_by, decided_at, applied_run_id)
            select h.connection_id, '{kind}', h.decision, {size}, coalesce(h.decided_by, ''), h.decided_at,
                   (select min(r.id) from sync_runs r
                    where r.connection_id = h.connection_id and r.trigger <> 'undo' and r.finished_at > h.decided_at)
            from {table} h where h.decision <> 'waiting' and h.decided_at is not null
            group by h.connection_id, h.decision, h.decided_by, h.decided_at
        """)  # noqa: S608 - tables of our own
        op.execute(f"""
            update {table} h set decision_id = d.id from hold_decisions d
            where d.kind = '{kind}' and d.connection_id = h.connection_id and d.decision = h.decision
              and d.decided_by = coalesce(h.decided_by, '') and d.decided_at = h.decided_at
        """)  # noqa: S608 - tables of our own
