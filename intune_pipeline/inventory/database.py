"""How allwhere's database is reached, created and migrated.

Belongs here: engines, databases, migrations. Does not belong here: tables (``schema``) and queries on them.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import sqlalchemy as sa
from psycopg2 import errors as pg
from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext, make_url

from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory import roles, row_security
from intune_pipeline.inventory.roles import DEFAULT_PREFIX, Acting, Role
from intune_pipeline.inventory.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
#: Not alembic's default name, which allwhere's own migrations may use in the same database.
VERSION_TABLE = row_security.VERSION
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


def create_engine(url: str, application_name: str = "intune-pipeline", *, acting: Acting | None = None) -> Engine:
    """An engine with a small pool, UTC, timeouts, and errors that never show parameters.

    Connections made with it raise :class:`DatabaseUnreachableError` where the server cannot be reached or goes away.

    Args:
        url: ``postgresql+psycopg2://…``.
        application_name: shown in ``pg_stat_activity``.
        acting: the role and account to work as; None: the user of the address, as it is.
    """
    engine = sa.create_engine(
        url,
        pool_size=5,
        max_overflow=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        # No column holds hstore; each new connection would ask whether there is such a type.
        use_native_hstore=False,
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
    if acting is not None:
        roles.attach(engine, acting)
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


def upgrade(engine: Engine, prefix: str = DEFAULT_PREFIX) -> None:
    """Bring tables, row-level security and privileges up to this version; processes that upgrade at once wait for each other.

    Args:
        engine: of a user who owns the tables, or may act as their owner.
        prefix: of the roles' names.

    Raises:
        DatabaseTooNewError: the database was migrated by a newer version.
        DatabaseUnreachableError: the server cannot be reached.
        NotPermittedError: the user does not own the tables.
    """
    from alembic import command

    with engine.begin() as db:
        db.execute(sa.text("set local lock_timeout = 0"))
        db.execute(sa.text("set local statement_timeout = 0"))
        db.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        _act_as_owner(db, Role.OWNER.name_of(prefix))
        try:
            if _pending(db):
                config = _config()
                config.attributes["connection"] = db
                command.upgrade(config, "head")
            row_security.protect(db, prefix)
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, pg.InsufficientPrivilege):
                raise
            raise NotPermittedError(
                f"The user of ALLWHERE_DATABASE_URL may not change the tables ({error.orig.diag.message_primary}); run this as their owner, "
                "or as an administrator with: intune-pipeline db upgrade --roles"
            ) from None


def _act_as_owner(db: Connection, owner: str) -> None:
    """Work as the role that owns the tables for the rest of the transaction, else as the user of the address."""
    db.execute(
        sa.text("""
            select set_config('role', coalesce((
                select tableowner from pg_tables
                where schemaname = current_schema() and tablename = :table and tableowner = :owner
                  and pg_has_role(session_user, tableowner, 'member')
            ), 'none'), true)
        """),
        {"table": VERSION_TABLE, "owner": owner},
    )


@contextmanager
def explained_for_owner(what: str) -> Iterator[None]:
    """Around work that only the tables' owner may do.

    Raises:
        NotPermittedError: the user is somebody else.
    """
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if not isinstance(error.orig, pg.InsufficientPrivilege):
            raise
        raise NotPermittedError(
            f"{what} needs the tables' owner; run this with the ALLWHERE_DATABASE_URL of the role owner."
        ) from None


def create_roles(engine: Engine, prefix: str, passwords: Mapping[Role, str]) -> None:
    """Create the roles that are missing and give the tables to their owner; run it again as often as you like.

    Args:
        engine: of an administrator, who may create roles and owns the database.
        prefix: of the roles' names.
        passwords: to set, by role; a role without one signs in as the server's other rules allow.

    Raises:
        NotPermittedError: the user may not do this.
        DatabaseUnreachableError: the server cannot be reached.
    """
    try:
        with engine.begin() as db:
            db.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            roles.create(db, prefix, passwords)
            quote = db.dialect.identifier_preparer.quote
            owner = quote(Role.OWNER.name_of(prefix))
            schema = quote(str(db.scalar(sa.text("select current_schema()"))))
            database = quote(str(db.scalar(sa.text("select current_database()"))))
            db.exec_driver_sql(f"grant create, usage on schema {schema} to {owner}")
            db.exec_driver_sql(f"grant create, connect, temporary on database {database} to {owner}")
            for role in (Role.PIPELINE, Role.PORTAL):
                db.exec_driver_sql(f"grant connect, temporary on database {database} to {quote(role.name_of(prefix))}")
            for kind, name in db.execute(_OURS, {"owner": Role.OWNER.name_of(prefix), "version": VERSION_TABLE}).all():
                db.exec_driver_sql(f"alter {kind} {name} owner to {owner}")
            if not db.scalar(sa.select(sa.func.to_regclass(VERSION_TABLE).is_not(None))):
                # So that the first migration, too, is the owner's.
                db.exec_driver_sql(f"set local role {owner}")
                db.exec_driver_sql(f"create table {VERSION_TABLE} (version_num varchar(32) primary key)")
    except sa.exc.ProgrammingError as error:
        if not isinstance(error.orig, pg.InsufficientPrivilege):
            raise
        raise NotPermittedError(
            "The user of ALLWHERE_DATABASE_URL may not create roles or does not own the tables "
            f"({error.orig.diag.message_primary}); run this once as an administrator of the database server."
        ) from None


def give_database(engine: Engine, role: Role, prefix: str) -> None:
    """Give a database of its own to a role, with the tables of its default schema, and let only our roles in.

    Args:
        engine: of an administrator, on that database.
        role: its owner to be.
        prefix: of the roles' names.
    """
    with engine.begin() as db:
        quote = db.dialect.identifier_preparer.quote
        name = role.name_of(prefix)
        database = quote(str(db.scalar(sa.text("select current_database()"))))
        roles.join(db, name)
        db.exec_driver_sql(f"alter database {database} owner to {quote(name)}")
        db.exec_driver_sql(f"revoke connect, temporary on database {database} from public")
        for table in db.scalars(_NOT_OWNED, {"owner": name}).all():
            db.exec_driver_sql(f"alter table {table} owner to {quote(name)}")


def is_given(url: str, owners: Mapping[str, Role], prefix: str) -> bool:
    """Whether all roles are there and own these databases.

    Args:
        url: any database of the server.
        owners: role by database.
        prefix: of the roles' names.
    """
    engine = create_engine(url)
    try:
        with engine.connect() as db:
            found = db.execute(sa.text("select datname, pg_get_userbyid(datdba) from pg_database"))
            given = {(name, owner) for name, owner in found}
            expected = {(name, role.name_of(prefix)) for name, role in owners.items()}
            return expected <= given and not roles.missing(db, prefix)
    finally:
        engine.dispose()


#: What the migrations made, and who does not own it yet. Sequences follow their tables.
_OURS = sa.text(
    """
    select 'schema', nspname::text from pg_namespace where nspname = 'pipeline' and pg_get_userbyid(nspowner) <> :owner
    union all
    select 'table', c.oid::regclass::text from pg_class c
    where c.relkind = 'r' and pg_get_userbyid(c.relowner) <> :owner
      and (c.relname = :version and c.relnamespace = current_schema()::regnamespace
           or c.oid::regclass::text = any (array[TABLES]))
    union all
    select 'function', p.oid::regprocedure::text from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and pg_get_userbyid(p.proowner) <> :owner
      and (p.proname = any (array[FUNCTIONS])
           or p.oid in (select tgfoid from pg_trigger where tgrelid::regclass::text = any (array[TABLES])))
