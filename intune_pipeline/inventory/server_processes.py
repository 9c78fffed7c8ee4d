"""The processes of an embedded server, told by the directory they work in.

Belongs here: finding and ending them. Does not belong here: when (``embedded_postgres``).
"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


START_TIMEOUT_SECONDS = 120


def is_postmaster(pid: int, data: Path) -> bool:
    """Whether this process is of the server of this data."""
    import psutil

    try:
        return _works_in(psutil.Process(pid), data)
    except psutil.Error:
        return False


def _works_in(process: "psutil.Process", data: Path) -> bool:
    """Whether this is a process of the server of this data: they all work in its directory."""
    import psutil

    try:
        return process.name() == "postgres" and Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def end_workers(data: Path) -> None:
    """Kill what a dead server of this data has left, and wait for its end."""
    import psutil

    workers = [process for process in psutil.process_iter() if _works_in(process, data)]
    for worker in workers:
        with contextlib.suppress(psutil.Error):
            worker.kill()
    psutil.wait_procs(workers, timeout=START_TIMEOUT_SECONDS)
