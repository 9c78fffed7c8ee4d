"""``sync``: one real Dagster run of one account, with progress on stderr.

Belongs here: the command. Does not belong here: what a sync does (``orchestration``).
"""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: Dagster's console log would bury the progress bar; the Dagster UI shows every event.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@click.command("sync")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def command(account: str, *, as_json: bool) -> int:
    """Sync ACCOUNT now and print what changed."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import connections
    from intune_pipeline.settings import MicrosoftSettings

    MicrosoftSettings.load()
    with store.opened() as engine:
        with engine.connect() as db:
            connections.syncable(db, account)
        counts = synced(engine, account, trigger="operator")
    failed = counts["status"] != "succeeded"
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
    from intune_pipeline.orchestration.launch import run_sync

    with progress_of(engine, account):
        run = run_sync(account, trigger=trigger, run_config=QUIET)
    with engine.connect() as db:
        return sync_runs.report(db, run.run_id)
