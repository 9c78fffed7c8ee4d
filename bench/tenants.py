"""Many small tenants: what a run of 20 devices costs, whose the cost is, and a night of them with the default launcher."""

from bench import measuring, stage, syncs
from bench.report import Table, median

DEVICES = 20


def measure(rounds: int) -> list[Table]:
    """A small tenant's daily run beside five steps of Dagster that do nothing."""
    with stage.opened({"small": DEVICES}) as on:
        syncs.sync(on, "small")
        taken_in_turns = [
            (syncs.sync(on, "small"), syncs.floor(on, "small", "--collect-rarely"), syncs.floor(on, "small"))
            for _ in range(rounds)
        ]
    ours, lean, nothing = zip(*taken_in_turns, strict=True)
    rows = [
        [
            name,
            median([one.cost.wall for one in taken]),
            median([one.cost.cpu for one in taken]),
            median([one.server_cpu for one in taken]),
            median([one.cost.peak_mib for one in taken]),
        ]
        for name, taken in (
            ("sync of 20 devices, details on, unchanged", ours),
            ("five empty steps of Dagster, collecting garbage rarely as in a sync", lean),
            ("five empty steps of Dagster", nothing),
        )
    ]
    share = median([one.cpu for one in lean]) / median([one.cpu for one in ours])
    note = f"Dagster's own share of the CPU time, its process's start included: {share:.0%}."
    return [Table("One run of a small tenant", ["", "wall s", "CPU s", "PostgreSQL CPU s", "peak MiB"], rows, [note])]


def measure_night(tenants: int) -> list[Table]:
    """``bench.night``: one nightly tick, its runs queued and started by Dagster's own processes."""
    lines = measuring.python("bench.night", "--tenants", str(tenants)).output.splitlines()
    return [
        Table(
            f"A night of {tenants} tenants of {DEVICES} devices",
            ["as `bench.night` prints it"],
            [[line.strip()] for line in lines],
        )
    ]
