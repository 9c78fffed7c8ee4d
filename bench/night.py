"""One night of many small tenants: ``python -m bench.night --tenants 100``.

Evaluates one nightly tick as the daemon does, lets Dagster's own processes work the queue off, and prints what a run costs
and what a night of a thousand tenants would take.
"""

import argparse
import logging
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil
import requests
import sqlalchemy as sa
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.daemon import SchedulerDaemon

from bench import stage
from bench.dagster_processes import DEFINITIONS, SPAWNING_DEFINITIONS, Processes, running
from intune_pipeline import logs
from intune_pipeline.cli.processes import free_port

DEVICES = 20
#: Three hundred mixed tenants are 30 of 10,000 devices, 60 of 1,000, 90 of 200 and 120 of 20.
MIXED = (20, 200, 20, 1_000, 200, 20, 10_000, 200, 20, 1_000)
THOUSAND = 1000
CORES = 2


def tick(processes: Processes) -> float:
    """Evaluate the next nightly tick and put its runs into the queue; returns the seconds that took."""
    # Their modules import each other, and can be imported in this order only.
    from dagster._scheduler.scheduler import launch_scheduled_runs

    assert SchedulerDaemon
    target = GrpcServerTarget(host="localhost", port=processes.port, socket=None, location_name="intune_pipeline")
    with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, target) as workspace:
        logger = logging.getLogger("night")
        now, looks = datetime.now(UTC), {}
        # The first look only notes from when on the schedule counts.
        list(launch_scheduled_runs(workspace, logger, end_datetime_utc=now, iteration_times=looks))
        began = time.monotonic()
        # Four threads, as dagster.yaml says (num_submit_workers).
        with ThreadPoolExecutor(4) as submitting:
            list(
                launch_scheduled_runs(
                    workspace,
                    logger,
                    end_datetime_utc=now + timedelta(days=1),
                    iteration_times=looks,
                    submit_threadpool_executor=submitting,
                )
            )
        return time.monotonic() - began


def ask(port: int) -> float:
    """How long the webserver takes to say which runs there are."""
    query = "{ runsOrError(limit: 25) { __typename ... on Runs { results { runId status } } } }"
    began = time.monotonic()
    requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=60).raise_for_status()
    return time.monotonic() - began


def finished(scene: stage.Stage) -> int:
    """Syncs that have ended."""
    with scene.engine.connect() as db:
        return int(db.scalar(sa.text("select count(*) from sync_runs where status <> 'running'")) or 0)


def megabytes(scene: stage.Stage) -> float:
    """What both databases hold."""
    with scene.engine.connect() as db:
        return float(db.scalar(sa.text("select sum(pg_database_size(datname)) from pg_database"))) / 1e6


def own_memory(process: psutil.Process) -> float | None:
    """What a process holds that no other shares, in bytes; None when it has ended."""
    try:
        return float(process.memory_full_info().uss)
    except psutil.Error:
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--celery", action="store_true", help="runs in warm Celery workers, over a Redis of its own")
    parser.add_argument(
        "--spawned", action="store_true", help="each run in a new interpreter, as Dagster does by itself"
    )
    parser.add_argument(
        "--mixed", action="store_true", help=f"tenants of {MIXED} devices in turns, instead of {DEVICES}"
    )
    parser.add_argument(
        "--pace", action="store_true", help="Graph takes 3 s for a page and 1.5 s for a batch, and keeps its quota"
    )
    arguments = parser.parse_args()
    logs.configure(logging.ERROR)
    sizes = {f"tenant-{number:04}": DEVICES for number in range(arguments.tenants)}
    if arguments.mixed:
        sizes |= {account: MIXED[number % len(MIXED)] for number, account in enumerate(sizes)}
    port = free_port(3000)
    with (
        stage.opened(sizes) as scene,
        running(
            scene.directory / "processes",
            webserver_port=port,
            with_celery=arguments.celery,
            module=SPAWNING_DEFINITIONS if arguments.spawned else DEFINITIONS,
        ) as processes,
    ):
        if arguments.pace:
            scene.control("POST", "faults", stage.REAL_PACE)
        before = megabytes(scene)
        ticked = tick(processes)
        print(f"tick over {arguments.tenants} tenants: {ticked:.1f} s")
        cpu, (cloud, server), began = processes.cpu_seconds(), scene.spent(), time.monotonic()
        answers, memory, at_once = [], [0.0], 0
        while finished(scene) < arguments.tenants:
            time.sleep(1)
            answers.append(ask(port))
            workers = processes.run_workers()
            at_once = max(at_once, len(workers))
            memory.extend(own for worker in workers if (own := own_memory(worker)))
        wall = time.monotonic() - began
        spent = {name: after - cpu[name] for name, after in processes.cpu_seconds().items()}
        spent["postgres"] = scene.spent()[1] - server
        spent["sandbox, not counted below"] = scene.spent()[0] - cloud
        with scene.engine.connect() as db:
            succeeded = db.scalar(sa.text("select count(*) from sync_runs where status = 'succeeded'"))
        ours = sum(seconds for name, seconds in spent.items() if "sandbox" not in name)
        print(f"{succeeded} of {arguments.tenants} syncs succeeded {wall:.0f} s later, {ticked + wall:.0f} s in all")
        for name, seconds in spent.items():
            print(f"  {seconds / arguments.tenants:6.2f} CPU seconds a run  {name}")
        print(
            f"  {max(memory) / 1e6:6.0f} MB  of memory of its own, the largest run; median {statistics.median(memory) / 1e6:.0f}"
        )
        print(f"  {at_once:6}     runs at once, at most")
        print(f"  {(megabytes(scene) - before) / arguments.tenants:6.2f} MB  of database a run")
        print(f"webserver: median {statistics.median(answers):.2f} s, slowest {max(answers):.2f} s")
        night = (ticked + wall) / arguments.tenants * THOUSAND
        print(f"{THOUSAND} tenants at this pace, tick included: {night / 60:.1f} minutes; ")
        print(
            f"  with {CORES} cores of one's own, by CPU: {ours / arguments.tenants * THOUSAND / CORES / 60:.0f} minutes"
        )
    return 0 if succeeded == arguments.tenants else 1


if __name__ == "__main__":
    sys.exit(main())
