"""What our event log stores is what ``dagster-postgres`` stores, with fewer statements."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import DagsterInstance

from intune_pipeline.orchestration.process.event_log import FewStatementsEventLog
from intune_pipeline.orchestration.process.storage import SettingsStorage
from intune_pipeline_tests.conftest import Databases

OURS = f"module: {SettingsStorage.__module__}, class: {SettingsStorage.__name__}, config: {{}}"
TENANTS = dg.DynamicPartitionsDefinition(name="tenants")
#: What there is to compare, without ids and times.
STORED = {
    "events": "select dagster_event_type, step_key, asset_key, partition from event_logs order by id",
    "tags": "select asset_key, key from asset_event_tags order by event_id, key",
    "checks": "select c.asset_key, check_name, c.partition, execution_status, e.dagster_event_type, m.dagster_event_type "
    "from asset_check_executions c left join event_logs e on e.id = evaluation_event_storage_id "
    "left join event_logs m on m.id = materialization_event_storage_id order by c.asset_key, check_name, execution_status",
    "assets": "select asset_key, last_materialization is null, last_materialization_timestamp is null, "
    "last_run_id = (select run_id from runs order by id desc limit 1) from asset_keys order by asset_key",
}


with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.PreviewWarning)
    CHECKS = [dg.AssetCheckSpec(name, asset="listed", partitions_def=TENANTS) for name in ("some", "recent")]


@dg.asset(partitions_def=TENANTS, check_specs=CHECKS)
def listed(context: dg.AssetExecutionContext) -> Iterator[Any]:
    context.log_event(dg.AssetObservation("listed", partition=context.partition_key, tags={"seen": "yes"}))
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="some")])
    yield dg.AssetCheckResult(passed=False, check_name="recent")


@dg.asset(partitions_def=TENANTS, deps=[listed])
def applied() -> None:
    pass


JOB = dg.Definitions([applied, listed], jobs=[dg.define_asset_job("sync", executor_def=dg.in_process_executor)])


@pytest.fixture
def opened(dagster_databases: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def open_instance(storage: str) -> Iterator[DagsterInstance]:
        with dagster_databases.taken() as url:
            monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
            where = f"postgres: {{postgres_url: '{url}'}}" if storage == "theirs" else f"custom: {{{OURS}}}"
            (tmp_path / "dagster.yaml").write_text(f"storage: {{{where}}}")
            with DagsterInstance.from_config(str(tmp_path)) as instance:
                instance.add_dynamic_partitions("tenants", ["acme"])
                yield instance

    return open_instance


def stored(instance: DagsterInstance) -> dict[str, list[Any]]:
    with instance.event_log_storage.index_connection() as db:  # type: ignore[attr-defined]
        return {name: [tuple(row) for row in db.execute(sa.text(query))] for name, query in STORED.items()}


def planned(instance: DagsterInstance) -> dg.DagsterRun:
    """A run as a schedule creates it, with the events of what it is going to do."""
    job = JOB.resolve_job_def("sync")
    return instance.create_run_for_job(job, tags={"dagster/partition": "acme"})


@pytest.mark.parametrize("batched", ["0", "100"])
def test_a_run_leaves_in_the_database_what_it_leaves_in_dagsters_own_storage(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, batched: str
) -> None:
    def left_by_a_run(storage: str) -> dict[str, list[Any]]:
        with opened(storage) as instance:
            planned(instance)
            JOB.resolve_job_def("sync").execute_in_process(instance=instance, partition_key="acme")
            return stored(instance)

    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", batched)
    ours, theirs = left_by_a_run("ours"), left_by_a_run("theirs")
    assert ours == theirs
    assert all(ours.values())


def test_what_a_run_is_going_to_do_is_inserted_by_one_statement(opened: Callable[..., Any]) -> None:
    with opened("ours") as instance:
        statements: list[str] = []
        with instance.event_log_storage.index_connection() as db:
            sa.event.listen(db.engine, "before_cursor_execute", lambda *passed: statements.append(passed[2]))
        run = planned(instance)
        assert len([one for one in statements if "INSERT INTO event_logs" in one]) == 1
        assert not [one for one in statements if "NOTIFY" in one]
        kinds = [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
        assert kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED) == 2
        assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED) == 2


def test_events_that_cannot_be_stored_together_leave_nothing(opened: Callable[..., Any]) -> None:
    """Dagster then stores each alone, which would double those that are there."""
    with opened("ours") as instance:
        run = planned(instance)
        before = stored(instance)
        with instance.event_log_storage.index_connection() as db:
            db.exec_driver_sql("alter table asset_check_executions rename to elsewhere")
            with pytest.raises(sa.exc.ProgrammingError):
                instance.event_log_storage.store_event_batch(list(instance.all_logs(run.run_id)))
            db.exec_driver_sql("alter table elsewhere rename to asset_check_executions")
        assert stored(instance) == before


def test_runs_of_the_same_assets_are_planned_at_once(opened: Callable[..., Any]) -> None:
    with opened("ours") as instance:
        threads = [threading.Thread(target=planned, args=(instance,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert isinstance(instance.event_log_storage, FewStatementsEventLog)
        assert len(stored(instance)["checks"]) == 2 * len(threads)
