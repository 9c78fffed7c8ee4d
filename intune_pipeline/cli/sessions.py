"""``sessions``: who is signed in to the portal, and ending that.

Belongs here: the commands. Does not belong here: what a session is (``inventory.sessions``).
"""

from datetime import UTC, datetime

import click

from intune_pipeline.cli.bypass_code import operator


@click.group("sessions")
def group() -> None:
    """Sign-ins to the portal."""


@group.command("list")
@click.argument("account")
def list_(account: str) -> None:
    """Show who is signed in to ACCOUNT."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import accounts, sessions

    with store.opened() as engine, engine.connect() as db:
        live = sessions.live_of_account(db, accounts.get(db, account).id, datetime.now(UTC))
    output.print_table(
        ("subject", "e-mail", "role", "signed in", "last seen"),
        [(s.person.subject, s.person.email, s.person.role, s.signed_in_at, s.last_seen_at) for s in live],
    )


@group.command("end")
@click.argument("account", required=False)
@click.option("--subject", help="Only this person's; the sign-in provider's id of them.")
@click.option("--all", "everybody", is_flag=True, help="Of every account.")
def end(account: str | None, subject: str | None, *, everybody: bool) -> None:
    """End the sessions of ACCOUNT; whoever it was has to sign in again."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import accounts, audit, sessions

    if everybody == bool(account) or (everybody and subject):
        raise click.UsageError("Give ACCOUNT, with --subject for one person, or --all.")
    now = datetime.now(UTC)
    with store.opened() as engine, engine.begin() as db:
        if account is None:
            ended = sessions.end_all(db, now)
        else:
            owner = accounts.get(db, account)
            ended = sessions.end_of_account(db, owner.id, now, subject=subject)
            audit.record(db, owner.id, actor=operator(), action="sessions", subject=subject or "everybody", ended=ended)
    click.echo(f"{ended} {'session is' if ended == 1 else 'sessions are'} ended.")
