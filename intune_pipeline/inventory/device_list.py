"""Every device ever seen, as the portal lists it: searched, filtered, sorted and paged in the database.

Belongs here: the list, its CSV and its counts. Does not belong here: the story of one device (``history``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import Outcome
from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.inventory.schema import accounts, connections, device_outcomes

SortColumn = Literal[
    "serial_number",
    "device_name",
    "model_name",
    "model",
    "device_type",
    "outcome",
    "reason",
    "last_seen_at",
    "last_synced_at",
]
_CSV_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Device:
    """One line; the attributes are the columns of ``device_outcomes``."""

    intune_device_id: str
    serial_number: str | None
    device_name: str | None
    manufacturer: str | None
    model_name: str | None
    model: str | None
    operating_system: str | None
    device_type: str | None
    rule: str | None
    rule_reason: str | None
    outcome: str
    reason: str | None
    asset_id: int | None
    last_contact_at: datetime | None
    first_synced_at: datetime | None
    last_synced_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        search: part of a serial number, name, maker, model, its readable name or operating system; "" finds all.
        outcome: only these; None: all.
        reason: only devices with this skip reason.
        device_type: only these.
        sort: by which column; devices without a value come last.
        descending: from the highest down.
        page: from 1.
        page_size: devices on a page.
    """

    search: str = ""
    outcome: str | None = None
    reason: str | None = None
    device_type: str | None = None
    sort: SortColumn = "last_seen_at"
    descending: bool = True
    page: int = 1
    page_size: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found, and how many there are on all pages."""

    total: int
    devices: list[Device]


@dataclass(frozen=True, slots=True)
class Count:
    """How many devices have an outcome; those skipped by reason, those failed all together."""

    outcome: str
    reason: str | None
    devices: int


_COLUMNS = [device_outcomes.c[name] for name in Device.__slots__]


def page(db: Connection, account: str, query: Query) -> Page:
    """One page of an account's devices.

    Args:
        db: any connection.
        account: the account's slug; nothing of another account is ever found.
        query: what is looked for.
    """
    found = _found(account, query)
    total = db.scalar(sa.select(sa.func.count()).select_from(found.subquery()))
    wanted = _sorted(found, query).limit(query.page_size).offset((query.page - 1) * query.page_size)
    return Page(int(total or 0), [Device(**row) for row in db.execute(wanted).mappings()])


def csv_lines(db: Connection, account: str, query: Query) -> Iterator[str]:
    """All that is found as lines of CSV, the names of the columns first; only a part is in memory at any time.

    What a spreadsheet would take for a formula begins with an apostrophe.
    """
    yield csv_line(Device.__slots__)
    found = _sorted(_found(account, query), query).execution_options(yield_per=_CSV_ROWS_AT_ONCE)
    for row in db.execute(found):
        yield csv_line(row)


def counts(db: Connection, account: str) -> list[Count]:
    """How many of an account's devices are in Intune with which outcome and reason, most devices first."""
    reason = sa.case((device_outcomes.c.outcome == Outcome.SKIPPED, device_outcomes.c.reason)).label("reason")
    devices = sa.func.count().label("devices")
    query = (
        sa.select(device_outcomes.c.outcome, reason, devices)
        .where(_of_account(account), device_outcomes.c.absent_since.is_(None), device_outcomes.c.ended_at.is_(None))
        .group_by(device_outcomes.c.outcome, reason)
        .order_by(devices.desc(), device_outcomes.c.outcome, reason)
    )
    return [Count(*row) for row in db.execute(query)]


def _of_account(account: str) -> ColumnElement[bool]:
    owned = sa.select(connections.c.id).join(accounts).where(accounts.c.slug == account)
    return device_outcomes.c.connection_id == owned.scalar_subquery()


def _found(account: str, query: Query) -> Select[Any]:
    table = device_outcomes.c
    found = sa.select(*_COLUMNS).where(_of_account(account))
    for column, wanted in (
        (table.outcome, query.outcome),
        (table.reason, query.reason),
        (table.device_type, query.device_type),
    ):
        if wanted is not None:
            found = found.where(column == wanted)
    if query.search.strip():
        found = found.where(_matches(query.search.strip()))
    return found


def _matches(search: str) -> ColumnElement[bool]:
    table = device_outcomes.c
    together = sa.func.concat_ws(
        " ",
        table.serial_number,
        table.device_name,
        table.manufacturer,
        table.model_name,
        table.model,
        table.operating_system,
    )
    key = serial_key(search) or search
    return sa.or_(table.serial_key.contains(key, autoescape=True), together.icontains(search, autoescape=True))


def _sorted(found: Select[Any], query: Query) -> Select[Any]:
    column = device_outcomes.c[query.sort]
    order = (column.desc() if query.descending else column.asc()).nulls_last()
    return found.order_by(order, device_outcomes.c.intune_device_id)
