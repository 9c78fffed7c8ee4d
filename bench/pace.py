"""Syncs at the pace at which Graph really answers: seconds for a page, and for a batch."""

import math

from cryptography.fernet import Fernet

from bench import stage, syncs
from bench.report import Table

PAGE = 1000


def measure(devices: int) -> list[Table]:
    """A first sync with details, and the day after, beside what nobody can undercut: pages in a row, and the quota."""
    account = f"fleet-{devices}"
    rows = []
    with stage.opened({account: devices}, INTUNE_DETAILS="on", BYPASS_CODE_KEYS=Fernet.generate_key().decode()) as on:
        syncs.floor(on, account)  # The sandbox makes its pages when they are first asked for.
        on.control("POST", "faults", stage.REAL_PACE)
        for situation in syncs.SITUATIONS[:2]:
            on.tidy()
            measured = syncs.sync(on, account)
            log = on.control("GET", "requests")["requests"]
            asked = sum(one["items"] for one in log if one["path"].endswith(("managedDevices", "$batch")))
            # 2,000 at once, and 2,000 more each time 20 seconds have passed.
            quota, pages = 20.0 * ((asked - 1) // 2000), stage.PAGE_SECONDS * math.ceil(devices / PAGE)
            wall = measured.cost.wall
            rows.append([situation, asked, pages, quota, wall, f"{wall / max(pages, quota):.2f} ×", f"{wall / (pages + quota):.2f} ×", measured.cpu])  # fmt: skip
            print(f"pace {situation}: {wall:.1f} s", flush=True)
    header = [
        "sync", "requests", "pages in a row s", "quota's floor s", "wall s", "wall / larger of them", "wall / their sum", "CPU s"
    ]  # fmt: skip
    note = f"A page takes {stage.PAGE_SECONDS} s, a batch {stage.BATCH_SECONDS} s. Asking for details begins with the first page of the list."
    return [Table(f"{devices:,} devices, details on, at Graph's pace", header, rows, [note])]
