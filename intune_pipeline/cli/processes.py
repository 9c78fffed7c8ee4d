"""Child processes of ``demo`` and ``dev``: started with a log file each, stopped together.

Belongs here: starting, waiting for and stopping them. Does not belong here: what they do.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from intune_pipeline.errors import PipelineError

STOP_SECONDS = 20.0


class ProcessFailedError(PipelineError):
    """A child process ended before it was ready."""


class Children:
    """The processes that belong to one command; all end with it."""

    def __init__(self, logs: Path, private: Path) -> None:
        self._logs = logs
        #: A directory that only this user can open and that goes with the processes; its path is short enough for a socket.
        self.private = private
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, module: str, arguments: Sequence[str], *, ready: Callable[[], bool], seconds: float = 60.0
    ) -> None:
        """Run ``python -m module`` and wait until it is ready.

        Raises:
            ProcessFailedError: it ended, or was not ready in time; the sentence names its log.
        """
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._running.append((name, child))
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise ProcessFailedError(f"The {name} did not start; its log is {log}.")
            time.sleep(0.1)

    def wait(self) -> None:
        """Return when a child ends, which none should, or on Ctrl-C.

        Raises:
            ProcessFailedError: a child ended by itself.
        """
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                for name, child in self._running:
                    if child.poll() is not None:
                        raise ProcessFailedError(f"The {name} ended; its log is {self._logs / f'{name}.log'}.")
                time.sleep(0.5)

    def stop(self) -> None:
        """End all children, the newest first."""
        for _, child in reversed(self._running):
            if child.poll() is None:
                child.terminate()
        for _, child in reversed(self._running):
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


@contextlib.contextmanager
def children(logs: Path) -> Iterator[Children]:
    """Children that are stopped when the block ends, however it ends: Ctrl-C and SIGTERM count alike."""
    with tempfile.TemporaryDirectory(prefix="intune-") as private:
        started = Children(logs, Path(private))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            yield started
        finally:
            started.stop()


def answers(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(preferred: int) -> int:
    """The preferred loopback port, or another one when it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
