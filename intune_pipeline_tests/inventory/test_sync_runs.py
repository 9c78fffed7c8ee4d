"""The sync log: one sync per connection at a time, every sync with an end."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.counts import MEANINGS
from intune_pipeline.inventory import connections, sync_locks, sync_runs
from intune_pipeline_tests.conftest import ConnectedAccount

COUNTS = {
    "devices_listed": 10,
    "devices_synced": 7,
    "devices_skipped": 2,
    "devices_failed": 1,
    "skipped_by_reason": {"personal": 1, "unknown_type": 1},
    "assets_created": 7,
}


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account()


def test_the_second_sync_is_told_who_holds_the_lock(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with sync_locks.locked(engine, acme.connection_id) as lock:
        with (
            pytest.raises(sync_locks.SyncLockedError, match="just beginning"),
            sync_locks.locked(engine, acme.connection_id),
        ):
            pass
        with engine.begin() as db:
            run = sync_runs.open_run(db, acme.connection_id, "schedule", "one")
        with (
            pytest.raises(sync_locks.SyncLockedError, match=rf"Sync {run} of acme \(schedule\) has been running since"),
            sync_locks.locked(engine, acme.connection_id),
        ):
            pass
        lock.ensure_held()
    with sync_locks.locked(engine, acme.connection_id):
        pass


def test_connections_lock_apart(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> None:
    one, two = connect_account("one"), connect_account("two")
    with sync_locks.locked(engine, one.connection_id), sync_locks.locked(engine, two.connection_id):
        pass


def test_the_lock_goes_with_the_database_connection(
    engine: sa.Engine, acme: ConnectedAccount, maintenance: sa.Engine
) -> None:
    with sync_locks.locked(engine, acme.connection_id) as lock:
        with maintenance.connect() as db:
            # Other tests' locks lie on the same server.
            db.execute(
                sa.text("""
                    select pg_terminate_backend(pid)
                    from pg_locks l join pg_database d on d.oid = l.database
                    where locktype = 'advisory' and datname = :database
                """),
                {"database": engine.url.database},
            )
        with pytest.raises(sync_locks.SyncLockLostError):
            lock.ensure_held()


def test_a_new_sync_closes_the_dead_one(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        dead = sync_runs.open_run(db, acme.connection_id, "schedule", "one")
        alive = sync_runs.open_run(db, acme.connection_id, "manual", "two")
        closed = sync_runs.get(db, dead)
        assert closed is not None
        assert (closed.status, closed.cause) == ("failed", "died")
        assert [run.id for run in sync_runs.all_running(db)] == [alive]


def test_a_resumed_run_keeps_its_row_and_counts_from_zero(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        first = sync_runs.open_run(db, acme.connection_id, "manual", "one")
        sync_runs.progress(db, first, phase="reconciling", devices_read=100)
        assert sync_runs.open_run(db, acme.connection_id, "manual", "one") == first
        run = sync_runs.running(db, "acme")
        assert run is not None
        assert (run.phase, run.devices_read) == ("starting", 0)


def test_progress_is_seen_while_the_sync_runs(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        run_id = sync_runs.open_run(db, acme.connection_id, "manual", "one")
        sync_runs.progress(db, run_id, phase="listing", devices_read=1000)
        sync_runs.progress(db, run_id, devices_read=2000)
        run = sync_runs.running(db, "acme")
        assert run is not None
        assert (run.phase, run.devices_read, run.progress_at >= run.started_at) == ("listing", 2000, True)


def test_success_is_written_with_its_counts_and_heals_the_connection(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        connections.set_status(db, acme.connection_id, "needs_consent", "consent_missing", "Connect again.")
        run_id = sync_runs.open_run(db, acme.connection_id, "manual", "one")
        sync_runs.succeed(db, run_id, COUNTS)
        assert connections.get(db, "acme").status == "connected"
        assert sync_runs.running(db, "acme") is None
        good = sync_runs.last_good(db, "acme")
        assert good is not None
        assert (good.id, good.phase, good.assets_created) == (run_id, "done", 7)
        assert sync_runs.report(sync_runs.of_dagster_run(db, "one")) == {
            **dict.fromkeys(MEANINGS, 0),
            "status": "succeeded",
            "devices_listed": 10,
            "devices_synced": 7,
            "devices_skipped": {"personal": 1, "unknown_type": 1},
            "devices_failed": 1,
            "devices_unreadable": 0,
            "assets_created": 7,
        }


def test_numbers_that_do_not_add_up_are_refused(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        run_id = sync_runs.open_run(db, acme.connection_id, "manual", "one")
        with pytest.raises(sa.exc.IntegrityError, match="counts"), db.begin_nested():
            sync_runs.succeed(db, run_id, {**COUNTS, "devices_listed": 11})


def test_a_sync_closed_by_others_cannot_succeed_any_more(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        run_id = sync_runs.open_run(db, acme.connection_id, "manual", "one")
        assert sync_runs.fail(db, run_id, "canceled", "Somebody cancelled it.")
        assert not sync_runs.fail(db, run_id, "died", "Too late.")
        with pytest.raises(sync_locks.SyncLockLostError):
            sync_runs.succeed(db, run_id, COUNTS)
        assert sync_runs.report(sync_runs.of_dagster_run(db, "one"))["error"] == "Somebody cancelled it."


def test_a_run_that_never_began_is_reported_as_failed(engine: sa.Engine) -> None:
    with engine.begin() as db:
        report = sync_runs.report(sync_runs.of_dagster_run(db, "unknown"))
    assert (report["status"], report["devices_listed"]) == ("failed", 0)
    assert "before its sync began" in report["error"]
