"""Runs that begin as a copy of a process which has imported everything, instead of importing it anew.

Dagster's code server starts each run as a process of Python's ``multiprocessing``, by ``spawn``: a new interpreter, whose
imports are most of a small tenant's run (dagster#26194). Here it starts them by ``forkserver``, which is Python's own too: a
process without threads and connections that has imported what a run needs and does nothing but fork. All else stays
the code server's: it starts a run, ends it when people or Dagster's monitoring ask, notices its death, and has a fork server
of its own, so that reloaded code is forked from a new one. A fork server that died is started again with the next run.

Belongs here: how the code server's runs start. Does not belong here: what they do, and runs of pods, of Celery's workers and
of the command line, which no code server starts.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Final

PRELOADED: Final = "intune_pipeline.preloaded"
PR_SET_PDEATHSIG: Final = 1
_FORK_SERVER: Final = multiprocessing.get_context("forkserver")


class ForkedRun(_FORK_SERVER.Process):  # type: ignore[name-defined,misc]
    """A run's process."""

    def run(self) -> None:
        """Run; and end when the fork server dies, since the code server then takes the run for dead and starts it over."""
        server = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == server:
            super().run()


def fork_runs() -> None:
    """Let the code server, if that is what this process is, start its runs by the fork server.

    Linux only: on macOS, what the system's libraries have begun in one process does not survive in its copy.
    """
    if sys.platform == "linux":
        _FORK_SERVER.set_forkserver_preload([PRELOADED])
        # The code server has this object already, and asks it for a process whenever it starts a run.
        multiprocessing.get_context("spawn").Process = ForkedRun  # type: ignore[misc]
