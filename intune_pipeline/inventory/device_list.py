"""Every device ever seen, as the portal lists it: searched, filtered, sorted and paged in the database.

Belongs here: the list. Does not belong here: what a device is like for a filter
(``device_filters``), counting (``fleet_overview``) and the story of one device (``history``).
"""

from collections.abc import Collection, Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from intune_pipeline.domain.vocabulary import Contact, Decided, Presence, System
from intune_pipeline.inventory import device_filters as filters
from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.inventory.schema import assets, device_outcomes, employees

SortColumn = Literal[
    "serial_number",
    "device_name",
    "user",
    "model_name",
    "model",
    "device_type",
    "operating_system",
    "outcome",
    "reason",
    "release_date",
    "asset_status",
    "last_contact_at",
    "first_seen_at",
    "last_seen_at",
    "last_synced_at",
]
_ROWS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Device:
    """One line: columns of ``device_outcomes``, and what allwhere has of its asset.

    Attributes:
        user: compared e-mail of the user the last list showed; None for nobody.
        is_gone: whether the last complete list did not hold it.
        asset_status: the asset's status; None without an asset.
        release_date: a year or a date, as far as the asset has one.
        assignee: name of the employee the asset is assigned to.
    """

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
    user: str | None
    is_gone: bool
    asset_status: str | None
    release_date: str | None
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        search: part of a serial number, name, user, assignee, maker, model, its readable name or operating system;
            "" finds all.
        outcome: only these; None: all.
        reason: only devices with this skip reason.
        device_type: only these.
        presence: only those in Intune, or only those gone.
        system: only these.
        decided: only devices about which a person has decided this.
        contact: only devices whose last contact is this long ago.
        released: only those released in this year; "unknown": of which it is not known.
        sort: by which column; devices without a value come last.
        descending: from the highest down.
        page: from 1.
        page_size: devices on a page.
    """

    search: str = ""
    outcome: str | None = None
    reason: str | None = None
    device_type: str | None = None
    presence: Presence | None = None
    system: System | None = None
    decided: Decided | None = None
    contact: Contact | None = None
    released: str | None = None
    sort: SortColumn = "last_seen_at"
    descending: bool = True
    page: int = 1
    page_size: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found, and how many there are on all pages."""

    total: int
    devices: list[Device]


_STORED: Final = tuple(name for name in Device.__slots__ if name in device_outcomes.c)
_BY_ASSET: Final = {"asset_status": assets.c.status, "release_date": assets.c.release_date}


def page(db: Connection, account: str, query: Query) -> Page:
    """One page of an account's devices.

    Args:
        db: any connection.
        account: the account's slug; nothing of another account is ever found.
        query: what is looked for.
    """
    chosen = filters.Chosen.of(db, account)
    found = _found(chosen, query)
    wanted = _sorted(found.add_columns(sa.func.count().over().label("total")), query)
    wanted = wanted.limit(query.page_size).offset((query.page - 1) * query.page_size)
    rows = db.execute(_whole(chosen, wanted, query)).all()
    devices = [Device(*row[:-1]) for row in rows]
    if rows or query.page == 1:
        return Page(rows[0].total if rows else 0, devices)
    return Page(int(db.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0), [])


def every(db: Connection, account: str, query: Query) -> Iterator[Device]:
    """All that is found, whatever the page; only a part is in memory at any time."""
    chosen = filters.Chosen.of(db, account)
    wanted = _sorted(_found(chosen, query).add_columns(sa.null().label("total")), query)
    for row in db.execute(_whole(chosen, wanted, query).execution_options(yield_per=_ROWS_AT_ONCE)):
        yield Device(*row[:-1])


def gone(db: Connection, account: str, intune_device_ids: Collection[str]) -> set[str]:
    """Which of these devices are gone from Intune."""
    chosen = filters.Chosen.of(db, account)
    table = device_outcomes.c
    query = sa.select(table.intune_device_id).where(
        table.connection_id == chosen.connection_id, table.intune_device_id.in_(intune_device_ids), chosen.is_gone
    )
    return set(db.scalars(query))


def csv_lines(db: Connection, account: str, query: Query) -> Iterator[str]:
    """All that is found as lines of CSV for programs, the names of the columns first.

    What a spreadsheet would take for a formula begins with an apostrophe.
    """
    yield csv_line(Device.__slots__)
    for device in every(db, account, query):
        yield csv_line(astuple(device))


def _found(chosen: filters.Chosen, query: Query) -> Select[Any]:
    """The keys of the devices that are found, joined only with what is asked about."""
    table = device_outcomes.c
    found = sa.select(table.connection_id, table.intune_device_id).where(table.connection_id == chosen.connection_id)
    if query.released or query.decided or query.sort in _BY_ASSET:
        found = found.outerjoin_from(device_outcomes, assets, assets.c.id == table.asset_id)
    if search := query.search.strip():
        found = found.where(filters.matches(search))
    conditions = (
        query.outcome and table.outcome == query.outcome,
        query.reason and table.reason == query.reason,
        query.device_type and table.device_type == query.device_type,
        query.presence and chosen.presence(query.presence),
        query.system and filters.system(query.system),
        query.decided and chosen.decided(query.decided),
        query.contact and filters.contact(query.contact),
        query.released and filters.released(query.released),
    )
    return found.where(*(one for one in conditions if isinstance(one, sa.ColumnElement)))


def _sorted(found: Select[Any], query: Query) -> Select[Any]:
    return found.order_by(*_order(query))


def _order(query: Query) -> tuple[sa.ColumnElement[Any], ...]:
    column: sa.ColumnElement[Any]
    if query.sort == "user":
        column = sa.func.nullif(device_outcomes.c.listed_user, "")
    else:
        column = _BY_ASSET[query.sort] if query.sort in _BY_ASSET else device_outcomes.c[query.sort]
    order = (column.desc() if query.descending else column.asc()).nulls_last()
    return order, device_outcomes.c.intune_device_id


def _whole(chosen: filters.Chosen, wanted: Select[Any], query: Query) -> Select[Any]:
    """The lines of these keys: everything is joined to the few on the page, not to all that are found."""
    keys = wanted.subquery("wanted")
    table = device_outcomes.c
    return (
        sa.select(
            *(table[name] for name in _STORED),
            sa.func.nullif(table.listed_user, "").label("user"),
            chosen.is_gone.label("is_gone"),
            assets.c.status.label("asset_status"),
            assets.c.release_date,
            filters.PERSON.label("assignee"),
            keys.c.total,
        )
        .select_from(keys)
        .join(
            device_outcomes,
            (table.connection_id == keys.c.connection_id) & (table.intune_device_id == keys.c.intune_device_id),
        )
        .outerjoin(assets, assets.c.id == table.asset_id)
        .outerjoin(employees, employees.c.id == assets.c.assignee_id)
        .order_by(*_order(query))
    )