""".replace("TABLES", ", ".join(f"'{table.fullname}'" for table in metadata.sorted_tables)).replace(
        "FUNCTIONS", ", ".join(f"'{name}'" for name in row_security.FUNCTION_NAMES)
    )
)
_NOT_OWNED = sa.text("""
    select oid::regclass::text from pg_class
    where relkind = 'r' and relnamespace = current_schema()::regnamespace and pg_get_userbyid(relowner) <> :owner
""")


def pending(engine: Engine) -> list[str]:
    """The migrations that :func:`upgrade` would apply, oldest first; empty when the tables are up to date.

    Raises:
        DatabaseTooNewError: the database was migrated by a newer version.
        DatabaseUnreachableError: the server cannot be reached.
    """
    with engine.connect() as db:
        return [] if _is_at(db, newest_migration()) else _pending(db)


@cache
def newest_migration() -> str:
    """The migration this version ends with: the one that no other follows."""
    ids: set[str] = set()
    followed: set[str | None] = set()
    for path in (MIGRATIONS / "versions").glob("*.py"):
        said: dict[str, str] = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in said:
            ids.add(said["revision"])
            followed.add(said.get("down_revision"))
    [newest] = ids - followed
    return newest


_REVISION = re.compile(r"""^(revision|down_revision)(?:: [^=]+)? = ["']([^"']+)["']""", re.MULTILINE)


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
