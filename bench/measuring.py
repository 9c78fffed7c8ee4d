"""One process run and measured from outside: wall clock, CPU, peak memory, and what its servers spent meanwhile."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
MEBI = 1024 * 1024


class ProgramFailedError(Exception):
    """A measured program did not end well; its last words are in the message."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process cost.

    Attributes:
        wall: Seconds from start to end.
        cpu: CPU seconds of the process and its children.
        peak_mib: The most memory it held at once.
        began: `time.monotonic` at its start.
        output: What it printed.
    """

    wall: float
    cpu: float
    peak_mib: float
    began: float
    output: str


def run(command: Sequence[str], *, environment: Mapping[str, str] = {}, directory: Path = PROJECT) -> Cost:
    """Run a program to its end.

    Raises:
        ProgramFailedError: its exit status is not 0.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    memory = _Memory(process.pid)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise ProgramFailedError(f"{' '.join(command[:4])} ended with {process.returncode}:\n{output[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory.peak_mib(), began, output)


class _Memory:
    """Looks at a process's high-water mark until it ends.

    The kernel's own sum at the end (``ru_maxrss``) counts what the parent had when it forked.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._peak = 0
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while True:
            try:
                lines = self._status.read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                return
            found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
            if not found:
                return
            self._peak = int(found[0])
            time.sleep(0.02)

    def peak_mib(self) -> float:
        """The most memory the process held at once, in MiB."""
        self._watcher.join()
        return self._peak / 1024


def python(module: str, *arguments: str, environment: Mapping[str, str] = {}) -> Cost:
    """Run ``python -m module`` of this project."""
    return run([sys.executable, "-m", module, *arguments], environment=environment)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children so far, those that have ended included."""
    total = _own(process)
    for child in process.children(recursive=True):
        try:
            total += _own(child)
        except psutil.NoSuchProcess:
            continue
    return total


def _own(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@contextmanager
def started(module: str, *arguments: str, log: Path) -> Iterator[psutil.Popen]:
    """A server process of this project for as long as the block lasts."""
    with log.open("wb") as output:
        process = psutil.Popen([sys.executable, "-m", module, *arguments], cwd=PROJECT, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
