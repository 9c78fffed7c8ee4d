"""What tests of every package share: one PostgreSQL for the session, a fresh migrated database for each test.

The server is the product's own embedded one, without fsync; pytest-xdist's workers share it.
"""

import gc
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import sqlalchemy as sa

from intune_pipeline import garbage_collector
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory import embedded_postgres, schema
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres
from intune_pipeline.inventory.roles import DEFAULT_PREFIX
from intune_pipeline_tests.chromium import CHROMIUM, SWITCHES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SERVER_DIRECTORY = "INTUNE_PIPELINE_TEST_POSTGRES"
TEMPLATE = "migrated"
#: A disk in memory, as Linux has it: to make and delete the thousand files of a database costs a tenth of what it costs on
#: another disk. Two workers fill 0.4 GB; where there is less than `MEMORY_NEEDED`, the disk is used.
MEMORY = Path("/dev/shm")  # noqa: S108 - files are made there as safely as below /tmp
MEMORY_NEEDED = 4_000_000_000


# How long an example takes says more about the machine than about the rule.
# The same examples every time: what a test says about a commit does not depend on the day.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
# mutmut runs the same tests again in one process.
hypothesis.settings.register_profile(
    "mutants", deadline=None, suppress_health_check=[hypothesis.HealthCheck.differing_executors]
)
hypothesis.settings.load_profile("tests")


# Of what is imported for four thousand tests nothing is garbage.
garbage_collector.collect_rarely()


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: where one waits for a browser or a deadline, another works."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
            tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)
        os.environ[SERVER_DIRECTORY] = tempfile.mkdtemp(prefix="intune-tests-")
        # Workers and the processes tests start are many; without bytecode each would compile all modules anew.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SERVER_DIRECTORY), ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def unsearched_runs() -> Iterator[None]:
    """Hundreds of syncs share a process here, which would be searched for garbage whole before each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(garbage_collector, "frozen", nullcontext)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running server, shared by the whole test session."""
    server = embedded_postgres.start(
        Path(os.environ[SERVER_DIRECTORY]), {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    )
    yield server
    server.release()


@pytest.fixture(scope="session")
def maintenance(postgres: EmbeddedPostgres) -> Iterator[sa.Engine]:
    """An engine that creates and drops databases."""
    engine = sa.create_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def fixed_names(maintenance: sa.Engine) -> Iterator[None]:
    """For roles and databases of fixed names: pytest-xdist's workers share the server, so one test at a time has them."""
    with maintenance.connect() as db:
        db.execute(sa.text("select pg_advisory_lock(2)"))
        yield
        db.execute(sa.text("select pg_advisory_unlock(2)"))


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres, maintenance: sa.Engine) -> str:
    """Name of a migrated database to copy; the first worker makes it."""
    with maintenance.connect() as db:
        db.execute(sa.text("select pg_advisory_lock(1)"))
        found = db.execute(sa.text("select 1 from pg_database where datname = :name"), {"name": TEMPLATE})
        if found.first() is None:
            engine = databases.create_engine(databases.create_if_missing(postgres.url("postgres"), f"{TEMPLATE}_new"))
            databases.create_roles(engine, DEFAULT_PREFIX, {})
            databases.upgrade(engine)
            engine.dispose()
            db.execute(sa.text(f"alter database {TEMPLATE}_new rename to {TEMPLATE}"))
        db.execute(sa.text("select pg_advisory_unlock(1)"))
    return TEMPLATE


def _create(maintenance: sa.Engine, template: str) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with maintenance.connect() as db:
        db.execute(sa.text(f"create database {name} template {template} strategy file_copy"))
    return name


def _drop(maintenance: sa.Engine, names: Iterable[str]) -> None:
    with maintenance.connect() as db:
        for name in names:
            db.execute(sa.text(f"drop database if exists {name} with (force)"))


@pytest.fixture
def new_database(postgres: EmbeddedPostgres, maintenance: sa.Engine) -> Iterator[Callable[..., str]]:
    """``new_database(template="template0")`` creates a database and returns its address; all are dropped afterwards."""
    created: list[str] = []

    def create(template: str = "template0") -> str:
        created.append(_create(maintenance, template))
        return postgres.url(created[-1])

    yield create
    _drop(maintenance, created)


