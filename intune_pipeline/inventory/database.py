"""How allwhere's database is reached, created and migrated.

Belongs here: engines, databases, migrations. Does not belong here: tables (``schema``) and queries on them.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import sqlalchemy as sa
from psycopg2 import errors as pg
from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext, make_url

from intune_pipeline.errors import PipelineError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
#: Not alembic's default name, which allwhere's own migrations may use in the same database.
VERSION_TABLE = "intune_pipeline_version"
_VERSION: sa.Select[tuple[str]] = sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(VERSION_TABLE))
#: PostgreSQL: the commit of such a transaction returns before it is on disk, and is there at the latest when a later one
#: that waits is. A server that crashes loses whole transactions at the end, as a process that is killed does.
WITHOUT_WAITING = sa.text("set local synchronous_commit = off")
MIGRATION_LOCK = 0x1A7E_0001
STATEMENT_TIMEOUT_SECONDS = 300
LOCK_TIMEOUT_SECONDS = 60


class DatabaseUnreachableError(PipelineError):
    """The database cannot be reached, or the connection to it was lost."""


class NotPermittedError(PipelineError):
    """The database's user may not do this."""


class DatabaseTooNewError(PipelineError):
    """The database was migrated by a newer version of this package."""


def create_engine(url: str, application_name: str = "intune-pipeline") -> Engine:
    """An engine with a small pool, UTC, timeouts, and errors that never show parameters.

    Connections made with it raise :class:`DatabaseUnreachableError` where the server cannot be reached or goes away.

    Args:
        url: ``postgresql+psycopg2://…``.
        application_name: shown in ``pg_stat_activity``.
    """
    engine = sa.create_engine(
        url,
        pool_size=5,
        max_overflow=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s "
            f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s",
        },
    )
    sa.event.listen(engine, "handle_error", _explain_unreachable)
    sa.event.listen(engine, "handle_error", _hide_values)
    return engine


def _explain_unreachable(context: ExceptionContext) -> None:
    connecting = context.connection is None and isinstance(context.sqlalchemy_exception, sa.exc.OperationalError)
    if context.is_pre_ping or not (connecting or context.is_disconnect):
        return
    where = _address(context.engine.url) if context.engine is not None else "it"
    said = str(context.original_exception).strip().splitlines()
    cause = said[0].rpartition(": ")[2] if said else "no answer"
    raise DatabaseUnreachableError(
        f"The database {where} cannot be reached ({cause}); check that it runs and ALLWHERE_DATABASE_URL."
    ) from None


def _hide_values(context: ExceptionContext) -> None:
    """Keep only the error itself: PostgreSQL adds the failing row, and psycopg2's statements contain their parameters."""
    error, original = context.sqlalchemy_exception, context.original_exception
    if isinstance(error, sa.exc.DBAPIError) and isinstance(original, psycopg2.Error) and original.diag.message_primary:
        original.args = (original.diag.message_primary,)
        error.args = (f"({type(original).__name__}) {original.diag.message_primary}",)


def _address(url: URL) -> str:
    """The address without user, password or options."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{url.database or ''} at {host}{f':{url.port}' if url.port else ''}".strip()


def create_if_missing(url: str, name: str) -> str:
    """Create a database on the server of ``url`` unless it is there; returns its address.

    Raises:
        NotPermittedError: the user may not create databases.
        DatabaseUnreachableError: the server cannot be reached.
    """
    engine = create_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            found = db.execute(sa.text("select 1 from pg_database where datname = :name"), {"name": name})
            if found.first() is None:
                _create(db, name)
    finally:
        engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _create(db: Connection, name: str) -> None:
    quoted = db.dialect.identifier_preparer.quote(name)
    try:
        db.execute(sa.text(f"create database {quoted} encoding 'UTF8' template template0"))
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, pg.InsufficientPrivilege):
            raise NotPermittedError(f"The database user may not create the database {name}.") from None
        # Somebody else created it at the same moment.
        if not isinstance(error.orig, pg.DuplicateDatabase | pg.UniqueViolation):
            raise


def upgrade(engine: Engine) -> None:
    """Bring the tables up to this version; processes that upgrade at once wait for each other.

    Raises:
        DatabaseTooNewError: the database was migrated by a newer version.
        DatabaseUnreachableError: the server cannot be reached.
    """
    from alembic import command

    with engine.begin() as db:
        db.execute(sa.text("set local lock_timeout = 0"))
        db.execute(sa.text("set local statement_timeout = 0"))
        db.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        _pending(db)
        config = _config()
        config.attributes["connection"] = db
        command.upgrade(config, "head")


def pending(engine: Engine) -> list[str]:
    """The migrations that :func:`upgrade` would apply, oldest first; empty when the tables are up to date.

    Raises:
        DatabaseTooNewError: the database was migrated by a newer version.
        DatabaseUnreachableError: the server cannot be reached.
    """
    with engine.connect() as db:
        return [] if _is_at(db, newest_migration()) else _pending(db)


def newest_migration() -> str:
    """The migration this version ends with: the one no other follows. Read from the files, as alembic is slow to load."""
    texts = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    revisions = {found[1] for text in texts if (found := _REVISION.search(text))}
    followed = {found[1] for text in texts if (found := _DOWN_REVISION.search(text))}
    (newest,) = revisions - followed
    return newest


_REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision = "(\w+)"', re.MULTILINE)


def _is_at(db: Connection, migration: str) -> bool:
    """Whether the tables are at a migration. Every command asks, and alembic takes a tenth of a second to say."""
    is_migrated = db.scalar(sa.select(sa.func.to_regclass(VERSION_TABLE).is_not(None)))
    return bool(is_migrated) and db.scalar(_VERSION) == migration


def _pending(db: Connection) -> list[str]:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config())
    context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
    ordered = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    current = context.get_current_revision()
    if current is not None and current not in ordered:
        raise DatabaseTooNewError(
            f"The database is at migration {current}, which this version does not know; install the newer version."
        )
    return ordered[ordered.index(current) + 1 :] if current else ordered


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
