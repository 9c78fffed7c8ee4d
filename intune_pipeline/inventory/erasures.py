# ruff: noqa: S608 - statements are made of the schema's own names
"""People's rights: everything stored about a person, and erasing it.

Belongs here: finding a person in every table, export, erasure and lifting it. Does not belong here: recognising erased
people in what Microsoft lists (``domain.erasure``).

Every text of every table with an account is looked at, derived from ``schema``, so that a table added later is not
forgotten. Assets, runs and history stay; where they name the person, a pseudonym stands. Audit rows that named them lose
their salt, so that their digest leads back to nobody; the entry of the erasure names those rows (see ``audit``).
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import JSONB

from intune_pipeline.domain.erasure import Erasure, digest, identifying
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.row_security import condition
from intune_pipeline.inventory.schema import FRAMES, audit_log, erasures, metadata

ERASE: Final = "erase"
LIFT: Final = "lift_erasure"
SECRETS: Final = frozenset(
    {
        "activation_lock_bypass_code",
        "bypass_code",
        "wrapped_key",
        "unsubscribe_token",
        "secrets",
        "state_hash",
        "session_hash",
        "secret",
        "previous_secret",
    }
)
_USER = ("user_id", "user_email", "user_principal_name", "user_display_name")
#: Shorter names are words of their own too often.
_SHORTEST_NAME = 5


class UnknownPersonError(WrongUseError):
    """Nothing is stored about a person of this address."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant, as the tables know them.

    Attributes:
        account_id: in which account.
        addresses: compared forms of addresses and principal names.
        user_ids: Entra's ids of the user.
        names: full names in the orders people write them.
        employee_ids: their rows in ``employees``.
    """

    account_id: int
    addresses: frozenset[str]
    user_ids: frozenset[str]
    names: frozenset[str]
    employee_ids: frozenset[int]

    def __repr__(self) -> str:
        return f"Person(account_id={self.account_id}, employees={sorted(self.employee_ids)})"

    @property
    def pattern(self) -> str:
        """A regular expression of PostgreSQL, to be used without regard to case, for all that names the person."""
        labels = sorted(self.addresses | self.user_ids | self.names, key=lambda label: (-len(label), label))
        return r"(?<![\w.+-])(?:" + "|".join(map(_escaped, labels)) + r")(?![\w-])"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did.

    Attributes:
        pseudonym: what stands where the person was named.
        rows: changed or deleted rows by table.
    """

    pseudonym: str
    rows: dict[str, int]


def standing(db: Connection, account_id: int) -> tuple[Erasure, ...]:
    """The account's erased people, for a sync."""
    rows = db.execute(sa.select(erasures.c.salt, erasures.c.digests).where(erasures.c.account_id == account_id))
    return tuple(Erasure(salt, frozenset(digests)) for salt, digests in rows)


def export(db: Connection, account: str, email: str) -> dict[str, list[dict[str, Any]]]:
    """Every row that tells of a person, by table, without secrets.

    Args:
        db: a transaction of the tables' owner.
        account: the account's slug.
        email: any of the person's addresses, in any case.

    Raises:
        UnknownAccountError: there is no such account.
        UnknownPersonError: nothing is stored about such a person.
    """
    person = _find(db, account, email)
    found = {}
    for table in _tables():
        columns = [column for column in table.columns if column.name not in SECRETS]
        query = sa.select(*columns).where(sa.text(_tells_of(table)))
        rows = [dict(row) for row in db.execute(query, _given(person)).mappings()]
        if rows:
            found[table.fullname] = rows
    return found


def erase(db: Connection, account: str, email: str, *, reason: str, actor: str) -> Erased:
    """Take a person's name and addresses out of everything, and remember only how not to bring them back.

    Args:
        db: a transaction of the tables' owner.
        account: the account's slug.
        email: any of the person's addresses, in any case.
        reason: in the operator's own words.
        actor: who erases.

    Raises:
        UnknownAccountError: there is no such account.
        UnknownPersonError: nothing is stored about such a person.
        WrongUseError: no reason is given.
    """
    if not reason.strip():
        raise WrongUseError("A person is erased only with a reason, which is kept in the audit log.")
    person = _find(db, account, email)
    # The history of assets would record what they held before.
    db.execute(sa.text("select set_config('intune_pipeline.records_changes', 'on', true)"))
    given = {**_given(person), "pseudonym": f"erased-{secrets.token_hex(4)}"}
    rows: dict[str, int] = {}
    for name, statement in _OF_THE_PERSON:
        rows[name] = rows.get(name, 0) + db.execute(statement, given).rowcount
    audit_ids: list[int] = []
    for table in _tables():
        changed = db.execute(sa.text(_replacing(table)), given)
        if table.name == audit_log.name:
            audit_ids = list(changed.scalars())
            rows[table.fullname] = len(audit_ids)
        else:
            rows[table.fullname] = rows.get(table.fullname, 0) + changed.rowcount
    salt = secrets.token_hex(16)
    kept_reason = re.sub(
        "|".join(map(re.escape, person.addresses | person.names)),
        given["pseudonym"],
        reason.strip(),
        flags=re.IGNORECASE,
    )
    db.execute(
        sa.insert(erasures).values(
            account_id=person.account_id,
            pseudonym=given["pseudonym"],
            salt=salt,
            digests=sorted(digest(salt, key) for key in identifying(person.addresses | person.user_ids)),
            reason=kept_reason,
            erased_by=actor,
        )
    )
    audit.record(
        db,
        person.account_id,
        actor=actor,
        action=ERASE,
        subject=given["pseudonym"],
        reason=kept_reason,
        audit_ids=audit_ids,
    )
    return Erased(given["pseudonym"], {name: number for name, number in rows.items() if number})