@dataclass
class Databases:
    """Copies of a template that tests take and give back; one that was emptied is ten times quicker than a new one."""

    server: EmbeddedPostgres
    maintenance: sa.Engine
    template: str
    empty: list[str] = field(default_factory=list)

    @contextmanager
    def taken(self) -> Iterator[str]:
        """Address of an empty one."""
        name = self.empty.pop() if self.empty else _create(self.maintenance, self.template)
        url = self.server.url(name)
        yield url
        if _emptied(url):
            self.empty.append(name)
        else:
            _drop(self.maintenance, [name])


@pytest.fixture(scope="session")
def migrated_databases(
    postgres: EmbeddedPostgres, maintenance: sa.Engine, migrated_template: str
) -> Iterator[Databases]:
    databases = Databases(postgres, maintenance, migrated_template)
    yield databases
    _drop(maintenance, databases.empty)


@pytest.fixture
def database(migrated_databases: Databases) -> Iterator[str]:
    """Address of an empty, migrated database of allwhere. A test that changes its tables takes ``new_database``."""
    with migrated_databases.taken() as url:
        yield url


@pytest.fixture(scope="session")
def dagster_databases(postgres: EmbeddedPostgres, maintenance: sa.Engine) -> Iterator[Databases]:
    from dagster_postgres import DagsterPostgresStorage

    template = _create(maintenance, "template0")
    storage = DagsterPostgresStorage(postgres.url(template))
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.dispose()
    databases = Databases(postgres, maintenance, template)
    yield databases
    _drop(maintenance, [*databases.empty, template])


@pytest.fixture
def dagster_database(dagster_databases: Databases) -> Iterator[str]:
    """Address of a database in which Dagster has its tables and nothing yet: those of an empty one take it a second."""
    with dagster_databases.taken() as url:
        yield url


def _emptied(url: str) -> bool:
    """Whether everything but the notes of migrations could be deleted, and ids begin at 1 again."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.begin() as db:
            db.exec_driver_sql(DISCONNECT)
            db.exec_driver_sql(EMPTY)
    except sa.exc.DBAPIError:
        return False
    return True


DISCONNECT = """
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
#: What a database notes of its schema: allwhere's and Dagster's migrations, which storage it is, which indexes are filled.
NOTES = (databases.VERSION_TABLE, "alembic_version", "instance_info", "secondary_indexes")
#: Truncating every table takes a hundred times as long as deleting the few rows that tests write.
EMPTY = f"""
    set local session_replication_role = replica;
    do $$
    declare relation regclass;
    begin
        for relation in
            select oid from pg_class
            where relkind = 'r' and relnamespace in (select oid from pg_namespace where nspname in ('public', 'pipeline'))
              and relname not in {NOTES} and pg_relation_size(oid) > 0
        loop
            if pg_relation_size(relation) > 1000000 then
                execute 'truncate ' || relation || ' cascade';
            else
                execute 'delete from ' || relation;
            end if;
        end loop;
        perform setval(oid::regclass, 1, false) from pg_class where relkind = 'S';
    end $$;
"""  # noqa: S608 - a constant


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """The product's engine on a fresh, migrated database."""
    engine = databases.create_engine(database)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class ConnectedAccount:
    """An account and its connection, as a test made them."""

    account_id: int
    connection_id: int
    slug: str
    tenant_id: str


@pytest.fixture
def connect_account(engine: sa.Engine) -> Callable[..., ConnectedAccount]:
    """``connect_account("acme", mdm_assignee_updates=True)`` writes an account with a connected tenant."""

    def connect(slug: str = "acme", tenant_id: str | None = None, **columns: object) -> ConnectedAccount:
        tenant_id = tenant_id or str(uuid.uuid4())
        with engine.begin() as db:
            account_id = db.execute(
                sa.insert(schema.accounts).values(slug=slug, name=slug.title()).returning(schema.accounts.c.id)
            ).scalar_one()
            connection_id = db.execute(
                sa.insert(schema.connections)
                .values(
                    **{"status": "connected", "connected_at": sa.func.now(), **columns},
                    account_id=account_id,
                    tenant_id=tenant_id,
                )
                .returning(schema.connections.c.id)
            ).scalar_one()
        return ConnectedAccount(account_id, connection_id, slug, tenant_id)

    return connect


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A browser without tabs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()
