"""The audit log: who connected, changed, released or revealed what.

Belongs here: writing and listing entries. Does not belong here: deciding what is worth an entry, which is said where it
is done. No entry ever holds a secret.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.inventory.schema import accounts, audit_log


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log; the attributes are the columns of ``audit_log``."""

    id: int
    actor: str
    action: str
    subject: str
    reason: str | None
    details: dict[str, Any]
    at: datetime
    actor_subject: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are looked for; what is left out finds all.

    Attributes:
        action: one of :func:`actions`.
        person: part of the actor's name or address, or their subject.
        about: part of what it was done to, or of the reason.
        since: on this day (UTC) or later.
        until: on this day (UTC) or earlier.
    """

    action: str | None = None
    person: str = ""
    about: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Where an account's chain does not hold: this row or one before it was changed, removed or put in."""

    account: str
    id: int


def broken(db: Connection) -> list[Break]:
    """The first row of each account at which the chain of hashes does not hold; empty when nobody touched the log.

    A row whose person was erased has no salt, so that its content proves nothing any more; the entry of the erasure
    names it. Rows that retention removed are named by the hash that the row after them follows. What no chain shows is
    that its newest rows were cut off.
    """
    return [Break(*row) for row in db.execute(_BROKEN)]


_BROKEN = sa.text("""
    with chain as (
        select l.*, lag(l.hash) over (partition by l.account_id order by l.id) as hash_before from audit_log l
    )
    select a.slug, min(c.id) from chain c join accounts a on a.id = c.account_id
    where c.hash <> audit_hash(c.previous_hash, c.id, c.account_id, c.action, c.at, c.content_digest)
       or c.previous_hash <> c.hash_before
       or c.hash_before is null and c.previous_hash <> '' and not exists (
           select from audit_log f
           where f.account_id = c.account_id and f.action = 'forget' and f.details ->> 'last_hash' = c.previous_hash)
       or c.salt is not null
           and c.content_digest <> audit_content_digest(c.salt, c.actor, c.subject, c.reason,
               c.details || jsonb_strip_nulls(jsonb_build_object('actor_subject', c.actor_subject)))
       or c.salt is null and not exists (
           select from audit_log e
           where e.account_id = c.account_id and e.action = 'erase' and e.details -> 'audit_ids' @> to_jsonb(c.id))
    group by a.slug order by a.slug
""")


def record(
    db: Connection,
    account_id: int,
    *,
    actor: str,
    action: str,
    subject: str = "",
    reason: str | None = None,
    **details: Any,
) -> None:
    """Write an entry in the caller's transaction, so that there is none without the deed and no deed without one.

    Args:
        db: a connection in a transaction.
        account_id: whose log.
        actor: a portal user, or ``operator:NAME``.
        action: ``connect``, ``disconnect``, ``settings``, ``release``, ``reveal``, ``rule`` …
        subject: what it was done to: a serial number, a tenant, a rule.
        reason: in the actor's own words.
        details: whatever else tells what changed.
    """
    db.execute(
        sa.insert(audit_log).values(
            account_id=account_id, actor=actor, action=action, subject=subject, reason=reason, details=details
        )
    )


def record_each(
    db: Connection, account_id: int, each: Sequence[tuple[str, Mapping[str, Any]]], *, actor: str, action: str
) -> None:
    """`record` many entries of one deed.

    Args:
        db: a connection in a transaction.
        account_id: whose log.
        each: the subject and the details of each entry.
        actor: who did it.
        action: what it is called.
    """
    known = {"account_id": account_id, "actor": actor, "action": action}
    db.execute(sa.insert(audit_log), [{**known, "subject": subject, "details": details} for subject, details in each])


def entries(
    db: Connection, account: str, *, limit: int | None = 50, before: int | None = None, query: Query | None = None
) -> list[Entry]:
    """An account's entries, newest first.

    Args:
        db: any connection.
        account: the account's slug.
        limit: how many at most; None: all.
        before: only entries older than the one with this id, for the next page.
        query: which; None finds all.
    """
    found = (
        sa.select(*(audit_log.c[name] for name in Entry.__slots__))
        .join(accounts, accounts.c.id == audit_log.c.account_id)
        .where(accounts.c.slug == account, *_conditions(query or Query()))
        .order_by(audit_log.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        found = found.where(audit_log.c.id < before)
    return [Entry(**row) for row in db.execute(found).mappings()]


def actions(db: Connection, account: str) -> list[str]:
    """The actions there are entries of, in the order of their names."""
    found = sa.select(audit_log.c.action).distinct().join(accounts, accounts.c.id == audit_log.c.account_id)
    return sorted(db.scalars(found.where(accounts.c.slug == account)))


def _conditions(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    entry = audit_log.c
    if query.action is not None:
        yield entry.action == query.action
    if query.person:
        yield entry.actor.icontains(query.person, autoescape=True) | (entry.actor_subject == query.person)
    if query.about:
        yield entry.subject.icontains(query.about, autoescape=True) | entry.reason.icontains(
            query.about, autoescape=True
        )
    if query.since is not None:
        yield entry.at >= _beginning(query.since)
    if query.until is not None and query.until < date.max:
        yield entry.at < _beginning(query.until + timedelta(days=1))


def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
