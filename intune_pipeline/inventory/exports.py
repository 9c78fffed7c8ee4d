"""An account's inventory as files: CSV and Parquet, streamed, with the data dictionary's words.

Belongs here: what is exported and how rows become a file. Does not belong here: choosing the file's name (``cli``).
Bypass codes are never exported.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, TextIO

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts
from intune_pipeline.inventory.schema import (
    asset_changes,
    assets,
    connections,
    device_outcomes,
    employee_emails,
    employees,
)

ROWS_AT_ONCE: Final = 5_000

_HIDDEN: Final = frozenset({"account_id", "serial_key", "email_key", SEALED_FIELD})


def _shown(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.columns if column.name not in _HIDDEN]


EXPORTS: Final[Mapping[str, Sequence[sa.Column[Any]]]] = {
    "assets": _shown(assets),
    "employees": [*_shown(employees), employee_emails.c.email, employee_emails.c.kind],
    "outcomes": _shown(device_outcomes),
    "changes": [assets.c.serial_number, *_shown(asset_changes)],
}
"""What can be exported, and its columns. An employee has a row per e-mail address."""


def write_csv(db: Connection, account: str, what: str, file: TextIO) -> int:
    """Write CSV with a header; returns the number of rows.

    Args:
        db: a connection of its own; rows are read as they are written.
        account: the account's slug.
        what: one of `EXPORTS`.
        file: opened with ``newline=""``.

    Raises:
        UnknownAccountError: there is no such account.
    """
    writer = csv.writer(file)
    writer.writerow([column.name for column in EXPORTS[what]])
    count = 0
    for rows in _chunks(db, account, what):
        writer.writerows(rows)
        count += len(rows)
    return count


def write_parquet(db: Connection, account: str, what: str, file: BinaryIO) -> int:
    """Write Parquet, each column with its meaning as metadata; returns the number of rows.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise WrongUseError("Parquet needs the extra [parquet]: pip install 'intune-pipeline[parquet]'.") from None
    schema = pa.schema(
        [
            pa.field(column.name, _arrow_type(pa, column), metadata={"description": str(column.comment)})
            for column in EXPORTS[what]
        ]
    )
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _chunks(db, account, what):
            columns = [
                pa.array(values, type=field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            count += len(rows)
    return count


def _arrow_type(pa: Any, column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.DateTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(column.type, sa.Boolean):
        return pa.bool_()
    return pa.int64() if isinstance(column.type, sa.Integer) else pa.string()


def _chunks(db: Connection, account: str, what: str) -> Iterator[list[tuple[Any, ...]]]:
    found = accounts.get(db, account)
    result = db.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(_query(what, found.id))
    for rows in result.partitions():
        yield [tuple(row) for row in rows]


def _query(what: str, account_id: int) -> sa.Select[Any]:
    query: sa.Select[Any] = sa.select(*EXPORTS[what])
    if what == "assets":
        return query.where(assets.c.account_id == account_id).order_by(assets.c.id)
    if what == "employees":
        joined = query.outerjoin_from(employees, employee_emails, employee_emails.c.employee_id == employees.c.id)
        return joined.where(employees.c.account_id == account_id).order_by(employees.c.id, employee_emails.c.email_key)
    if what == "outcomes":
        joined = query.join_from(device_outcomes, connections, connections.c.id == device_outcomes.c.connection_id)
        return joined.where(connections.c.account_id == account_id).order_by(device_outcomes.c.intune_device_id)
    joined = query.join_from(asset_changes, assets, assets.c.id == asset_changes.c.asset_id)
    return joined.where(assets.c.account_id == account_id).order_by(asset_changes.c.id)
