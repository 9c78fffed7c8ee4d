"""CSV files in and out: the same rows in the same order with answers behind them.

Belongs here: reading and writing, and sentences about unusable files. Does not belong here: any answer.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from intune_pipeline.errors import WrongUseError


class UnusableFileError(WrongUseError):
    """A file that cannot be read or written; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV file.

    Attributes:
        source: Its path.
        header: The names of its columns as written.
        rows: Its rows, each with one cell a column; empty lines are left out.
    """

    source: Path
    header: list[str]
    rows: Iterator[list[str]]

    @property
    def names(self) -> list[str]:
        """The names of the columns, trimmed and in lower case."""
        return [name.strip().lower() for name in self.header]


@contextmanager
def opened(source: Path, inputs: Sequence[str], output: Path | None) -> Iterator[Table]:
    """Open a CSV file that has the columns ``inputs``, in any order and case.

    Raises:
        UnusableFileError: it cannot be read as such, or ``output`` cannot be written, inside the block.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines)
            table = Table(source, header := next(rows, []), _fitted(source, rows, len(header)))
            if missing := [name for name in inputs if name not in table.names]:
                raise UnusableFileError(
                    f"{source} has no column {', '.join(missing)}; name every column in its first row."
                )
            yield table
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{source} is not UTF-8 text; save it as “CSV UTF-8” and try again.") from error
    except csv.Error as error:
        raise UnusableFileError(f"{source} is not readable as CSV: {error}.") from error
    except BrokenPipeError:
        raise  # the reader of our output has seen enough; click ends quietly
    except OSError as error:
        raise UnusableFileError(f"{error.filename or output or source} cannot be used: {error.strerror}.") from error


def write(output: Path | None, rows: Iterable[Sequence[str]]) -> None:
    """Write rows to a file that appears, or replaces what was there, only when every row was written; None: to stdout."""
    if output is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
        return
    if output.exists() and not output.is_file():
        raise UnusableFileError(f"{output} is not a file; name a file to write to.")
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as target:
            csv.writer(target, lineterminator="\n").writerows(rows)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


def _fitted(source: Path, rows: Iterable[list[str]], width: int) -> Iterator[list[str]]:
    """Rows whose cells are as many as the columns: missing ones are empty, surplus ones have to be."""
    for number, row in enumerate(rows, start=1):
        if any(row[width:]):
            raise UnusableFileError(
                f"Row {number} of {source} has {len(row)} cells for {width} columns; "
                "put cells that hold commas in quotes."
            )
        if row:
            yield [*row[:width], *[""] * (width - len(row))]
