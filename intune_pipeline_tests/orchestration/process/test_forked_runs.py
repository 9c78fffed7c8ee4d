"""Runs of a code server are copies of a process that has imported all, and as alone, mortal and watched as any process."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster import DagsterRunStatus
from dagster._cli.job import _create_run
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget

from intune_pipeline.cli.database import upgrade_dagster
from intune_pipeline.cli.processes import answers, free_port
from intune_pipeline.orchestration.jobs import INTUNE_SYNC
from intune_pipeline.orchestration.partitions import PARTITION_TAG, add_missing
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.orchestration.conftest import FLEET_SIZE, KEY
from intune_pipeline_tests.syncing import Tenant, migrated_engine

PATIENCE = 60.0
LOCATION = "intune_pipeline"
FORK_SERVER = "multiprocessing.forkserver"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only"),
    pytest.mark.timeout(240),
]


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"Waited in vain for {what}.")


@dataclass
class CodeServer:
    """A code server with one connected account, and how a test starts its runs."""

    process: psutil.Popen
    instance: dg.DagsterInstance
    context: WorkspaceProcessContext

    def launch(self, **tags: str) -> str:
        """Start a sync as Dagster's default launcher does; returns the run's id."""
        workspace = self.context.create_request_context()
        location = workspace.get_code_location(LOCATION)
        (repository,) = location.get_repositories().values()
        job = repository.get_full_job(INTUNE_SYNC)
        made = _create_run(
            self.instance,
            location,
            repository,
            job,
            {},
            {PARTITION_TAG: "acme", **tags},
            op_selection=None,
            run_id=None,
        )
        return self.instance.launch_run(made.run_id, workspace).run_id

    def ends_as(self, run_id: str, status: DagsterRunStatus) -> None:
        def is_over() -> bool:
            run = self.instance.get_run_by_id(run_id)
            return run is not None and run.status == status

        wait_for(is_over, f"the run to be {status.value}")

    def fork_server(self) -> psutil.Process:
        (found,) = [one for one in self.process.children() if FORK_SERVER in " ".join(one.cmdline())]
        return found

    def asking(self, sandbox: SandboxCloud) -> psutil.Process:
        """The process of the run that has been asking the sandbox for devices for a moment: requests are logged when answered."""
        wait_for(lambda: any(one.path.endswith("/token") for one in sandbox.requests), "the run to have its token")
        time.sleep(0.5)
        # One that was ended before may still wait for its last answer.
        return max(self.fork_server().children(), key=lambda one: one.create_time())


@pytest.fixture(scope="module")
def home(
    migrated_databases: Databases,
    dagster_databases: Databases,
    sandbox: SandboxCloud,
    unused_tenants: Iterator[SandboxTenant],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Path]:
    """A Dagster home, and the settings and databases of an installation with one connected account."""
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text((pytestconfig.rootpath / "dagster.yaml").read_text())
    with (
        migrated_engine(migrated_databases) as engine,
        migrated_engine(dagster_databases) as dagster,
        pytest.MonkeyPatch.context() as environment,
    ):
        databases = {"ALLWHERE_DATABASE_URL": engine, "DAGSTER_POSTGRES_URL": dagster}
        addresses = {name: one.url.render_as_string(hide_password=False) for name, one in databases.items()}
        given = {**sandbox.environment(), **addresses, "BYPASS_CODE_KEYS": KEY, "DAGSTER_HOME": str(home)}
        for name, value in given.items():
            environment.setenv(name, value)
        environment.delenv("INTUNE_DETAILS", raising=False)
        upgrade_dagster()
        tenant = next(unused_tenants)
        for record in generate_fleet(seed=7, size=FLEET_SIZE):
            tenant.add(record)
        Tenant.connected(engine, "acme", tenant_id=tenant.tenant_id)
        yield home


@pytest.fixture(scope="module")
def code_servers(home: Path) -> Iterator[Callable[[], CodeServer]]:
    """Gives the running code server; one that was killed is started over."""
    started: list[CodeServer] = []

    def start() -> CodeServer:
        port = free_port(4100)
        with (home / "code-server.log").open("wb") as output:
            process = psutil.Popen(
                [sys.executable, "-m", "dagster", "api", "grpc", "-p", str(port), "-m", "intune_pipeline.definitions"],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stack.callback(end, process)
        wait_for(lambda: answers(port), "the code server")
        target = GrpcServerTarget(host="localhost", port=port, socket=None, location_name=LOCATION)
        context = stack.enter_context(WorkspaceProcessContext(instance, target))
        return CodeServer(process, instance, context)

    def running() -> CodeServer:
        if not started or started[-1].process.poll() is not None:
            started.append(start())
        return started[-1]

    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.get())
        add_missing(instance, ["acme"])
        yield running


def end(process: psutil.Popen) -> None:
    left = [*process.children(recursive=True), process] if process.is_running() else []
    for one in left:
        one.kill()
    process.wait()


@pytest.fixture
def code_server(code_servers: Callable[[], CodeServer], sandbox: SandboxCloud) -> Iterator[CodeServer]:
    sandbox.requests.clear()
    yield code_servers()
    sandbox.faults.reset()


def sockets(process: psutil.Process) -> list[str]:
    found = Path(f"/proc/{process.pid}/fd").iterdir()
    return [target for one in found if (target := str(one.readlink())).startswith("socket:")]


def test_a_run_is_a_copy_of_a_process_without_threads_and_connections(code_server: CodeServer) -> None:
    run_id = code_server.launch(**{"intune/trigger": "schedule"})
    server = code_server.fork_server()
    code_server.ends_as(run_id, DagsterRunStatus.SUCCESS)

    assert server.num_threads() == 1
    # The one it listens at.
    assert len(sockets(server)) == 1
    assert not server.net_connections("inet")
    # Runs of the night step back, and what they are copied from never does.
    assert server.nice() == os.nice(0)
    # All is imported: pandas, Dagster and the definitions take more than that.
    assert server.memory_info().rss > 100 * 1024 * 1024
    wait_for(lambda: not server.children(), "the run's process to end")


def test_a_run_ends_when_people_say_so_and_is_seen_to_die(code_server: CodeServer, sandbox: SandboxCloud) -> None:
    sandbox.faults.slow_seconds = 6.0
    terminated = code_server.launch()
    code_server.asking(sandbox)
    assert code_server.instance.run_launcher.terminate(terminated)
    code_server.ends_as(terminated, DagsterRunStatus.CANCELED)

    sandbox.requests.clear()
    killed = code_server.launch()
    code_server.asking(sandbox).kill()
    code_server.ends_as(killed, DagsterRunStatus.FAILURE)
    assert "SIGKILL" in _engine_events(code_server, killed)


def test_runs_end_with_the_process_they_are_copies_of_and_the_next_has_a_new_one(
    code_server: CodeServer, sandbox: SandboxCloud
) -> None:
    """Their code server takes them for dead, and a run that went on would meet the one that replaces it."""
    sandbox.faults.slow_seconds = 6.0
    orphaned = code_server.launch()
    run, server = code_server.asking(sandbox), code_server.fork_server()
    server.kill()
    run.wait(10)
    code_server.ends_as(orphaned, DagsterRunStatus.FAILURE)

    sandbox.faults.reset()
    code_server.ends_as(code_server.launch(), DagsterRunStatus.SUCCESS)
    assert code_server.fork_server().pid != server.pid


def test_a_run_outlives_its_code_server(code_server: CodeServer, sandbox: SandboxCloud) -> None:
    """As those that Dagster starts by itself do; when it has ended, nothing is left."""
    sandbox.faults.slow_seconds = 3.0
    run_id = code_server.launch()
    run, server = code_server.asking(sandbox), code_server.fork_server()
    # What was imported is shared, not copied.
    assert (own := run.memory_full_info().uss) < server.memory_info().rss / 2, own
    code_server.process.send_signal(signal.SIGKILL)
    code_server.ends_as(run_id, DagsterRunStatus.SUCCESS)
    code_server.process.wait()
    psutil.wait_procs([run, server], timeout=10)
    assert not run.is_running()
    assert not server.is_running()


def _engine_events(code_server: CodeServer, run_id: str) -> str:
    events = [entry.dagster_event for entry in code_server.instance.all_logs(run_id)]
    return "\n".join(event.message or "" for event in events if event)
