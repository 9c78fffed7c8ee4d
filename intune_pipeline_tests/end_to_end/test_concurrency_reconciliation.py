"""Two syncs of one account and people's edits, all at once: nobody waits for nobody in a circle, and nothing is lost.

The product keeps a second sync of a connection away with a lock; here it is left out on purpose, as the last thing that
could fail: even then the tables stay right.
"""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.reconciliation import Counts
from intune_pipeline.inventory.reconciliation import apply
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import Tenant, device, migrated_engine

ROUNDS, DEVICES, EDITS = 20, 300, 60
NAMES = [f"{given}.{family}" for given in ("ann", "bob", "cleo", "dan") for family in ("berg", "falk", "lund", "moe")]


@pytest.fixture(scope="module")
def engine(migrated_databases: Databases) -> Iterator[sa.Engine]:
    with migrated_engine(migrated_databases) as engine:
        yield engine


def fleet(os_version: str) -> list[ManagedDevice]:
    return [
        device(f"d{n:04}", user=f"{NAMES[n % len(NAMES)]}@acme.example", osVersion=os_version) for n in range(DEVICES)
    ]


def apply_without_lock(tenant: Tenant, devices: list[ManagedDevice], start: threading.Barrier) -> Counts:
    made = tenant.plan(devices)
    (row,) = tenant_run(tenant)
    start.wait()
    return apply(tenant.engine, made, row)


def tenant_run(tenant: Tenant) -> list[int]:
    with tenant.engine.begin() as db:
        opened = db.execute(
            sa.text("insert into sync_runs (connection_id, trigger) values (:connection, 'operator') returning id"),
            {"connection": tenant.connection_id},
        )
        return list(opened.scalars())


class People:
    """They edit, assign and enter assets, and remember what they wrote."""

    def __init__(self, tenant: Tenant, seed: int) -> None:
        self._tenant = tenant
        self._random = random.Random(seed)
        self.wrote: dict[str, dict[str, object]] = {}
        self.holder = tenant.add_employee("Hanna", "Holder", "hanna@acme.example")

    def work(self, start: threading.Barrier) -> None:
        start.wait()
        for number in range(EDITS):
            serial = f"SN-d{self._random.randrange(DEVICES):04}"
            self._choice()(serial, number)

    def _choice(self) -> Callable[[str, int], None]:
        return self._random.choice([self._edit, self._edit, self._assign, self._enter])

    def _edit(self, serial: str, number: int) -> None:
        self._write(
            serial, "update assets set notes = :value, location = :value", notes=f"n{number}", location=f"n{number}"
        )

    def _assign(self, serial: str, _: int) -> None:
        self._write(serial, "update assets set assignee_id = :value", assignee_id=self.holder)

    def _enter(self, serial: str, number: int) -> None:
        with self._tenant.engine.begin() as db:
            entered = db.execute(
                sa.text(
                    "insert into assets (account_id, serial_number, status, notes) "
                    "values (:account, :serial, 'in_inventory', :value) on conflict do nothing"
                ),
                {"account": self._tenant.account_id, "serial": serial, "value": f"entered {number}"},
            )
            if entered.rowcount:
                self.wrote[serial] = {"notes": f"entered {number}", "status": "in_inventory", "assignee_id": None}

    def _write(self, serial: str, sql: str, **values: object) -> None:
        with self._tenant.engine.begin() as db:
            changed = db.execute(
                sa.text(f"{sql} where account_id = :account and serial_number = :serial"),
                {"account": self._tenant.account_id, "serial": serial, "value": next(iter(values.values()))},
            )
            if changed.rowcount:
                self.wrote.setdefault(serial, {}).update(values)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_two_syncs_and_peoples_edits_at_once_lose_nothing(engine: sa.Engine, number: int) -> None:
    tenant = Tenant.connected(engine, f"busy-{number}")
    people = People(tenant, number)
    older, newer = fleet("10"), fleet("11")
    random.Random(number).shuffle(newer)
    start = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        syncs = [pool.submit(apply_without_lock, tenant, devices, start) for devices in (older, newer)]
        work = pool.submit(people.work, start)
        counts = [sync.result() for sync in syncs]
        work.result()

    assert all((one.devices_synced, one.devices_failed) == (DEVICES, 0) for one in counts)
    assets = tenant.assets()
    assert len(assets) == DEVICES
    for serial, written in people.wrote.items():
        assert {name: assets[serial][name] for name in written} == written
    emails = tenant.rows("select email, count(*) from employee_emails where account_id = :account group by email")
    assert {row["email"] for row in emails} == {f"{name}@acme.example" for name in (*NAMES, "hanna")}
    created = tenant.rows("select count(*) from employees where account_id = :account")[0]["count"]
    assert created == len(NAMES) + 1 == sum(one.employees_created for one in counts) + 1
    owned = {row["os_version"] for row in assets.values()}
    assert owned <= {"10", "11"}
    deadlocks = tenant.rows("select deadlocks from pg_stat_database where datname = current_database()")
    assert deadlocks == [{"deadlocks": 0}]
