"""``why``: the whole story of one serial number.

Belongs here: printing it. Does not belong here: gathering it (``inventory.history``).
"""

import click


@click.command("why")
@click.argument("account")
@click.argument("serial")
@click.option("--json", "as_json", is_flag=True, help="Print the story as one JSON object.")
def command(account: str, serial: str, *, as_json: bool) -> None:
    """Tell why the device with SERIAL is in ACCOUNT's inventory as it is, or why it is not."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import conventions
    from intune_pipeline.inventory.history import why

    with store.opened() as engine, engine.connect() as db:
        story = why(db, account, serial)
        learnt = conventions.of_device(db, account, serial)
    if as_json:
        told = {learnt[0]: str(learnt[1])} if learnt else {}
        output.print_json({**story.as_dict(), "conventions": told})
    else:
        lines = ["", f"Addresses at {learnt[0]} are made as: {learnt[1]}"] if learnt else []
        click.echo("\n".join([*story.lines(), *lines]))
