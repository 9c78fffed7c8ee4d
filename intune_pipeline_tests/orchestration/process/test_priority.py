"""The night's runs take what the others on their machine leave; runs that people wait for do not step back."""

import os
import subprocess
import sys

import pytest

from intune_pipeline.orchestration.process.priority import lower_for_scheduled_run

START_A_RUN = """
import multiprocessing, os, sys
from intune_pipeline.orchestration.process.priority import lower_for_scheduled_run

def run(trigger):
    lower_for_scheduled_run({"intune/trigger": trigger})
    return os.nice(0)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as runs:
        print(os.nice(0), runs.apply(run, (sys.argv[1],)))
"""


@pytest.mark.parametrize(("trigger", "niceness"), [("schedule", 19), ("manual", None), ("initial", None)])
def test_only_scheduled_runs_step_back_and_what_starts_them_never(
    trigger: str, niceness: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path_factory.mktemp("start") / "start.py"
    script.write_text(START_A_RUN)
    said = subprocess.run(
        [sys.executable, str(script), trigger], capture_output=True, text=True, check=True, timeout=240
    )
    starter, run = map(int, said.stdout.split())
    own = os.nice(0)
    assert (starter, run) == (own, own if niceness is None else niceness)


def test_a_command_on_a_terminal_keeps_its_priority() -> None:
    before = os.nice(0)
    assert not lower_for_scheduled_run({"intune/trigger": "schedule"})
    assert os.nice(0) == before
