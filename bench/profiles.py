"""Where a sync's time goes, stage by stage: CPU of the process between the marks of a run."""

import json

from bench import measuring, stage, syncs
from bench.report import Table


def measure(devices: int) -> list[Table]:
    """A first and an unchanged sync, details off, each mark's wall and CPU seconds."""
    account = f"fleet-{devices}"
    taken = {}
    with stage.opened({account: devices}, INTUNE_DETAILS="off") as on:
        syncs.floor(on, account)
        for situation in ("first", "unchanged"):
            on.tidy()
            marks = on.directory / "marks.json"
            cost = measuring.python("bench.marked", str(marks), "sync", account, "--json", environment=on.environment)
            taken[situation] = (json.loads(marks.read_text()), cost)
    first, unchanged = (taken[situation][0] for situation in taken)
    rows = [[name, *first[name], *unchanged.get(name, [0.0, 0.0])] for name in first]
    ends = [
        value
        for marks, cost in taken.values()
        for value in (
            cost.wall - sum(wall for wall, _ in marks.values()),
            cost.cpu - sum(cpu for _, cpu in marks.values()),
        )
    ]
    rows.append(["the process's end", *ends])
    header = ["stage", "first wall s", "first CPU s", "unchanged wall s", "unchanged CPU s"]
    return [Table(f"Stage by stage, {devices:,} devices, details off", header, rows)]
