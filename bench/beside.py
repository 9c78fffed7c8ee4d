"""The sync beside what a user would pick instead: the same fleet, the same machine, one run."""

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from sqlalchemy import make_url

from bench import measuring, stage, syncs
from bench.measuring import PROJECT, Cost
from bench.report import Table, median
from intune_pipeline.cli.processes import answers, free_port
from intune_pipeline.inventory import database
from intune_pipeline.microsoft.graph import LIST_PROPERTIES

HERE = PROJECT / "bench" / "others"
HOMES = PROJECT / ".local" / "bench"
SELECT = ",".join(LIST_PROPERTIES)


def measure(size: int, rounds: int) -> list[Table]:
    """Ours first and unchanged, dlt's bare load, the SDK's bare listing, cairn first and unchanged; in turns."""
    subprocess.run([HERE / "set_up.sh"], check=True)
    account, port = f"fleet-{size}", free_port(8100)
    taken: dict[str, list[Cost]] = {}

    def take(name: str, run: Callable[[], Cost]) -> None:
        taken.setdefault(name, []).append(cost := run())
        print(f"{name}: {cost.wall:.2f} s; {cost.output.strip().splitlines()[-1]}", flush=True)

    with stage.opened({account: size}, INTUNE_DETAILS="off") as on:
        tenant = on.tenants[account]
        tools = Others(on, tenant)
        syncs.floor(on, account)
        for turn in range(rounds):
            (on.directory / "cairn.json").unlink(missing_ok=True)
            on.empty(account)
            take("intune-pipeline, first sync", partial(_ours, on, account))
            on.tidy()
            take("intune-pipeline, unchanged", partial(_ours, on, account))
            take("dlt 1.31 rest_api → PostgreSQL, bare load", partial(tools.dlt, turn))
            take("msgraph-sdk 1.65, bare listing", partial(tools.run, "msgraph", "msgraph_list.py", tenant, SELECT))
            with measuring.started("bench.others.snipe_it", str(port), log=on.directory / "snipe-it.log"):
                while not answers(port):
                    time.sleep(0.1)
                for name in ("first", "unchanged"):
                    address = f"http://127.0.0.1:{port}/api/v1"
                    take(
                        f"cairn-sync 1.3.1 → Snipe-IT, {name}",
                        partial(tools.run, "cairn", "cairn_sync.py", tenant, address),
                    )
    rows = [
        [
            name,
            median([one.wall for one in costs]),
            median([one.cpu for one in costs]),
            median([one.peak_mib for one in costs]),
        ]
        for name, costs in taken.items()
    ]
    note = (
        "CPU and memory are the measured process's own; databases and fake servers are not counted for anybody. dlt and "
        "msgraph-sdk read the same properties in pages of 1,000 and decide nothing; cairn-sync reads whole records. "
        "cairn's Snipe-IT answers from memory, and “unchanged” compares with a file of cairn's own without looking at it. "
        "cairn's scope had to be changed from outside (see bench/others/cairn_sync.py)."
    )
    return [Table(f"{size:,} devices, whole processes", ["", "wall s", "CPU s", "peak MiB"], rows, [note])]


def _ours(on: stage.Stage, account: str) -> Cost:
    return syncs.sync(on, account).cost


class Others:
    """The tools, pointed at the stage."""

    def __init__(self, on: stage.Stage, tenant: str) -> None:
        self._on = on
        self._tenant = tenant
        ca = on.environment["MICROSOFT_CA_BUNDLE"]
        self._environment = {
            **on.environment,
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
            "CAIRN_STATE": str(on.directory / "cairn.json"),
        }

    def run(self, home: str, script: str, *arguments: str) -> Cost:
        """One of the scripts, by its tool's own Python."""
        return measuring.run(
            [str(HOMES / home / "bin" / "python"), str(HERE / script), *arguments], environment=self._environment
        )

    def dlt(self, turn: int) -> Cost:
        """A load into a database of its own; each with a fresh working directory, as a first run has."""
        server = make_url(database.create_if_missing(os.environ["ALLWHERE_DATABASE_URL"], "dlt"))
        # dlt asks for a password and a host, also where PostgreSQL wants none; libpq takes a socket's directory for one.
        url = f"postgresql://{server.username}:none@{quote(str(server.query['host']), safe='')}/{server.database}"
        self._environment |= {"DLT_DATABASE_URL": url, "RUNTIME__DLTHUB_TELEMETRY": "false"}
        return self.run("dlt", "dlt_load.py", self._tenant, SELECT, str(self._on.directory / f"dlt-{turn}"))
