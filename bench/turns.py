"""Before and after: syncs of two checkouts in turns, ``python -m bench.turns OTHER_CHECKOUT``.

Each checkout needs its own ``.venv``. Both measure with their own ``bench``, on stages of their own; the table is printed,
and kept in ``docs/benchmarks.md``.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from bench import measuring, report
from bench.report import Table, median

SITUATIONS = ("first", "unchanged", "1 % changed")
#: What a checkout runs: one stage, the three situations once, CPU seconds of process and PostgreSQL and peak MiB of each.
ROUND = """
import json, sys
from bench import stage, syncs
size, found = int(sys.argv[1]), {}
with stage.opened({"fleet": size}, INTUNE_DETAILS="off") as on:
    syncs.floor(on, "fleet")
    for situation in syncs.SITUATIONS:
        if situation == "1 % changed":
            syncs.change(on, "fleet", 1)
        on.tidy()
        one = syncs.sync(on, "fleet")
        found[situation] = [one.cost.cpu, one.server_cpu, one.cost.peak_mib]
print(json.dumps(found))
"""


def measured(checkout: Path, size: int) -> dict[str, list[float]]:
    """One round of a checkout."""
    command = [str(checkout / ".venv/bin/python"), "-c", ROUND, str(size)]
    output = measuring.run(command, directory=checkout, environment={"PYTHONPATH": str(checkout)}).output
    found: dict[str, list[float]] = json.loads(output.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.turns", description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("--devices", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows, load = [], os.getloadavg()[0]
    for size in options.devices:
        taken = [
            (measured(options.before.resolve(), size), measured(measuring.PROJECT, size)) for _ in range(options.rounds)
        ]
        for situation in SITUATIONS:
            before, after = ([median([one[situation][at] for one in turn]) for at in range(3)] for turn in zip(*taken, strict=True))  # fmt: skip
            ratio = (after[0] + after[1]) / (before[0] + before[1])
            rows.append([size, situation, before[0], after[0], before[1], after[1], f"{ratio:.2f} ×", before[2], after[2]])  # fmt: skip
            print(*rows[-1], flush=True, file=sys.stderr)
    header = [
        "devices", "sync", "CPU s before", "CPU s after", "PostgreSQL CPU s before", "PostgreSQL CPU s after", "after / before",
        "peak MiB before", "peak MiB after",
    ]  # fmt: skip
    report.keep("turns", [Table("Before and after, in turns, details off", header, rows)], load_before=load)


if __name__ == "__main__":
    main()
