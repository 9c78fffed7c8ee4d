"""``lock`` and ``unlock``: a field of one asset that syncs leave as it is.

Belongs here: the commands. Does not belong here: what a lock does (``domain.kept``).
"""

import click

from intune_pipeline.cli.bypass_code import operator


@click.command("lock")
@click.argument("account")
@click.argument("serial")
@click.argument("field")
def lock(account: str, serial: str, field: str) -> None:
    """Let syncs leave FIELD of the asset SERIAL in ACCOUNT as it is."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import kept_values

    with store.opened() as engine, engine.begin() as db:
        is_new = kept_values.lock(db, account, serial, field, actor=operator())
    click.echo(f"{field} of {serial} is {'locked now' if is_new else 'locked already'}; syncs leave it as it is.")


@click.command("unlock")
@click.argument("account")
@click.argument("serial")
@click.argument("field")
def unlock(account: str, serial: str, field: str) -> None:
    """Let syncs write FIELD of the asset SERIAL in ACCOUNT again, locked or kept back by an undo."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import kept_values

    with store.opened() as engine, engine.begin() as db:
        kept_values.unlock(db, account, serial, field, actor=operator())
    click.echo(f"{field} of {serial} follows Intune again from the next sync on.")
