"""Where the product's databases and files are on this machine when the settings do not say otherwise.

Belongs here: starting the embedded PostgreSQL, creating and migrating its two databases, Dagster's home, and telling child
processes about them. Does not belong here: the migrations (``inventory.database``), those of a database of one's own, and what
runs on top (``cli``).
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from intune_pipeline.extras import EMBEDDED_SERVER, require_demo
from intune_pipeline.settings import Settings, SettingsError, local_directory, project_directory

if TYPE_CHECKING:
    from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres

ALLWHERE = "allwhere"
DAGSTER = "dagster"


@dataclass(frozen=True)
class DatabaseUrls:
    """SQLAlchemy addresses, the driver psycopg2 named; hidden in the repr because they may hold passwords."""

    allwhere: str = field(repr=False)
    dagster: str = field(repr=False)


def dagster_url(settings: Settings) -> str:
    """The address of Dagster's database; allwhere's is not looked at where it is given, as in the Dagster UI's process."""
    given = settings.dagster_postgres_url
    return given.get_secret_value() if given else database_urls(settings).dagster


def database_urls(settings: Settings, *, needs_dagster: bool = True) -> DatabaseUrls:
    """The addresses of allwhere's and of Dagster's database; starts and creates what the settings leave to us.

    The embedded server runs as long as this process or another user of it lives; child processes must be told with
    :func:`export`, so that they use it without starting their own.

    Args:
        settings: the product's settings.
        needs_dagster: whether Dagster's address is needed; else it is "" where it is not given.

    Raises:
        ExtraMissingError: there is no embedded server in this installation.
        EmbeddedPostgresError: the embedded server cannot be used.
        DatabaseUnreachableError: the given server cannot be reached.
        SettingsError: Dagster's database is neither given nor can it be created.
    """
    from intune_pipeline.inventory import database
    from intune_pipeline.inventory.roles import Role

    given_allwhere, given_dagster = (
        url.get_secret_value() if url else None
        for url in (settings.allwhere_database_url, settings.dagster_postgres_url)
    )
    if given_allwhere is None:
        require_demo("ALLWHERE_DATABASE_URL is not set, and the embedded PostgreSQL", *EMBEDDED_SERVER)
        from intune_pipeline.inventory import embedded_postgres

        prefix = settings.intune_database_role_prefix
        server = embedded_postgres.start(local_directory() / "postgres")
        _prepare(server, prefix)
        given_allwhere = server.url(ALLWHERE, Role.OWNER.name_of(prefix))
        _migrate(given_allwhere, prefix)
        given_dagster = given_dagster or server.url(DAGSTER, Role.DAGSTER.name_of(prefix))
    if given_dagster is None and needs_dagster:
        try:
            given_dagster = database.create_if_missing(given_allwhere, DAGSTER)
        except database.NotPermittedError:
            raise SettingsError(
                f"DAGSTER_POSTGRES_URL is not set and the user of ALLWHERE_DATABASE_URL may not create the database "
                f"{DAGSTER}; create it, or set DAGSTER_POSTGRES_URL."
            ) from None
    return DatabaseUrls(given_allwhere, given_dagster or "")


def _prepare(server: "EmbeddedPostgres", prefix: str) -> None:
    """Create what the embedded server lacks: the roles, and both databases in their hands."""
    from intune_pipeline.inventory import database
    from intune_pipeline.inventory.roles import Role

    if database.is_given(server.url("postgres"), {ALLWHERE: Role.OWNER, DAGSTER: Role.DAGSTER}, prefix):
        return
    for name, role in ((ALLWHERE, Role.OWNER), (DAGSTER, Role.DAGSTER)):
        engine = database.create_engine(database.create_if_missing(server.url("postgres"), name))
        try:
            database.create_roles(engine, prefix, {}) if role is Role.OWNER else None
            database.give_database(engine, role, prefix)
        finally:
            engine.dispose()


def _migrate(url: str, prefix: str) -> None:
    """Bring the embedded database up to this version, as nobody else looks after it."""
    from intune_pipeline.inventory import database

    engine = database.create_engine(url)
    try:
        if database.pending(engine):
            database.upgrade(engine, prefix)
    finally:
        engine.dispose()


def prepare_dagster_home(settings: Settings) -> Path:
    """Create Dagster's home and put ``dagster.yaml`` there; returns the directory.

    A ``dagster.yaml`` that somebody keeps in a home of their own (``DAGSTER_HOME``) stays as it is.

    Raises:
        SettingsError: the directory cannot be written, or the file to install is missing.
    """
    home = settings.dagster_directory.expanduser().absolute()
    installed = home / "dagster.yaml"
    if settings.dagster_home is not None and installed.exists():
        return home
    original = project_directory() / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, installed)
    except FileNotFoundError:
        raise SettingsError(
            f"DAGSTER_HOME has no dagster.yaml and {project_directory()} has none to put there; run from the "
            "repository, or write one as docs/operations.md shows."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"DAGSTER_HOME {home} cannot be written ({error.strerror}); choose another directory."
        ) from None
    return home


def export(urls: DatabaseUrls, dagster_home: Path) -> None:
    """Tell this process's children where the databases and Dagster's home are."""
    os.environ["ALLWHERE_DATABASE_URL"] = urls.allwhere
    if urls.dagster:
        os.environ["DAGSTER_POSTGRES_URL"] = urls.dagster
    os.environ["DAGSTER_HOME"] = str(dagster_home)
