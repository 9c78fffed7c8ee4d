"""Dagster's storage as ``dagster.yaml`` names it: kept connections that survive a restart, and no wait for the disk.

It leans on what ``dagster-postgres`` makes public, and a few names it does not promise: what it renames fails here.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import DagsterInstance

from intune_pipeline.orchestration.fleet import FLEET, report
from intune_pipeline.orchestration.process import storage as storages
from intune_pipeline.orchestration.process.retention import thin_out
from intune_pipeline.orchestration.process.storage import ASKED_ONCE, SettingsStorage

ROOT = Path(__file__).parents[3]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, dagster_database: str) -> Iterator[SettingsStorage]:
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", dagster_database)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", dagster_database.replace("postgresql+psycopg2", "postgres"))
    found = SettingsStorage.from_config_value(None, {})
    yield found
    for part in parts(found):
        part.dispose()


def parts(storage: SettingsStorage | DagsterInstance) -> list[Any]:
    return [storage.run_storage, storage.event_log_storage, storage.schedule_storage]


def connecting(storage: SettingsStorage | DagsterInstance) -> list[Callable[[], Any]]:
    """How each part of the storage opens a connection."""
    runs, events, schedules = parts(storage)
    return [runs.connect, events.index_connection, schedules.connect]


def answers(connect: Callable[[], Any]) -> tuple[int, str]:
    with connect() as db:
        pid, commit = db.exec_driver_sql("select pg_backend_pid(), current_setting('synchronous_commit')").one()
    return pid, commit


def test_every_part_keeps_its_connection_and_does_not_wait_for_the_disk(storage: SettingsStorage) -> None:
    for connect in connecting(storage):
        (first, commit), (second, _) = answers(connect), answers(connect)
        assert (first, commit) == (second, "off")


@pytest.mark.parametrize("is_webserver", [False, True])
def test_after_a_restart_of_postgresql_the_first_request_works(
    storage: SettingsStorage, is_webserver: bool, monkeypatch: pytest.MonkeyPatch, maintenance: sa.Engine
) -> None:
    monkeypatch.setattr(storages, "SECONDS_TRUSTED", 0.0)
    if is_webserver:
        for part in parts(storage):
            part.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=5)
    before = [answers(connect)[0] for connect in connecting(storage)]
    with maintenance.connect() as db:
        for pid in before:
            db.execute(sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    assert not set(before) & {answers(connect)[0] for connect in connecting(storage)}


def test_an_instance_that_is_disposed_of_leaves_no_connection(
    storage: SettingsStorage, tmp_path: Path, maintenance: sa.Engine
) -> None:
    """As after each tick of a sensor in a code server; nothing waits for Python's garbage collector."""
    named = f"module: {SettingsStorage.__module__}, class: {SettingsStorage.__name__}, config: {{}}"
    (tmp_path / "dagster.yaml").write_text(f"storage: {{custom: {{{named}}}}}")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        pids = [answers(connect)[0] for connect in connecting(instance)]
        with maintenance.connect() as db:
            assert open_connections(db, pids) == len(pids)
    with maintenance.connect() as db:
        wait_for(lambda: open_connections(db, pids) == 0)


def open_connections(db: sa.Connection, pids: list[int]) -> int:
    return db.scalar(sa.text("select count(*) from pg_stat_activity where pid = any(:pids)"), {"pids": pids}) or 0


def wait_for(holds: Callable[[], bool]) -> None:
    """PostgreSQL ends a closed connection's process a moment later."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_does_not_change_is_asked_once(storage: SettingsStorage) -> None:
    for question in ASKED_ONCE:
        assert any(hasattr(getattr(part, question, None), "cache_info") for part in parts(storage)), question


def test_that_a_partition_exists_is_remembered_for_a_moment_only(
    storage: SettingsStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = storage.event_log_storage
    assert not events.has_dynamic_partition("tenants", "acme")
    events.add_dynamic_partitions("tenants", ["acme"])
    assert events.has_dynamic_partition("tenants", "acme")
    events.delete_dynamic_partition("tenants", "acme")
    assert events.has_dynamic_partition("tenants", "acme")
    monkeypatch.setattr(storages, "SECONDS_A_PARTITION_IS_REMEMBERED", 0.0)
    assert not events.has_dynamic_partition("tenants", "acme")


def test_an_instance_stores_and_finds_runs(storage: SettingsStorage) -> None:
    run = storage.run_storage.add_run(dg.DagsterRun("intune_sync"))
    assert [one.run_id for one in storage.run_storage.get_runs()] == [run.run_id]


@pytest.mark.parametrize("module", ["intune_pipeline.orchestration.storage", storages.__name__])
def test_older_copies_of_dagster_yaml_find_the_storage_too(module: str) -> None:
    assert import_module(module).SettingsStorage is SettingsStorage


def test_the_configuration_that_is_shipped_loads_it(
    storage: SettingsStorage, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text((request.config.rootpath / "dagster.yaml").read_text())
    with DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_runs() == []


def test_old_reports_of_the_fleet_are_thinned_out_and_the_newest_stays(
    monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", new_database())
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())

    def thinned(instance: DagsterInstance) -> int:
        return thin_out(instance, FLEET, whole_for=timedelta(days=2), keep_for=timedelta(days=30))

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        for _ in range(9):
            for event in report([], timedelta(hours=26)):
                instance.report_runless_asset_event(event)
        assert thinned(instance) == 0
        with instance.event_log_storage.index_connection() as db:  # type: ignore[attr-defined]
            # Six of three days ago within an hour, two of forty days ago, and one of now; each has its check.
            for table, column in (("event_logs", "timestamp"), ("asset_check_executions", "create_timestamp")):
                old = f"(select id from {table} order by id limit %s)"  # noqa: S608 - of this test
                place = "date_trunc('hour', timezone('utc', now()) - interval '{} days') + interval '1 minute'"
                of_each = 2 if table == "event_logs" else 1
                for days, limit in ((3, 8), (40, 2)):
                    db.exec_driver_sql(
                        f"update {table} set {column} = {place.format(days)} where id in {old % (limit * of_each)}"  # noqa: S608 - of this test
                    )
        assert thinned(instance) == 2 * (5 + 2)
        assert thinned(instance) == 0
        assert len(instance.fetch_materializations(FLEET, limit=100).records) == 2
        key = dg.AssetCheckKey(FLEET, "every_tenant_synced_lately")
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
        assert len(history) == 2
