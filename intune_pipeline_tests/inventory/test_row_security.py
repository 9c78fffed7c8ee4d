"""PostgreSQL itself keeps accounts apart: every table, every role, with another account's id and with none."""

# ruff: noqa: S608 - tables and roles of our own

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.inventory import audit, database, row_security, schema
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres
from intune_pipeline.inventory.roles import DEFAULT_PREFIX, Acting, Role, act_for, acting_for
from intune_pipeline.inventory.row_security import APPEND_ONLY, condition, privileges
from intune_pipeline_tests.conftest import ConnectedAccount

TABLES = [table for table in schema.metadata.sorted_tables if condition(table) is not None]
FORMS = {
    "tenant_id": "0f2c1e5a-1234-5678-9abc-def012345678",
    "wrapped_key": "k",
    "slug": "acme",
    "secret": "v1.x",
    "url": "https://x",
}


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account("acme")


#: Columns without which a row is refused although they may be empty.
NEEDED = {"employee_holds": {"first_name": "Ann", "last_name": "Lee"}}


@pytest.fixture
def globex(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account("globex")


@pytest.fixture
def acting(engine: sa.Engine) -> Iterator[Callable[..., sa.Engine]]:
    """``acting(Role.PIPELINE, "acme")`` is an engine of the test's database that works as this role."""
    engines: list[sa.Engine] = []

    def make(role: Role, account: str | None = None) -> sa.Engine:
        url = engine.url.render_as_string(hide_password=False)
        engines.append(database.create_engine(url, acting=Acting(role, account)))
        return engines[-1]

    yield make
    for one in engines:
        one.dispose()


def _fill(db: sa.Connection, account: ConnectedAccount) -> None:
    """One row of the account in every table that has none, whatever its columns are."""
    db.exec_driver_sql("set local session_replication_role = replica")
    ids = {"account_id": account.account_id, "connection_id": account.connection_id, "partition_key": account.slug}
    for table in TABLES:
        if db.scalar(sa.select(sa.func.count()).select_from(table)):
            continue
        values = {
            column.name: ids.get(column.name, _any(table, column))
            for column in table.columns
            if (not column.nullable and column.server_default is None and column.identity is None) or column.name in ids
            if column.computed is None
        }
        made = db.execute(
            sa.insert(table)
            .values(values | NEEDED.get(table.name, {}))
            .returning(*table.primary_key.columns or table.columns)
        ).first()
        if table.name in {"assets", "sync_runs"}:
            ids[f"{table.name.rstrip('s')}_id"] = made[0]


def _any(table: sa.Table, column: sa.Column[Any]) -> Any:
    allowed = [
        re.findall(r"'([^']+)'", str(check.sqltext))
        for check in table.constraints
        if isinstance(check, sa.CheckConstraint) and str(check.sqltext).startswith(f"{column.name} in (")
    ]
    if allowed:
        return allowed[0][0]
    if isinstance(column.type, sa.BigInteger | sa.Integer | sa.Double):
        return 1
    if isinstance(column.type, sa.DateTime):
        return sa.func.now()
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Uuid):
        return sa.func.gen_random_uuid()
    return [] if isinstance(column.type, JSONB | sa.ARRAY) else FORMS.get(column.name, "x")


@pytest.fixture
def filled(engine: sa.Engine, acme: ConnectedAccount, globex: ConnectedAccount) -> None:
    with engine.begin() as db:
        _fill(db, acme)


def _rows(engine: sa.Engine, table: sa.Table, of: ConnectedAccount | None) -> int:
    """How many rows of acme a portal sees that acts for an account."""
    query = sa.select(sa.func.count()).select_from(table)
    if table is schema.accounts or table is schema.connections:
        query = query.where(table.c.id == 1)
    with acting_for(of and of.account_id), engine.connect() as db:
        return int(db.scalar(query) or 0)


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


