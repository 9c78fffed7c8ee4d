"""The data dictionary: every table and column with its comment, as Markdown.

``python -m intune_pipeline.inventory.dictionary > docs/data-dictionary.md`` writes it; a test keeps it current. Does not
belong here: what the tables hold, which is said in ``schema``.
"""

import sys
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from intune_pipeline.inventory.schema import PIPELINE, metadata

_HEAD = """# Data dictionary

Every table of allwhere's database that this product uses. Operators import accounts, employees and assets with plain
SQL: name the columns you have, the others have defaults or are generated. Times have a time zone.

Written by `python -m intune_pipeline.inventory.dictionary > docs/data-dictionary.md` from the tables' own comments.
"""
_FRAMES_HEAD = f"""## Schema `{PIPELINE}`: frames between Dagster's assets

One table per asset, a tenant's rows replaced at every sync. They hold no secret, and are empty after a crash of the
database, which the next sync mends.
"""


def markdown() -> str:
    """The whole page."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    own = [_section(table, "##") for table in tables if table.schema is None]
    frames = [_section(table, "###") for table in tables if table.schema == PIPELINE]
    return "\n".join([_HEAD, *own, _FRAMES_HEAD, *frames])


def _section(table: Table, level: str) -> str:
    rows = [f"| `{column.name}` | {_kind(column)} | {_escaped(column.comment or '')} |" for column in table.columns]
    title = f"{level} `{table.fullname}`"
    lines = [title, "", f"{_sentence(table.comment or '')}", "", "| column | type | meaning |", "| --- | --- | --- |"]
    return "\n".join([*lines, *rows, ""])


def _kind(column: Column[Any]) -> str:
    """The type, and what else decides how a row is written."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    notes = [column.type.compile(dialect).lower().replace("timestamp with time zone", "timestamptz")]
    notes += [
        f"→ {key.column.table.name}"
        for key in column.foreign_keys
        if key.constraint is not None and len(key.constraint.columns) == 1
    ]
    if column.primary_key:
        notes.append("key")
    if column.computed is not None:
        notes.append("generated")
    elif not column.nullable and column.server_default is None and column.identity is None:
        notes.append("required")
    return ", ".join(notes)


def _sentence(comment: str) -> str:
    """The comment as a sentence; allwhere's name stays in small letters."""
    first = comment[:1] if comment.startswith("allwhere") else comment[:1].upper()
    return f"{first}{comment[1:]}."


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(markdown())
