"""Who and what waits for a decision: counted, searched, filtered and paged; and what of a choice is still open.

Belongs here: reading, and locking what is about to be decided. Does not belong here: deciding (``holds``) and what was
decided (``held``).

A choice is a chosen few, or everything a search finds. Between looking and deciding others decide, syncs hold more and
decisions are taken back; `changed_since` tells whether something may have come that nobody has looked at.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import EmployeeHoldKind, HoldKind, LookalikeGrade
from intune_pipeline.inventory import accounts, held, hold_statements


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each kind wait.

    Attributes:
        lookalikes: users who look like an employee.
        shared: users who look like shared accounts.
        devices: devices whose ends are held.
    """

    lookalikes: int
    shared: int
    devices: int

    @property
    def everything(self) -> int:
        """All of them."""
        return self.lookalikes + self.shared + self.devices


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """Which of the people who wait.

    Attributes:
        kind: look-alikes, or shared accounts.
        search: part of a name or address, the user's or the look-alike's; "" finds all.
        grade: only look-alikes of this grade.
    """

    kind: EmployeeHoldKind = EmployeeHoldKind.LOOKALIKE
    search: str = ""
    grade: LookalikeGrade | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A user who waits, with what is known.

    Attributes:
        id: the hold's id.
        email: the work e-mail Intune shows.
        name: as it would be stored, as much of it as can be read.
        has_name: whether a first and a last name can be read.
        display_name: as Intune shows it.
        lookalike: the name of the employee who could be the same person; None when removed meanwhile, and for shared
            accounts.
        lookalike_emails: that employee's addresses, the first few.
        grade: how sure it is that both are one person.
        reason: why, a phrase for people.
        created_at: when a sync held the user back.
        devices: how many devices show the user.
        models: what they are, the first few.
    """

    id: int
    email: str
    name: str
    has_name: bool
    display_name: str | None
    lookalike: str | None
    lookalike_emails: list[str]
    grade: str | None
    reason: str | None
    created_at: datetime
    devices: int
    models: list[str]

    @property
    def shown(self) -> str:
        """The user for people."""
        return self.name or self.display_name or self.email


@dataclass(frozen=True, slots=True)
class Missed:
    """Somebody who was chosen and had been decided about already.

    Attributes:
        name: the user for people.
        decision: what was decided.
        decided_by: by whom.
    """

    name: str
    decision: str
    decided_by: str | None


def counts(db: Connection, account: str) -> Counts:
    """How many wait in an account."""
    return Counts(*db.execute(_COUNTS, {"account": account}).one())


def people_by_grade(db: Connection, account: str, query: PeopleQuery) -> dict[str | None, int]:
    """How many people a search finds, by grade; the query's own grade is not looked at."""
    rows = db.execute(_BY_GRADE, _given(account, query) | {"grade": None})
    return {row.grade: row.found for row in rows}


def people(db: Connection, account: str, query: PeopleQuery, *, limit: int, offset: int = 0) -> list[Person]:
    """The people who are found, the surest look-alikes first, then by name."""
    given = _given(account, query) | {"limit": limit, "offset": offset, "ids": None}
    return _people(db, given)


def people_chosen(db: Connection, account: str, query: PeopleQuery, ids: Sequence[int]) -> list[Person]:
    """Those of the chosen people who still wait."""
    given = _given(account, PeopleQuery(query.kind)) | {"limit": None, "offset": 0, "ids": list(ids)}
    return _people(db, given)


def people_ids(db: Connection, account: str, query: PeopleQuery) -> list[int]:
    """The ids of everybody who is found."""
    return list(db.scalars(_IDS, _given(account, query)))


def lock_people(db: Connection, account: str, ids: Collection[int]) -> list[sa.Row[Any]]:
    """Those of some people who still wait, locked until the transaction ends, each with ``lookalike_id`` and ``has_name``."""
    given = {"account_id": accounts.get(db, account).id, "ids": sorted(ids)}
    return list(db.execute(hold_statements.LOCKED_EMPLOYEES, given))


