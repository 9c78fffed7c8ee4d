"""What a known device is like, as conditions of SQL: said once for the list, its counts and the overview.

Belongs here: conditions and groups over ``device_outcomes`` and its asset. Does not belong here: queries (``device_list``,
``fleet_overview``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import (
    Contact,
    Decided,
    KeptKind,
    Outcome,
    Presence,
    RunStatus,
    System,
    Trigger,
)
from intune_pipeline.inventory.schema import (
    accounts,
    assets,
    connections,
    device_outcomes,
    employees,
    kept_values,
    sync_runs,
)

UNKNOWN_YEAR: Final = "unknown"
"""Stands for the year of devices of which it is not known."""

_FOUR_DIGITS: Final = re.compile("[0-9]{4}")

#: What Graph writes begins with, lower case. "iPadOS" and "macOS" do not begin with "ios".
_SYSTEM_STARTS: Final[Mapping[System, tuple[str, ...]]] = {
    System.WINDOWS: ("windows",),
    System.MACOS: ("macos", "mac os", "os x"),
    System.IPADOS: ("ipados",),
    System.IOS: ("ios",),
    System.ANDROID: ("android",),
    System.LINUX: ("linux", "ubuntu", "red hat", "rhel"),
    System.CHROMEOS: ("chromeos", "chrome os"),
}
#: The oldest contact of each, in days.
_CONTACT_DAYS: Final[Mapping[Contact, int]] = {
    Contact.DAY: 1,
    Contact.WEEK: 7,
    Contact.MONTH: 30,
    Contact.QUARTER: 90,
}

_table = device_outcomes.c

CONTACT: Final[ColumnElement[Any]] = sa.case(
    (_table.last_contact_at.is_(None), Contact.NEVER.value),
    *(
        (_table.last_contact_at > sa.func.now() - sa.text(f"interval '{days} days'"), contact.value)
        for contact, days in _CONTACT_DAYS.items()
    ),
    else_=Contact.LONGER.value,
)
"""The `Contact` of a device."""

YEAR: Final[ColumnElement[Any]] = sa.func.left(assets.c.release_date, 4)
"""The year in which the model of a device's asset was released, where it is four digits."""

PERSON: Final[ColumnElement[Any]] = employees.c.first_name + " " + employees.c.last_name
"""The name of an asset's assignee."""


def system(wanted: System) -> ColumnElement[bool]:
    """Devices of this system."""
    if wanted is System.OTHER:
        every = [start for starts in _SYSTEM_STARTS.values() for start in starts]
        return sa.func.coalesce(sa.not_(_begins(every)), True)
    return _begins(_SYSTEM_STARTS[wanted])


def system_of(operating_system: str | None) -> System:
    """The same rule for one device, as Graph writes its operating system."""
    text = (operating_system or "").lower()
    return next((one for one, starts in _SYSTEM_STARTS.items() if text.startswith(starts)), System.OTHER)


def _begins(starts: Iterable[str]) -> ColumnElement[bool]:
    lowered = sa.func.lower(_table.operating_system)
    return sa.or_(*(lowered.startswith(start, autoescape=True) for start in starts))


def contact(wanted: Contact) -> ColumnElement[bool]:
    """Devices whose last contact is this long ago."""
    return CONTACT.is_not_distinct_from(wanted.value)


def released(year: str) -> ColumnElement[bool]:
    """Devices of models released in this year; `UNKNOWN_YEAR`: of which it is not known."""
    if year == UNKNOWN_YEAR:
        return sa.func.coalesce(YEAR.op("!~")("^[0-9]{4}$"), True)
    return YEAR.is_not_distinct_from(year)


def year_of(start: str | None) -> str:
    """The year of the first four characters of a date; `UNKNOWN_YEAR` where they are none."""
    return start if start and _FOUR_DIGITS.fullmatch(start) else UNKNOWN_YEAR


def matches(search: str) -> ColumnElement[bool]:
    """Devices of which a part of what is shown is this.

    Assignees are searched by themselves: to join every device with its asset and employee takes half as long again as all else.
    """
    together: ColumnElement[str] = sa.func.concat_ws(
        " ",
        _table.serial_number,
        _table.device_name,
        _table.listed_user,
        _table.manufacturer,
        _table.model_name,
        _table.model,
        _table.operating_system,
    )
    person: ColumnElement[str] = PERSON
    if search.isascii():
        # Only ASCII letters can be meant: by bytes is several times quicker than by a language's rules.
        together, person = sa.collate(together, "C"), sa.collate(person, "C")
    assigned = (
        sa.select(assets.c.id)
        .join(employees, employees.c.id == assets.c.assignee_id)
        .where(person.icontains(search, autoescape=True))
    )
    return sa.or_(
        _table.serial_key.contains(serial_key(search) or search, autoescape=True),
        together.icontains(search, autoescape=True),
        _table.asset_id.in_(assigned),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The account whose devices are looked at, and the run whose list says which of them are in Intune.

    Attributes:
        account_id: the account's; None: there is no such account.
        connection_id: its connection's; None: it never connected.
        last_complete_run: the last good sync that read a whole list; None: none did.
    """

    account_id: int | None
    connection_id: int | None
    last_complete_run: int | None

    @classmethod
    def of(cls, db: Connection, account: str) -> "Chosen":
        """Those of an account's slug."""
        row = db.execute(_CHOSEN, {"account": account}).one_or_none()
        return cls(*row) if row else cls(None, None, None)

    @property
    def is_gone(self) -> ColumnElement[bool]:
        """SQL: whether the last complete list did not hold the device. The same rule counts ``devices_gone`` of a run."""
        absent = _table.absent_since.is_not(None) | _table.ended_at.is_not(None)
        if self.last_complete_run is None:
            return absent
        return absent | (sa.func.coalesce(_table.sync_run_id, self.last_complete_run) < self.last_complete_run)

    def presence(self, wanted: Presence) -> ColumnElement[bool]:
        """Devices that are in Intune, or gone from it."""
        return self.is_gone if wanted is Presence.GONE else sa.not_(self.is_gone)

    def decided(self, wanted: Decided) -> ColumnElement[bool]:
        """Devices about which a person has decided this, with assets joined."""
        if wanted is Decided.MODEL_TAUGHT:
            return _table.rule.startswith("account:")
        if wanted is Decided.ASSIGNEE_CHOSEN:
            return assets.c.assigned_by_person_at.is_not(None)
        kind = KeptKind.LOCKED if wanted is Decided.FIELD_LOCKED else KeptKind.UNDONE
        keys = sa.select(kept_values.c.serial_key).where(
            kept_values.c.account_id == self.account_id, kept_values.c.kind == kind
        )
        return _table.serial_key.in_(keys)


IS_SYNCED: Final = _table.outcome == Outcome.SYNCED
_CHOSEN = (
    sa.select(
        accounts.c.id,
        connections.c.id,
        sa.select(sync_runs.c.id)
        .where(
            sync_runs.c.connection_id == connections.c.id,
            sync_runs.c.status == RunStatus.SUCCEEDED,
            sync_runs.c.trigger != Trigger.UNDO,
            sync_runs.c.list_complete,
        )
        .order_by(sync_runs.c.finished_at.desc())
        .limit(1)
        .scalar_subquery(),
    )
    .outerjoin_from(accounts, connections)
    .where(accounts.c.slug == sa.bindparam("account"))
)
