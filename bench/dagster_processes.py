"""Dagster as it runs in production, on this machine: a code server, which starts the runs, and a daemon.

What a supervisor (systemd, Docker, Kubernetes) does is done here too: a process that was killed is started again.
"""

import os
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

CODE_SERVER, DAEMON, WEBSERVER = "code-server", "daemon", "webserver"


@dataclass
class Processes:
    """The supervised processes.

    Attributes:
        directory: where workspace and logs are.
        port: the code server's.
        restarts: how often each process was started again.
    """

    directory: Path
    port: int
    restarts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._children: dict[str, psutil.Popen] = {}
        self._stopping = threading.Event()
        self.workspace = self.directory / "workspace.yaml"
        self.workspace.write_text(
            f"load_from: [{{grpc_server: {{host: localhost, port: {self.port}, location_name: intune_pipeline}}}}]\n"
        )
        self._commands = {
            CODE_SERVER: ["code-server", "start", "-h", "127.0.0.1", "-p", str(self.port), "-m", "intune_pipeline.definitions"],
        }  # fmt: skip

    def start(self, *, webserver_port: int | None = None) -> None:
        """Start everything; returns when the code server answers."""
        self._start(CODE_SERVER)
        while not answers(self.port):
            time.sleep(0.1)
        self._start(DAEMON)
        if webserver_port:
            self._commands[WEBSERVER] = ["-w", str(self.workspace), "-h", "127.0.0.1", "-p", str(webserver_port)]
            self._start(WEBSERVER)
        self._watcher = threading.Thread(target=self._supervise, daemon=True)
        self._watcher.start()

    def kill(self, name: str) -> None:
        """kill -9 of one of the processes; it is started again."""
        self._children[name].kill()

    def run_workers(self) -> list[psutil.Process]:
        """The processes that work on a run."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            # The code server starts a run as a process of Python's multiprocessing.
            command = " ".join(process.info["cmdline"] or ())
            if "spawn_main" in command and _environment(process).get("DAGSTER_HOME") == os.environ["DAGSTER_HOME"]:
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
        module = {CODE_SERVER: "dagster", DAEMON: "dagster._daemon", WEBSERVER: "dagster_webserver"}[name]
        arguments = self._commands.get(name, ["run", "-w", str(self.workspace)])
        with (self.directory / f"{name}.log").open("ab") as output:
            self._children[name] = psutil.Popen(
                [sys.executable, "-m", module, *arguments],
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
def running(directory: Path, *, webserver_port: int | None = None) -> Iterator[Processes]:
    """Dagster's processes for as long as the block lasts."""
    directory.mkdir(parents=True, exist_ok=True)
    processes = Processes(directory, free_port(4000))
    processes.start(webserver_port=webserver_port)
    try:
        yield processes
    finally:
        processes.stop()


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}


def _end(process: psutil.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        for child in process.children(recursive=True):
            child.kill()
        process.kill()
