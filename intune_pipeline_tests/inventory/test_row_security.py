"""Whom row-level security of PostgreSQL protects, in which databases, and the chain of the audit log."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import audit, database, row_security, schema
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres
from intune_pipeline.inventory.roles import DEFAULT_PREFIX, Acting, Role, act_for, acting_for
from intune_pipeline.inventory.row_security import condition
from intune_pipeline_tests.conftest import ConnectedAccount


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account("acme")


@pytest.fixture
def globex(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account("globex")


def test_every_table_with_an_account_is_protected(engine: sa.Engine) -> None:
    telling = {"account_id", "connection_id", "partition_key", "asset_id", "sync_run_id"}
    silent = [
        table.fullname
        for table in schema.metadata.sorted_tables
        if telling & set(table.c.keys()) and "apart_by" not in table.info and not condition(table)
    ]
    with engine.connect() as db:
        assert row_security.unprotected(db) == silent == []
    assert schema.connections.c.account_id.unique, "the policies of tables with a connection rely on it"


def test_whose_a_row_is_takes_one_look_at_the_asset_it_is_about(
    engine: sa.Engine, acme: ConnectedAccount, globex: ConnectedAccount
) -> None:
    """Also where PostgreSQL has statistics of other accounts only, as in an account's first sync, which makes its assets."""

    def add_assets(account: ConnectedAccount) -> int:
        serials = "select :account, 'SN-' || number from generate_series(1, 500) as number"
        with engine.begin() as db:
            added = sa.text(f"insert into assets (account_id, serial_number) {serials} returning id")
            return max(db.scalars(added, {"account": account.account_id}))

    add_assets(globex)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("analyze assets"))
    newest = add_assets(acme)
    url = engine.url.render_as_string(hide_password=False)
    pipeline = database.create_engine(url, acting=Acting(Role.PIPELINE, "acme"))
    with pipeline.begin() as db:
        db.execute(sa.text("insert into asset_changes (asset_id, field) values (:id, 'notes')"), {"id": newest})
        read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'assets'"
        assert db.scalar(sa.text(read)) <= 3
    pipeline.dispose()


def test_no_role_is_more_than_it_must_be(maintenance: sa.Engine, migrated_template: str) -> None:
    query = sa.text("""
        select rolname from pg_roles where rolname like 'intune\\_%'
          and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
    """)
    with maintenance.connect() as db:
        assert list(db.scalars(query)) == []
        assert db.scalar(sa.text("select count(*) from pg_roles where rolname like 'intune\\_%'")) == len(Role)


def test_who_is_let_in_later_in_another_thread_is_seen(engine: sa.Engine, acme: ConnectedAccount) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    portal = database.create_engine(engine.url.render_as_string(hide_password=False), acting=Acting(Role.PORTAL))
    with acting_for(None), ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, act_for, acme.account_id).result()
        with portal.connect() as db:
            assert db.scalar(sa.text("select slug from accounts")) == "acme"
    with portal.connect() as db:
        assert db.scalar(sa.text("select slug from accounts")) is None
    portal.dispose()


@pytest.fixture
def solo(
    postgres: EmbeddedPostgres, maintenance: sa.Engine, new_database: Callable[..., str], fixed_names: None
) -> Iterator[tuple[str, sa.Engine]]:
    """A database of one plain user, without our roles: what a bare ``ALLWHERE_DATABASE_URL`` is."""
    url = new_database()
    name = sa.make_url(url).database
    with maintenance.connect() as db:
        db.exec_driver_sql("create role solo login")
        db.exec_driver_sql(f"alter database {name} owner to solo")
    own = url.replace("postgres@", "solo@")
    engine = database.create_engine(own)
    database.upgrade(engine, "absent_")
    yield own, engine
    engine.dispose()
    with maintenance.connect() as db:
        db.exec_driver_sql(f"drop database {name} with (force)")
        db.exec_driver_sql("drop role solo")


def test_one_plain_user_imports_with_plain_sql_and_its_portal_is_kept_apart_all_the_same(
    solo: tuple[str, sa.Engine],
) -> None:
    url, plain = solo
    with plain.begin() as db:
        for slug in ("acme", "globex"):
            owner = db.scalar(
                sa.text("insert into accounts (slug, name) values (:slug, 'A') returning id"), {"slug": slug}
            )
            db.execute(sa.text("insert into assets (account_id, serial_number) values (:id, 'S1')"), {"id": owner})
        assert db.scalar(sa.text("select count(*) from assets")) == 2
    portal = database.create_engine(url, acting=Acting(Role.PORTAL, prefix="absent_"))
    with portal.connect() as db:
        assert db.scalar(sa.text("select count(*) from assets")) == 0
        assert db.execute(sa.text("select id from account_of_organization('org', 'globex')")).scalar() == 2
        assert db.scalar(sa.text("select count(*) from assets")) == 0
    with acting_for(2), portal.connect() as db:
        assert list(db.scalars(sa.text("select account_id from assets"))) == [2]
    portal.dispose()
    sync = database.create_engine(url, acting=Acting(Role.PIPELINE, "acme", prefix="absent_"))
    with sync.connect() as db:
        assert list(db.scalars(sa.text("select account_id from assets"))) == [1]
    sync.dispose()


