"""The sync beside its floor: first, unchanged, one device in a hundred changed; for fleets of several sizes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from bench import measuring, stage
from bench.measuring import Cost
from bench.report import Table, median

ASSETS = ("raw_intune_devices", "classified_devices", "intune_device_details", "employees", "allwhere_assets")
SITUATIONS = ("first", "unchanged", "1 % changed")


@dataclass(frozen=True)
class Measured:
    """One process on the stage.

    Attributes:
        cost: of the process.
        cloud_cpu: CPU seconds of the sandbox meanwhile.
        server_cpu: CPU seconds of PostgreSQL meanwhile.
        written: bytes of PostgreSQL's write-ahead log meanwhile.
        found: what the process or the wrapper around it reported.
        steps: seconds of each asset.
        first_request: seconds from the process's start to its first request to Graph.
    """

    cost: Cost
    cloud_cpu: float
    server_cpu: float
    written: int
    found: Mapping[str, Any]
    steps: Mapping[str, float]
    first_request: float

    @property
    def cpu(self) -> float:
        """CPU seconds of the process and of PostgreSQL."""
        return self.cost.cpu + self.server_cpu


def sync(on: stage.Stage, account: str, **settings: str) -> Measured:
    """One ``intune-pipeline sync``, its statements counted."""
    counts = on.directory / "counts.json"

    def run() -> Cost:
        environment = {**on.environment, **settings}
        return measuring.python("bench.observed", str(counts), "sync", account, "--json", environment=environment)

    return _measured(on, run, lambda _: json.loads(counts.read_text()), account)


def floor(on: stage.Stage, account: str, *options: str) -> Measured:
    """One run of the floor."""

    def run() -> Cost:
        return measuring.python("bench.floor", on.tenants[account], *options, environment=on.environment)

    return _measured(on, run, lambda cost: json.loads(cost.output.splitlines()[-1]), None)


def _measured(on: stage.Stage, run: Any, found: Any, account: str | None) -> Measured:
    on.control("DELETE", "requests")
    cloud, server = on.spent()
    written = on.written()
    cost = run()
    cloud_after, server_after = on.spent()
    requests = on.control("GET", "requests")["requests"]
    first = next(one["at"] for one in requests if "managedDevices" in one["path"])
    return Measured(
        cost,
        cloud_after - cloud,
        server_after - server,
        on.written() - written,
        found(cost),
        _steps(account) if account else {},
        first - cost.began,
    )


def _steps(account: str) -> dict[str, float]:
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": account}), limit=1)
        stats = instance.get_run_step_stats(run.run_id)
    return {one.step_key: (one.end_time or 0) - (one.start_time or 0) for one in stats}


def change(on: stage.Stage, account: str, turn: int) -> int:
    """Another version of the operating system on one device in a hundred; returns how many."""
    with on.engine.connect() as db:
        ids = db.exec_driver_sql(
            "select intune_device_id from device_outcomes o join connections c on c.id = o.connection_id "
            "join accounts a on a.id = c.account_id where a.slug = %s and outcome = 'synced' order by 1",
            (account,),
        ).scalars()
        chosen = list(ids)[::100]
    updates = {device_id: {"osVersion": f"99.{turn}"} for device_id in chosen}
    on.control("POST", f"tenants/{on.tenants[account]}", {"update": updates})
    return len(updates)


def measure(sizes: Sequence[int], rounds: int) -> list[Table]:
    """All sizes, details off; medians of the rounds, floor and syncs taken in turns."""
    accounts = {f"fleet-{size}": size for size in sizes}
    taken: dict[tuple[int, str], list[Measured]] = {}
    with stage.opened(accounts, INTUNE_DETAILS="off") as on:
        for account, size in accounts.items():
            floor(on, account)  # The sandbox makes its pages when they are first asked for.
            for turn in range(1 if size >= 100_000 else rounds):
                on.empty(account)
                for situation in SITUATIONS:
                    if situation == "1 % changed":
                        change(on, account, turn)
                    on.tidy()
                    taken.setdefault((size, "floor"), []).append(floor(on, account))
                    taken.setdefault((size, situation), []).append(sync(on, account))
                    print(f"{size} {situation}: {taken[size, situation][-1].cost.wall:.2f} s", flush=True)
    return [_totals(taken, sizes), _resources(taken, sizes), _per_asset(taken, sizes), _floor_parts(taken, sizes)]


Taken = Mapping[tuple[int, str], Sequence[Measured]]


def _totals(taken: Taken, sizes: Sequence[int]) -> Table:
    rows = []
    for size in sizes:
        base = taken[size, "floor"]
        for situation in SITUATIONS:
            runs = taken[size, situation]
            wall, cpu = median([one.cost.wall for one in runs]), median([one.cpu for one in runs])
            floor_wall, floor_cpu = median([one.cost.wall for one in base]), median([one.cpu for one in base])
            rows.append(
                [
                    size,
                    situation,
                    wall,
                    floor_wall,
                    f"{wall / floor_wall:.2f} ×",
                    cpu,
                    floor_cpu,
                    f"{cpu / floor_cpu:.2f} ×",
                ]
            )
    header = ["devices", "sync", "wall s", "floor wall s", "wall / floor", "CPU s", "floor CPU s", "CPU / floor"]
    return Table("The sync and its floor, details off, whole processes", header, rows)


def _resources(taken: Taken, sizes: Sequence[int]) -> Table:
    rows = []
    for size in sizes:
        for situation in SITUATIONS:
            runs = taken[size, situation]
            counts = runs[-1].found
            rows.append(
                [
                    size,
                    situation,
                    median([one.cost.cpu for one in runs]),
                    median([one.server_cpu for one in runs]),
                    median([one.cloud_cpu for one in runs]),
                    median([one.cost.peak_mib for one in runs]),
                    counts["allwhere statements"],
                    counts["allwhere commits"],
                    counts["dagster statements"],
                    taken[size, "floor"][0].found["bytes"] / 1e6,
                    median([one.written for one in runs]) / 1e6,
                    median([one.first_request for one in runs]),
                ]
            )
    header = [
        "devices", "sync", "process CPU s", "PostgreSQL CPU s", "sandbox CPU s", "peak MiB", "statements", "commits",
        "Dagster's statements", "MB from Graph", "MB of WAL", "first request s",
    ]  # fmt: skip
    note = (
        "Statements are counted at the driver, COPY included; commits are extra. PostgreSQL's CPU includes what Dagster "
        "asks of it. WAL is over both databases. “First request” is from the process's start to its first request to Graph."
    )
    return Table("What it takes", header, rows, [note])


def _per_asset(taken: Taken, sizes: Sequence[int]) -> Table:
    rows = [
        [size, situation, *(median([one.steps[asset] for one in taken[size, situation]]) for asset in ASSETS)]
        for size in sizes
        for situation in SITUATIONS
    ]
    return Table("Seconds per asset, storing its frame included", ["devices", "sync", *ASSETS], rows)


def _floor_parts(taken: Taken, sizes: Sequence[int]) -> Table:
    rows = []
    for size in sizes:
        runs = taken[size, "floor"]
        walls = {name: median([one.found["parts"][name][0] for one in runs]) for name in runs[0].found["parts"]}
        sandbox = median([one.cloud_cpu for one in runs])
        rows.append([size, *walls.values(), sandbox, median([one.cost.wall for one in runs])])
    names = ["imports", "fetch pages", "parse JSON", "COPY", "empty five-step run"]
    header = ["devices", *(f"{name} s" for name in names), "sandbox CPU s within fetch", "whole process s"]
    return Table("The floor, part by part", header, rows)


def measure_details(size: int) -> list[Table]:
    """A first sync with details and the quota enforced, and the day after."""
    from cryptography.fernet import Fernet

    account = f"fleet-{size}"
    rows = []
    with stage.opened({account: size}, INTUNE_DETAILS="on", BYPASS_CODE_KEYS=Fernet.generate_key().decode()) as on:
        floor(on, account)
        for situation in SITUATIONS[:2]:
            on.tidy()
            measured = sync(on, account)
            log = on.control("GET", "requests")
            asked = sum(one["items"] for one in log["requests"] if one["path"].endswith(("managedDevices", "$batch")))
            # 2,000 at once, and 2,000 more each time 20 seconds have passed.
            quota = 20.0 * ((asked - 1) // 2000)
            ratio = f"{measured.cost.wall / quota:.2f} ×" if quota else ""
            rows.append(
                [
                    size,
                    situation,
                    asked,
                    log["busiest_window"],
                    quota,
                    measured.cost.wall,
                    ratio,
                    measured.cpu,
                    measured.cost.peak_mib,
                ]
            )
            print(f"details {situation}: {measured.cost.wall:.1f} s for {asked} requests", flush=True)
    header = [
        "devices",
        "sync",
        "requests",
        "most in 20 s",
        "quota's floor s",
        "wall s",
        "wall / quota's floor",
        "CPU s",
        "peak MiB",
    ]
    notes = [
        "The quota's floor: 2,000 requests at once and 2,000 more whenever 20 seconds have passed, no second for anything else."
    ]
    return [Table("Details on, the quota kept", header, rows, notes)]
