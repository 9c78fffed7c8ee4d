"""The index of an account's employees holds their ids too.

PostgreSQL checks an asset's assignee by (id, account_id). While there are few employees both indexes cost the same, and the
plan it keeps for the session may be the one that reads every employee of the account: in a first sync, for each new asset.

Revision ID: 0023
"""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Replace the index; the rows stay."""
    op.create_index(op.f("employees_account_id_id_idx"), "employees", ["account_id", "id"])
    op.drop_index(op.f("employees_account_id_idx"), "employees")
