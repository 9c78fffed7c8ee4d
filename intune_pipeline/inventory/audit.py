"""The audit log: who connected, changed, released or revealed what.

Belongs here: writing and listing entries. Does not belong here: deciding what is worth an entry, which is said where it
is done. No entry ever holds a secret.
"""

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
