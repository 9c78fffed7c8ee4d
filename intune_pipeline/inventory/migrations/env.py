"""Runs migrations on the connection ``database.upgrade`` hands over, inside its transaction.

A developer's ``alembic revision --autogenerate`` is not offered: migrations are written by hand and compared with the
tables by a test.
"""

from alembic import context

from intune_pipeline.inventory.database import VERSION_TABLE
from intune_pipeline.inventory.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
