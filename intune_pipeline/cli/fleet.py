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

    with store.opened() as engine, engine.connect() as db:
        tenants = fleet(db)
    if as_json:
        output.print_json([asdict(tenant) for tenant in tenants])
    elif tenants:
        output.print_table(
            ("account", "status", "hours ago", "seconds", "devices", "unknown", "holds", "trouble"),
            [
                (
                    tenant.account,
                    tenant.status,
                    tenant.age_hours,
                    tenant.duration_seconds,
                    tenant.devices,
                    None if tenant.unknown_share is None else f"{tenant.unknown_share:.1%}",
                    tenant.employee_holds + tenant.lifecycle_holds,
                    tenant.cause,
                )
                for tenant in tenants
            ],
        )
        for tenant in tenants:
            if tenant.trouble:
                click.echo(f"{tenant.account}: {tenant.trouble}")
    else:
        click.echo("No tenant is connected yet; see: intune-pipeline connections add --help")
