"""``sync``: one real Dagster run of one account, with progress on stderr; or the one that runs already.

Belongs here: the command. Does not belong here: what a sync does (``orchestration``).
"""

import time
from typing import TYPE_CHECKING, Any

import click

from intune_pipeline.domain.vocabulary import RunStatus, Trigger

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from intune_pipeline.inventory.sync_runs import SyncRun

#: Dagster's console log would bury the progress bar; the Dagster UI shows every event.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@click.command("sync")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
@click.option("--no-wait", is_flag=True, help="Fail at once when the account is syncing already.")
def command(account: str, *, as_json: bool, no_wait: bool) -> int:
    """Sync ACCOUNT now and print what changed; a sync of it that runs already is joined."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import connections
    from intune_pipeline.settings import MicrosoftSettings

    MicrosoftSettings.load()
    with store.opened() as engine:
        with engine.connect() as db:
            connections.syncable(db, account)
        counts = joined(engine, account, no_wait=no_wait) or synced(engine, account, trigger=Trigger.OPERATOR)
    failed = counts["status"] != RunStatus.SUCCEEDED
    if as_json:
        output.print_json(counts)
    elif not failed:
        output.print_counts(account, counts)
    if failed:
        click.echo(f"Error: {counts['error']}", err=True)
    return int(failed)


def synced(engine: "Engine", account: str, *, trigger: str) -> dict[str, Any]:
    """Run one sync with its progress bar and return its counts, in the form of ``sync --json``."""
    from intune_pipeline.cli.sync_progress import progress_of
    from intune_pipeline.inventory import sync_runs
    from intune_pipeline.orchestration.sync.launch import run_sync

    with progress_of(engine, account):
        run = run_sync(account, trigger=trigger, run_config=QUIET)
    with engine.connect() as db:
        done = sync_runs.of_dagster_run(db, run.run_id)
    counts = sync_runs.report(done)
    return counts if done or run.error is None else {**counts, "error": run.error}


def joined(engine: "Engine", account: str, *, no_wait: bool = False) -> dict[str, Any] | None:
    """Wait for the sync of the account that runs now, with its progress bar, and return its counts.

    None when nothing runs, or what ran was no sync or died: then there is still one to be done.

    Raises:
        SyncLockedError: one runs, and nobody wants to wait.
    """
    from intune_pipeline.cli.sync_progress import SECONDS_BETWEEN_LOOKS, progress_of
    from intune_pipeline.domain.vocabulary import RunStatus, Trigger
    from intune_pipeline.inventory import open_syncs, sync_runs

    with engine.connect() as db:
        blocking = open_syncs.blocking(db, account)
    if blocking is None:
        return None
    if no_wait:
        raise blocking
    click.echo(f"{blocking} This command waits with it; Ctrl-C leaves it running.", err=True)
    seen: SyncRun | None = None
    with progress_of(engine, account):
        while blocking:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            with engine.connect() as db:
                seen = sync_runs.running(db, account) or seen
                blocking = open_syncs.blocking(db, account)
    with engine.connect() as db:
        ended = sync_runs.get(db, seen.id) if seen else None
    is_done = ended and ended.trigger != Trigger.UNDO and ended.status != RunStatus.RUNNING
    return sync_runs.report(ended) if is_done else None
