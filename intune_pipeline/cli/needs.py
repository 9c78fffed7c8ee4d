"""``needs``: what waits for a person, the same list as on the page.

Belongs here: the command. Does not belong here: what is told (``domain.needs``).
"""

import click


@click.command("needs")
@click.argument("account", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, or without ACCOUNT lists by account.")
def command(account: str | None, *, as_json: bool) -> None:
    """Show what waits for a person of ACCOUNT, or of every account."""
    from dataclasses import asdict
    from datetime import timedelta

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import needs
    from intune_pipeline.settings import Settings

    late_after = timedelta(hours=Settings.load().intune_late_after_hours)
    with store.opened() as engine, engine.connect() as db:
        if account:
            found = {account: needs.of_account(db, account, late_after=late_after)}
        else:
            found = needs.every(db, late_after=late_after)
    if as_json:
        lists = {name: [asdict(need) for need in waiting] for name, waiting in found.items()}
        output.print_json(lists[account] if account else lists)
        return
    rows = [
        (name, need.what, need.since, need.count, need.to_do) for name, waiting in found.items() for need in waiting
    ]
    if rows:
        output.print_table(("account", "what", "since", "how many", "to do"), rows)
    else:
        click.echo(f"There is nothing to do for {account or 'any account'}.")
