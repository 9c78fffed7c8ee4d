"""``people export``, ``erase`` and ``unerase``: people's rights to what is stored about them.

Belongs here: the commands. Does not belong here: where people are named (``inventory.erasures``). ``register`` adds the
commands to the group ``people``.
"""

import click


@click.command("export")
@click.argument("account")
@click.argument("email")
def export(account: str, email: str) -> None:
    """Print everything stored about the person with this address as JSON, by table."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import erasures
    from intune_pipeline.inventory.roles import Role

    with store.opened(role=Role.OWNER) as engine, engine.begin() as db:
        output.print_json(erasures.export(db, account, email))


@click.command("erase")
@click.argument("account")
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def erase(account: str, email: str, reason: str) -> None:
    """Put a pseudonym wherever the person with this address is named; no sync brings them back."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.bypass_code import operator
    from intune_pipeline.inventory import erasures
    from intune_pipeline.inventory.database import explained_for_owner
    from intune_pipeline.inventory.roles import Role

    with store.opened(role=Role.OWNER) as engine, explained_for_owner("Erasing"), engine.begin() as db:
        done = erasures.erase(db, account, email, reason=reason, actor=operator())
    click.echo(f"The person is {done.pseudonym} now, in {sum(done.rows.values())} rows of {len(done.rows)} tables.")


@click.command("unerase")
@click.argument("account")
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def unerase(account: str, email: str, reason: str) -> None:
    """Let syncs create the person with this address again; what was erased stays erased."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.bypass_code import operator
    from intune_pipeline.inventory import erasures
    from intune_pipeline.inventory.database import explained_for_owner
    from intune_pipeline.inventory.roles import Role

    with store.opened(role=Role.OWNER) as engine, explained_for_owner("Lifting an erasure"), engine.begin() as db:
        ended = erasures.lift(db, account, email, reason=reason, actor=operator())
    click.echo(f"{ended} erasures lifted; the next sync may create the person again.")


def register(people: click.Group) -> click.Group:
    """Add the commands to the group ``people``; returns it."""
    for command in (export, erase, unerase):
        people.add_command(command)
    return people
