"""Runs, daemon, code server and database connections die at random while tenants sync: ``python -m bench.chaos``.

Twenty tenants sync, people press Sync Now, and every few seconds something is killed. In the end every request must
have exactly one finished or explained run, every tenant's tables must equal those of a calm sync, and no lock and no run
may be stuck. Prints what was done to it and exits with 1 when something of this does not hold.
"""

import argparse
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg
import psutil
import sqlalchemy as sa

from bench import stage
from bench.dagster_processes import CODE_SERVER, DAEMON, Processes, running
from intune_pipeline import logs
from intune_pipeline.cli.sync import QUIET
from intune_pipeline.inventory import accounts, connections, database, linking, open_syncs, sync_requests
from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.sync.launch import run_sync

TENANTS = 20
DEVICES = 200
SECONDS_BETWEEN_BLOWS = (2.0, 8.0)
SECONDS_TO_SETTLE = 15 * 60

#: Everything a sync writes that people see, without ids and times.
COMPARED = {
    "assets": """
        select a.slug, x.serial_number, x.asset_type, x.status, x.make, x.model, x.memory_gb, x.storage_gb, x.imei,
               x.operating_system, x.os_version, x.intune_device_id, x.activation_lock_bypass_code is null,
               (select min(e.email) from employee_emails e where e.employee_id = x.assignee_id)
        from assets x join accounts a on a.id = x.account_id order by 1, 2""",
    "employees": """
        select a.slug, e.first_name, e.last_name, m.email, m.kind
        from employees e join accounts a on a.id = e.account_id join employee_emails m on m.employee_id = e.id
        order by 1, 4""",
    "device_outcomes": """
        select a.slug, o.intune_device_id, o.outcome, o.reason, o.device_type, o.asset_id is null
        from device_outcomes o join connections c on c.id = o.connection_id join accounts a on a.id = c.account_id
        order by 1, 2""",
}


@dataclass
class Chaos:
    """The killing and the asking.

    Attributes:
        scene: servers and accounts.
        processes: what is killed.
        rng: chance.
        blows: how often what was done.
    """

    scene: stage.Stage
    processes: Processes
    rng: random.Random
    blows: Counter[str] = field(default_factory=Counter)

    def strike(self) -> None:
        """Do one thing that should not happen, or ask for a sync."""
        blow: Callable[[], str | None] = self.rng.choice(
            [self._kill_run, self._kill_run, self._kill_connections, self._kill_daemon, self._kill_code_server]
        )
        if done := blow():
            self.blows[done] += 1
        for _ in range(3):
            self.blows[f"Sync Now: {self._press_sync_now()}"] += 1

    def _kill_run(self) -> str | None:
        workers = self.processes.run_workers()
        if not workers:
            return None
        try:
            self.rng.choice(workers).kill()
        except psutil.NoSuchProcess:
            return None
        return "run killed"

    def _kill_daemon(self) -> str:
        self.processes.kill(DAEMON)
        return "daemon killed"

    def _kill_code_server(self) -> str:
        self.processes.kill(CODE_SERVER)
        return "code server killed"

    def _kill_connections(self) -> str:
        with self.scene.engine.connect() as db:
            db.execute(
                sa.text(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where pid <> pg_backend_pid() and backend_type = 'client backend' and random() < 0.3"
                )
            )
        return "a third of the database connections killed"

    def _press_sync_now(self) -> str:
        with self.scene.engine.begin() as db:
            account = self.rng.choice(sorted(self.scene.tenants))
            record = connections.get(db, account)
            return sync_requests.request(db, record.id, requested_by="chaos", debounce=timedelta(seconds=30)).outcome


