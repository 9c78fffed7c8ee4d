"""Words for plans that wait for approval and for undoing a run.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATUSES = ("pending", "verifying", "awaiting_approval", "connected", "needs_consent", "error", "disconnected")
_TRIGGERS = ("initial", "schedule", "manual", "operator", "undo")


def upgrade() -> None:
    """Allow the new words; rows keep theirs."""
    _allow("connections", "status", _STATUSES)
    _allow("sync_runs", "trigger", _TRIGGERS)
    _allow("sync_requests", "trigger", _TRIGGERS)


def _allow(table: str, column: str, words: tuple[str, ...]) -> None:
    name = op.f(f"{table}_{column}_check")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} in ({', '.join(repr(word) for word in words)})")
