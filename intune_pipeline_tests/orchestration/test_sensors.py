"""Sync requests become runs exactly once, and whatever ends without a word is closed."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import DagsterRunStatus

from intune_pipeline.inventory import sync_requests, sync_runs
from intune_pipeline.inventory.open_syncs import locked_accounts
from intune_pipeline.inventory.sync_locks import locked
from intune_pipeline.orchestration.sensors import close_ended, ended_runs, find_dead, remind, run_key
from intune_pipeline.orchestration.sync import reaping
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.orchestration.conftest import World, ask, launch, state_of, tick


def wait_until_unlocked(world: World) -> None:
    """A server process lets go of its lock a moment after its client has gone."""
    for _ in range(100):
        with world.engine.connect() as db:
            if not locked_accounts(db):
                return
        time.sleep(0.05)
    raise AssertionError("The lock is still held.")


def test_a_request_becomes_one_run_however_often_the_sensor_looks(world: World) -> None:
    request_id = ask(world)
    [first] = tick(world).run_requests
    [again] = tick(world).run_requests
    assert first.run_key == again.run_key == run_key(request_id)
    assert first.partition_key == "acme"
    assert first.tags["intune/trigger"] == "manual"
    assert int(first.tags["dagster/priority"]) > 0
    assert state_of(world, request_id) == ("pending", None)

    launch(world, first)
    assert tick(world).run_requests == []
    assert state_of(world, request_id) == ("started", None)
    assert isinstance(tick(world), dg.SkipReason)


def test_a_daemon_that_dies_before_it_starts_the_run_starts_it_later(world: World) -> None:
    """Nothing is written until the run exists, so a look that came to nothing is simply repeated."""
    request_id = ask(world)
    tick(world)
    assert state_of(world, request_id) == ("pending", None)
    assert [request.run_key for request in tick(world).run_requests] == [run_key(request_id)]


def test_the_partition_follows_the_database(world: World) -> None:
    ask(world, "initial")
    result = tick(world)
    [request] = result.run_requests
    [wanted] = result.dynamic_partitions_requests
    assert (wanted.partitions_def_name, wanted.partition_keys) == ("tenants", ["acme"])
    assert request.tags["intune/trigger"] == "initial"


def test_a_request_whose_tenant_is_syncing_joins_that_sync(world: World) -> None:
    request_id = ask(world)
    with locked(world.engine, world.account.connection_id):
        with world.engine.begin() as db:
            sync_run_id = sync_runs.open_run(db, world.account.connection_id, "schedule", "run-1")
        assert isinstance(tick(world), dg.SkipReason)
        assert world.query("select status, sync_run_id from sync_requests") == [("started", sync_run_id)]
        with world.engine.begin() as db:
            sync_runs.succeed(db, sync_run_id, {})
    assert state_of(world, request_id) == ("succeeded", None)


def test_a_sync_that_begins_serves_whatever_is_asked_for(world: World) -> None:
    request_id = ask(world)
    synced = world.sync("schedule")
    assert synced
    assert synced.status == "succeeded"
    assert state_of(world, request_id) == ("succeeded", None)


def test_a_failed_sync_fails_its_request_with_the_same_sentence(world: World) -> None:
    request_id = ask(world)
    world.tenant.consented = False
    synced = world.sync("manual")
    assert synced
    assert state_of(world, request_id) == ("failed", synced.error)
    assert state_of(world, ask(world))[0] == "pending"


@pytest.mark.parametrize(
    ("status", "cause"), [(DagsterRunStatus.CANCELED, "canceled"), (DagsterRunStatus.FAILURE, "died")]
)
def test_what_a_run_that_ended_without_a_word_left_open_is_closed(
    world: World, queued: tuple[UUID, dg.DagsterRun], status: DagsterRunStatus, cause: str
) -> None:
    request_id, run = queued
    assert close_ended(world.instance, world.engine) == 0
    if status is DagsterRunStatus.CANCELED:
        world.instance.report_run_canceled(run)
    else:
        world.instance.report_run_failed(run)
    assert close_ended(world.instance, world.engine) == 1
    synced = world.sync_run(run.run_id)
    assert synced
    assert (synced.status, synced.cause) == ("failed", cause)
    assert state_of(world, request_id) == ("failed", synced.error)
    assert close_ended(world.instance, world.engine) == 0


def test_a_request_stays_open_while_its_crashed_run_waits_to_be_started_over(
    world: World, queued: tuple[UUID, dg.DagsterRun]
) -> None:
    request_id, run = queued
    world.instance.report_run_failed(run)
    world.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    close_ended(world.instance, world.engine)
    synced = world.sync_run(run.run_id)
    assert synced
    assert synced.status == "failed"
    assert state_of(world, request_id) == ("started", None)
    assert world.sync("manual")
    assert state_of(world, request_id) == ("succeeded", None)


def test_a_crashed_run_of_the_command_line_is_not_waited_for(world: World) -> None:
    """Dagster marks it for a retry and never starts one, because it does not know where its code is."""
    request_id = ask(world)
    job = world.defs.resolve_job_def("intune_sync")
    run = world.instance.create_run_for_job(job, tags={"dagster/partition": "acme"}, status=DagsterRunStatus.STARTED)
    with world.engine.begin() as db:
        sync_run_id = sync_runs.open_run(db, world.account.connection_id, "operator", run.run_id)
        sync_requests.mark_started(db, [request_id], sync_run_id)
    world.instance.report_run_failed(run)
    world.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    assert remind(world.instance, datetime.now(UTC) + 2 * reaping.GRACE) == 0
    close_ended(world.instance, world.engine)
    assert state_of(world, request_id)[0] == "failed"


def test_a_run_that_dagster_forgot_is_closed_too(world: World, queued: tuple[UUID, dg.DagsterRun]) -> None:
    request_id, run = queued
    world.instance.delete_run(run.run_id)
    close_ended(world.instance, world.engine)
    status, error = state_of(world, request_id)
    assert status == "failed"
    assert error
    assert "deleted" in error


def test_a_run_that_died_before_its_sync_began_fails_its_request(world: World) -> None:
    request_id = ask(world)
    [request] = tick(world).run_requests
    run = launch(world, request)
    tick(world)
    assert close_ended(world.instance, world.engine) == 0
    world.instance.report_run_failed(run)
    assert close_ended(world.instance, world.engine) == 1
    assert state_of(world, request_id)[0] == "failed"


def test_a_run_nobody_works_on_is_failed_after_a_while(world: World, queued: tuple[UUID, dg.DagsterRun]) -> None:
    """Left STARTED by a dead machine; Dagster itself would let it block its tenant until the maximum run time."""
    _, run = queued
    dead, cursor = find_dead(world.instance, world.engine, None)
    assert dead == []
    long_ago = reaping.cursor_of({run.run_id: (datetime.now(UTC) - 2 * reaping.GRACE).timestamp()})
    with locked(world.engine, world.account.connection_id):
        assert find_dead(world.instance, world.engine, long_ago) == ([], "{}")
    assert set(reaping.sightings_from(cursor)) == {run.run_id}
    wait_until_unlocked(world)
    [found], _ = find_dead(world.instance, world.engine, long_ago)
    assert found.run_id == run.run_id


def test_the_sensor_reports_the_dead_and_closes_their_syncs(
    world: World, queued: tuple[UUID, dg.DagsterRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = queued
    monkeypatch.setattr(reaping, "GRACE", timedelta(0))
    result = tick(world, ended_runs)
    assert "1 dead run" in result.skip_reason.skip_message
    ended = world.instance.get_run_by_id(run.run_id)
    assert ended
    assert ended.status is DagsterRunStatus.FAILURE
    synced = world.sync_run(run.run_id)
    assert synced
    assert synced.status == "failed"


def test_only_started_runs_of_tenants_can_be_dead() -> None:
    def run(status: DagsterRunStatus, **tags: str) -> dg.DagsterRun:
        return dg.DagsterRun(
            "intune_sync", status=status, tags={f"dagster/{name}": value for name, value in tags.items()}
        )

    suspects = [
        run(DagsterRunStatus.STARTED, partition="dead"),
        run(DagsterRunStatus.STARTED, partition="alive"),
        run(DagsterRunStatus.STARTING, partition="waiting"),
        run(DagsterRunStatus.STARTED),
    ]
    assert reaping.lockless(suspects, {"alive"}) == suspects[:1]


def test_a_suspect_that_got_its_lock_back_is_forgotten() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert reaping.judge([], {"run-1": 0.0}, now) == ([], {})


def test_sql_knows_locks_of_this_database_only(world: World, engine: sa.Engine) -> None:
    with engine.connect() as db:
        assert locked_accounts(db) == set()
        with locked(engine, world.account.connection_id):
            assert locked_accounts(db) == {"acme"}
    wait_until_unlocked(world)


def test_a_sync_that_loses_the_database_stops_and_is_to_be_started_over(world: World, sandbox: SandboxCloud) -> None:
    """All connections are cut while Microsoft is being asked, the one that holds the tenant's lock too."""
    request_id = ask(world)
    sandbox.faults.slow_seconds = 1.5
    sandbox.requests.clear()

    def cut() -> None:
        # Requests are logged when answered, and the list is asked for with the token.
        until = time.monotonic() + 30
        while not any(one.path.endswith("/token") for one in sandbox.requests) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        world.query(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

    cutter = threading.Thread(target=cut)
    cutter.start()
    synced = world.sync("manual")
    cutter.join()
    sandbox.faults.reset()
    assert synced
    assert synced.status == "failed"
    assert "stops" in world.failures()[0]
    run = world.instance.get_run_by_id(world.last.run_id)
    assert run
    assert run.tags["dagster/retry_on_asset_or_op_failure"] == "true"
    assert state_of(world, request_id) == ("started", None)
    again = world.sync("manual")
    assert again
    assert again.status == "succeeded"
    assert state_of(world, request_id) == ("succeeded", None)


def test_a_run_that_stops_between_steps_closes_its_sync_and_the_sensor_its_request(world: World) -> None:
    """The frame of ``employees`` cannot be stored, which happens outside of every asset."""
    request_id = ask(world)
    with world.refusing("pipeline.employees", "true"):
        synced = world.sync("manual")
    assert synced
    assert (synced.status, synced.cause) == ("failed", "stopped")
    assert "storing employees" in world.failures()[0] or "frame of employees" in world.failures()[0]
    assert close_ended(world.instance, world.engine) == 1
    assert state_of(world, request_id)[0] == "failed"
