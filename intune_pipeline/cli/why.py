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
    from intune_pipeline.inventory.history import why

    with store.opened() as engine, engine.connect() as db:
        story = why(db, account, serial)
    if as_json:
        output.print_json(story.as_dict())
    else:
        click.echo("\n".join(story.lines()))
