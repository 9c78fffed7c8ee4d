"""``runs`` and ``run``: an account's syncs, and one of them with everything it did.

Belongs here: the commands. Does not belong here: reading a run (``inventory.run_story``).
"""

import sys

import click


@click.command("runs")
@click.argument("account")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def runs(account: str, *, limit: int, as_json: bool) -> None:
    """List the runs of ACCOUNT, newest first."""
    from dataclasses import asdict

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import accounts, sync_runs

    with store.opened() as engine, engine.connect() as db:
        accounts.get(db, account)
        found = sync_runs.last(db, account, limit)
    if as_json:
        output.print_json([{**asdict(run), "devices_skipped": run.skipped_by_reason} for run in found])
        return
    output.print_table(
        ("run", "trigger", "status", "started", "seconds", "listed", "created", "updated", "failed", "held", "gone"),
        [
            (
                run.id,
                run.trigger,
                run.status,
                run.started_at,
                round((run.finished_at - run.started_at).total_seconds(), 1) if run.finished_at else None,
                run.devices_listed,
                run.assets_created,
                run.assets_updated,
                run.devices_failed,
                run.lifecycle_held + run.lookalikes_held,
                run.devices_gone,
            )
            for run in found
        ],
    )


@click.command("run")
@click.argument("run_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: one row per field, employee, failure and skip reason.")
def run(run_id: int, *, as_json: bool, as_csv: bool) -> None:
    """Show everything run RUN_ID did, row by row."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import run_story

    with store.opened() as engine, engine.connect() as db:
        story = run_story.of_run(db, run_id)
    if as_json:
        output.print_json(story.as_dict())
    elif as_csv:
        run_story.write_csv(story, sys.stdout)
    else:
        shown = story.as_dict()
        output.print_counts(story.account, shown)
        output.print_table(("action", "what", "field", "before", "after"), story.rows(), title=f"Run {run_id}")
        for sentence in story.held:
            click.echo(f"Held: {sentence}")
        if story.run.error:
            click.echo(story.run.error)
