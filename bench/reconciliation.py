"""Measures reconciliation: 10,000 classified devices to committed assets, 50 per transaction, then unchanged.

Run: ``python -m bench.reconciliation [DEVICES]``. It starts an embedded PostgreSQL of its own, with its usual settings.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from intune_pipeline.domain.catalogue import Classification
from intune_pipeline.domain.devices import managed_device
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Counts, Listing, plan
from intune_pipeline.inventory import database, embedded_postgres, schema, sync_runs
from intune_pipeline.inventory.reconciliation import apply
from intune_pipeline.inventory.reconciliation_totals import run_columns
from intune_pipeline.inventory.state import load_state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", type=int, nargs="?", default=10_000)
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        server = embedded_postgres.start(Path(directory) / "pg")
        try:
            engine = database.create_engine(database.create_if_missing(server.url("postgres"), "bench"))
            database.upgrade(engine)
            measure(engine, devices)
            engine.dispose()
        finally:
            server.release()


def measure(engine: sa.Engine, devices: int) -> None:
    judged = fleet(devices)
    connection_id = connected(engine)
    for name in ("first", "unchanged"):
        run = None
        with engine.begin() as db:
            run = sync_runs.open_run(db, connection_id, "operator", None)
        began = time.perf_counter()
        with engine.connect() as db:
            state = load_state(db, connection_id)
        loaded = time.perf_counter()
        made = plan(judged, state, Policy(), Listing(datetime.now(UTC)))
        planned = time.perf_counter()
        counts = apply(engine, made, run, finish=closing(run))
        ended = time.perf_counter()
        assert counts == made.counts
        print(
            f"{name}: {ended - began:.2f} s (state {loaded - began:.2f}, plan {planned - loaded:.2f}, "
            f"apply {ended - planned:.2f}); created {counts.assets_created}, unchanged {counts.assets_unchanged}"
        )
    with engine.connect() as db:
        written = db.execute(
            sa.text(
                "select relname, n_tup_ins, n_tup_upd from pg_stat_user_tables "
                "where relname in ('assets', 'employees', 'employee_emails', 'asset_changes')"
            )
        )
        print({row.relname: (row.n_tup_ins, row.n_tup_upd) for row in written})


def closing(run: int) -> Callable[[sa.Connection, Counts], None]:
    return lambda db, counts: sync_runs.succeed(db, run, run_columns(counts))


def connected(engine: sa.Engine) -> int:
    with engine.begin() as db:
        account = db.execute(sa.insert(schema.accounts).values(slug="bench").returning(schema.accounts.c.id))
        values = {"account_id": account.scalar_one(), "status": "connected", "tenant_id": str(uuid.uuid4())}
        made = db.execute(sa.insert(schema.connections).values(**values).returning(schema.connections.c.id))
        return made.scalar_one()


def fleet(devices: int) -> list[JudgedDevice]:
    laptop = Classification("laptop", "bench", "a laptop")
    return [
        JudgedDevice(
            managed_device(
                {
                    "id": str(uuid.uuid4()),
                    "managedDeviceOwnerType": "company",
                    "serialNumber": f"SN{number:07}",
                    "operatingSystem": "Windows",
                    "osVersion": f"10.0.26100.{number % 900}",
                    "manufacturer": "Dell Inc.",
                    "model": f"Latitude {5000 + number % 60}",
                    "totalStorageSpaceInBytes": 256_000_000_000,
                    "azureADDeviceId": str(uuid.uuid4()),
                    "lastSyncDateTime": "2026-03-01T09:00:00Z",
                    "userId": str(uuid.uuid4()),
                    "emailAddress": f"given{number}.family{number}@example.com",
                    "userPrincipalName": f"given{number}.family{number}@example.com",
                    "userDisplayName": f"{GIVEN[number % 26]} {FAMILY[number // 26 % 26]}",
                }
            ),
            laptop,
            None,
        )
        for number in range(devices)
    ]


GIVEN = [f"An{chr(97 + number)}a" for number in range(26)]
FAMILY = [f"Mc{chr(65 + number)}ohn" for number in range(26)]

if __name__ == "__main__":
    main()
