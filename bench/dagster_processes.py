"""Dagster as it runs in production, on this machine: a code server, which starts the runs, and a daemon.

What a supervisor (systemd, Docker, Kubernetes) does is done here too: a process that was killed is started again.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.measuring import PROJECT, cpu_of
from intune_pipeline.cli.processes import answers, free_port
from intune_pipeline.orchestration.process.forked_runs import PRELOADED

CODE_SERVER, DAEMON, WEBSERVER, REDIS, WORKER = "code-server", "daemon", "webserver", "redis", "celery worker"
CELERY = PROJECT / "deploy/celery"
CELERY_WORKERS = 3
DEFINITIONS, SPAWNING_DEFINITIONS = "intune_pipeline.definitions", "bench.spawned"
FORK_SERVER = "multiprocessing.forkserver"


@dataclass
class Processes:
    """The supervised processes.

    Attributes:
        directory: where workspace and logs are.
        port: the code server's.
        module: where the code server finds the definitions.
        restarts: how often each process was started again.
    """

    directory: Path
    port: int
    module: str = DEFINITIONS
    restarts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._children: dict[str, psutil.Popen] = {}
        self._stopping = threading.Event()
        self.workspace = self.directory / "workspace.yaml"
        self.workspace.write_text(
            f"load_from: [{{grpc_server: {{host: localhost, port: {self.port}, location_name: intune_pipeline}}}}]\n"
        )
        self._commands: dict[str, list[str]] = {
            CODE_SERVER: _python("dagster", "code-server", "start", "-h", "127.0.0.1", "-p", str(self.port), "-m", self.module),
            DAEMON: _python("dagster._daemon", "run", "-w", str(self.workspace)),
        }  # fmt: skip

    def use_celery(self) -> None:
        """Let warm Celery workers work on the runs, as ``deploy/celery`` says; before `start`."""
        shutil.copyfile(CELERY / "dagster.yaml", Path(os.environ["DAGSTER_HOME"]) / "dagster.yaml")
        port = free_port(6380)
        os.environ |= {
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0",
            "CELERY_BACKEND_URL": f"redis://127.0.0.1:{port}/1",
            # Celery's workers are started by name.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self._commands[REDIS] = ["redis-server", "--port", str(port), "--save", "", "--dir", str(self.directory)]
        self._commands[WORKER] = _python(
            "dagster_celery.cli", "worker", "start", "-A", "dagster_celery.app", "-y", str(CELERY / "worker.yaml"),
            "-i", PRELOADED, "--", "--concurrency", str(CELERY_WORKERS), "--max-tasks-per-child", "100", "--max-memory-per-child", "700000",
        )  # fmt: skip
        for name in (REDIS, WORKER):
            self._start(name)

    def start(self, *, webserver_port: int | None = None) -> None:
        """Start everything; returns when the code server answers."""
        self._start(CODE_SERVER)
        while not answers(self.port):
            time.sleep(0.1)
        self._start(DAEMON)
        if webserver_port:
            self._commands[WEBSERVER] = _python(
                "dagster_webserver", "-w", str(self.workspace), "-h", "127.0.0.1", "-p", str(webserver_port)
            )
            self._start(WEBSERVER)
            while not answers(webserver_port):
                time.sleep(0.1)
        self._watcher = threading.Thread(target=self._supervise, daemon=True)
        self._watcher.start()

    def kill(self, name: str) -> None:
        """kill -9 of one of the processes; it is started again."""
        self._children[name].kill()

    def run_workers(self) -> list[psutil.Process]:
        """The processes that work on a run."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            # The code server's fork server copies itself for a run, its command included.
            command = " ".join(process.info["cmdline"] or ())
            is_run = "spawn_main" in command or (FORK_SERVER in command and FORK_SERVER in _parents_command(process))
            if is_run and _environment(process).get("DAGSTER_HOME") == os.environ["DAGSTER_HOME"]:
                found.append(process)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds of each process, children that ended included."""
        return {name: cpu_of(child) for name, child in self._children.items()}

    def stop(self) -> None:
        """End everything, run workers too."""
        self._stopping.set()
        self._watcher.join()
        for worker in self.run_workers():
            worker.kill()
        for child in self._children.values():
            _end(child)

    def _start(self, name: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as output:
            self._children[name] = psutil.Popen(
                self._commands[name],
                cwd=PROJECT,
                env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _supervise(self) -> None:
        while not self._stopping.wait(0.5):
            for name, child in list(self._children.items()):
                if child.poll() is not None and not self._stopping.is_set():
                    self.restarts[name] = self.restarts.get(name, 0) + 1
                    self._start(name)


@contextmanager
def running(
    directory: Path, *, webserver_port: int | None = None, with_celery: bool = False, module: str = DEFINITIONS
) -> Iterator[Processes]:
    """Dagster's processes for as long as the block lasts; the runs in Celery's, if wanted."""
    directory.mkdir(parents=True, exist_ok=True)
    processes = Processes(directory, free_port(4000), module)
    if with_celery:
        processes.use_celery()
    processes.start(webserver_port=webserver_port)
    try:
        yield processes
    finally:
        processes.stop()


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _parents_command(process: psutil.Process) -> str:
    try:
        parent = process.parent()
        return " ".join(parent.cmdline()) if parent else ""
    except psutil.Error:
        return ""


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}


def _end(process: psutil.Popen) -> None:
    """End a process and all it started: a Celery worker is a grandchild, and would go on reading its Redis."""
    started = process.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    psutil.wait_procs([process, *started], timeout=10)
    for left in (process, *started):
        if left.is_running():
            left.kill()
