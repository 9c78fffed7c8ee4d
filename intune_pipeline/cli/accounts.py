"""``accounts``: allwhere's customers and the organisations they sign in with.

Belongs here: the commands. Does not belong here: their link to Microsoft (``connections``).
"""

import click

from intune_pipeline.cli.bypass_code import operator


@click.group("accounts")
def group() -> None:
    """allwhere's customers."""


@group.command("organization")
@click.argument("account")
@click.option("--id", "org_id", metavar="ORG_ID", help="The sign-in provider's immutable id of the organisation.")
@click.option("--forget", is_flag=True, help="Take whichever organisation signs in next under the account's slug.")
def organization(account: str, org_id: str | None, *, forget: bool) -> None:
    """Say which organisation of the sign-in provider ACCOUNT is, and end its sessions.

    Without this an account is bound to the first organisation that signs in under its slug.
    """
    from datetime import UTC, datetime

    from intune_pipeline.cli import store
    from intune_pipeline.inventory import accounts, audit, sessions

    if forget == bool(org_id):
        raise click.UsageError("Give either --id ORG_ID or --forget.")
    with store.opened() as engine, engine.begin() as db:
        accounts.bind_organization(db, account, org_id)
        owner = accounts.get(db, account)
        sessions.end_of_account(db, owner.id, datetime.now(UTC))
        audit.record(db, owner.id, actor=operator(), action="organization", subject=org_id or "forgotten")
    click.echo(f"{account} is {f'the organisation {org_id}' if org_id else 'bound to no organisation'} now.")