def lift(db: Connection, account: str, email: str, *, reason: str, actor: str) -> int:
    """Let syncs bring a person back, who for example was hired again; returns how many erasures ended.

    Raises:
        UnknownAccountError: there is no such account.
        UnknownPersonError: no erasure of such a person stands.
    """
    owner = accounts.get(db, account)
    query = sa.select(erasures.c.id, erasures.c.pseudonym, erasures.c.salt, erasures.c.digests)
    of_account = db.execute(query.where(erasures.c.account_id == owner.id)).all()
    ended = [row for row in of_account if Erasure(row.salt, frozenset(row.digests)).is_of([email])]
    if not ended:
        raise UnknownPersonError(f"In {account} nobody with the address {email} is erased.")
    db.execute(sa.delete(erasures).where(erasures.c.id.in_([row.id for row in ended])))
    for row in ended:
        audit.record(db, owner.id, actor=actor, action=LIFT, subject=row.pseudonym, reason=reason.strip())
    return len(ended)


def _find(db: Connection, account: str, email: str) -> Person:
    """Collect what identifies a person, beginning with one address: their employee's others, and Intune's."""
    owner = accounts.get(db, account)
    db.execute(sa.text("select set_config('app.account_id', :id, true)"), {"id": str(owner.id)})
    addresses = identifying([email])
    known: dict[str, set[Any]] = {"addresses": addresses, "user_ids": set(), "names": set(), "employee_ids": set()}
    seen = False
    # Twice: an address that Intune shows may belong to an employee, and the other way round.
    for _ in range(2):
        for row in db.execute(_IDENTITIES, {"account_id": owner.id, "slug": account, "keys": sorted(addresses)}):
            seen = True
            addresses |= identifying([row.address, row.principal_name])
            known["user_ids"] |= identifying([row.user_id])
            known["names"] |= set(_names(row.first_name, row.last_name, row.display_name))
            known["employee_ids"] |= {row.employee_id} - {None}
    person = Person(owner.id, *(frozenset(values) for values in known.values()))
    if not seen and not any(
        db.execute(sa.select(sa.text("1")).select_from(table).where(sa.text(_tells_of(table))), _given(person)).first()
        for table in _tables()
    ):
        raise UnknownPersonError(f"In {account} nothing is stored about a person with the address {email}.")
    return person


def _names(first_name: str | None, last_name: str | None, display_name: str | None) -> Iterator[str]:
    both = f"{first_name} {last_name}", f"{last_name}, {first_name}", f"{last_name} {first_name}"
    for name in (*(both if first_name and last_name else ()), display_name):
        if name and " " in name.strip() and len(name.strip()) >= _SHORTEST_NAME:
            yield " ".join(name.lower().split())


def _escaped(label: str) -> str:
    return re.sub(r"\\? ", lambda _: r"\s+", re.sub(r"([^\w\s])", r"\\\1", label))


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if condition(table) is not None and table is not erasures]


def _texts(table: Table) -> list[sa.Column[Any]]:
    return [
        column
        for column in table.columns
        if isinstance(column.type, sa.Text | JSONB)
        and column.computed is None
        and column.name not in SECRETS
        and column.name
        not in {"partition_key", "slug", "salt", "content_digest", "previous_hash", "hash", "actor_subject"}
    ]


def _named(table: Table) -> str:
    """The condition for rows of the account in which a text names the person."""
    matches = " or ".join(f"{table.fullname}.{column.name}::text ~* :pattern" for column in _texts(table))
    return f"({condition(table)}) and ({matches or 'false'})"


def _tells_of(table: Table) -> str:
    linked = {
        "employees": "employees.id = any(cast(:employee_ids as bigint[]))",
        "employee_emails": "employee_emails.employee_id = any(cast(:employee_ids as bigint[]))",
        "assets": "assets.assignee_id = any(cast(:employee_ids as bigint[]))",
        "asset_changes": "asset_changes.field = 'assignee_id' and (asset_changes.old_value = any(cast(:employee_texts as text[]))"
        " or asset_changes.new_value = any(cast(:employee_texts as text[])))",
        "change_events": "change_events.entity = 'employee' and change_events.entity_id = any(cast(:employee_ids as bigint[]))",
        "device_outcomes": "device_outcomes.asset_id in"
        " (select a.id from assets a where a.assignee_id = any(cast(:employee_ids as bigint[])))",
    }.get(table.fullname, "false")
    return f"({_named(table)}) or ({condition(table)}) and ({linked})"


