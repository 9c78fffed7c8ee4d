"""What commands print: JSON for machines on stdout, tables for people, progress on stderr.

Belongs here: how values are shown. Does not belong here: which values.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

_NO_LIMIT = 100_000


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table for people; empty cells stay empty, times are shown in the reader's zone.

    In a pipe or file a row is a line, however long, so that whatever reads it finds whole words.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(
        *(Column(name, overflow="fold") for name in columns),
        title=title,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else _NO_LIMIT).print(table)


def shown(value: object) -> str:
    """One value for people."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def print_counts(account: str, counts: Mapping[str, Any]) -> None:
    """Print the counts of a sync or a plan for people, skip reasons below."""
    from intune_pipeline.inventory.sync_runs import REPORTED

    names = [name for name in REPORTED if name != "status"]
    skipped: Mapping[str, int] = counts["devices_skipped"]
    rows = [
        (name.replace("_", " "), sum(skipped.values()) if name == "devices_skipped" else counts[name]) for name in names
    ]
    reasons = [(f"   {reason}", number) for reason, number in sorted(skipped.items(), key=lambda item: -item[1])]
    at = names.index("devices_skipped") + 1
    print_table((account, counts["status"]), [*rows[:at], *reasons, *rows[at:]])
