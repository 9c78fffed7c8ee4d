"""``people``: names split for a file; employees who look like one person, merged or told apart.

Belongs here: the commands. Does not belong here: any rule (``domain.people``) and what a merge does (``inventory``).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from intune_pipeline.domain.nouns import counted

ANSWERS = ("first_name", "last_name", "reason")


@click.group("people")
def group() -> None:
    """Users and employees: their names, who is a person, who is one person twice."""


@group.command("split")
@click.argument("source", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="OUT.csv",
    type=click.Path(path_type=Path),
    help="Write here instead of to standard output.",
)
def split(source: Path, output: Path | None) -> None:
    """Split every display name of FILE.csv into first and last name.

    FILE.csv needs the columns display_name and email, in any order; account may be there. How an account's mail domains
    write addresses is learned from the whole file first. The same rows come out in the same order, with every column
    they had and first_name, last_name and reason; both names are empty where nobody is to be hired.
    """
    from intune_pipeline.cli import csv_files

    with csv_files.opened(source, ("display_name", "email"), output) as table:
        csv_files.write(output, _split(table.header, table.names, list(table.rows)))


def _split(header: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    from intune_pipeline.domain.people import judge, learn

    name, email = names.index("display_name"), names.index("email")
    account = names.index("account") if "account" in names else None

    def account_of(row: Sequence[str]) -> str:
        return row[account].strip() if account is not None else ""

    shown: dict[str, list[tuple[str | None, str]]] = {}
    for row in rows:
        shown.setdefault(account_of(row), []).append((row[name], row[email].strip()))
    conventions = {one: learn(users) for one, users in shown.items()}
    kept = [position for position, column in enumerate(names) if column not in ANSWERS]
    yield [*(header[position] for position in kept), *ANSWERS]
    for row in rows:
        address = row[email].strip()
        verdict = judge(row[name], address, conventions[account_of(row)].of(address))
        first, last = verdict.name or ("", "")
        yield [*(row[position] for position in kept), first, last, verdict.reason]


@group.command("duplicates")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def duplicates(account: str, *, as_json: bool) -> None:
    """List the employees of ACCOUNT who look like one person, the surest first."""
    from intune_pipeline.cli import output, store
    from intune_pipeline.inventory import duplicates as pairs

    with store.opened() as engine, engine.connect() as db:
        found = [pair.as_dict() for pair in pairs.duplicates(db, account)]
    if as_json:
        output.print_json(found)
    elif found:
        output.print_table(
            ("grade", "employee", "name", "other", "name", "why"),
            [
                (
                    one["grade"],
                    one["employee_id"],
                    one["name"],
                    one["other_id"],
                    one["other_name"],
                    ", ".join(one["reasons"]),
                )
                for one in found
            ],
        )
    else:
        click.echo(f"No two employees of {account} look like one person.")


@group.command("merge")
@click.argument("account")
@click.argument("keep_id", type=int)
@click.argument("other_id", type=int)
def merge(account: str, keep_id: int, other_id: int) -> None:
    """Make employee OTHER_ID of ACCOUNT one with KEEP_ID: addresses move, assets follow."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.bypass_code import operator
    from intune_pipeline.inventory import duplicates as pairs

    with store.opened() as engine, engine.begin() as db:
        moved = pairs.merge(db, account, keep_id, other_id, actor=operator())
    click.echo(
        f"Employee {other_id} is one with {keep_id} now; {counted(moved, 'asset')} followed. people unmerge takes it back."
    )


@group.command("unmerge")
@click.argument("account")
@click.argument("other_id", type=int)
def unmerge(account: str, other_id: int) -> None:
    """Bring back employee OTHER_ID of ACCOUNT, who was merged into another."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.bypass_code import operator
    from intune_pipeline.inventory import duplicates as pairs

    with store.opened() as engine, engine.begin() as db:
        pairs.unmerge(db, account, other_id, actor=operator())
    click.echo(f"Employee {other_id} is back, with their addresses and assets.")


@group.command("different")
@click.argument("account")
@click.argument("one_id", type=int)
@click.argument("other_id", type=int)
def different(account: str, one_id: int, other_id: int) -> None:
    """Never show the employees ONE_ID and OTHER_ID of ACCOUNT as one person again."""
    from intune_pipeline.cli import store
    from intune_pipeline.cli.bypass_code import operator
    from intune_pipeline.inventory import duplicates as pairs

    with store.opened() as engine, engine.begin() as db:
        pairs.declare_different(db, account, one_id, other_id, actor=operator())
    click.echo(f"Employees {one_id} and {other_id} are different people; they are not shown as one again.")
