"""How long what is no longer needed stays: holds, outcomes, the audit log, codes, changes, messages to webhooks.

Belongs here: deleting by age. Does not belong here: how often (``orchestration.jobs``), frames (``frames``) and
Dagster's own history. ``docs/security.md`` has the table.
"""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.inventory import change_feed, plans, webhook_deliveries


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things stay.

    Attributes:
        holds: decided holds, counted from the decision.
        outcomes: devices that no list showed any more, counted from the last that did; those with an asset stay.
        audit: entries of the audit log; None: for ever.
        codes: sealed bypass codes and memory sizes of a disconnected account, counted from the disconnect.
    """

    holds: timedelta = timedelta(days=365)
    outcomes: timedelta = timedelta(days=365)
    audit: timedelta | None = None
    codes: timedelta = timedelta(days=90)


def forget_old(db: Connection, keep: Retention) -> dict[str, int]:
    """Delete what is older than it may be; returns how many rows of what.

    Args:
        db: a transaction that sees every account.
        keep: how long things stay.
    """
    ages = {"holds": keep.holds, "outcomes": keep.outcomes, "codes": keep.codes}
    deleted = {**dict.fromkeys(ages, 0), "plans": db.execute(_OLD_PLANS, {"age": plans.KEPT}).rowcount}
    deleted["changes"] = change_feed.delete_old(db)
    deleted["deliveries"] = webhook_deliveries.delete_old(db)
    for what, statement in _OLD:
        deleted[what] += db.execute(statement, {"age": ages[what]}).rowcount
    if keep.audit is not None:
        query = sa.text("select forget_audit_log(:age)")
        deleted["audit"] = int(db.execute(query, {"age": keep.audit}).scalar_one())
    return deleted


# Who waits for a sync to do a plan waits for it whole.
_OLD_PLANS = sa.text("""
    delete from plans p where coalesce(p.made_at, p.requested_at) < now() - :age
      and not exists (select from sync_requests q where q.plan_id = p.id and q.status in ('pending', 'started'))
""")
# A decision not to create somebody stands for as long as Intune shows them, or the next sync would hold them again.
_OLD = (
    ("holds", sa.text("""
        delete from employee_holds h where h.decision in ('created', 'linked') and h.decided_at < now() - :age
    """)),
    ("holds", sa.text("delete from lifecycle_holds where decision <> 'waiting' and decided_at < now() - :age")),
    ("holds", sa.text("delete from hold_decisions where decided_at < now() - :age")),
    ("outcomes", sa.text("""
        delete from device_details d using device_outcomes o
        where o.connection_id = d.connection_id and o.intune_device_id = d.intune_device_id
          and o.asset_id is null and o.last_seen_at < now() - :age
    """)),
    ("outcomes", sa.text("delete from device_outcomes where asset_id is null and last_seen_at < now() - :age")),
    ("codes", sa.text("""
        delete from device_details d using connections c
        where c.id = d.connection_id and c.status = 'disconnected' and c.disconnected_at < now() - :age
    """)),
    ("codes", sa.text("""
        update assets a set activation_lock_bypass_code = null from connections c
        where c.account_id = a.account_id and c.status = 'disconnected' and c.disconnected_at < now() - :age
          and a.activation_lock_bypass_code is not null
    """)),
    ("codes", sa.text("""
        delete from account_keys k using connections c
        where c.account_id = k.account_id and c.status = 'disconnected' and c.disconnected_at < now() - :age
          and not exists (select from webhooks w where w.account_id = k.account_id)
    """)),
)  # fmt: skip
