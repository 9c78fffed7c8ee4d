"""Users who look like shared accounts wait for a decision like look-alikes, with the reason and the grade.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """What waits today is a look-alike of the same name, so probably the same person."""
    op.add_column("employee_holds", sa.Column("display_name", sa.Text(), comment="as Intune shows it"))
    op.add_column(
        "employee_holds",
        sa.Column(
            "kind", sa.Text(), server_default="lookalike", nullable=False, comment="lookalike, shared: no person"
        ),
    )
    op.add_column("employee_holds", sa.Column("reason", sa.Text(), comment="why, a phrase for people"))
    op.add_column(
        "employee_holds",
        sa.Column("grade", sa.Text(), comment="surely or probably the same person; null for a shared account"),
    )
    op.execute("update employee_holds set reason = 'the same name', grade = 'probably'")
    for column in ("first_name", "last_name"):
        op.alter_column(
            "employee_holds",
            column,
            existing_type=sa.Text(),
            nullable=True,
            existing_comment="as it would be stored",
            comment="as it would be stored; null where no name can be read",
        )
    op.alter_column(
        "employee_holds",
        "lookalike_id",
        existing_type=sa.BigInteger(),
        existing_comment="the employee of the same name",
        comment="the employee who could be the same person",
    )
    op.create_check_constraint(op.f("employee_holds_kind_check"), "employee_holds", "kind in ('lookalike', 'shared')")
    op.create_check_constraint(
        op.f("employee_holds_grade_check"), "employee_holds", "grade in ('surely', 'probably', 'perhaps')"
    )
    op.create_check_constraint(
        op.f("employee_holds_name_check"),
        "employee_holds",
        "kind = 'shared' or (first_name is not null and last_name is not null)",
    )
    op.create_table_comment(
        "employee_holds",
        "users a sync did not make employees: look-alikes of employees and shared accounts, waiting for a decision",
        existing_comment="employees a sync would create beside one of the same name without a work e-mail, waiting for a decision",
    )
