"""``plan``: what a sync would do now, writing nothing.

Belongs here: the command. Does not belong here: planning (``domain.reconciliation``) and what it needs to ask.
"""

import click


@click.command("plan")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print counts and changes as one JSON object.")
def command(account: str, *, as_json: bool) -> int:
    """Show what a sync of ACCOUNT would do now; nothing is written."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory.vault import Vault
    from intune_pipeline.orchestration.resources import limits_of, microsoft_resource
    from intune_pipeline.orchestration.sync.planning import plan_account
    from intune_pipeline.settings import Settings

    settings = Settings.load()
    with store.opened() as engine:
        planned = plan_account(
            engine,
            account,
            open_client=microsoft_resource(settings).open_client,
            vault=Vault(settings.bypass_code_keys),
            details_refresh=limits_of(settings).details_refresh,
        )
    if as_json:
        output.print_json(planned)
        return 0
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
        if change["action"] == "update"
    ]
    if changes:
        output.print_table(("serial number", "model", "action", "field", "old", "new"), changes)
    return 0
