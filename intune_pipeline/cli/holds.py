"""``holds``: what a sync held back until a person decides.

Belongs here: the commands. Does not belong here: what is held and why (``domain``).
"""

from typing import Literal

import click

from intune_pipeline.cli.bypass_code import operator
from intune_pipeline.domain.vocabulary import LifecycleDecision


@click.group("holds")
def group() -> None:
    """Look-alike employees and lifecycle ends waiting for a decision."""


@group.command("list")
@click.argument("account")
def list_(account: str) -> None:
    """Show what waits in ACCOUNT."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import holds

    with store.opened() as engine, engine.connect() as db:
        employees = holds.employees_waiting(db, account)
        lifecycle = holds.lifecycle_waiting(db, account)
    output.print_table(
        ("id", "user", "e-mail", "looks like", "how sure", "because", "since"),
        [
            (h.id, h.shown, h.email, h.lookalike or "a shared account", h.grade, h.reason, h.created_at)
            for h in employees
        ],
        title="Employees",
    )
    output.print_table(
        ("id", "devices", "reason", "since"),
        [(h.id, len(h.intune_device_ids), h.reason, h.created_at) for h in lifecycle],
        title="Lifecycle ends",
    )


@group.command("decide")
@click.argument("account")
@click.argument("decision", type=click.Choice(["create", "link", "skip"]))
@click.argument("hold_ids", type=int, nargs=-1, required=True)
def decide(account: str, decision: Literal["create", "link", "skip"], hold_ids: tuple[int, ...]) -> None:
    """Create, link (to the look-alike) or skip the held employees HOLD_IDS of ACCOUNT."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import holds

    with store.opened() as engine, engine.begin() as db:
        decided = holds.decide_employees(db, account, hold_ids, decision, decided_by=operator())
    click.echo(f"{decided} held employees decided; the next sync does it.")


@group.command("release")
@click.argument("account")
@click.option("--drop", is_flag=True, help="Drop the hold: the devices' assets stay as they are.")
def release(account: str, *, drop: bool) -> None:
    """Release the held lifecycle ends of ACCOUNT: the next sync applies those still gone."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import holds

    with store.opened() as engine, engine.begin() as db:
        holds.decide_lifecycle(
            db, account, LifecycleDecision.DROPPED if drop else LifecycleDecision.RELEASED, decided_by=operator()
        )
    click.echo(
        f"The hold of {account} is {'dropped' if drop else 'released; the next sync applies what is still gone'}."
    )