def settled(scene: stage.Stage) -> bool:
    """Whether nothing is open any more, in allwhere's database and in Dagster."""
    with scene.engine.connect() as db:
        still_open = db.scalar(
            sa.text(
                "select (select count(*) from sync_requests where status in ('pending', 'started')) "
                "+ (select count(*) from sync_runs where status = 'running')"
            )
        )
        locked = open_syncs.locked_accounts(db)
    with dg.DagsterInstance.get() as instance:
        unfinished = instance.get_runs(
            dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in FINISHED])
        )
    return not still_open and not locked and not unfinished


FINISHED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def contents(engine: sa.Engine) -> dict[str, list[str]]:
    """The compared tables, row by row."""
    with engine.connect() as db:
        return {name: [str(row) for row in db.execute(sa.text(query))] for name, query in COMPARED.items()}


@contextmanager
def calm_database(scene: stage.Stage) -> Iterator[sa.Engine]:
    """The same accounts in another database, each synced once and undisturbed."""
    chaotic = os.environ["ALLWHERE_DATABASE_URL"]
    calm = database.create_if_missing(chaotic, "calm")
    engine = database.create_engine(calm)
    os.environ["ALLWHERE_DATABASE_URL"] = calm
    try:
        database.upgrade(engine)
        with engine.begin() as db:
            for account, tenant_id in scene.tenants.items():
                accounts.create(db, account, account)
                linking.add(db, account, tenant_id, actor="operator:bench")
        defs = build_defs()
        with dg.DagsterInstance.ephemeral() as instance:
            for account in scene.tenants:
                run_sync(account, trigger="operator", run_config=QUIET, instance=instance, defs=defs)
        yield engine
    finally:
        os.environ["ALLWHERE_DATABASE_URL"] = chaotic
        engine.dispose()


def findings(scene: stage.Stage) -> Iterator[str]:
    """Everything that does not hold in the end."""
    with scene.engine.connect() as db:
        unexplained = db.scalar(
            sa.text(
                "select count(*) from sync_requests where status not in ('succeeded', 'failed') "
                "or finished_at is null or (status = 'failed' and error is null)"
            )
        )
        untold = db.scalar(
            sa.text("select count(*) from sync_runs where status = 'failed' and (cause is null or error is null)")
        )
    if unexplained:
        yield f"{unexplained} requests have no finished or explained run"
    if untold:
        yield f"{untold} failed syncs have no cause"
    with calm_database(scene) as calm:
        found, expected = contents(scene.engine), contents(calm)
    for table in COMPARED:
        if found[table] != expected[table]:
            odd = set(found[table]) ^ set(expected[table])
            yield f"{table} differs from a calm sync in {len(odd)} rows, such as {sorted(odd)[:2]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logs.configure(logging.ERROR)
    sizes = {f"tenant-{number:02}": DEVICES for number in range(TENANTS)}
    with stage.opened(sizes) as scene, running(scene.directory / "processes") as processes:
        chaos = Chaos(scene, processes, random.Random(arguments.seed))
        end = time.monotonic() + 60 * arguments.minutes
        while time.monotonic() < end:
            chaos.strike()
            time.sleep(chaos.rng.uniform(*SECONDS_BETWEEN_BLOWS))
        began = time.monotonic()
        while not settled(scene) and time.monotonic() < began + SECONDS_TO_SETTLE:
            time.sleep(2)
        print(f"settled {time.monotonic() - began:.0f} s after the last blow")
        # Whoever was never asked for, or only while everything broke, gets the next night's sync.
        for account in scene.tenants:
            run_sync(account, trigger="schedule", run_config=QUIET)
        for what, count in sorted(chaos.blows.items()):
            print(f"{count:6} {what}")
        print(f"       restarted: {processes.restarts}")
        with scene.engine.connect() as db:
            for row in db.execute(
                sa.text("select status, coalesce(cause, ''), count(*) from sync_runs group by 1, 2 order by 1, 2")
            ):
                print(f"{row[2]:6} syncs {row[0]} {row[1]}")
        wrong = [*([] if settled(scene) else ["something is still open"]), *findings(scene)]
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
