"""Which employee a user of Entra stands for, so that a new e-mail does not make a second employee.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """The next sync fills it."""
    op.create_table(
        "known_users",
        sa.Column("connection_id", sa.BigInteger(), nullable=False, comment="the connection's row"),
        sa.Column("user_id", sa.Text(), nullable=False, comment="Entra's id of the user, lower case"),
        sa.Column(
            "principal_name",
            sa.Text(),
            nullable=False,
            comment="compared user principal name, empty where there was none",
        ),
        sa.Column("employee_id", sa.BigInteger(), nullable=False, comment="the employee's row"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("known_users_connection_id_fkey")),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employees.id"], name=op.f("known_users_employee_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "user_id", name=op.f("known_users_pkey")),
        comment="which employee a user of Entra stands for, so that a new e-mail does not make a second one",
    )
    op.create_index(op.f("known_users_employee_id_idx"), "known_users", ["employee_id"])
