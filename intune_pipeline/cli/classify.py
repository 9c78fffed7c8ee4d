"""``intune-pipeline classify``: device types for a CSV of models, to try the catalogue without a tenant.

Belongs here: reading and writing the CSV, row by row. Does not belong here: any rule, which is the catalogue's.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from intune_pipeline.errors import WrongUseError

INPUTS = ("operating_system", "manufacturer", "model")
ANSWERS = ("device_type", "rule", "reason")
FACTS = ("model_name", "display_size", "release_date", "storage_type")


class UnusableFileError(WrongUseError):
    """A file that cannot be read or written; the message is a sentence for people."""


@click.command("classify")
@click.argument("source", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="OUT.csv",
    type=click.Path(path_type=Path),
    help="Write here instead of to standard output.",
)
@click.option("--facts", is_flag=True, help="Add what is known about every model after the rule.")
def command(source: Path, output: Path | None, *, facts: bool) -> None:
    """Say what kind of device every row of FILE.csv is.

    FILE.csv needs the columns operating_system, manufacturer and model, in any order. The same rows come out in the
    same order, with every column they had and device_type, rule and reason; with --facts also model_name, display_size,
    release_date and storage_type, empty where no fact is known.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            _classify(source, csv.reader(lines), output, facts=facts)
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{source} is not UTF-8 text; save it as “CSV UTF-8” and try again.") from error
    except csv.Error as error:
        raise UnusableFileError(f"{source} is not readable as CSV: {error}.") from error
    except BrokenPipeError:
        raise  # the reader of our output has seen enough; click ends quietly
    except OSError as error:
        raise UnusableFileError(f"{error.filename or output or source} cannot be used: {error.strerror}.") from error


def _classify(source: Path, rows: Iterator[list[str]], output: Path | None, *, facts: bool) -> None:
    header = next(rows, [])
    names = [name.strip().lower() for name in header]
    missing = [name for name in INPUTS if name not in names]
    if missing:
        raise UnusableFileError(f"{source} has no column {', '.join(missing)}; name every column in its first row.")
    answers = _classified(source, header, names, rows, facts=facts)
    if output is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(answers)
    else:
        _write_whole(output, answers)


def _write_whole(output: Path, rows: Iterable[list[str]]) -> None:
    """Write a file that appears, or replaces what was there, only when every row was written."""
    if output.exists() and not output.is_file():
        raise UnusableFileError(f"{output} is not a file; name a file to write to.")
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as target:
            csv.writer(target, lineterminator="\n").writerows(rows)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


def _classified(
    source: Path, header: list[str], names: list[str], rows: Iterable[list[str]], *, facts: bool
) -> Iterator[list[str]]:
    from intune_pipeline.domain.classification import Classifier
    from intune_pipeline.domain.facts import fact_values

    asked = FACTS if facts else ()
    classify = Classifier().classify
    operating_system, manufacturer, model = (names.index(name) for name in INPUTS)
    # A file that was classified before gets new answers in place of its old ones.
    kept = [position for position, name in enumerate(names) if name not in {*ANSWERS, *asked}]
    yield [*(header[position] for position in kept), *ANSWERS[:2], *asked, *ANSWERS[2:]]
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        cells = row if len(row) == len(header) else _fitted(source, number, row, len(header))
        answer = classify(cells[operating_system], cells[manufacturer], cells[model])
        known = fact_values(cells[operating_system], cells[manufacturer], cells[model]) if facts else {}
        told = (known.get(name, "") for name in asked)
        yield [*(cells[position] for position in kept), answer.device_type, answer.rule, *told, answer.reason]


def _fitted(source: Path, number: int, row: list[str], width: int) -> list[str]:
    """A row whose cells are as many as its columns: missing ones are empty, surplus ones have to be."""
    if any(row[width:]):
        raise UnusableFileError(
            f"Row {number} of {source} has {len(row)} cells for {width} columns; put cells that hold commas in quotes."
        )
    return [*row[:width], *[""] * (width - len(row))]
