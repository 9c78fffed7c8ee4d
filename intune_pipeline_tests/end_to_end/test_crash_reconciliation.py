"""kill -9 anywhere in a sync of 2,000 devices, then a rerun: the same tables as if nothing had happened.

Ids and times apart: every row is compared by what it says, references by what they refer to.
"""

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.reconciliation import Counts
from intune_pipeline.inventory import database as databases
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import NOW, Tenant, device, migrated_engine

DEVICES, KILLS = 2_000, 20
NAMES = [f"{given}.{family}" for given in ("ann", "bob", "cleo", "dan") for family in ("berg", "falk", "lund", "moe")]

TABLES = {
    "assets": """
        select a.serial_number, a.status, a.asset_type, a.os_version, a.make, a.model, a.storage_gb, a.notes, a.location,
               a.intune_device_id, a.sync_run_id is not null as by_sync, m.email as assignee
        from assets a left join employee_emails m on m.employee_id = a.assignee_id
        where a.account_id = :account order by 1
    """,
    "asset_changes": """
        select a.serial_number, c.field, c.reason, o.email as old_assignee, n.email as new_assignee,
               case when c.field <> 'assignee_id' then c.old_value end as old,
               case when c.field <> 'assignee_id' then c.new_value end as new
        from asset_changes c join assets a on a.id = c.asset_id
        left join employee_emails o on c.field = 'assignee_id' and o.employee_id::text = c.old_value
        left join employee_emails n on c.field = 'assignee_id' and n.employee_id::text = c.new_value
        where a.account_id = :account order by 1, 2
    """,
    "employees": """
        select e.first_name, e.last_name, m.email, m.kind from employees e join employee_emails m on m.employee_id = e.id
        where e.account_id = :account order by 3
    """,
    "device_outcomes": """
        select o.intune_device_id, o.serial_number, o.outcome, o.reason, o.device_type, o.rule, o.model, a.serial_number as asset,
               o.first_synced_at is not null as synced, o.absent_lists, o.candidate_user, o.candidate_syncs,
               o.ended_at is not null as ended
        from device_outcomes o left join assets a on a.id = o.asset_id where o.connection_id = :connection order by 1
    """,
    "held": """
        select h.email, h.decision, a.serial_number from employee_holds h
        left join held_assignments w on w.employee_hold_id = h.id left join assets a on a.id = w.asset_id
        where h.connection_id = :connection order by 1, 3
    """,
}


def fleet() -> list[ManagedDevice]:
    return [
        device(f"d{n:05}", f"SN-{n:05}" if n % 40 else "0", f"{NAMES[n % len(NAMES)]}@acme.example", osVersion="11")
        for n in range(DEVICES)
    ]


def prepare(engine: sa.Engine, slug: str) -> Tenant:
    """An account where a sync creates, changes, reassigns, holds and ends."""
    tenant = Tenant.connected(
        engine,
        slug,
        mdm_assignee_updates=True,
        assignee_confirmations=2,
        hold_lookalike_employees=True,
        enrolment_manager_devices=DEVICES,
    )
    tenant.add_employee("Ann", "Berg", "ann@home.example", kind="personal")
    holder = tenant.add_employee("Bob", "Falk", "bob.falk@acme.example")
    tenant.run(
        """
        insert into assets (account_id, serial_number, status, os_version, notes, assignee_id)
        select :account, 'SN-' || lpad(n::text, 5, '0'), case n % 3 when 0 then 'locked' else 'allocated' end, '10', 'typed',
               case when n % 2 = 0 then :holder end
        from generate_series(1, 600) n
        """,
        holder=holder,
    )
    # One earlier sync saw every device, and 40 more that have left since; it has seen the users once.
    tenant.run("""
        insert into assets (account_id, serial_number, status) select :account, 'GONE-' || n, 'allocated'
        from generate_series(1, 40) n
    """)
    tenant.run(
        """
        insert into device_outcomes (connection_id, intune_device_id, serial_number, outcome, first_synced_at,
                                     absent_lists, absent_since, candidate_user, candidate_syncs)
        select :connection, 'gone' || n, 'GONE-' || n, 'synced', now(), 1, :since, null, 0 from generate_series(1, 40) n
        union all
        select :connection, 'd' || lpad(n::text, 5, '0'), null, 'synced', now(), 0, null, 'dan.moe@acme.example', 1
        from generate_series(1, 500) n
        """,
        since=NOW.replace(day=1),
    )
    return tenant


