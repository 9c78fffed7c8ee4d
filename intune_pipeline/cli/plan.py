"""``plan``: what a sync would do now; ``plans``: the stored ones, and approving one.

Belongs here: the commands. Does not belong here: planning (``orchestration.sync.planning``) and storing
(``inventory.plans``).
"""

from typing import TYPE_CHECKING, Any

import click

from intune_pipeline.cli.bypass_code import operator
from intune_pipeline.domain.vocabulary import AssetAction

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from intune_pipeline.domain.reconciliation import Plan


@click.command("plan")
@click.argument("account")
@click.option("--keep", is_flag=True, help="Store the plan for a day, to be looked at and approved.")
@click.option("--json", "as_json", is_flag=True, help="Print counts and changes as one JSON object.")
def command(account: str, *, keep: bool, as_json: bool) -> int:
    """Show what a sync of ACCOUNT would do now; nothing is written but the plan itself with --keep."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import plans
    from intune_pipeline.orchestration.sync.planning import as_dict

    plan_id = None
    with store.opened() as engine:
        made = _made(engine, account)
        if keep:
            with engine.begin() as db:
                plan_id = str(plans.keep(db, made, requested_by=operator()))
    planned = {**as_dict(made), **({"plan_id": plan_id} if plan_id else {})}
    if as_json:
        output.print_json(planned)
        return 0
    _print(account, planned)
    if plan_id:
        click.echo(f"The plan is kept for a day. Do exactly this with: intune-pipeline plans approve {plan_id}")
    return 0


def _made(engine: "Engine", account: str) -> "Plan":
    from intune_pipeline.inventory.vault import Vault
    from intune_pipeline.orchestration.resources import limits_of, microsoft_resource
    from intune_pipeline.orchestration.sync.planning import plan_account
    from intune_pipeline.settings import Settings

    settings = Settings.load()
    return plan_account(
        engine,
        account,
        open_client=microsoft_resource(settings).open_client,
        vault=Vault(settings.bypass_code_keys),
        details_refresh=limits_of(settings).details_refresh,
    )


def _print(account: str, planned: dict[str, Any]) -> None:
    from intune_pipeline.cli import output

    output.print_counts(account, planned)
    if planned["look_alikes"]:
        output.print_table(
            ("would be employee", "e-mail", "looks like employee", "same person", "because", "action"),
            [
                (
                    one["name"],
                    one["email"],
                    one["looks_like_employee"],
                    one["grade"],
                    ", ".join(one["reasons"]),
                    one["action"],
                )
                for one in planned["look_alikes"]
            ],
            title="The same person twice?",
        )
    if planned["shared_accounts"]:
        output.print_table(
            ("user", "e-mail", "left out because it"),
            [(one["name"], one["email"], one["reason"]) for one in planned["shared_accounts"]],
            title="No people?",
        )
    if planned["conventions"]:
        output.print_table(
            ("mail domain", "addresses are made as", "evidence"),
            [
                (domain, one["convention"], ", ".join(f"{form}: {count}" for form, count in one["forms"].items()))
                for domain, one in planned["conventions"].items()
            ],
            title="How names and addresses are read",
        )
    if planned["lifecycle_hold_reason"]:
        click.echo(planned["lifecycle_hold_reason"])
    changes = [
        (change["serial_number"], change["model"], change["action"], field, old, new)
        for change in planned["changes"]
        for field, (old, new) in change["fields"].items()
        if change["action"] == AssetAction.UPDATE
    ]
    if changes:
        output.print_table(("serial number", "model", "action", "field", "old", "new"), changes)


@click.group("plans")
def group() -> None:
    """Look at stored plans and approve one."""


@group.command("list")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(account: str, *, as_json: bool) -> None:
    """List the stored plans of ACCOUNT, newest first; a plan is kept for a day."""
    from dataclasses import asdict

    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import accounts, plans

    with store.opened() as engine, engine.connect() as db:
        accounts.get(db, account)
        found = plans.every(db, account)
    if as_json:
        output.print_json([asdict(plan) for plan in found])
        return
    titles = ("plan", "status", "made", "asked by", "created", "updated", "ended", "employees", "changed since")
    output.print_table(titles, [_row(plan) for plan in found])
    for plan in found:
        if plan.error:
            click.echo(f"{plan.id}: {plan.error}")


def _row(plan: Any) -> tuple[Any, ...]:
    counts = ("assets_created", "assets_updated", "lifecycle_transitions", "employees_created")
    numbers = [plan.counts.get(name) for name in counts]
    return (plan.id, plan.status, plan.made_at, plan.requested_by, *numbers, plan.differences)


@group.command("show")
@click.argument("plan_id", type=click.UUID)
@click.option("--search", default="", help="Part of a serial number, model, e-mail, name or reason.")
def show(plan_id: Any, search: str) -> None:
    """Print the lines of the stored plan PLAN_ID as CSV."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import plan_lists, plans

    with store.opened() as engine, engine.connect() as db:
        for line in plan_lists.csv_lines(db, plans.get(db, plan_id), plan_lists.Query(search)):
            click.echo(line, nl=False)


@group.command("approve")
@click.argument("plan_id", type=click.UUID)
def approve(plan_id: Any) -> None:
    """Approve the stored plan PLAN_ID: a sync does exactly that, or does nothing and says what changed since.

    The daemon starts the sync; intune-pipeline plans list ACCOUNT says what came of it.
    """
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import plans

    with store.opened() as engine, engine.begin() as db:
        plan = plans.get(db, plan_id)
        plans.approve(db, plan, actor=operator())
    click.echo(
        f"Approved. A sync of {plan.account} begins within seconds where Dagster's daemon runs; see: "
        f"intune-pipeline plans list {plan.account}"
    )
