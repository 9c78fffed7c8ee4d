"""``fleet``: every tenant in one table.

Belongs here: the command. Does not belong here: the query (``inventory.sync_runs``).
"""

import click


@click.command("fleet")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(*, as_json: bool) -> None:
    """Show every tenant: last good sync, age, duration, unknown share, holds, cause of trouble."""
    from dataclasses import asdict

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory.sync_runs import fleet

    with store.opened() as engine, engine.connect() as connection:
        tenants = [asdict(tenant) for tenant in fleet(connection)]
    if as_json:
        output.print_json(tenants)
    elif tenants:
        output.print_table([name.replace("_", " ") for name in tenants[0]], [list(t.values()) for t in tenants])
    else:
        click.echo("No tenant is connected yet; see: intune-pipeline connections add --help")
