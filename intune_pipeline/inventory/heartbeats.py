"""Processes that say that they live, for those who would wait for them.

Belongs here: saying it and asking. Does not belong here: what silence means to people (``portal.health``).
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

DAEMON: Final = "daemon"
"""Dagster's daemon, which starts syncs; its sensor ``troubles`` says so twice a minute."""


def beat(db: Connection, process: str) -> None:
    """Say that a process lives."""
    db.execute(_BEAT, {"process": process})


def last(db: Connection, process: str) -> datetime | None:
    """When a process last said so; None: it never has."""
    found: datetime | None = db.scalar(
        sa.text("select at from heartbeats where process = :process"), {"process": process}
    )
    return found


_BEAT = sa.text("""
    insert into heartbeats (process, at) values (:process, now())
    on conflict (process) do update set at = excluded.at
""")
