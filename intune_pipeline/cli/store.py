"""How commands reach the databases: settings read, embedded server started, migrations checked.

Belongs here: what every command that touches the store does first. Does not belong here: queries.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory.roles import Acting, Role

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def opened(*, migrated: bool = True, role: Role = Role.PIPELINE) -> Iterator["Engine"]:
    """allwhere's database, with the environment set so that Dagster and child processes find the same databases.

    Args:
        migrated: whether pending migrations are refused.
        role: the database role to work as, where there are roles.

    Raises:
        SettingsError: a setting is malformed.
        DatabaseUnreachableError: the server does not answer.
        WrongUseError: migrations are pending and ``migrated`` asks for none.
    """
    import logging

    from intune_pipeline import logs
    from intune_pipeline.inventory.database import create_engine, pending
    from intune_pipeline.local import database_urls, export, prepare_dagster_home
    from intune_pipeline.settings import Settings

    logs.configure(logging.WARNING)
    settings = Settings.load()
    urls = database_urls(settings, needs_dagster=role is not Role.PORTAL)
    export(urls, prepare_dagster_home(settings))
    engine = create_engine(urls.allwhere, acting=Acting(role, prefix=settings.intune_database_role_prefix))
    try:
        if migrated and pending(engine):
            raise WrongUseError("The database is not up to date; run: intune-pipeline db upgrade")
        yield engine
    finally:
        engine.dispose()
