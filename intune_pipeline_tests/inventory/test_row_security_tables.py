"""PostgreSQL itself keeps accounts apart: every table, every role, with another account's id and with none.

No test here leaves anything behind, so that they share one database.
"""

# ruff: noqa: S608 - tables and roles of our own

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.inventory import database, schema
from intune_pipeline.inventory.roles import Acting, Role, acting_for
from intune_pipeline.inventory.row_security import APPEND_ONLY, condition, privileges
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import Tenant, migrated_engine

TABLES = [table for table in schema.metadata.sorted_tables if condition(table) is not None]
FORMS = {
    "tenant_id": "0f2c1e5a-1234-5678-9abc-def012345678",
    "wrapped_key": "k",
    "slug": "acme",
    "secret": "v1.x",
    "url": "https://x",
}
#: Columns without which a row is refused although they may be empty.
NEEDED = {"employee_holds": {"first_name": "Ann", "last_name": "Lee"}}


@pytest.fixture(scope="module")
def engine(migrated_databases: Databases) -> Iterator[sa.Engine]:
    with migrated_engine(migrated_databases) as engine:
        yield engine


@pytest.fixture(scope="module")
def acme(engine: sa.Engine) -> Tenant:
    """An account with a row in every table."""
    acme = Tenant.connected(engine, "acme")
    with engine.begin() as db:
        _fill(db, acme)
    return acme


@pytest.fixture(scope="module")
def globex(engine: sa.Engine, acme: Tenant) -> Tenant:
    """Another account, without rows."""
    return Tenant.connected(engine, "globex")


@pytest.fixture(scope="module")
def acting(engine: sa.Engine, globex: Tenant) -> Iterator[Callable[..., sa.Engine]]:
    """``acting(Role.PIPELINE, "acme")`` is an engine of the database that works as this role."""
    engines: dict[Acting, sa.Engine] = {}

    def make(role: Role, account: str | None = None) -> sa.Engine:
        acting = Acting(role, account)
        if acting not in engines:
            engines[acting] = database.create_engine(engine.url.render_as_string(hide_password=False), acting=acting)
        return engines[acting]

    yield make
    for one in engines.values():
        one.dispose()


def _fill(db: sa.Connection, account: Tenant) -> None:
    """One row of the account in every table that has none, whatever its columns are."""
    db.exec_driver_sql("set local session_replication_role = replica")
    ids = {"account_id": account.account_id, "connection_id": account.connection_id, "partition_key": "acme"}
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


def _rows(engine: sa.Engine, table: sa.Table, of: Tenant | None) -> int:
    """How many rows of acme a portal sees that acts for an account."""
    query = sa.select(sa.func.count()).select_from(table)
    if table is schema.accounts or table is schema.connections:
        query = query.where(table.c.id == 1)
    with acting_for(of and of.account_id), engine.connect() as db:
        return int(db.scalar(query) or 0)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_the_portal_sees_one_accounts_rows_and_none_when_it_forgets_to_say_whose(
    table: sa.Table, acting: Callable[..., sa.Engine], acme: Tenant, globex: Tenant
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


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_sync_sees_its_tenants_rows_only_and_sensors_see_all(
    table: sa.Table, acting: Callable[..., sa.Engine]
) -> None:
    own, others, every = (_rows(acting(Role.PIPELINE, account), table, None) for account in ("acme", "globex", None))
    assert (own, others, every) == (1, 0, 1)


@pytest.mark.parametrize("role", [Role.PORTAL, Role.PIPELINE])
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_nothing_of_another_account_is_written(
    table: sa.Table, role: Role, acting: Callable[..., sa.Engine], globex: Tenant
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
    statement: str, acting: Callable[..., sa.Engine], acme: Tenant
) -> None:
    portal = acting(Role.PORTAL)
    with (
        acting_for(acme.account_id),
        portal.connect() as db,
        pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
    ):
        db.exec_driver_sql(statement)
