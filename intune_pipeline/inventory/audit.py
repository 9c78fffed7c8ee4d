"""The audit log: who connected, changed, released or revealed what.

Belongs here: writing and listing entries. Does not belong here: deciding what is worth an entry, which is said where it
is done. No entry ever holds a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    db: Connection, account_id: int, subjects: Sequence[str], *, actor: str, action: str, **details: Any
) -> None:
    """`record` the same about many subjects, an entry each."""
    known = {"account_id": account_id, "actor": actor, "action": action, "details": details}
    db.execute(sa.insert(audit_log), [{**known, "subject": subject} for subject in subjects])


def entries(db: Connection, account: str, *, limit: int = 50, before: int | None = None) -> list[Entry]:
    """An account's entries, newest first.

    Args:
        db: any connection.
        account: the account's slug.
        limit: how many at most.
        before: only entries older than the one with this id, for the next page.
    """
    query = (
        sa.select(*(audit_log.c[name] for name in Entry.__slots__))
        .join(accounts, accounts.c.id == audit_log.c.account_id)
        .where(accounts.c.slug == account)
        .order_by(audit_log.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(audit_log.c.id < before)
    return [Entry(**row) for row in db.execute(query).mappings()]
