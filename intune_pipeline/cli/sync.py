"""``sync``: one real Dagster run of one account, with progress on stderr.

Belongs here: the command. Does not belong here: what a sync does (``orchestration``).
"""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.command("sync")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def command(account: str, *, as_json: bool) -> int:
    """Sync ACCOUNT now and print what changed."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import connections

    with store.opened() as engine:
        with engine.connect() as connection:
            connections.syncable(connection, account)
        counts = synced(engine, account, trigger="operator")
    if as_json:
        output.print_json(counts)
    else:
        output.print_counts(account, counts)
    if counts["status"] != "succeeded":
        click.echo(f"Error: {counts['error']}", err=True)
        return 1
    return 0


def synced(engine: "Engine", account: str, *, trigger: str) -> dict[str, Any]:
    """Run one sync with its progress bar and return its counts, in the form of ``sync --json``."""
    from intune_pipeline.cli.sync_progress import progress_of
    from intune_pipeline.inventory import sync_runs
    from intune_pipeline.orchestration.launch import run_sync

    with progress_of(engine, account):
        run = run_sync(account, trigger=trigger)
    with engine.connect() as connection:
        return sync_runs.report(connection, run.run_id)
