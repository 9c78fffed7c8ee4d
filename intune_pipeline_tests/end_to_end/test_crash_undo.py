"""kill -9 ten times anywhere in the undo of a first sync, and each time undone again: whole batches, on from there, the end."""

import itertools
import multiprocessing
import os
import random
import signal
import time

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory.undo import BATCH_SIZE, undo
from intune_pipeline_tests.syncing import Tenant, device

DEVICES, KNOWN, KILLS = 600, 120, 10

CURATED = {
    "assets": "select id, serial_number, status, os_version, make, model, assignee_id, notes from assets order by id",
    "employees": "select id, first_name, last_name from employees order by id",
    "addresses": "select employee_id, email, kind from employee_emails order by email",
}


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    """A quarter of a fleet was in allwhere before its first sync."""
    tenant = Tenant.connected(engine, "acme", enrolment_manager_devices=DEVICES)
    tenant.run(
        """
        insert into assets (account_id, serial_number, status, os_version, notes)
        select :account, 'SN-' || n, 'in_inventory', '10', 'typed' from generate_series(1, :known) n
        """,
        known=KNOWN,
    )
    return tenant


def curated(tenant: Tenant) -> dict[str, list[dict[str, object]]]:
    return {name: tenant.rows(sql) for name, sql in CURATED.items()}


def left(tenant: Tenant) -> dict[str, int]:
    """How much of the sync is still there, by what it did."""
    return tenant.rows("""
        select (select count(*) from assets where sync_run_id is not null) as assets,
               (select count(*) from employees) as employees,
               (select count(*) from assets where notes = 'typed' and os_version <> '10') as updated
    """)[0]


def killed(tenant: Tenant, run: int, batches: int, statements: int) -> None:
    """Undo in a process of its own, killed with SIGKILL after so many whole batches and statements of the next one."""
    child = multiprocessing.get_context("fork").Process(target=undo_alone, args=(tenant, run, batches, statements))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    # The server ends the dead client's transaction and lets go of the lock when it notices.
    while tenant.rows("""
        select from pg_locks where locktype = 'advisory' and database = (
            select oid from pg_database where datname = current_database())
        union all select from pg_stat_activity
        where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()
    """):
        time.sleep(0.01)


def undo_alone(tenant: Tenant, run: int, batches: int, statements: int) -> None:
    engine = databases.create_engine(tenant.engine.url)
    begun, executed = itertools.count(), itertools.count(1)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def announce() -> None:
        if next(begun) == batches:
            if not statements:
                die()
            sa.event.listen(engine, "after_cursor_execute", lambda *_: next(executed) == statements and die())

    undo(engine, run, actor="operator:test", before_batch=announce)


def test_an_undo_killed_ten_times_leaves_whole_batches_and_goes_on_to_the_end(tenant: Tenant) -> None:
    before = curated(tenant)
    tenant.sync(
        device(f"d{n}", f"SN-{n}", f"ann.k{chr(97 + n // 26)}{chr(97 + n % 26)}l@acme.example", osVersion="11")
        for n in range(1, DEVICES + 1)
    )
    run = tenant.rows("select id from sync_runs")[0]["id"]
    at_first = left(tenant)
    assert at_first == {"assets": DEVICES - KNOWN, "employees": DEVICES - KNOWN, "updated": KNOWN}

    when = random.Random(20260302)
    progress = [at_first]
    for number in range(KILLS):
        # Every other one exactly between two batches, the others after a statement in the midst of one.
        killed(tenant, run, number % 4, number % 2 and when.randint(1, 4))
        now = left(tenant)
        for what, count in now.items():
            done = progress[-1][what] - count
            assert done % BATCH_SIZE == 0 or count == 0, f"{what}: {progress} {now}"
        if now["assets"] < at_first["assets"]:
            assert now["updated"] == 0, "what was updated is put back first"
        if now["employees"] < at_first["employees"]:
            assert now["assets"] == 0, "employees go after their assets"
        [undone] = tenant.rows("select * from sync_runs order by id desc limit 1")
        assert undone["status"] == "running", "a killed process closes nothing"
        assert undone["assets_removed"] == progress[-1]["assets"] - now["assets"]
        assert undone["employees_removed"] == progress[-1]["employees"] - now["employees"]
        assert undone["assets_updated"] == progress[-1]["updated"] - now["updated"]
        progress.append(now)
    assert len({tuple(one.values()) for one in progress}) > KILLS / 2, f"the kills came too much alike: {progress}"
    assert any(progress[-1].values()), "the last kill left something to do"

    done = undo(tenant.engine, run, actor="operator:test")
    assert done.refused == []
    assert curated(tenant) == before
    runs = tenant.rows("select trigger, status from sync_runs where trigger = 'undo' order by id")
    assert [row["status"] for row in runs] == ["failed"] * KILLS + ["succeeded"]
    assert tenant.rows("select sum(assets_removed) as removed from sync_runs") == [{"removed": DEVICES - KNOWN}]
