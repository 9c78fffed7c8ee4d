"""Where everything is measured: a sandbox cloud, a PostgreSQL with its usual settings, accounts connected to tenants."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
import sqlalchemy as sa

from bench.measuring import cpu_of, started
from intune_pipeline import local
from intune_pipeline.cli.database import upgrade_dagster
from intune_pipeline.inventory import accounts, database, embedded_postgres, linking
from intune_pipeline.inventory.roles import DEFAULT_PREFIX
from intune_pipeline.settings import Settings

OURS = ("ALLWHERE_", "DAGSTER_", "MICROSOFT_", "INTUNE_", "BYPASS_", "AUTH0_", "PORTAL_")

#: Graph as large tenants know it: seconds for a page of 1,000 devices and for a batch, and its quota.
PAGE_SECONDS, BATCH_SECONDS = 3.0, 1.5
REAL_PACE = {"slow_seconds": PAGE_SECONDS, "batch_seconds": BATCH_SECONDS, "enforce_quota": True}


@dataclass
class Stage:
    """The servers and the accounts.

    Attributes:
        directory: Files of this benchmark.
        environment: Settings that point a process at the servers.
        tenants: Account slug → tenant id.
        engine: allwhere's database.
        cloud: The sandbox's process.
        server: PostgreSQL's process.
    """

    directory: Path
    environment: Mapping[str, str]
    tenants: Mapping[str, str]
    engine: sa.Engine
    cloud: psutil.Process
    server: psutil.Process

    def spent(self) -> tuple[float, float]:
        """CPU seconds of the sandbox and of PostgreSQL so far."""
        return cpu_of(self.cloud), cpu_of(self.server)

    def written(self) -> int:
        """Where PostgreSQL's write-ahead log stands, in bytes, over all databases."""
        with self.engine.connect() as db:
            return int(db.scalar(sa.text("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")))

    def control(self, method: str, path: str, content: Any = None) -> Any:
        """Ask the sandbox about itself, or change it."""
        url = f"{self.environment['MICROSOFT_LOGIN_URL']}/_sandbox/{path}"
        answer = requests.request(
            method, url, json=content, verify=self.environment["MICROSOFT_CA_BUNDLE"], timeout=600
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def empty(self, account: str) -> None:
        """Take an account back to where it was before its first sync."""
        with self.engine.begin() as db:
            found = accounts.get(db, account).id
            for table in ("asset_changes", "held_assignments"):
                db.execute(
                    sa.text(f"delete from {table} where asset_id in (select id from assets where account_id = :id)"),  # noqa: S608
                    {"id": found},
                )
            db.execute(sa.text("delete from assets where account_id = :id"), {"id": found})
            db.execute(sa.text("delete from employees where account_id = :id"), {"id": found})
            for table in (
                "device_outcomes",
                "device_details",
                "employee_holds",
                "lifecycle_holds",
                "hold_decisions",
                "sync_runs",
            ):
                db.execute(
                    sa.text(
                        f"delete from {table} where connection_id in (select id from connections where account_id = :id)"  # noqa: S608
                    ),
                    {"id": found},
                )
        self.tidy()

    def tidy(self) -> None:
        """Do what autovacuum does between two daily syncs, so that it does not do it during a measurement."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(sa.text("vacuum analyze"))
            db.execute(sa.text("checkpoint"))


@contextmanager
def opened(sizes: Mapping[str, int], **settings: str) -> Iterator[Stage]:
    """A stage with one connected account per fleet.

    Args:
        sizes: Account slug → devices.
        settings: More environment, such as ``INTUNE_DETAILS="off"``.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with started(
            "bench.cloud",
            str(directory),
            *(f"{account}={size}" for account, size in sizes.items()),
            log=directory / "cloud.log",
        ) as cloud:
            described = _described(directory, cloud)
            postgres = embedded_postgres.start(directory / "postgres")
            try:
                yield from _connected(directory, described, postgres, cloud, settings)
            finally:
                postgres.release()


def _described(directory: Path, cloud: psutil.Process) -> dict[str, Any]:
    while not (directory / "cloud.json").exists():
        if not cloud.is_running() or cloud.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError((directory / "cloud.log").read_text()[-3000:])
        time.sleep(0.05)
    found: dict[str, Any] = json.loads((directory / "cloud.json").read_text())
    return found


def _connected(
    directory: Path,
    described: dict[str, Any],
    postgres: embedded_postgres.EmbeddedPostgres,
    cloud: psutil.Process,
    settings: Mapping[str, str],
) -> Iterator[Stage]:
    for variable in [variable for variable in os.environ if variable.startswith(OURS)]:
        del os.environ[variable]
    os.environ |= described["environment"] | {"DAGSTER_HOME": str(directory / "dagster"), **settings}
    allwhere, dagster = (
        database.create_if_missing(postgres.url("postgres"), name) for name in (local.ALLWHERE, local.DAGSTER)
    )
    local.export(local.DatabaseUrls(allwhere, dagster), local.prepare_dagster_home(Settings.load()))
    engine = database.create_engine(allwhere)
    # The product's own engines then work as its roles, under row-level security.
    database.create_roles(engine, DEFAULT_PREFIX, {})
    database.upgrade(engine)
    upgrade_dagster()
    with engine.begin() as db:
        for account, tenant_id in described["tenants"].items():
            accounts.create(db, account, account)
            linking.add(db, account, tenant_id, actor="operator:bench")
    environment = {name: value for name, value in os.environ.items() if name.startswith(OURS)}
    pid = int((directory / "postgres/data/postmaster.pid").read_text().split()[0])
    try:
        yield Stage(directory, environment, described["tenants"], engine, cloud, psutil.Process(pid))
    finally:
        engine.dispose()
