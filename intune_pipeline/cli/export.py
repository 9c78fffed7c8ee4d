"""``export``: an account's inventory as a file.

Belongs here: the command. Does not belong here: what is exported (``inventory.exports``).
"""

from pathlib import Path

import click

from intune_pipeline.domain.nouns import counted

WHAT = ("assets", "employees", "outcomes", "changes")


@click.command("export")
@click.argument("account")
@click.option("--what", type=click.Choice(WHAT), default="assets", show_default=True, help="Which table.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; ACCOUNT-WHAT.FORMAT when left out."
)
def command(account: str, what: str, form: str, output: Path | None) -> None:
    """Write the assets, employees, device outcomes or changes of ACCOUNT into a file."""
    from intune_pipeline.cli import store
    from intune_pipeline.inventory import exports

    path = output or Path(f"{account}-{what}.{form}")
    with store.opened() as engine, engine.connect() as db:
        if form == "parquet":
            with path.open("wb") as binary:
                count = exports.write_parquet(db, account, what, binary)
        else:
            with path.open("w", encoding="utf-8", newline="") as text:
                count = exports.write_csv(db, account, what, text)
    click.echo(f"{counted(count, 'row')} written to {path}.")
