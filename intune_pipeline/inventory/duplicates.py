"""Employees who look like one person: finding them, merging two, taking a merge back, and declaring them different.

Belongs here: reading and writing. Does not belong here: how much alike two people are (``domain.people.lookalikes``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.people import Lookalike, LookalikeIndex
from intune_pipeline.domain.people.identity import Employee, known
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.state import employees_of


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two employees who could be one person.

    Attributes:
        employee: The one with the lower id.
        other: The other one.
        likeness: How sure it is, and why, in words.
    """

    employee: Employee
    other: Employee
    likeness: Lookalike

    def as_dict(self) -> dict[str, Any]:
        """The pair in JSON's types."""
        return {
            "employee_id": self.employee.id,
            "name": f"{self.employee.first_name} {self.employee.last_name}",
            "emails": [email for email, _ in self.employee.emails],
            "other_id": self.other.id,
            "other_name": f"{self.other.first_name} {self.other.last_name}",
            "other_emails": [email for email, _ in self.other.emails],
            "grade": str(self.likeness.grade),
            "reasons": list(self.likeness.reasons),
        }


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one employee, for telling two apart.

    Attributes:
        id: the employee's.
        name: first and last name.
        emails: addresses, each with its kind.
        assets: serial numbers of the assets the employee has, the first few.
        asset_count: how many these are.
        created_at: when the employee was added.
        created_by_run: the sync that added them; None for a person or an import.
    """

    id: int
    name: str
    emails: list[list[str]]
    assets: list[str]
    asset_count: int
    created_at: datetime
    created_by_run: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """Two employees about whom somebody said something: that they are one, or that they are not.

    Attributes:
        id: the employee who stays; the one with the lower id.
        name: their name.
        other_id: the other one.
        other_name: their name.
        by: who said so.
        at: when.
    """

    id: int
    name: str
    other_id: int
    other_name: str
    by: str
    at: datetime


def cards(db: Connection, account: str, ids: Sequence[int]) -> dict[int, Card]:
    """What is known of some employees of an account, by id; those it does not have are left out."""
    given = {"account_id": accounts.get(db, account).id, "ids": list(ids)}
    return {row.id: Card(*row) for row in db.execute(_CARDS, given)}


def merged(db: Connection, account: str, limit: int) -> list[Said]:
    """The last merges that can be taken back, newest first."""
    return [
        Said(*row) for row in db.execute(_LAST_MERGED, {"account_id": accounts.get(db, account).id, "limit": limit})
    ]


def declared_different(db: Connection, account: str, limit: int) -> list[Said]:
    """Pairs that were last declared different people, newest first."""
    given = {"account_id": accounts.get(db, account).id, "limit": limit}
    return [Said(*row) for row in db.execute(_LAST_DIFFERENT, given)]


def state(db: Connection, account: str) -> str:
    """A text that is the same as long as `duplicates` finds the same, and costs little to ask for."""
    return str(db.scalar(_STATE, {"account_id": accounts.get(db, account).id}))


def duplicates(db: Connection, account: str) -> list[Duplicate]:
    """Pairs of an account's employees who could be one person, the surest first; never those declared different.

    Raises:
        UnknownAccountError: there is no such account.
    """
    account_id = accounts.get(db, account).id
    employees = {employee.id: employee for employee in employees_of(db, account_id)}
    different = {tuple(row) for row in db.execute(_DIFFERENT, {"account_id": account_id})}
    index = LookalikeIndex(map(known, employees.values()))
    return sorted(_pairs(employees, index, different), key=lambda pair: (_rank(pair), pair.employee.id, pair.other.id))


def _pairs(
    employees: dict[int, Employee], index: LookalikeIndex, different: set[tuple[Any, ...]]
) -> Iterator[Duplicate]:
    for employee in employees.values():
        for likeness in index.of(known(employee)):
            if employee.id < likeness.employee_id and (employee.id, likeness.employee_id) not in different:
                yield Duplicate(employee, employees[likeness.employee_id], likeness)


def _rank(pair: Duplicate) -> int:
    """The grades' own order is that of sureness."""
    return list(type(pair.likeness.grade)).index(pair.likeness.grade)


