"""How often something may be done, counted in the database for all processes together.

Belongs here: one law (the generic cell rate algorithm: a burst of ``times``, then one every ``seconds / times``), one
statement. Does not belong here: what is limited and how often (``portal.limits``).
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``times`` in ``seconds``.

    Attributes:
        name: keeps limits apart.
        times: how often.
        seconds: in which time.
    """

    name: str
    times: int
    seconds: int

    @property
    def step(self) -> timedelta:
        """How long one use counts."""
        return timedelta(seconds=self.seconds / self.times)


def spend(db: Connection, limit: Limit, key: str, now: datetime) -> int | None:
    """Count one use. Returns None, or the seconds to wait when that was one too many, which then does not count.

    Args:
        db: a connection in a transaction of its own, so that a use counts even when what was tried fails.
        limit: what is limited.
        key: whose uses are counted.
        now: the present moment.
    """
    values = {"name": limit.name, "key": key, "now": now, "step": limit.step, "most": timedelta(seconds=limit.seconds)}
    if db.execute(_SPEND, values).first() is not None:
        return None
    return waiting(db, limit, key, now) or 1


def waiting(db: Connection, limit: Limit, key: str, now: datetime) -> int | None:
    """The seconds until the next use is possible, None when it is now. Counts nothing."""
    used_until = db.scalar(_USED, {"name": limit.name, "key": key})
    if used_until is None:
        return None
    wait = (used_until + limit.step - timedelta(seconds=limit.seconds) - now).total_seconds()
    return math.ceil(wait) if wait > 0 else None


def forget(db: Connection, now: datetime) -> int:
    """Delete what is no longer used up; returns how many rows."""
    return db.execute(sa.text("delete from rate_limits where used_until < :now"), {"now": now}).rowcount


_SPEND = sa.text("""
    insert into rate_limits as kept (name, key, used_until) values (:name, :key, cast(:now as timestamptz) + :step)
    on conflict (name, key) do update set used_until = greatest(kept.used_until, :now) + :step
    where greatest(kept.used_until, :now) + :step <= cast(:now as timestamptz) + :most
    returning 1
""")
_USED = sa.text("select used_until from rate_limits where name = :name and key = :key")
