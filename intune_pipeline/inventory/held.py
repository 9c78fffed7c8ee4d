"""Devices whose ends wait for a decision, with what is known of each, and what was decided so far.

Belongs here: reading, searched and paged in the database. Does not belong here: deciding, and the people who wait (``holds``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import EmployeeDecision, LifecycleDecision
from intune_pipeline.inventory import accounts


@dataclass(frozen=True, slots=True)
class HeldDevice:
    """A device whose asset waits to be ended.

    Attributes:
        intune_device_id: Intune's id.
        serial_number: as Intune showed it; None, like all that follows, where nothing is known of the device any more.
        device_name: its name in Intune.
        manufacturer: its maker.
        model: its readable name, else the model as Intune showed it.
        assignee: who holds the asset, with their addresses; None for nobody.
        last_contact_at: when it last talked to Intune.
        absent_since: since when no list has shown it.
    """

    intune_device_id: str
    serial_number: str | None
    device_name: str | None
    manufacturer: str | None
    model: str | None
    assignee: str | None
    last_contact_at: datetime | None
    absent_since: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about a part of what waited.

    Attributes:
        id: allwhere's id.
        kind: ``employees`` or ``lifecycle``.
        decision: ``created``, ``linked``, ``skipped``; ``released``, ``dropped``.
        size: how many people or devices it is about.
        decided_by: who decided.
        decided_at: when.
        applied_run_id: the sync that took it up; None while it waits for one.
        undone_by: who took it back; None while it stands.
        undone_at: when.
        done: how many of them came of it so far: employees with this address, assets that were ended.
    """

    id: int
    kind: str
    decision: str
    size: int
    decided_by: str
    decided_at: datetime
    applied_run_id: int | None
    undone_by: str | None
    undone_at: datetime | None
    done: int

    @property
    def can_be_undone(self) -> bool:
        """Whether no sync has taken it up, and nobody has taken it back."""
        return self.applied_run_id is None and self.undone_at is None

    @property
    def outcome(self) -> str:
        """What came of it, a phrase for people."""
        if self.undone_at:
            return f"taken back by {self.undone_by}"
        if self.applied_run_id is None:
            return "the next sync takes it up"
        of_all = f"{self.done} of {self.size}"
        done = {
            EmployeeDecision.CREATED: f"{of_all} are employees",
            EmployeeDecision.LINKED: f"{of_all} are known by this address",
            EmployeeDecision.SKIPPED: f"{self.size} are nobody's employees",
            LifecycleDecision.RELEASED: f"{of_all} ended, the others are back or not proven gone",
            LifecycleDecision.DROPPED: f"{self.size} stay as they are while they are away",
        }
        if self.decision == LifecycleDecision.RELEASED and self.done == self.size:
            return f"run {self.applied_run_id}: all ended"
        return f"run {self.applied_run_id}: {done[self.decision]}"  # type: ignore[index]


def devices(
    db: Connection, account: str, search: str = "", *, limit: int | None = None, offset: int = 0
) -> list[HeldDevice]:
    """The devices of an account whose ends wait for a decision, by serial number.

    Args:
        db: any connection.
        account: the account's slug.
        search: part of a serial number, name, maker, model, or of the assignee's name or address; "" finds all.
        limit: how many at most.
        offset: how many of them to pass over.
    """
    given = {"account": account, **searched(search), "limit": limit, "offset": offset}
    return [HeldDevice(*row) for row in db.execute(_DEVICES, given)]


def count(db: Connection, account: str, search: str = "") -> int:
    """How many devices wait that the search finds."""
    return int(db.execute(_COUNT, {"account": account, **searched(search)}).scalar_one())


def device_ids(db: Connection, account: str, search: str = "") -> list[str]:
    """Intune's ids of all devices that wait and that the search finds."""
    return list(db.scalars(_IDS, {"account": account, **searched(search)}))


def decisions(db: Connection, account: str, *, limit: int = 50, before: int | None = None) -> list[Decision]:
    """What was decided in an account, newest first.

    Args:
        db: any connection.
        account: the account's slug.
        limit: how many at most.
        before: only decisions older than the one with this id, for the next page.

    Raises:
        UnknownAccountError: there is no such account.
    """
    given = {"account_id": accounts.get(db, account).id, "limit": limit, "before": before}
    return [Decision(*row) for row in db.execute(_DECISIONS, given)]


def searched(search: str) -> dict[str, Any]:
    """A search as parameters ``pattern`` and ``key`` of a query, None for everything; the text is looked for as it is."""
    text = search.strip()
    key = serial_key(text) if text else None
    return {"pattern": f"%{_literally(text)}%" if text else None, "key": f"%{_literally(key)}%" if key else None}


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_FOUND = """
        from lifecycle_holds h
        join connections c on c.id = h.connection_id
        join accounts a on a.id = c.account_id
        cross join jsonb_array_elements_text(h.intune_device_ids) as device (id)
        left join device_outcomes o on o.connection_id = h.connection_id and o.intune_device_id = device.id
        left join assets s on s.id = o.asset_id
        left join employees e on e.id = s.assignee_id
        where a.slug = :account and h.decision = 'waiting'
          and (cast(:pattern as text) is null
               or concat_ws(' ', o.serial_number, o.device_name, o.manufacturer, o.model_name, o.model, e.first_name,
                            e.last_name) ilike :pattern
               or o.serial_key like :key
               or exists (select from employee_emails m where m.employee_id = e.id and m.email ilike :pattern))
"""
_DEVICES = sa.text(f"""
    with found as (
        select device.id, o.serial_number, o.serial_key, o.device_name, o.manufacturer, coalesce(o.model_name, o.model) as model,
               e.id as employee_id, e.first_name || ' ' || e.last_name as assignee, o.last_contact_at, o.absent_since
        {_FOUND}
        order by o.serial_key, device.id
        limit cast(:limit as bigint) offset :offset
    )
    select f.id, f.serial_number, f.device_name, f.manufacturer, f.model,
           f.assignee || coalesce(' (' || (
               select string_agg(m.email, ', ' order by m.email_key) from employee_emails m
               where m.employee_id = f.employee_id
           ) || ')', ''),
           f.last_contact_at, f.absent_since
    from found f order by f.serial_key, f.id
""")  # noqa: S608 - constants, as below
_COUNT = sa.text(f"select count(*) {_FOUND}")
_IDS = sa.text(f"select device.id {_FOUND} order by device.id")
_DECISIONS = sa.text("""
    select d.id, d.kind, d.decision, d.size, d.decided_by, d.decided_at, d.applied_run_id, d.undone_by, d.undone_at,
           case d.kind when 'lifecycle' then ended.done else known.done end as done
    from (
        select d.*, c.account_id from hold_decisions d join connections c on c.id = d.connection_id
        where c.account_id = :account_id and (cast(:before as bigint) is null or d.id < :before)
        order by d.id desc limit :limit
    ) d
    left join lateral (
        select count(*) as done from employee_holds h
        join employee_emails m on m.account_id = d.account_id and m.email_key = h.email_key
        where h.decision_id = d.id
    ) known on d.kind = 'employees'
    left join lateral (
        select count(*) as done from lifecycle_holds h
        cross join jsonb_array_elements_text(h.intune_device_ids) as device (id)
        join device_outcomes o on o.connection_id = h.connection_id and o.intune_device_id = device.id
        where h.decision_id = d.id and o.ended_at >= d.decided_at
    ) ended on d.kind = 'lifecycle'
    order by d.id desc
""")
