"""``db``: the databases' migrations.

Belongs here: the commands. Does not belong here: the migrations (``inventory.migrations``).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine


@click.group("db")
def group() -> None:
    """Look after the databases."""


@group.command("upgrade")
@click.option(
    "--roles", is_flag=True, help="First create the roles owner, pipeline, portal and dagster; needs an administrator."
)
def upgrade(*, roles: bool) -> None:
    """Bring allwhere's and Dagster's database to this version; run it again as often as you like."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import database
    from intune_pipeline.inventory.roles import Role
    from intune_pipeline.settings import Settings

    prefix = Settings.load().intune_database_role_prefix
    if roles:
        click.echo(create_roles())
    with store.opened(migrated=False, role=Role.OWNER) as engine:
        applied = database.pending(engine)
        database.upgrade(engine, prefix)
        click.echo(f"allwhere's database: {', '.join(applied) + ' applied' if applied else 'up to date'}")
        upgrade_dagster()
        click.echo("Dagster's database: up to date")


def create_roles() -> str:
    """Create the roles, give them the databases, and say so.

    Raises:
        NotPermittedError: the user of ``ALLWHERE_DATABASE_URL`` is no administrator.
    """
    from sqlalchemy import make_url

    from intune_pipeline.inventory import database
    from intune_pipeline.inventory.roles import Role
    from intune_pipeline.local import DAGSTER
    from intune_pipeline.settings import RoleSettings, Settings

    settings = Settings.load()
    if settings.allwhere_database_url is None:
        return "Roles: the embedded server always has them"
    given = RoleSettings.load()
    prefix = settings.intune_database_role_prefix
    passwords = {role: secret.get_secret_value() for role in Role if (secret := given.password_of(role))}
    url = make_url(settings.allwhere_database_url.get_secret_value())
    given_dagster = settings.dagster_postgres_url
    dagster = None if given_dagster is None else make_url(given_dagster.get_secret_value())
    _with_engine(url, lambda engine: database.create_roles(engine, prefix, passwords))
    # Dagster's database on another server is looked after there.
    if dagster is None or (dagster.host, dagster.port, dagster.query) == (url.host, url.port, url.query):
        own = database.create_if_missing(
            url.render_as_string(hide_password=False), (dagster and dagster.database) or DAGSTER
        )
        _with_engine(make_url(own), lambda engine: database.give_database(engine, Role.DAGSTER, prefix))
    return f"Roles: {', '.join(role.name_of(prefix) for role in Role)}"


def _with_engine(url: "URL", work: "Callable[[Engine], None]") -> None:
    from intune_pipeline.inventory import database

    engine = database.create_engine(url.render_as_string(hide_password=False))
    try:
        work(engine)
    finally:
        engine.dispose()


def upgrade_dagster() -> None:
    """Create or migrate Dagster's own storage at the instance the environment names."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.upgrade()
        instance.reindex(print_fn=lambda _: None)
