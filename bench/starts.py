"""How soon a command answers: ``--help``, and the pieces of a sync's start."""

import sys
from pathlib import Path

from bench import measuring
from bench.report import Table, median

PIECES = {
    "intune-pipeline --help": [str(Path(sys.executable).parent / "intune-pipeline"), "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "import dagster": [sys.executable, "-c", "import dagster"],
    "import dagster, pandas, sqlalchemy, requests, msal, psycopg2": [
        sys.executable,
        "-c",
        "import dagster, pandas, sqlalchemy, requests, msal, psycopg2",
    ],
    "import of all that a sync needs, as the command line does it": [
        sys.executable,
        "-c",
        "from intune_pipeline import garbage_collector; garbage_collector.collect_rarely(); import intune_pipeline.orchestration.sync.launch",
    ],
}


def measure(rounds: int) -> list[Table]:
    """Medians of whole processes."""
    rows = []
    for name, command in PIECES.items():
        costs = [measuring.run(command) for _ in range(rounds)]
        rows.append([f"`{name}`", median([one.wall for one in costs]), median([one.cpu for one in costs])])
    note = "The time from a run's start to its first request to Graph is in the table “What it takes”."
    return [Table("Start-up, whole processes", ["", "wall s", "CPU s"], rows, [note])]