def merge(db: Connection, account: str, keep_id: int, other_id: int, *, actor: str) -> int:
    """Make two employees one: addresses move, assets follow; returns the number of assets that did.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        keep_id: the employee who stays.
        other_id: the one who goes; `unmerge` brings them back.
        actor: who merges.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: the account has no such employees, or they are one.
    """
    given: dict[str, Any] = {
        "account_id": accounts.get(db, account).id,
        "keep": keep_id,
        "other": other_id,
        "actor": actor,
    }
    _both(db, account, given)
    db.execute(_TELL, given)
    db.execute(_KEEP_OTHER, given)
    moved = db.execute(_MOVE_ASSETS, given).rowcount
    for statement in (_MOVE_ADDRESSES, _MOVE_USERS, _MOVE_HOLDS, _DELETE_OTHER):
        db.execute(statement, given)
    audit.record(db, given["account_id"], actor=actor, action="merge", subject=f"employee {other_id}", into=keep_id)
    return moved


def unmerge(db: Connection, account: str, other_id: int, *, actor: str) -> None:
    """Bring back the employee who went by a merge, with the addresses and the assets that are still the kept one's.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: no such merge, or the employee who was kept is gone.
    """
    given: dict[str, Any] = {"account_id": accounts.get(db, account).id, "other": other_id, "actor": actor}
    merged = db.execute(_MERGED, given).one_or_none()
    if merged is None:
        raise WrongUseError(f"No employee {other_id} of {account} was merged into another who is still there.")
    given |= {"id": merged.id, "keep": merged.kept_id, "content": orjson.dumps(merged.content).decode()}
    db.execute(_TELL, given)
    for statement in (_BRING_BACK, _ADDRESSES_BACK, _USERS_BACK, _ASSETS_BACK, _FORGET_MERGE):
        db.execute(statement, given)
    audit.record(db, given["account_id"], actor=actor, action="unmerge", subject=f"employee {other_id}")


def declare_different(db: Connection, account: str, one_id: int, other_id: int, *, actor: str) -> None:
    """Never show two employees as one person again.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: the account has no such employees, or they are one.
    """
    low, high = sorted((one_id, other_id))
    given: dict[str, Any] = {"account_id": accounts.get(db, account).id, "keep": low, "other": high, "actor": actor}
    _both(db, account, given)
    db.execute(_DECLARE, given)
    audit.record(db, given["account_id"], actor=actor, action="different", subject=f"employees {low} and {high}")


def take_back_different(db: Connection, account: str, one_id: int, other_id: int, *, actor: str) -> None:
    """Let two employees be shown as one person again who were declared different.

    Raises:
        UnknownAccountError: there is no such account.
        WrongUseError: nobody declared them different.
    """
    low, high = sorted((one_id, other_id))
    given = {"account_id": accounts.get(db, account).id, "keep": low, "other": high}
    if not db.execute(_TAKE_BACK, given).rowcount:
        raise WrongUseError(f"Nobody of {account} declared the employees {low} and {high} different people.")
    audit.record(db, given["account_id"], actor=actor, action="not_different", subject=f"employees {low} and {high}")


def _both(db: Connection, account: str, given: dict[str, Any]) -> None:
    if given["keep"] == given["other"]:
        raise WrongUseError("Give two different employees.")
    found = set(db.scalars(_LOCK, given))
    missing = [one for one in (given["keep"], given["other"]) if one not in found]
    if missing:
        raise WrongUseError(
            f"{account} has no employee {missing[0]}; intune-pipeline people duplicates {account} lists them."
        )


