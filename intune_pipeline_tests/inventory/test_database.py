"""Engines, databases, migrations: real servers, real migrations."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from intune_pipeline.inventory import database, schema
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres


def test_models_and_migrations_agree(engine: sa.Engine) -> None:
    with engine.connect() as db:
        context = MigrationContext.configure(
            db,
            opts={
                "version_table": database.VERSION_TABLE,
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, schema.metadata) == []


def test_models_and_migrations_agree_on_what_alembic_does_not_compare(
    engine: sa.Engine, new_database: Callable[..., str]
) -> None:
    """Check constraints, generated columns and UNLOGGED are compared by PostgreSQL's own description of both."""
    described = sa.text("""
        select conrelid::regclass::text as relation, conname as name, pg_get_constraintdef(oid) as definition
        from pg_constraint where connamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
        union all select adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid)
        from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum where attgenerated <> ''
        union all select oid::regclass::text, relname, relpersistence::text from pg_class
        where relkind = 'r' and relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
        union all select indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
        from pg_index join pg_class on pg_class.oid = indexrelid
        where relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)
    """)
    created = database.create_engine(new_database())
    with created.begin() as db:
        db.execute(sa.text("create schema pipeline"))
        schema.metadata.create_all(db)
        from_models = {tuple(row) for row in db.execute(described)}
    created.dispose()
    with engine.connect() as db:
        migrated = {tuple(row) for row in db.execute(described)}
    assert {row for row in migrated if not row[0].startswith(database.VERSION_TABLE)} == from_models


def test_upgrades_at_once_wait_for_each_other(new_database: Callable[..., str]) -> None:
    engine = database.create_engine(new_database())
    assert database.pending(engine)
    failures: list[BaseException] = []

    def upgrade() -> None:
        try:
            database.upgrade(engine)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert database.pending(engine) == []
    noted = sa.select(sa.column("version_num")).select_from(sa.table(database.VERSION_TABLE))
    with engine.connect() as db:
        assert db.scalar(noted) == database.newest_migration()
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(new_database: Callable[..., str], migrated_template: str) -> None:
    engine = database.create_engine(new_database(migrated_template))
    noted = sa.table(database.VERSION_TABLE, sa.column("version_num"))
    with engine.begin() as db:
        db.execute(sa.update(noted).values(version_num="9999"))
    with pytest.raises(database.DatabaseTooNewError, match=r"9999.*newer version"):
        database.upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql+psycopg2://u:hush@127.0.0.1:9/allwhere", "refused"),
        ("postgresql+psycopg2://u:hush@/allwhere?host=/nowhere", "No such file"),
    ],
)
def test_an_unreachable_database_is_one_sentence_without_its_password(url: str, cause: str) -> None:
    engine = database.create_engine(url)
    with pytest.raises(database.DatabaseUnreachableError, match=r"allwhere at .* cannot be reached") as caught:
        engine.connect()
    assert cause in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_database_and_a_lost_connection_are_unreachable_too(
    postgres: EmbeddedPostgres, engine: sa.Engine, maintenance: sa.Engine
) -> None:
    missing = database.create_engine(postgres.url("missing"))
    with pytest.raises(database.DatabaseUnreachableError, match="does not exist"):
        missing.connect()
    with engine.connect() as db:
        pid = db.execute(sa.text("select pg_backend_pid()")).scalar_one()
        with maintenance.connect() as other:
            other.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(database.DatabaseUnreachableError):
            db.execute(sa.text("select 1"))
    with engine.connect() as db:
        assert db.execute(sa.text("select 1")).scalar_one() == 1


def test_a_pooled_connection_that_died_is_replaced(engine: sa.Engine, maintenance: sa.Engine) -> None:
    with engine.connect() as db:
        pid = db.execute(sa.text("select pg_backend_pid()")).scalar_one()
    with maintenance.connect() as other:
        other.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})
    with engine.connect() as db:
        assert db.execute(sa.text("select 1")).scalar_one() == 1


def test_errors_never_show_parameters(engine: sa.Engine) -> None:
    with engine.connect() as db, pytest.raises(sa.exc.DBAPIError) as caught:
        db.execute(sa.text("select cast(:code as text) from nothing"), {"code": "A-BYPASS-CODE"})
    assert "A-BYPASS-CODE" not in str(caught.value)


def test_a_database_is_created_once_by_many_at_once(postgres: EmbeddedPostgres, maintenance: sa.Engine) -> None:
    urls: list[str] = []
    threads = [
        threading.Thread(target=lambda: urls.append(database.create_if_missing(postgres.url("postgres"), "many")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert urls == [postgres.url("many")] * 4
    with maintenance.connect() as db:
        db.execute(sa.text("drop database many"))


def test_who_may_not_create_databases_is_told(postgres: EmbeddedPostgres, maintenance: sa.Engine) -> None:
    with maintenance.connect() as db:
        db.execute(sa.text("create role guest login"))
    try:
        with pytest.raises(database.NotPermittedError, match="may not create the database private"):
            database.create_if_missing(postgres.url("postgres").replace("postgres@", "guest@"), "private")
    finally:
        with maintenance.connect() as db:
            db.execute(sa.text("drop role guest"))
