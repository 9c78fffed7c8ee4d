"""``rehearse``: what changed rules would do to every known device of every account.

Belongs here: the command. Does not belong here: comparing (``domain.rehearsal``).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intune_pipeline.domain.nouns import counted

if TYPE_CHECKING:
    from intune_pipeline.domain.rehearsal import RehearsedChange


@click.command("rehearse")
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file in the catalogue's format, tried before the catalogue; without it the installed catalogue alone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(rules: Path | None, *, as_json: bool) -> int:
    """Show which known models would be judged otherwise; exit 1 when devices that are synced would be left out."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.domain.catalogue import read_catalogue
    from intune_pipeline.domain.rehearsal import Effect
    from intune_pipeline.inventory import rehearsals

    changed = read_catalogue(rules.stem, rules.read_text(encoding="utf-8")) if rules else None
    with store.opened() as engine, engine.connect() as db:
        found = rehearsals.rehearsed(db, changed)
    shown = [
        {
            "account": one.known.account,
            "manufacturer": one.known.manufacturer,
            "model": one.known.model,
            "devices": one.known.devices,
            "from": one.known.device_type.value,
            "to": one.becomes.value,
            "rule": one.rule,
            "effect": one.effect.value,
            "assets_ended": one.assets_ended,
            "assigned_ended": one.assigned_ended,
        }
        for one in found
    ]
    if as_json:
        output.print_json(shown)
    elif shown:
        titles = [name for name in shown[0] if not name.endswith("_ended")]
        output.print_table(titles, [[row[name] for name in titles] for row in shown])
    else:
        click.echo("Every known model would be judged as it was.")
    left_out = sum(one.known.devices for one in found if one.effect is Effect.LEFT_OUT)
    if left_out:
        click.echo(f"Error: {counted(left_out, 'synced device')} would be left out.", err=True)
        for account, assets, assigned in _ended(found):
            click.echo(
                f"{account}: syncs would keep {counted(assets, 'asset')} up to date no more, {assigned} of them assigned; status and "
                "assignee stay.",
                err=True,
            )
    return int(bool(left_out))


def _ended(found: "Iterable[RehearsedChange]") -> "Iterator[tuple[str, int, int]]":
    """What would end, by account: its assets, and how many of them somebody holds."""
    ending = [one for one in found if one.assets_ended]
    for account in dict.fromkeys(one.known.account for one in ending):
        of_account = [one for one in ending if one.known.account == account]
        yield account, sum(one.assets_ended for one in of_account), sum(one.assigned_ended for one in of_account)
