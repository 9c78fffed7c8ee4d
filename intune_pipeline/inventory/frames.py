# ruff: noqa: S608 - statements are made of the schema's own names
"""The frames between Dagster's assets: typed tables in schema ``pipeline``, one tenant's rows replaced at a time.

Belongs here: checking, storing and reading frames, with the listing each stems from. Does not belong here: what the
columns mean (``schema``) and what is done with them. Secrets never enter a frame, whatever the column is called.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
import psycopg2
import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert

from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.schema import FRAMES, snapshots

#: Columns that must not exist, whoever adds them; that a code is stored may be said.
SECRET_COLUMNS = re.compile(r"bypass_code|secret|token|passw|credential|ciphertext|private_key|api_key")
HARMLESS_COLUMNS = frozenset({"has_bypass_code"})

#: The asset that says which devices are skipped, and what tells of a device's user.
JUDGED = "classified_devices"
USER_COLUMNS = ("user_id", "user_email", "user_principal_name", "user_display_name")

_DTYPES: dict[type[Any], Any] = {
    sa.BigInteger: pd.Int64Dtype(),
    sa.Integer: pd.Int64Dtype(),
    sa.Boolean: pd.BooleanDtype(),
    sa.DateTime: pd.DatetimeTZDtype("us", "UTC"),
    sa.Text: np.dtype(object),
}
#: What the values of a column are, besides None, when they need no conversion: so in the assets' own frames.
_PLAIN: dict[type[Any], type] = {
    sa.BigInteger: int,
    sa.Integer: int,
    sa.Boolean: bool,
    sa.DateTime: datetime,
    sa.Text: str,
}
_NULL = r"\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class FrameRefusedError(PipelineError):
    """A frame does not fit its table, or holds what must not be stored."""


class FrameMissingError(PipelineError):
    """There is no frame of this asset and tenant, or it was lost."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a frame stems from: one listing of one tenant's devices.

    Attributes:
        listing_id: the same for every frame that stems from this listing.
        tenant_id: the Entra tenant that was listed.
        partition_key: the account's slug.
        run_id: the Dagster run that made the frame.
        listed_at: when the listing began.
        complete: whether the list was read to its end; a capped one proves no absence.
        devices_listed: entries of the list, personal devices and unreadable ones included.
        personal: personal devices, counted and dropped.
        unreadable: entries without an id, counted as failed.
    """

    listing_id: str
    tenant_id: str
    partition_key: str
    run_id: str
    listed_at: datetime
    complete: bool
    devices_listed: int
    personal: int
    unreadable: int = 0


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Snapshot:
    """A frame and the listing it stems from; equal only to itself."""

    listing: Listing
    frame: pd.DataFrame


def typed(asset: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as it is stored and read back: the table's columns in its order, each in the table's type.

    Text is ``object`` with None; whole numbers ``Int64``, booleans ``boolean``, times ``datetime64[us, UTC]``, all with
    missing values.

    Args:
        asset: a key of ``schema.FRAMES``.
        frame: the asset's columns in any order and any fitting type.

    Raises:
        FrameRefusedError: a column is missing, unknown, secret, or holds what its type cannot.
    """
    return pd.DataFrame({column.name: _typed(asset, column, frame[column.name]) for column in _checked(asset, frame)})


def _checked(asset: str, frame: pd.DataFrame) -> list[sa.Column[Any]]:
    """The columns of the asset's table, which are the frame's."""
    columns = _columns(asset)
    given = [str(name) for name in frame.columns]
    for name in given:
        if SECRET_COLUMNS.search(name.lower()) and name not in HARMLESS_COLUMNS:
            raise FrameRefusedError(f"The frame of {asset} has a column {name!r}; secrets are never stored in a frame.")
    wrong = sorted(set(given) ^ {column.name for column in columns})
    if wrong or len(given) != len(columns):
        raise FrameRefusedError(
            f"The frame of {asset} does not have the columns of its table: {', '.join(wrong) or 'some are there twice'}."
        )
    return columns