def test_a_database_of_one_user_is_given_to_roles_and_keeps_its_rows(
    solo: tuple[str, sa.Engine], maintenance: sa.Engine
) -> None:
    url, plain = solo
    with plain.begin() as db:
        db.exec_driver_sql("insert into accounts (slug) values ('acme')")
    with pytest.raises(database.NotPermittedError, match="may not create roles"):
        database.create_roles(plain, "later_", {})
    with maintenance.connect() as db:
        db.exec_driver_sql("alter role solo createrole")
    database.create_roles(plain, "later_", {Role.PORTAL: "hush"})
    database.create_roles(plain, "later_", {})
    database.upgrade(plain, "later_")
    portal = database.create_engine(url.replace("solo@", "later_portal@"), acting=Acting(Role.PORTAL, prefix="later_"))
    with portal.connect() as db:
        assert db.scalar(sa.text("select current_user")) == "later_portal"
        assert db.scalar(sa.text("select count(*) from accounts")) == 0
    with acting_for(1), portal.connect() as db:
        assert db.scalar(sa.text("select slug from accounts")) == "acme"
    portal.dispose()
    with maintenance.connect() as db:
        assert db.scalar(
            sa.text("select rolpassword like 'SCRAM-SHA-256%' from pg_authid where rolname = 'later_portal'")
        )
    plain.dispose()
    with maintenance.connect() as db:
        db.exec_driver_sql(f"drop database {sa.make_url(url).database} with (force)")
        db.exec_driver_sql("drop role later_owner, later_pipeline, later_portal, later_dagster")
        # The fixture drops it again.
        db.exec_driver_sql(f"create database {sa.make_url(url).database}")


def test_an_upgrade_that_finds_everything_done_makes_no_policy_anew(engine: sa.Engine) -> None:
    policies = sa.text("select oid from pg_policy order by oid")
    with engine.connect() as db:
        before = list(db.scalars(policies))
    database.upgrade(engine)
    with engine.connect() as db:
        assert list(db.scalars(policies)) == before
        assert before


def test_a_policy_somebody_changed_by_hand_is_put_back(
    engine: sa.Engine, new_database: Callable[..., str], migrated_template: str
) -> None:
    other = database.create_engine(new_database(migrated_template))
    with other.begin() as db:
        db.exec_driver_sql("drop policy account on assets")
        db.exec_driver_sql("alter table employees no force row level security")
        assert row_security.unprotected(db) == ["employees", "assets"]
    database.upgrade(other)
    with other.connect() as db:
        assert row_security.unprotected(db) == []
    other.dispose()


def test_the_audit_log_is_a_chain_that_tells_what_was_done_to_it(
    engine: sa.Engine, acme: ConnectedAccount, globex: ConnectedAccount
) -> None:
    with engine.begin() as db:
        for number in range(4):
            for account in (acme, globex):
                audit.record(
                    db, account.account_id, actor="ada", action="settings", subject=f"s{number}", number=number
                )
    with engine.connect() as db:
        assert audit.broken(db) == []
    tamperings = (
        "update audit_log set reason = 'another' where account_id = 1 and subject = 's1'",
        "update audit_log set at = at - interval '1 day' where account_id = 1 and subject = 's1'",
        "delete from audit_log where account_id = 1 and subject = 's1'",
        "delete from audit_log where account_id = 1 and subject = 's0'",
        "update audit_log set salt = null where account_id = 1 and subject = 's1'",
        "update audit_log set account_id = 1 where account_id = 2 and subject = 's1'",
    )
    for tampering in tamperings:
        with engine.connect() as db:
            db.exec_driver_sql(tampering)
            assert [entry.account for entry in audit.broken(db)][:1] == ["acme"], tampering
            db.rollback()


def test_writers_at_once_make_one_chain(engine: sa.Engine, acme: ConnectedAccount) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(number: int) -> None:
        with engine.begin() as db:
            audit.record(db, acme.account_id, actor="ada", action="settings", subject=str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    with engine.connect() as db:
        assert audit.broken(db) == []
        assert db.scalar(sa.select(sa.func.count()).select_from(schema.audit_log)) == 80


def test_the_prefix_of_roles_can_be_another_one() -> None:
    assert Role.PORTAL.name_of(DEFAULT_PREFIX) == "intune_portal"
    assert Role.PORTAL.name_of("staging_") == "staging_portal"
