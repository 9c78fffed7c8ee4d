"""``intune-pipeline facts``: what is known about a model and where it is from; comparing a source with the catalogue.

Belongs here: the commands. Does not belong here: looking facts up (``domain.facts``) and comparing (``facts_upkeep``).
"""

from dataclasses import asdict
from pathlib import Path

import click


@click.command("facts")
@click.argument("maker")
@click.argument("model")
@click.option("--system", default="", metavar="SYSTEM", help="Operating system as Intune shows it, such as Android.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(maker: str, model: str, *, system: str, as_json: bool) -> None:
    """Tell what is known about MODEL of MAKER, as Intune shows them, and which row or rule each fact is from."""
    from intune_pipeline.cli import output
    from intune_pipeline.domain.facts import known_facts

    facts = asdict(known_facts(system, maker, model))
    if as_json:
        output.print_json({"manufacturer": maker, "model": model, **facts})
        return
    rows = [
        (name, fact["value"], fact["source"]) if fact else (name, None, "nothing known") for name, fact in facts.items()
    ]
    output.print_table(("field", "value", "from"), rows)


@click.command("facts-compare")
@click.argument("source", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option("--maker", default="", help="The maker of every row, for files without a manufacturer column.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def compare(source: Path, maker: str, *, as_json: bool) -> int:
    """Compare a source of facts with the catalogue: what it would add, what it would change, where they contradict.

    FILE.csv has a column key (or machine_type), and of marketing_name (or product_name), display_inches, release (or
    release_year) and storage_type those it knows. Exit status 1 when something is contradicted.
    """
    from intune_pipeline.cli import output
    from intune_pipeline.cli.facts_upkeep import CONTRADICTED, differences

    found = differences(source, maker)
    if as_json:
        output.print_json([asdict(one) for one in found])
    else:
        columns = ("what", "maker", "key", "field", "catalogue", "source", "catalogue's row or rule")
        output.print_table(columns, [(one.kind, *list(asdict(one).values())[1:]) for one in found])
        kinds = [one.kind for one in found]
        click.echo(
            ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(("added", "changed", CONTRADICTED)))
        )
    return int(any(one.kind == CONTRADICTED for one in found))