def test_no_role_is_more_than_it_must_be(maintenance: sa.Engine, migrated_template: str) -> None:
    query = sa.text("""
        select rolname from pg_roles where rolname like 'intune\\_%'
          and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
    """)
    with maintenance.connect() as db:
        assert list(db.scalars(query)) == []
        assert db.scalar(sa.text("select count(*) from pg_roles where rolname like 'intune\\_%'")) == len(Role)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_the_portal_sees_one_accounts_rows_and_none_when_it_forgets_to_say_whose(
    table: sa.Table, acting: Callable[..., sa.Engine], acme: ConnectedAccount, globex: ConnectedAccount
) -> None:
    portal = acting(Role.PORTAL)
    if not privileges(Role.PORTAL, table):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            _rows(portal, table, acme)
        return
    assert _rows(portal, table, acme) == 1
    assert _rows(portal, table, globex) == 0
    assert _rows(portal, table, None) == 0
    with portal.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(table)) == 0


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_sync_sees_its_tenants_rows_only_and_sensors_see_all(
    table: sa.Table, acting: Callable[..., sa.Engine]
) -> None:
    own, others, every = (_rows(acting(Role.PIPELINE, account), table, None) for account in ("acme", "globex", None))
    assert (own, others, every) == (1, 0, 1)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("role", [Role.PORTAL, Role.PIPELINE])
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_nothing_of_another_account_is_written(
    table: sa.Table, role: Role, acting: Callable[..., sa.Engine], globex: ConnectedAccount
) -> None:
    allowed = privileges(role, table)
    stranger = acting(role, "globex") if role is Role.PIPELINE else acting(role)
    with acting_for(globex.account_id), stranger.connect() as db:
        own = {"accounts": "id = 1", "connections": "id = 1"}.get(table.fullname, "true")
        if "delete" in allowed:
            assert db.exec_driver_sql(f"delete from {table.fullname} where {own}").rowcount == 0
        else:
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                db.exec_driver_sql(f"delete from {table.fullname} where {own}")
        db.rollback()
        with pytest.raises(sa.exc.ProgrammingError, match=r"row-level security|permission denied"):
            _copy_row(db, table)


def _copy_row(db: sa.Connection, table: sa.Table) -> None:
    """Insert a row of acme's as somebody who may not."""
    values = {"account_id": 1, "connection_id": 1, "partition_key": "acme", "asset_id": 1, "sync_run_id": 1}
    given = {
        one.name: values.get(one.name, _any(table, one))
        for one in table.columns
        if (not one.nullable and one.server_default is None and one.identity is None) or one.name in values
        if one.computed is None
    }
    db.execute(sa.insert(table).values(given | NEEDED.get(table.name, {})))


@pytest.mark.parametrize("role", [Role.PORTAL, Role.PIPELINE])
@pytest.mark.parametrize("name", sorted(APPEND_ONLY))
def test_history_is_added_to_and_never_changed(name: str, role: Role, acting: Callable[..., sa.Engine]) -> None:
    for statement in (f"update {name} set id = id", f"delete from {name}", f"truncate {name}"):
        with acting(role).connect() as db, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            db.exec_driver_sql(statement)


def test_who_is_let_in_later_in_another_thread_is_seen(
    acting: Callable[..., sa.Engine], acme: ConnectedAccount
) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    portal = acting(Role.PORTAL)
    with acting_for(None), ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, act_for, acme.account_id).result()
        with portal.connect() as db:
            assert db.scalar(sa.text("select slug from accounts")) == "acme"
    with portal.connect() as db:
        assert db.scalar(sa.text("select slug from accounts")) is None


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


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "statement",
    [
        "update sync_runs set devices_listed = 7",
        "update sync_runs set trigger = 'undo'",
        "insert into sync_runs (connection_id, trigger, devices_synced) values (1, 'manual', 5)",
        "update device_outcomes set serial_number = 'X'",
        "insert into device_outcomes (connection_id, intune_device_id, outcome) values (1, 'x', 'synced')",
    ],
)
def test_the_portal_writes_of_runs_and_outcomes_what_an_undo_needs_only(
    statement: str, acting: Callable[..., sa.Engine], acme: ConnectedAccount
) -> None:
    portal = acting(Role.PORTAL)
    with (
        acting_for(acme.account_id),
        portal.connect() as db,
        pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
    ):
        db.exec_driver_sql(statement)
