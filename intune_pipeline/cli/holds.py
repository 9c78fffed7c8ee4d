"""``holds``: what a sync held back until a person decides.

Belongs here: the commands. Does not belong here: what is held and why (``domain``).
"""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from intune_pipeline.cli.bypass_code import operator
from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.vocabulary import EmployeeAnswer, LifecycleDecision, Trigger

if TYPE_CHECKING:
    from sqlalchemy import Connection

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SEARCH = click.option("--search", default="", metavar="TEXT", help="Only those in which TEXT is found.")
_APPLY_NOW = click.option(
    "--apply-now", is_flag=True, help="Ask for a sync at once, however short ago the last one was."
)


@click.group("holds")
def group() -> None:
    """Look-alike employees and lifecycle ends waiting for a decision."""


@group.command("list")
@click.argument("account")
@_SEARCH
@_JSON
def list_(account: str, search: str, *, as_json: bool) -> None:
    """Show who and what waits in ACCOUNT."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import held, holds

    with store.opened() as engine, engine.connect() as db:
        employees = holds.employees_waiting(db, account, search)
        lifecycle = holds.lifecycle_waiting(db, account)
        devices = held.devices(db, account, search)
    if as_json:
        output.print_json(
            {
                "employees": [asdict(one) for one in employees],
                "lifecycle": {
                    "reason": lifecycle[0].reason if lifecycle else None,
                    "devices": list(map(asdict, devices)),
                },
            }
        )
        return
    output.print_table(
        ("id", "user", "e-mail", "looks like", "how sure", "because", "since"),
        [
            (h.id, h.shown, h.email, h.lookalike or "a shared account", h.grade, h.reason, h.created_at)
            for h in employees
        ],
        title="Employees",
    )
    output.print_table(
        ("device", "serial number", "name", "model", "assignee", "last contact", "gone since"),
        [
            (d.intune_device_id, d.serial_number, d.device_name, d.model, d.assignee, d.last_contact_at, d.absent_since)
            for d in devices
        ],
        title=f"Lifecycle ends: {lifecycle[0].reason}" if lifecycle else "Lifecycle ends",
    )


@group.command("decide")
@click.argument("account")
@click.argument("decision", type=click.Choice([answer.value for answer in EmployeeAnswer]))
@click.argument("hold_ids", type=int, nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="Everybody who waits, or whom --search finds.")
@_SEARCH
@_APPLY_NOW
def decide(
    account: str,
    decision: str,
    hold_ids: tuple[int, ...],
    search: str,
    *,
    everybody: bool,
    apply_now: bool,
) -> None:
    """Create, link (to the look-alike) or skip held employees of ACCOUNT: HOLD_IDS, --search TEXT, or --all."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import holds

    if bool(hold_ids) == (everybody or bool(search.strip())):
        raise click.UsageError("Say whom it is about: ids of the list, or --search TEXT, or --all.")
    with store.opened() as engine, engine.begin() as db:
        decided = holds.decide_employees(
            db, account, hold_ids or None, EmployeeAnswer(decision), decided_by=operator(), search=search
        )
        click.echo(f"{decided} held employees decided; {_next(db, account, apply_now=apply_now)}")


@group.command("release")
@click.argument("account")
@click.option("--drop", is_flag=True, help="Drop the hold: the devices' assets stay as they are.")
@click.option("--device", "device_ids", multiple=True, metavar="ID", help="Only this device; may be given many times.")
@_SEARCH
@_APPLY_NOW
def release(account: str, device_ids: tuple[str, ...], search: str, *, drop: bool, apply_now: bool) -> None:
    """Release the held lifecycle ends of ACCOUNT: the next sync applies those still gone. The others go on waiting."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import holds

    if device_ids and search.strip():
        raise click.UsageError("Choose devices by --device, or by --search, not by both.")
    decision = LifecycleDecision.DROPPED if drop else LifecycleDecision.RELEASED
    with store.opened() as engine, engine.begin() as db:
        decided = holds.decide_lifecycle(
            db, account, decision, decided_by=operator(), device_ids=device_ids or None, search=search
        )
        click.echo(
            f"The {'end' if decided == 1 else 'ends'} of {counted(decided, 'device is', 'devices are')} {decision}; {_next(db, account, apply_now=apply_now)}"
        )


@group.command("decided")
@click.argument("account")
@_JSON
def decided_(account: str, *, as_json: bool) -> None:
    """Show what was decided in ACCOUNT, newest first: who, when, and what came of it."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import held

    with store.opened() as engine, engine.connect() as db:
        found = held.decisions(db, account)
    if as_json:
        output.print_json([{**asdict(one), "outcome": one.outcome} for one in found])
        return
    output.print_table(
        ("id", "about", "how many", "decision", "who", "when", "what came of it"),
        [(d.id, d.kind, d.size, d.decision, d.decided_by, d.decided_at, d.outcome) for d in found],
        title="Decisions",
    )


@group.command("undo")
@click.argument("account")
@click.argument("decision_id", type=int)
def undo(account: str, decision_id: int) -> None:
    """Take decision DECISION_ID of ACCOUNT back, as long as no sync has taken it up: what it was about waits again."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import holds

    with store.opened() as engine, engine.begin() as db:
        waiting = holds.undo_decision(db, account, decision_id, undone_by=operator())
    click.echo(f"Decision {decision_id} is taken back; {waiting} wait again.")


def _next(db: "Connection", account: str, *, apply_now: bool) -> str:
    from intune_pipeline.inventory import holds

    if not apply_now:
        return "the next sync does it."
    answer = holds.sync_now(db, account, requested_by=operator(), trigger=Trigger.OPERATOR)
    if answer.sync_run_id is not None:
        return f"sync {answer.sync_run_id} is running already, and the next one does what it has not taken up."
    return "a sync was asked for."
