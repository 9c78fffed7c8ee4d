"""``db``: the databases' migrations.

Belongs here: the commands. Does not belong here: the migrations (``inventory.migrations``).
"""

import click


@click.group("db")
def group() -> None:
    """Look after the databases."""


@group.command("upgrade")
def upgrade() -> None:
    """Bring allwhere's and Dagster's database to this version; run it again as often as you like."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import database

    with store.opened(migrated=False) as engine:
        applied = database.pending(engine)
        database.upgrade(engine)
        click.echo(f"allwhere's database: {', '.join(applied) + ' applied' if applied else 'up to date'}")
        upgrade_dagster()
        click.echo("Dagster's database: up to date")


def upgrade_dagster() -> None:
    """Create or migrate Dagster's own storage at the instance the environment names."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.upgrade()
        instance.reindex(print_fn=lambda _: None)