def lock_devices(db: Connection, account: str, ids: Collection[str]) -> list[str]:
    """Those of some devices that still wait, locked until the transaction ends."""
    hold = db.execute(hold_statements.LOCKED_ENDS, {"account_id": accounts.get(db, account).id}).one_or_none()
    wanted = set(ids)
    return [one for one in hold.intune_device_ids if one in wanted] if hold else []


def missed_people(db: Connection, account: str, ids: Collection[int]) -> list[Missed]:
    """Of some people those who do not wait, with what was decided and by whom."""
    given = {"account_id": accounts.get(db, account).id, "ids": list(ids)}
    return [Missed(*row) for row in db.execute(_MISSED, given)]


def missed_devices(db: Connection, account: str, ids: Collection[str]) -> list[Missed]:
    """Of some devices those that do not wait, with the last decision and by whom, as far as there was one."""
    given = {"account_id": accounts.get(db, account).id, "ids": list(ids)}
    return [Missed(*row) for row in db.execute(_MISSED_DEVICES, given)]


def decision_about(db: Connection, kind: HoldKind, one: int | str) -> int:
    """The newest decision about a hold of an employee, or about a device."""
    statement = _DECISION_OF_PERSON if kind is HoldKind.EMPLOYEES else _DECISION_OF_DEVICE
    return int(db.execute(statement, {"one": one}).scalar_one())


def named(db: Connection, account: str, decisions: Iterable[held.Decision]) -> dict[int, list[str]]:
    """The first few people or devices each decision is about, by the decision's id."""
    found: dict[int, list[str]] = {}
    ids = [one.id for one in decisions]
    for row in db.execute(_NAMED, {"account_id": accounts.get(db, account).id, "ids": ids}):
        found.setdefault(row.id, []).append(row.name)
    return found


def decision(db: Connection, account: str, decision_id: int) -> held.Decision | None:
    """One decision of an account, None when it has none of this id."""
    found = held.decisions(db, account, limit=1, before=decision_id + 1)
    return found[0] if found and found[0].id == decision_id else None


def fingerprint(ids: Iterable[int | str]) -> str:
    """A short text that is the same for the same ids in any order."""
    return hashlib.sha256("\n".join(sorted(map(str, ids))).encode()).hexdigest()[:16]


def changed_since(db: Connection, account: str, moment: datetime) -> bool:
    """Whether more may wait than at a moment: a sync was at work since, or somebody took a decision back."""
    return bool(db.scalar(_CHANGED, {"account_id": accounts.get(db, account).id, "moment": moment}))


def _given(account: str, query: PeopleQuery) -> dict[str, Any]:
    pattern = held.searched(query.search)["pattern"]
    return {"account": account, "kind": query.kind, "grade": query.grade, "pattern": pattern}


def _people(db: Connection, given: dict[str, Any]) -> list[Person]:
    return [Person(*row) for row in db.execute(_PEOPLE, given)]


