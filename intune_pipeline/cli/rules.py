"""``rules``: an account's own classification rules.

Belongs here: the commands. Does not belong here: classification (``domain.classification``).
"""

import click

from intune_pipeline.cli.bypass_code import operator
from intune_pipeline.domain.vocabulary import DeviceType

TYPES = click.Choice([word.value for word in DeviceType])


@click.group("rules")
def group() -> None:
    """An account's own rules for device types, tried before the catalogue."""


@group.command("list")
@click.argument("account")
def list_(account: str) -> None:
    """Show ACCOUNT's rules in the order they are tried."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import account_rules

    with store.opened() as engine, engine.connect() as db:
        rules = account_rules.every(db, account)
    output.print_table(
        ("id", "maker pattern", "model pattern", "type", "note", "by", "at"),
        [
            (
                rule.id,
                rule.maker_pattern,
                rule.model_pattern,
                rule.device_type,
                rule.note,
                rule.created_by,
                rule.created_at,
            )
            for rule in rules
        ],
    )


@group.command("add")
@click.argument("account")
@click.option("--model", "model_pattern", required=True, help="RE2 pattern the model must match, case-insensitively.")
@click.option("--maker", "maker_pattern", default="", help="RE2 pattern the maker must match; empty for every maker.")
@click.option("--type", "device_type", required=True, type=TYPES, help="The type such devices are.")
@click.option("--note", default="", help="Why; shown wherever the rule decides.")
@click.option("--preview", is_flag=True, help="Only show how many known devices would change.")
def add(account: str, model_pattern: str, maker_pattern: str, device_type: str, note: str, *, preview: bool) -> None:
    """Add a rule to ACCOUNT; it takes effect at the next sync."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import account_rules

    with store.opened() as engine:
        with engine.connect() as db:
            known = account_rules.known(db, account)
        changes = account_rules.preview(known, maker_pattern, model_pattern, device_type)
        if not preview:
            with engine.begin() as db:
                account_rules.add(
                    db, account, maker_pattern, model_pattern, device_type, note=note, created_by=operator()
                )
    if changes:
        output.print_table(
            ("manufacturer", "name", "model", "now", "with the rule", "devices"),
            [(c.manufacturer, c.model_name, c.model, c.device_type, c.new_device_type, c.devices) for c in changes],
        )
    number = sum(change.devices for change in changes)
    click.echo(f"{number} known devices {'would change' if preview else 'change at the next sync'}.")


@group.command("remove")
@click.argument("account")
@click.argument("rule_id", type=int)
def remove(account: str, rule_id: int) -> None:
    """Remove rule RULE_ID of ACCOUNT."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import account_rules

    with store.opened() as engine, engine.begin() as db:
        account_rules.remove(db, account, rule_id, actor=operator())
    click.echo(f"Rule {rule_id} of {account} is removed.")
