"""The progress bar of a sync: reads ``sync_runs`` while the run works.

Belongs here: showing progress on stderr. Does not belong here: writing it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from intune_pipeline.domain.vocabulary import RunPhase

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

SECONDS_BETWEEN_LOOKS = 0.3


@contextmanager
def progress_of(engine: "Engine", account: str) -> Iterator[None]:
    """Show the running sync of the account on stderr until the block ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(engine, account, bar, done), daemon=True)
    with bar:
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _watch(engine: "Engine", account: str, bar: "Progress", done: threading.Event) -> None:
    from intune_pipeline.inventory.sync_runs import last, running

    task = bar.add_task(f"{account}: starting", total=None)
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        with engine.connect() as db:
            run = running(db, account)
        if run is None:
            continue
        reading = run.phase in {RunPhase.STARTING, RunPhase.LISTING}
        bar.update(
            task,
            description=f"{account}: {run.phase}",
            total=None if reading else run.devices_listed,
            completed=run.devices_read if reading else run.devices_reconciled,
        )
    with engine.connect() as db:
        devices = next((run.devices_listed for run in last(db, account, 1)), 0)
    bar.update(task, description=f"{account}: done", total=devices, completed=devices)
