"""``intune-pipeline`` with its statements counted: ``python -m bench.observed REPORT ARGUMENT…``.

The command runs as it always does; every statement it sends to PostgreSQL, COPY included, is counted at the driver by
database, commits apart. The counts are written to the file REPORT at the end.
"""

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

counts: Counter[str] = Counter()


class CountingCursor(Cursor):
    """Counts what it executes."""

    def execute(self, query: Any, parameters: Any = None) -> None:
        """Count and execute."""
        counts[f"{self.connection.info.dbname} statements"] += 1
        super().execute(query, parameters)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Count and copy."""
        counts[f"{self.connection.info.dbname} statements"] += 1
        super().copy_expert(sql, file, size)


class CountingConnection(Connection):
    """Counts its commits, and that it was opened."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = CountingCursor
        counts[f"{self.info.dbname} connections"] += 1

    def commit(self) -> None:
        """Count and commit."""
        counts[f"{self.info.dbname} commits"] += 1
        super().commit()


def main() -> None:
    from intune_pipeline.cli.main import main as command

    report = Path(sys.argv.pop(1))
    psycopg2.connect = partial(psycopg2.connect, connection_factory=CountingConnection)
    try:
        command()
    finally:
        report.write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
