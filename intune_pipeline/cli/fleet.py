"""``fleet``: every tenant in one table.

Belongs here: the command. Does not belong here: the query and its sums (``inventory.fleet``).
"""

from typing import TYPE_CHECKING

import click

from intune_pipeline.domain.nouns import counted

if TYPE_CHECKING:
    from intune_pipeline.inventory.fleet import FleetTotals


@click.command("fleet")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--trouble", is_flag=True, help="Only tenants that are late or in trouble.")
@click.option("--check", is_flag=True, help="End with 1 when any tenant is late or in trouble.")
def command(*, as_json: bool, trouble: bool, check: bool) -> int:
    """Show every tenant: last good sync, late or not, duration, unknown share, holds, cause of trouble."""
    from dataclasses import asdict
    from datetime import timedelta

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory.fleet import fleet, totals
    from intune_pipeline.settings import Settings

    late_after = timedelta(hours=Settings.load().intune_late_after_hours)
    with store.opened() as engine, engine.connect() as db:
        everybody = fleet(db, late_after=late_after)
    numbers = totals(everybody)
    shown = [tenant for tenant in everybody if tenant.is_in_trouble or not trouble]
    if as_json:
        output.print_json([asdict(tenant) for tenant in shown])
    elif everybody:
        output.print_table(
            ("account", "status", "late", "hours ago", "seconds", "devices", "unknown", "holds", "trouble"),
            [
                (
                    tenant.account,
                    tenant.status,
                    "late" if tenant.late else None,
                    tenant.age_hours,
                    tenant.duration_seconds,
                    tenant.devices,
                    None if tenant.unknown_share is None else f"{tenant.unknown_share:.1%}",
                    tenant.employee_holds + tenant.lifecycle_holds,
                    tenant.cause,
                )
                for tenant in shown
            ],
        )
        for tenant in shown:
            if tenant.trouble:
                click.echo(f"{tenant.account}: {tenant.trouble}")
        click.echo(_summary(numbers))
    else:
        click.echo("No tenant is connected yet; see: intune-pipeline connections add --help")
    return 1 if check and numbers.in_trouble else 0


def _summary(numbers: "FleetTotals") -> str:
    states = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(numbers.by_status.items()))
    return (
        f"{counted(numbers.tenants, 'tenant')} ({states}): {numbers.late} late, "
        f"{numbers.in_trouble} late or in trouble; {counted(numbers.devices, 'device')}, {numbers.synced} synced, "
        f"{numbers.unknown_share:.1%} unknown; {numbers.throttled} of {numbers.requests} requests throttled."
    )