_COUNTS = sa.text("""
    select count(h.id) filter (where h.kind = 'lookalike'), count(h.id) filter (where h.kind = 'shared'),
           coalesce((
               select sum(jsonb_array_length(l.intune_device_ids)) from lifecycle_holds l
               join connections c on c.id = l.connection_id join accounts a on a.id = c.account_id
               where a.slug = :account and l.decision = 'waiting'
           ), 0)
    from employee_holds h join connections c on c.id = h.connection_id join accounts a on a.id = c.account_id
    where a.slug = :account and h.decision = 'waiting'
""")
_FOUND = """
    from employee_holds h
    join connections c on c.id = h.connection_id
    join accounts a on a.id = c.account_id
    left join employees e on e.id = h.lookalike_id
    where a.slug = :account and h.decision = 'waiting' and h.kind = :kind
      and (cast(:grade as text) is null or h.grade = :grade)
      and (cast(:pattern as text) is null
           or concat_ws(' ', h.first_name, h.last_name, h.email, h.display_name, e.first_name, e.last_name) ilike :pattern
           or exists (select from employee_emails m where m.employee_id = e.id and m.email ilike :pattern))
"""
_BY_GRADE = sa.text(f"select h.grade, count(*) as found {_FOUND} group by h.grade")
_IDS = sa.text(f"select h.id {_FOUND}")
_PEOPLE = sa.text(f"""
    with found as (
        select h.*, e.first_name as like_first, e.last_name as like_last
        {_FOUND} and (cast(:ids as bigint[]) is null or h.id = any(cast(:ids as bigint[])))
        order by h.grade desc, h.last_name, h.first_name, h.display_name, h.id
        limit cast(:limit as bigint) offset :offset
    ),
    devices as (
        select o.connection_id, o.listed_user, count(*) as known,
               (array_agg(distinct coalesce(o.model_name, o.model)) filter (where o.model is not null))[1:3] as models
        from device_outcomes o
        where (o.connection_id, o.listed_user) in (select f.connection_id, f.email_key from found f) and o.ended_at is null
        group by o.connection_id, o.listed_user
    )
    select f.id, f.email, concat_ws(' ', f.first_name, f.last_name),
           f.first_name is not null and f.last_name is not null, f.display_name, f.like_first || ' ' || f.like_last,
           array(select m.email from employee_emails m where m.employee_id = f.lookalike_id
                 order by m.kind desc, m.email_key limit 3),
           f.grade, f.reason, f.created_at, coalesce(d.known, 0), coalesce(d.models, '{{}}')
    from found f
    left join devices d on d.connection_id = f.connection_id and d.listed_user = f.email_key
    order by f.grade desc, f.last_name, f.first_name, f.display_name, f.id
""")  # noqa: S608
_MISSED = sa.text("""
    select coalesce(nullif(concat_ws(' ', h.first_name, h.last_name), ''), h.display_name, h.email), h.decision, h.decided_by
    from employee_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.id = any(cast(:ids as bigint[])) and h.decision <> 'waiting'
    order by h.last_name, h.id
""")
_MISSED_DEVICES = sa.text("""
    select distinct on (device.id) coalesce(o.serial_number, o.device_name, device.id), h.decision, h.decided_by
    from lifecycle_holds h
    join connections c on c.id = h.connection_id
    cross join jsonb_array_elements_text(h.intune_device_ids) as device (id)
    left join device_outcomes o on o.connection_id = h.connection_id and o.intune_device_id = device.id
    where c.account_id = :account_id and h.decision <> 'waiting' and device.id = any(cast(:ids as text[]))
    order by device.id, h.decided_at desc
""")
_DECISION_OF_PERSON = sa.text("select decision_id from employee_holds where id = :one")
_DECISION_OF_DEVICE = sa.text("""
    select max(decision_id) from lifecycle_holds where intune_device_ids @> to_jsonb(cast(:one as text))
""")
_NAMED = sa.text("""
    with chosen as (
        select d.id, d.connection_id from hold_decisions d join connections c on c.id = d.connection_id
        where c.account_id = :account_id and d.id = any(cast(:ids as bigint[]))
    )
    select d.id, shown.name from chosen d
    cross join lateral (
        select coalesce(nullif(concat_ws(' ', h.first_name, h.last_name), ''), h.display_name, h.email) as name
        from employee_holds h where h.decision_id = d.id order by h.id limit 3
    ) shown
    union all
    select d.id, shown.name from chosen d
    cross join lateral (
        select coalesce(o.serial_number, o.device_name, device.id) as name
        from lifecycle_holds h
        cross join jsonb_array_elements_text(h.intune_device_ids) as device (id)
        left join device_outcomes o on o.connection_id = d.connection_id and o.intune_device_id = device.id
        where h.decision_id = d.id limit 3
    ) shown
""")
_CHANGED = sa.text("""
    select exists (
        select from hold_decisions d join connections c on c.id = d.connection_id
        where c.account_id = :account_id and d.undone_at > :moment
    ) or exists (
        select from sync_runs r join connections c on c.id = r.connection_id
        where c.account_id = :account_id and (r.status = 'running' or r.finished_at > :moment)
    )
""")
