"""The progress of a sync: reads ``sync_runs`` while the run works.

Belongs here: showing progress on stderr, as a bar in a terminal and as lines elsewhere. Does not belong here: writing it.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from intune_pipeline.domain.vocabulary import RunPhase, RunStatus

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from intune_pipeline.inventory.sync_runs import SyncRun

SECONDS_BETWEEN_LOOKS = 0.3
SECONDS_BETWEEN_LINES = 5.0

Show: TypeAlias = Callable[[str, int | None, int], None]
"""Shows the phase, of how many devices, and how many are done."""


@contextmanager
def progress_of(engine: "Engine", account: str) -> Iterator[None]:
    """Show the running sync of the account on stderr until the block ends."""
    before, done = _last_ended(engine, account), threading.Event()
    is_terminal = sys.stderr.isatty()
    with _bar(account) if is_terminal else _lines(account) as show:
        seconds = SECONDS_BETWEEN_LOOKS if is_terminal else SECONDS_BETWEEN_LINES
        watcher = threading.Thread(target=_watch, args=(engine, account, show, seconds, done, before), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


@contextmanager
def _bar(account: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(f"{account}: {RunPhase.STARTING}", total=None)
        yield lambda phase, total, completed: bar.update(
            task, description=f"{account}: {phase}", total=total, completed=completed
        )


@contextmanager
def _lines(account: str) -> Iterator[Show]:
    yield lambda phase, total, completed: click.echo(
        f"{account}: {phase}, {completed}{'' if total is None else f' of {total}'} devices", err=True
    )


def _watch(
    engine: "Engine", account: str, show: Show, seconds: float, done: threading.Event, before: "SyncRun | None"
) -> None:
    from intune_pipeline.inventory.sync_runs import running

    while not done.wait(seconds):
        with engine.connect() as db:
            run = running(db, account)
        if run is None:
            continue
        reading = run.phase in {RunPhase.STARTING, RunPhase.LISTING}
        show(
            str(run.phase),
            None if reading else run.devices_listed,
            run.devices_read if reading else run.devices_reconciled,
        )
    ended = _last_ended(engine, account)
    if ended and (before is None or ended.id > before.id):
        is_done = ended.status == RunStatus.SUCCEEDED
        show(
            str(RunPhase.DONE if is_done else ended.status),
            ended.devices_listed,
            ended.devices_listed if is_done else ended.devices_reconciled,
        )


def _last_ended(engine: "Engine", account: str) -> "SyncRun | None":
    from intune_pipeline.inventory.sync_runs import last

    with engine.connect() as db:
        return next((run for run in last(db, account, 2) if run.status != RunStatus.RUNNING), None)
