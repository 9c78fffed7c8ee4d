"""The whole machinery with real processes: daemon, queue, Celery workers on Redis, and one worker that is killed.

One test, because starting the processes is what takes its time.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from intune_pipeline.cli.database import upgrade_dagster
from intune_pipeline.inventory import sync_requests
from intune_pipeline.orchestration.process.forked_runs import PRELOADED
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.conftest import ConnectedAccount

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
WORKERS = ("first-worker", "second-worker")

pytestmark = [
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="redis-server is not installed (Debian: apt install redis-server)"
    ),
    pytest.mark.timeout(300),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"Waited in vain for {what}.")


class Processes:
    """Child processes, each the leader of a group of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("wb") as output:
            self.running[name] = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """kill -9 of a process and all its children, as when a machine dies."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for name in list(self.running):
            self.kill(name)


@pytest.fixture
def production(environment: pytest.MonkeyPatch, dagster_database: str, tmp_path: Path) -> Iterator[Processes]:
    """Redis, a daemon and two Celery workers on a Dagster configured by ``deploy/celery``, looking more often."""
    pytest.importorskip("dagster_celery", reason="the extra celery is not installed")
    port = free_port()
    configuration = yaml.safe_load((ROOT / "deploy/celery/dagster.yaml").read_text())
    configuration["run_monitoring"]["poll_interval_seconds"] = 1
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(configuration))
    environment.setenv("DAGSTER_HOME", str(tmp_path))
    environment.setenv("DAGSTER_POSTGRES_URL", dagster_database)
    environment.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    password = secrets.token_hex(16)
    environment.setenv("CELERY_BROKER_URL", f"redis://:{password}@127.0.0.1:{port}/0")
    environment.setenv("CELERY_BACKEND_URL", f"redis://:{password}@127.0.0.1:{port}/1")
    # As in an installation; processes that start at once on an empty database get in each other's way.
    upgrade_dagster()
    processes = Processes(tmp_path)
    with ExitStack() as stack:
        stack.callback(processes.kill_all)
        processes.start(
            "redis",
            "redis-server",
            "--port",
            str(port),
            "--requirepass",
            password,
            "--save",
            "",
            "--dir",
            str(tmp_path),
        )
        for name in WORKERS:
            start_worker(processes, name)
        processes.start("daemon", sys.executable, "-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml"))
        yield processes


def start_worker(processes: Processes, name: str) -> None:
    processes.start(
        name,
        sys.executable, "-m", "dagster_celery.cli", "worker", "start", "-A", "dagster_celery.app", "-n", name,
        "-y", str(ROOT / "deploy/celery/worker.yaml"), "-i", PRELOADED, "--", "--concurrency", "1",
    )  # fmt: skip


def test_a_sync_survives_the_machine_it_runs_on(
    production: Processes,
    engine: sa.Engine,
    sandbox: SandboxCloud,
    tenant: SandboxTenant,
    connect_account: Callable[..., ConnectedAccount],
) -> None:
    """Asked for in the database, started on one worker, killed with it, started over on the other, and right in the end."""
    account = connect_account("acme", tenant.tenant_id)

    def value(sql: str, **values: Any) -> Any:
        with engine.connect() as db:
            return db.scalar(sa.text(sql), values)

    sandbox.faults.slow_seconds = 20.0
    with engine.begin() as db:
        asked = sync_requests.request(db, account.connection_id, requested_by="ada", debounce=timedelta(minutes=30))
    wait_for(lambda: value("select count(*) from sync_runs where status = 'running'"), "the sync to begin")
    (busy,) = [name for name in WORKERS if "received" in (production.directory / f"{name}.log").read_text()]
    production.kill(busy)
    sandbox.faults.reset()
    wait_for(lambda: value("select count(*) from sync_runs where status = 'succeeded'"), "the sync to be started over")

    assert value("select count(*) from sync_runs") == 2
    assert value("select cause from sync_runs where status = 'failed'") == "died"
    assert value("select status from sync_requests where id = :id", id=asked.request_id) == "succeeded"
    assert value("select count(*) from assets") == value(
        "select devices_synced from sync_runs where status = 'succeeded'"
    )
    with dg.DagsterInstance.get() as instance:
        wait_for(
            lambda: [run.status.value for run in instance.get_runs()] == ["SUCCESS", "FAILURE"], "the runs to be closed"
        )
        [retried, first] = instance.get_runs()
        assert retried.parent_run_id == first.run_id