def write(db: Connection, asset: str, snapshot: Snapshot) -> None:
    """Replace a tenant's rows of one asset, and what they stem from, in the caller's transaction.

    Who uses the devices that were skipped is not stored; within the run that judged them it is known.
    Two that write the same tenant's frame at once wait for each other; the last one's rows stay.

    Args:
        db: a connection in a transaction.
        asset: a key of ``schema.FRAMES``.
        snapshot: the frame with its listing.

    Raises:
        FrameRefusedError: see :func:`typed`.
    """
    table = FRAMES[asset]
    frame = snapshot.frame
    columns = _checked(asset, frame)
    key = snapshot.listing.partition_key
    values = dict(zip((field.name for field in fields(Listing)), astuple(snapshot.listing), strict=True))
    stored = insert(snapshots).values(asset=asset, rows=len(frame), **values)
    db.execute(
        stored.on_conflict_do_update(
            index_elements=["asset", "partition_key"],
            set_={
                **{name: stored.excluded[name] for name in (*values, "rows") if name != "partition_key"},
                "written_at": sa.func.now(),
            },
        )
    )
    db.execute(sa.delete(table).where(table.c.partition_key == key))
    if asset == JUDGED:
        frame = _without_users_of_skipped(frame)
    texts = {column.name: _copied(asset, column, frame[column.name]) for column in columns}
    _copy(db, table, {"partition_key": [_escaped(key)] * len(frame), **texts})
    if asset == JUDGED:
        db.execute(_WITHOUT_NESTED_LOOPS)
        db.execute(_FORGET_USERS, {"partition_key": key})


def _without_users_of_skipped(frame: pd.DataFrame) -> pd.DataFrame:
    """What is stored of the judged devices: nobody needs to know who uses those that were skipped."""
    is_skipped = frame["skip_reason"].notna()
    return frame.assign(**{name: frame[name].mask(is_skipped, None).astype(object) for name in USER_COLUMNS})


# PostgreSQL has no statistics of rows that were just stored. It takes a tenant's frame for a few rows then, and would read the
# one frame once for each row of the other.
_WITHOUT_NESTED_LOOPS = sa.text("set local enable_nestloop = off")
# The frame before says no more than the one that was judged from it.
_FORGET_USERS = sa.text(f"""
    update pipeline.raw_intune_devices r set {", ".join(f"{name} = null" for name in USER_COLUMNS)}
    from pipeline.classified_devices c
    where r.partition_key = :partition_key and c.partition_key = :partition_key
      and c.intune_device_id = r.intune_device_id and c.skip_reason is not null
      and coalesce({", ".join(f"r.{name}" for name in USER_COLUMNS)}) is not null
""")


def read(db: Connection, asset: str, partition_key: str) -> Snapshot:
    """A tenant's frame of one asset, typed as :func:`typed` says; the rows come in no particular order.

    Raises:
        FrameMissingError: it was never stored, or a crash of the database lost it.
    """
    table = FRAMES[asset]
    names = ["rows", *(field.name for field in fields(Listing))]
    stored = (
        db.execute(
            sa.select(*(snapshots.c[name] for name in names)).where(
                snapshots.c.asset == asset, snapshots.c.partition_key == partition_key
            )
        )
        .mappings()
        .one_or_none()
    )
    if stored is None:
        raise FrameMissingError(f"There is no {asset} of {partition_key} yet; materialize {asset} for it first.")
    columns = _columns(asset)
    rows = db.execute(sa.select(*columns).where(table.c.partition_key == partition_key)).all()
    if len(rows) != stored["rows"]:
        raise FrameMissingError(
            f"The stored {asset} of {partition_key} has {len(rows)} rows instead of {stored['rows']}; materialize it again."
        )
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    frame = pd.DataFrame(
        {
            column.name: _typed(asset, column, pd.Series(data, dtype=object))
            for column, data in zip(columns, values, strict=True)
        }
    )
    return Snapshot(Listing(**{name: stored[name] for name in names[1:]}), frame)


def listing_of(db: Connection, asset: str, partition_key: str) -> Listing | None:
    """What a stored frame stems from, without its rows; None when there is none."""
    columns = (snapshots.c[field.name] for field in fields(Listing))
    query = sa.select(*columns).where(snapshots.c.asset == asset, snapshots.c.partition_key == partition_key)
    row = db.execute(query).mappings().one_or_none()
    return None if row is None else Listing(**row)


