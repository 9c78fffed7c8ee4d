"""When the list of a sync was read, from which lateness counts, and the checks that warned.

Revision ID: 0020
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Of earlier syncs only their start is known, a moment before their list was read."""
    op.add_column(
        "sync_runs",
        sa.Column(
            "listed_at",
            sa.DateTime(timezone=True),
            comment="when the list was read that assets were written from; null while it runs",
        ),
    )
    op.add_column(
        "sync_runs",
        sa.Column(
            "warnings",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'{}'::jsonb"),
            comment="what the checks that warned say, by check",
        ),
    )
    op.execute("update sync_runs set listed_at = started_at where status = 'succeeded' and trigger <> 'undo'")
