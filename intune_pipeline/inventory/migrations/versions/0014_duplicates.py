"""Employees who are one person, or are not, as somebody said.

Revision ID: 0014
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Two new tables; nothing is merged by itself."""
    now: dict[str, Any] = {"server_default": sa.func.now(), "nullable": False, "comment": "when"}
    op.create_table(
        "different_people",
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("employee_id", sa.BigInteger(), nullable=False, comment="the lower id"),
        sa.Column("other_id", sa.BigInteger(), nullable=False, comment="the higher id"),
        sa.Column("declared_by", sa.Text(), nullable=False, comment="who said so"),
        sa.Column("declared_at", sa.DateTime(timezone=True), **now),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("different_people_account_id_fkey")),
        _to_employee("different_people", "employee_id"),
        _to_employee("different_people", "other_id"),
        sa.PrimaryKeyConstraint("employee_id", "other_id", name=op.f("different_people_pkey")),
        comment="employees who look alike and are different people, as somebody said",
    )
    op.create_index(op.f("different_people_other_id_idx"), "different_people", ["other_id"])
    op.create_table(
        "merged_employees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="generated"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="the account's row"),
        sa.Column("kept_id", sa.BigInteger(), nullable=False, comment="the employee the other one became"),
        sa.Column("merged_id", sa.BigInteger(), nullable=False, comment="the id of the one who went"),
        sa.Column(
            "content", JSONB(), nullable=False, comment="the row, its addresses and assets, so that it can come back"
        ),
        sa.Column("merged_by", sa.Text(), nullable=False, comment="who merged them"),
        sa.Column("merged_at", sa.DateTime(timezone=True), **now),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("merged_employees_account_id_fkey")),
        _to_employee("merged_employees", "kept_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("merged_employees_pkey")),
        comment="employees who were found to be another one and merged into them",
    )
    op.create_index(op.f("merged_employees_kept_id_idx"), "merged_employees", ["kept_id"])


def _to_employee(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["employees.id"], name=op.f(f"{table}_{column}_fkey"), ondelete="CASCADE")
