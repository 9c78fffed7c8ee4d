"""``sync`` of an account that syncs already, and what the runs of the command line are to Dagster."""

import sys
import threading
import time

import dagster as dg
import pytest
import sqlalchemy as sa

from intune_pipeline.cli import sync_progress
from intune_pipeline.inventory import sync_locks, sync_runs
from intune_pipeline.inventory.schema import connections


@pytest.fixture
def acme(stores, cloud, command):
    assert command("db", "upgrade").status == 0
    assert command("connections", "add", "acme", "--tenant-id", cloud.tenants[0].tenant_id).status == 0


def hold(engine, begun, finish, *, seconds):
    """Be another process that syncs the account for so long and ends as `finish` says."""
    with engine.connect() as db:
        connection_id = db.scalar(sa.select(connections.c.id))
    with sync_locks.locked(engine, connection_id):
        with engine.begin() as db:
            run = sync_runs.open_run(db, connection_id, "schedule", "the-other-run")
        begun.set()
        time.sleep(seconds)
        with engine.begin() as db:
            finish(db, run)


@pytest.fixture
def syncing(acme, engine):
    """``syncing(finish)`` lets another process sync the account for a second."""
    threads = []

    def start(finish, seconds=1.0):
        begun = threading.Event()
        thread = threading.Thread(target=hold, args=(engine, begun, finish), kwargs={"seconds": seconds})
        threads.append(thread)
        thread.start()
        assert begun.wait(10)

    yield start
    for thread in threads:
        thread.join()


def test_a_sync_that_runs_is_joined_and_reported(syncing, command):
    counts = {"devices_listed": 3, "devices_synced": 3}
    syncing(lambda db, run: sync_runs.succeed(db, run, counts))
    answer = command("sync", "acme", "--json")
    assert answer.status == 0, answer.err
    assert answer.json()["devices_synced"] == 3
    assert "of acme (schedule) has been running since" in answer.err


@pytest.mark.parametrize(("is_terminal", "told"), [(False, "acme: done, 3 of 3 devices\n"), (True, "3/3")])
def test_progress_is_a_bar_in_a_terminal_and_lines_elsewhere(acme, engine, monkeypatch, capsys, is_terminal, told):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sync_progress, "SECONDS_BETWEEN_LINES", 0.1)
    with sync_progress.progress_of(engine, "acme"):
        with engine.begin() as db:
            run = sync_runs.open_run(db, db.scalar(sa.select(connections.c.id)), "operator", "the-run")
        err, until = "", time.monotonic() + 10
        while "acme: starting" not in err and time.monotonic() < until:
            time.sleep(0.02)
            err += capsys.readouterr().err
        with engine.begin() as db:
            sync_runs.succeed(db, run, {"devices_listed": 3, "devices_synced": 3})
    err += capsys.readouterr().err
    assert told in err
    assert is_terminal or "acme: starting, 0 devices\n" in err


def test_progress_ends_with_failed_where_the_sync_does_and_with_nothing_where_none_began(acme, engine, capsys):
    with engine.begin() as db:
        of_before = sync_runs.open_run(db, db.scalar(sa.select(connections.c.id)), "schedule", "the-run-before")
        sync_runs.succeed(db, of_before, {"devices_listed": 3, "devices_synced": 3})
    with sync_progress.progress_of(engine, "acme"):
        pass
    assert capsys.readouterr().err == ""
    with sync_progress.progress_of(engine, "acme"), engine.begin() as db:
        run = sync_runs.open_run(db, db.scalar(sa.select(connections.c.id)), "operator", "the-run")
        sync_runs.fail(db, run, "outage", "Microsoft was down.")
    assert capsys.readouterr().err == "acme: failed, 0 of 0 devices\n"


def test_the_sentence_of_a_joined_sync_that_fails_is_told(syncing, command):
    syncing(lambda db, run: sync_runs.fail(db, run, "outage", "Microsoft was down."))
    answer = command("sync", "acme")
    assert answer.status == 1
    assert "Error: Microsoft was down." in answer.err


def test_who_does_not_want_to_wait_is_told_at_once(syncing, command):
    syncing(lambda db, run: sync_runs.fail(db, run, "outage", "Microsoft was down."))
    began = time.monotonic()
    answer = command("sync", "acme", "--no-wait")
    assert answer.status == 1
    assert "has been running since" in answer.err
    assert time.monotonic() - began < 0.9


def test_after_a_sync_that_died_the_command_syncs_itself(syncing, command, cloud):
    syncing(lambda *_: None)
    answer = command("sync", "acme", "--json")
    assert answer.status == 0, answer.err
    assert answer.json()["devices_listed"] == len(cloud.tenants[0])


def test_a_run_of_the_command_line_is_one_of_the_code_location(acme, command):
    assert command("sync", "acme").status == 0
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs(dg.RunsFilter(tags={".dagster/repository": "__repository__@intune_pipeline"}))
        assert instance.has_job_snapshot(run.job_snapshot_id)
        assert instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    assert run.job_name == "intune_sync"
    assert run.remote_job_origin
    assert run.tags["dagster/partition"] == "acme"
    assert run.tags["dagster/max_retries"] == "0"
