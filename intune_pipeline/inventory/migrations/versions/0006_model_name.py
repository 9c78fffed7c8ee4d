"""The model for people: ``model_name`` of assets and of devices.

The columns stay empty here; the next sync fills them, with history like every change.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NAME = "the model for people: what the maker calls it, else the model cleaned"
_TYPE = "SSD (computers) or Flash (phones, tablets) where the family never had a disk, else as entered"


def upgrade() -> None:
    """Add the columns, empty, without rewriting the tables."""
    op.add_column("assets", sa.Column("model_name", sa.Text(), nullable=True, comment=_NAME))
    op.add_column(
        "device_outcomes",
        sa.Column("model_name", sa.Text(), nullable=True, comment="the model for people, as in assets"),
    )
    op.alter_column("assets", "model", comment="what Intune says")
    op.alter_column("assets", "display_size", comment="inches, as plain decimals")
    op.alter_column("assets", "storage_type", comment=_TYPE)
