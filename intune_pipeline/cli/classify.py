"""``intune-pipeline classify``: device types for a CSV of models, to try the catalogue without a tenant.

Belongs here: reading and writing the CSV, row by row. Does not belong here: any rule, which is the catalogue's.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import click

from intune_pipeline.errors import WrongUseError

INPUTS = ("operating_system", "manufacturer", "model")
ANSWERS = ("device_type", "rule", "reason")


class UnusableFileError(WrongUseError):
    """A file that cannot be read or written; the message is a sentence for people."""


@click.command()
@click.argument("source", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Write here instead of to standard output.")
def command(source: Path, output: Path | None) -> None:
    """Say what kind of device every row of FILE.csv is.

    FILE.csv needs the columns operating_system, manufacturer and model, in any order. The same rows come out in the
    same order, with every column they had and device_type, rule and reason.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            # Opening the target is the first step that touches it, so the source is checked before.
            header, rows = _read(source, lines)
            with _target(output) as target:
                csv.writer(target, lineterminator="\n").writerows(_classified(source, header, rows))
    except OSError as error:
        raise UnusableFileError(f"{error.filename or source} cannot be used: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{source} is not UTF-8 text; save it as “CSV UTF-8” and try again.") from error
    except csv.Error as error:
        raise UnusableFileError(f"{source} is not readable as CSV: {error}.") from error


def _read(source: Path, lines: Iterable[str]) -> tuple[list[str], Iterator[list[str]]]:
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in INPUTS if name not in header]
    if missing:
        raise UnusableFileError(f"{source} has no column {' and no column '.join(missing)}; its header has to name it.")
    return header, rows


def _classified(source: Path, header: list[str], rows: Iterable[list[str]]) -> Iterator[list[str]]:
    from intune_pipeline.domain.classification import Classifier

    classify = Classifier().classify
    operating_system, manufacturer, model = (header.index(name) for name in INPUTS)
    # A file that was classified before gets new answers in place of its old ones.
    kept = [position for position, name in enumerate(header) if name not in ANSWERS]
    width = len(header)
    yield [*(header[position] for position in kept), *ANSWERS]
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        if len(row) != width:
            if any(row[width:]):
                raise UnusableFileError(
                    f"Row {number} of {source} has {len(row)} cells under {width} columns; quote cells that hold commas."
                )
            row = [*row[:width], *[""] * (width - len(row))]  # noqa: PLW2901
        answer = classify(row[operating_system], row[manufacturer], row[model])
        yield [*(row[position] for position in kept), answer.device_type, answer.rule, answer.reason]


def _target(output: Path | None) -> TextIO:
    """The stream to write to; a file appears, or is replaced, only when everything was written."""
    if output is None:
        return click.get_text_stream("stdout", encoding="utf-8")
    special = output.exists() and not output.is_file()
    return click.open_file(str(output), "w", encoding="utf-8", atomic=not special)  # type: ignore[return-value]