def _replacing(table: Table) -> str:
    """The statement that puts the pseudonym wherever a text of the account's rows names the person."""

    def replaced(column: sa.Column[Any]) -> str:
        kind = "jsonb" if isinstance(column.type, JSONB) else "text"
        return f"{column.name} = regexp_replace({column.name}::text, :pattern, :pseudonym, 'gi')::{kind}"

    assignments = ", ".join(map(replaced, _texts(table)))
    if not assignments:
        return "select where false"
    if table.name == audit_log.name:
        # Who acted is the erased person: the provider's id of them goes with their address.
        nobody = "actor_subject = case when actor !~* :pattern then actor_subject end"
        return f"update {table.fullname} set {assignments}, {nobody}, salt = null where {_named(table)} returning id"
    return f"update {table.fullname} set {assignments} where {_named(table)}"


def _given(person: Person) -> dict[str, Any]:
    return {
        "account_id": person.account_id,
        "pattern": person.pattern,
        "keys": sorted(person.addresses),
        "employee_ids": sorted(person.employee_ids),
        "employee_texts": [str(one) for one in sorted(person.employee_ids)],
    }


_IDENTITIES = sa.text("""
    select e.id as employee_id, m.email as address, null as principal_name, null as user_id, e.first_name, e.last_name,
           null as display_name
    from employees e join employee_emails m on m.employee_id = e.id
    where e.account_id = :account_id and e.id in (
        select k.employee_id from employee_emails k where k.account_id = :account_id and k.email_key = any(:keys))
    union all
    select null, h.email, null, null, h.first_name, h.last_name, h.display_name
    from employee_holds h join connections c on c.id = h.connection_id
    where c.account_id = :account_id and h.email_key = any(:keys)
    union all
    select null, r.user_email, r.user_principal_name, r.user_id, null, null, r.user_display_name
    from pipeline.raw_intune_devices r
    where r.partition_key = :slug and (lower(r.user_email) = any(:keys) or lower(r.user_principal_name) = any(:keys))
""")

_FRAMES_OF_DEVICES = [FRAMES["raw_intune_devices"], FRAMES["classified_devices"]]
#: What is taken away whole, before every other mention is replaced.
_OF_THE_PERSON: Final = (
    *(
        (
            frame.fullname,
            sa.text(
                f"update {frame.fullname} set device_name = null, {', '.join(f'{name} = null' for name in _USER)} "
                f"where {condition(frame)} and (lower(user_email) = any(:keys) or lower(user_principal_name) = any(:keys))"
            ),
        )
        for frame in _FRAMES_OF_DEVICES
    ),
    ("pipeline.employees", sa.text(
        f"delete from pipeline.employees where {condition(FRAMES['employees'])} "
        "and (lower(email) = any(:keys) or employee_id = any(cast(:employee_ids as bigint[])))"
    )),
    ("device_outcomes", sa.text("""
        update device_outcomes o set device_name = null from assets a
        where a.id = o.asset_id and a.account_id = :account_id and a.assignee_id = any(cast(:employee_ids as bigint[]))
          and o.device_name is not null
    """)),
    ("device_outcomes", sa.text("""
        update device_outcomes o set candidate_user = null, candidate_syncs = 0 from connections c
        where c.id = o.connection_id and c.account_id = :account_id and lower(o.candidate_user) = any(:keys)
    """)),
    ("merged_employees", sa.text("""
        delete from merged_employees m
        where m.account_id = :account_id
          and (m.kept_id = any(cast(:employee_ids as bigint[])) or m.content -> 'emails' ?| cast(:keys as text[]))
    """)),
    ("known_users", sa.text("""
        delete from known_users u using connections c
        where c.id = u.connection_id and c.account_id = :account_id
          and (u.employee_id = any(cast(:employee_ids as bigint[])) or lower(u.principal_name) = any(:keys))
    """)),
    ("device_outcomes", sa.text("""
        update device_outcomes o set listed_user = '' from connections c
        where c.id = o.connection_id and c.account_id = :account_id and lower(o.listed_user) = any(:keys)
    """)),
    ("employee_holds", sa.text("""
        delete from employee_holds h using connections c
        where c.id = h.connection_id and c.account_id = :account_id and h.email_key = any(:keys) and h.decision = 'waiting'
    """)),
    ("employee_holds", sa.text("""
        update employee_holds h set email = :pseudonym || '-' || h.id, first_name = 'Erased', last_name = :pseudonym, display_name = null,
            decision_id = null
        from connections c where c.id = h.connection_id and c.account_id = :account_id and h.email_key = any(:keys)
    """)),
    ("employee_emails", sa.text("""
        delete from employee_emails where account_id = :account_id and employee_id = any(cast(:employee_ids as bigint[]))
    """)),
    ("employees", sa.text("""
        update employees set first_name = 'Erased', last_name = :pseudonym
        where account_id = :account_id and id = any(cast(:employee_ids as bigint[]))
    """)),
    ("change_events", sa.text("""
        update change_events set old_value = null, new_value = null
        where account_id = :account_id and entity = 'employee' and entity_id = any(cast(:employee_ids as bigint[]))
          and field is not null
    """)),
)  # fmt: skip