def delete_of_disconnected(db: Connection) -> int:
    """Delete the frames of accounts without a connection that lives; returns how many frames went."""
    gone = """partition_key not in (
        select a.slug from accounts a join connections c on c.account_id = a.id where c.status <> 'disconnected'
    )"""
    for table in FRAMES.values():
        db.execute(sa.delete(table).where(sa.text(gone)))
    return db.execute(sa.delete(snapshots).where(sa.text(gone))).rowcount


def _columns(asset: str) -> list[sa.Column[Any]]:
    return [column for column in FRAMES[asset].columns if column.name != "partition_key"]


def _typed(asset: str, column: sa.Column[Any], series: "pd.Series[Any]") -> "pd.Series[Any]":
    dtype = _DTYPES[type(column.type)]
    try:
        if dtype != np.dtype(object):
            return series.astype(object).where(series.notna(), None).astype(dtype).reset_index(drop=True)
        if _are_plain(values := series.tolist(), str):
            return pd.Series(values, dtype=object)
        values = series.astype(object).where(series.notna(), None).tolist()
    except (TypeError, ValueError, OverflowError):
        raise _misfit(asset, column) from None
    if not all(value is None or isinstance(value, str) for value in values):
        raise _misfit(asset, column)
    return pd.Series(values, dtype=object)


def _misfit(asset: str, column: sa.Column[Any]) -> FrameRefusedError:
    words = {sa.Text: "text", sa.Boolean: "true and false", sa.DateTime: "times"}
    kind = words.get(type(column.type), "whole numbers")
    return FrameRefusedError(f"The column {column.name} of the frame of {asset} holds something else than {kind}.")


def _copy(db: Connection, table: Table, columns: Mapping[str, Sequence[str]]) -> None:
    """COPY the rows in PostgreSQL's text format, built column by column.

    PostgreSQL does not COPY into a table with row-level security, so the rows go through a temporary one.
    """
    lines = map("\t".join, zip(*columns.values(), strict=True))
    names = ", ".join(columns)
    arriving = f"arriving_{table.name}"
    cursor = db.connection.cursor()
    try:
        cursor.execute(f"create temporary table {arriving} (like {table.fullname}) on commit drop")
        cursor.copy_expert(f"copy {arriving} ({names}) from stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        cursor.execute(f"insert into {table.fullname} ({names}) select {names} from {arriving}")
        cursor.execute(f"drop table {arriving}")
    except psycopg2.Error as error:
        # The error's own text shows the value that does not fit.
        raise FrameRefusedError(
            f"The frame of {table.name} cannot be stored: {error.diag.message_primary or 'the connection was lost'}."
        ) from None
    finally:
        cursor.close()


def _copied(asset: str, column: sa.Column[Any], series: "pd.Series[Any]") -> Sequence[str]:
    """A column's values as COPY takes them.

    Raises:
        FrameRefusedError: the column holds what its type cannot.
    """
    values, plain = series.tolist(), _PLAIN[type(column.type)]
    if not _are_plain(values, plain):
        values = _typed(asset, column, series).astype(object).tolist()
    elif plain is datetime:
        return _times(values)
    if plain is not str:
        return [_NULL if value is None or value is pd.NA or value is pd.NaT else str(value) for value in values]
    if _SPECIAL.search("".join(filter(None, values))):
        values = [value and _escaped(value) for value in values]
    return [_NULL if value is None else value for value in values] if None in values else values


def _times(values: Sequence[datetime | None]) -> Sequence[str]:
    """Times as COPY takes them; orjson writes them a dozen times as fast as Python."""
    written = orjson.dumps(values).decode()[1:-1].replace('"', "")
    return [_NULL if text == "null" else text for text in written.split(",")] if values else []


def _are_plain(values: Iterable[Any], plain: type) -> bool:
    """Whether there is nothing but None and values of one type, times with their time zone."""
    kinds = set(map(type, values)) - {type(None)}
    if plain is str:
        return all(issubclass(kind, str) for kind in kinds)
    return kinds <= {plain} and (plain is not datetime or all(value is None or value.tzinfo for value in values))


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value
