"""Processes that work on runs give way to the daemon, which hands them out, and to the UI, which people wait for."""

import os
import subprocess
import sys

START_A_RUN = """
import multiprocessing, os
from intune_pipeline.orchestration import worker

if __name__ == "__main__":
    worker.settle()
    with multiprocessing.get_context("spawn").Pool(1) as runs:
        print(os.nice(0), runs.apply(os.nice, (0,)))
"""


def test_runs_give_way_and_what_starts_them_does_not() -> None:
    said = subprocess.run([sys.executable, "-c", START_A_RUN], capture_output=True, text=True, check=True, timeout=60)
    starter, run = map(int, said.stdout.split())
    assert (starter, run) == (os.nice(0), 19)
