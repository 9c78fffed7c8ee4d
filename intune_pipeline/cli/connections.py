"""``connections``: the operator's way past the portal.

Belongs here: the commands. Does not belong here: what a connection is (``inventory.connections``).
"""

from typing import Any

import click

from intune_pipeline.cli.bypass_code import operator


@click.group("connections")
def group() -> None:
    """Link accounts to Microsoft Intune tenants."""


@group.command("add")
@click.argument("account")
@click.option("--tenant-id", required=True, metavar="GUID", help="The customer's Entra tenant.")
@click.option("--name", help="The account's name, when it is new.")
@click.option("--mdm-assignee-updates", is_flag=True, help="Allow MDM to update allwhere assignee.")
@click.option("--plan-first", is_flag=True, help="Sync nothing before somebody has approved a plan.")
def add(account: str, tenant_id: str, name: str | None, *, mdm_assignee_updates: bool, plan_first: bool) -> None:
    """Connect ACCOUNT to a tenant whose admin has consented; creates the account when it is new."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import linking

    with store.opened() as engine, engine.begin() as db:
        linking.add(
            db,
            account,
            tenant_id,
            name=name,
            mdm_assignee_updates=mdm_assignee_updates or None,
            plan_first=plan_first,
            actor=operator(),
        )
    if plan_first:
        click.echo(f"{account} awaits the approval of its plan; make one with: intune-pipeline plan {account} --keep")
        return
    click.echo(f"{account} is connected to tenant {tenant_id}; sync it with: intune-pipeline sync {account}")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(*, as_json: bool) -> None:
    """Show every connection and its settings."""
    from dataclasses import asdict

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import connections

    with store.opened() as engine, engine.connect() as db:
        rows = [asdict(row) for row in connections.every(db)]
    if as_json:
        output.print_json(rows)
        return
    shown = ("account", "tenant_id", "status", "connected_at")
    output.print_table([name.replace("_", " ") for name in shown], [[row[name] for name in shown] for row in rows])
    for row in rows:
        if row["status_message"]:
            click.echo(f"{row['account']}: {row['status_message']}")


@group.command("set")
@click.argument("account")
@click.option(
    "--mdm-assignee-updates/--no-mdm-assignee-updates", default=None, help="Allow MDM to update allwhere assignee."
)
@click.option(
    "--hold-lookalike-employees/--no-hold-lookalike-employees", default=None, help="Hold look-alikes for a decision."
)
@click.option("--assignee-confirmations", type=click.IntRange(1), help="Consecutive syncs that must show a new user.")
@click.option(
    "--enrolment-manager-devices", type=click.IntRange(1), help="A user of more devices is an enrolment manager."
)
@click.option("--absent-lists", type=click.IntRange(1), help="Complete lists a device must be missing from.")
@click.option("--absent-hours", type=click.IntRange(0), help="Hours between those lists.")
@click.option("--lifecycle-max-share", type=click.FloatRange(0, 1), help="Share of devices that may end in one run.")
@click.option("--lifecycle-max-devices", type=click.IntRange(0), help="Number of devices that may end in one run.")
def set_(account: str, **values: Any) -> None:
    """Change settings of ACCOUNT's connection; they take effect at the next sync."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import connections

    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise click.UsageError("Name at least one setting; see: intune-pipeline connections set --help")
    with store.opened() as engine, engine.begin() as db:
        connections.change_settings(db, account, given, actor=operator())
    click.echo(f"{account}: " + ", ".join(f"{name.replace('_', ' ')} = {value}" for name, value in given.items()))


@group.command("remove")
@click.argument("account")
def remove(account: str) -> None:
    """Disconnect ACCOUNT; its assets, employees and history stay."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import connections

    with store.opened() as engine, engine.begin() as db:
        connections.disconnect(db, account, actor=operator())
    click.echo(f"{account} is disconnected; its assets, employees and history stay as they are.")


@group.command("move")
@click.argument("tenant")
@click.option(
    "--to", "account", required=True, metavar="ACCOUNT", help="The account the tenant belongs to from now on."
)
@click.option("--reason", required=True, help="Why; kept in both accounts' audit logs.")
def move(tenant: str, account: str, reason: str) -> None:
    """Give the Microsoft tenant TENANT to another account: the only way a tenant once linked changes hands.

    The former account's connection ends and tells its admins so; its assets, employees and history stay. The new owner
    connects in the portal, where an administrator of the tenant signs in.
    """
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import tenant_moves

    if not reason.strip():
        raise click.UsageError("Say why in --reason; both accounts' admins read it in their audit log.")
    with store.opened() as engine, engine.begin() as db:
        former = tenant_moves.move(db, tenant, account, actor=operator(), reason=reason.strip())
    click.echo(
        f"The tenant {tenant} belongs to {account} now and no longer to {former}, whose admins are told. {account} connects it "
        f"in the portal, or an operator does: intune-pipeline connections add {account} --tenant-id {tenant}"
    )