_DIFFERENT = sa.text("select employee_id, other_id from different_people where account_id = :account_id")
_LOCK = sa.text("""
    select id from employees where account_id = :account_id and id in (:keep, :other) order by id for update
""")
_DECLARE = sa.text("""
    insert into different_people (account_id, employee_id, other_id, declared_by)
    values (:account_id, :keep, :other, :actor) on conflict do nothing
""")
#: The history and the change feed tell who merged, and that it was a merge.
_TELL = sa.text("""
    select set_config('allwhere.actor', :actor, true), set_config('intune_pipeline.change_kind', 'merged', true)
""")
_KEEP_OTHER = sa.text("""
    insert into merged_employees (account_id, kept_id, merged_id, content, merged_by)
    select e.account_id, :keep, e.id, to_jsonb(e) || jsonb_build_object(
               'emails', coalesce((select jsonb_agg(email_key) from employee_emails where employee_id = e.id), '[]'),
               'assets', coalesce((select jsonb_agg(id) from assets where assignee_id = e.id), '[]'),
               'users', coalesce((select jsonb_agg(user_id) from known_users where employee_id = e.id), '[]')
           ), :actor
    from employees e where e.account_id = :account_id and e.id = :other
""")
_MOVE_ASSETS = sa.text("""
    update assets set assignee_id = :keep, updated_at = now() where account_id = :account_id and assignee_id = :other
""")
_MOVE_ADDRESSES = sa.text("""
    update employee_emails set employee_id = :keep where account_id = :account_id and employee_id = :other
""")
_MOVE_USERS = sa.text("update known_users set employee_id = :keep where employee_id = :other")
_MOVE_HOLDS = sa.text("update employee_holds set lookalike_id = :keep where lookalike_id = :other")
_DELETE_OTHER = sa.text("delete from employees where account_id = :account_id and id = :other")
_MERGED = sa.text("""
    select m.id, m.kept_id, m.content from merged_employees m join employees e on e.id = m.kept_id
    where m.account_id = :account_id and m.merged_id = :other order by m.id desc limit 1
""")
_BRING_BACK = sa.text("""
    insert into employees (id, account_id, first_name, last_name, sync_run_id, created_at)
    select e.id, :account_id, e.first_name, e.last_name, e.sync_run_id, e.created_at
    from jsonb_populate_record(cast(null as employees), cast(:content as jsonb)) e
""")
_ADDRESSES_BACK = sa.text("""
    update employee_emails set employee_id = :other
    where account_id = :account_id and employee_id = :keep and cast(:content as jsonb) -> 'emails' ? email_key
""")
_USERS_BACK = sa.text("""
    update known_users set employee_id = :other where employee_id = :keep and cast(:content as jsonb) -> 'users' ? user_id
""")
_ASSETS_BACK = sa.text("""
    update assets set assignee_id = :other, updated_at = now()
    where account_id = :account_id and assignee_id = :keep and cast(:content as jsonb) -> 'assets' @> to_jsonb(id)
""")
_FORGET_MERGE = sa.text("delete from merged_employees where id = :id")
_TAKE_BACK = sa.text("""
    delete from different_people where account_id = :account_id and employee_id = :keep and other_id = :other
""")
_CARDS = sa.text("""
    select e.id, e.first_name || ' ' || e.last_name,
           array(select array[m.email, m.kind] from employee_emails m where m.employee_id = e.id order by m.email_key),
           array(select s.serial_number from assets s where s.assignee_id = e.id order by s.id limit 5),
           (select count(*) from assets s where s.assignee_id = e.id), e.created_at, e.sync_run_id
    from employees e where e.account_id = :account_id and e.id = any(cast(:ids as bigint[]))
""")
_LAST_MERGED = sa.text("""
    select m.kept_id, e.first_name || ' ' || e.last_name, m.merged_id,
           concat_ws(' ', m.content ->> 'first_name', m.content ->> 'last_name'), m.merged_by, m.merged_at
    from merged_employees m join employees e on e.id = m.kept_id
    where m.account_id = :account_id order by m.id desc limit :limit
""")
_LAST_DIFFERENT = sa.text("""
    select d.employee_id, e.first_name || ' ' || e.last_name, d.other_id, o.first_name || ' ' || o.last_name,
           d.declared_by, d.declared_at
    from different_people d join employees e on e.id = d.employee_id join employees o on o.id = d.other_id
    where d.account_id = :account_id order by d.declared_at desc, d.employee_id, d.other_id limit :limit
""")
_STATE = sa.text("""
    select concat_ws(' ',
        (select count(*) || ' ' || coalesce(sum(hashtextextended(e.id || ' ' || e.first_name || ' ' || e.last_name, 0)), 0)
         from employees e where e.account_id = :account_id),
        (select count(*) || ' ' || coalesce(sum(hashtextextended(m.employee_id || m.email_key || m.kind, 0)), 0)
         from employee_emails m where m.account_id = :account_id),
        (select count(*) || ' ' || coalesce(sum(hashtextextended(d.employee_id || ' ' || d.other_id, 0)), 0)
         from different_people d where d.account_id = :account_id))
""")
