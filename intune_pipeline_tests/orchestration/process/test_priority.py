"""The night's runs take what the others on their machine leave; runs that people wait for do not step back."""

import json
import os
import subprocess
import sys

import pytest

from intune_pipeline.orchestration.process.priority import lower_for_scheduled_run

START_RUNS = """
import json, multiprocessing, os, sys
from intune_pipeline.orchestration.process.priority import lower_for_scheduled_run

def run(trigger, answer):
    lower_for_scheduled_run({"intune/trigger": trigger})
    answer.send(os.nice(0))

if __name__ == "__main__":
    said = {}
    for trigger in sys.argv[1:]:
        answered, answer = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(target=run, args=(trigger, answer))
        process.start()
        said[trigger] = answered.recv()
        process.join()
    print(json.dumps(said | {"starter": os.nice(0)}))
"""


def test_only_scheduled_runs_step_back_and_what_starts_them_never(tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("start") / "start.py"
    script.write_text(START_RUNS)
    said = subprocess.run(
        [sys.executable, str(script), "schedule", "manual", "initial"],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    own = os.nice(0)
    assert json.loads(said.stdout) == {"schedule": 19, "manual": own, "initial": own, "starter": own}


def test_a_command_on_a_terminal_keeps_its_priority() -> None:
    before = os.nice(0)
    assert not lower_for_scheduled_run({"intune/trigger": "schedule"})
    assert os.nice(0) == before