def reconciled(counts: Counts) -> int:
    return counts.devices_synced + counts.devices_failed + sum(counts.devices_skipped.values())


def tables(tenant: Tenant) -> dict[str, list[dict[str, object]]]:
    return {name: tenant.rows(sql) for name, sql in TABLES.items()}


def killed_in_batch(tenant: Tenant, devices: list[ManagedDevice], batch: int, seconds: float) -> None:
    """Sync in a process of its own, killed with SIGKILL so long after it begins its n-th batch; 0: right there."""
    fork = multiprocessing.get_context("fork")
    reached = fork.Event()
    child = fork.Process(target=sync_alone, args=(tenant, devices, batch, seconds, reached))
    child.start()
    while child.is_alive() and not reached.wait(0.01):
        pass
    time.sleep(seconds)
    child.kill()
    child.join()


def sync_alone(tenant: Tenant, devices: list[ManagedDevice], batch: int, seconds: float, reached: Event) -> None:
    batches = itertools.count()

    def announce(_: Counts) -> None:
        if next(batches) == batch:
            if not seconds:
                os.kill(os.getpid(), signal.SIGKILL)
            reached.set()

    alone = Tenant(databases.create_engine(tenant.engine.url), tenant.connection_id, tenant.account_id)
    alone.sync(devices, before_batch=announce)


@pytest.fixture(scope="module")
def engine(migrated_databases: Databases) -> Iterator[sa.Engine]:
    with migrated_engine(migrated_databases) as engine:
        yield engine


def test_a_sync_killed_anywhere_leaves_whole_batches_and_its_rerun_the_undisturbed_result(engine: sa.Engine) -> None:
    devices = fleet()
    undisturbed = prepare(engine, "undisturbed")
    boundaries: list[int] = []
    counts = undisturbed.sync(devices, before_batch=lambda counts: boundaries.append(reconciled(counts)))
    expected = tables(undisturbed)
    assert (counts.lifecycle_transitions, counts.devices_failed) == (40, 0)
    assert counts.assignees_changed > 0
    assert expected["held"]

    when = random.Random(20260302)
    progress = []
    for number in range(KILLS):
        tenant = prepare(engine, f"killed-{number}")
        # Every other one exactly between two batches, the others somewhere in or after one.
        killed_in_batch(tenant, devices, number * len(boundaries) // KILLS, number % 2 * when.uniform(0.001, 0.05))
        # The server notices that its client is gone when it next talks to it.
        while tenant.rows(
            "select 1 from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()"
        ):
            time.sleep(0.01)
        run = tenant.rows("select * from sync_runs where connection_id = :connection")
        seen = tenant.rows(
            "select count(*) from device_outcomes where connection_id = :connection and sync_run_id is not null"
        )
        progress.append(seen[0]["count"])
        if not run or run[0]["status"] == "running":
            assert seen[0]["count"] in boundaries
            assert not run or run[0]["devices_reconciled"] == seen[0]["count"]
            tenant.sync(devices)
        assert tables(tenant) == expected
    assert len(set(progress)) > KILLS / 4, f"the kills came too much alike: {progress}"


def test_a_plan_made_before_the_crash_is_never_needed_again(engine: sa.Engine) -> None:
    """A rerun decides from the tables alone: the plan after a crash lists exactly what is still to do."""
    devices = [replace(one, user_id=None, user_email=None, user_principal_name=None) for one in fleet()[:200]]
    tenant = prepare(engine, "replanned")
    whole = tenant.plan(devices).changes()

    class KilledError(Exception):
        pass

    def kill(counts: Counts) -> None:
        if counts.devices_synced:
            raise KilledError

    with pytest.raises(KilledError):
        tenant.sync(devices, before_batch=kill)
    rest = tenant.plan(devices).changes()
    assert len(rest) < len(whole)
    assert all(change in whole for change in rest)
