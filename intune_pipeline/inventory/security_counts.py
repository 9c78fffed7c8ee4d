"""How often each security event happens, and how often is too often.

Belongs here: the counters and the thresholds that alarm operators. Does not belong here: the security log itself
(``portal.security_log``) and telling people (``inventory.alerts``).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import SecurityEvent

THRESHOLDS: Final[Mapping[SecurityEvent, int]] = {
    SecurityEvent.SIGN_IN_REFUSED: 50,
    SecurityEvent.SIGN_IN_MISCONFIGURED: 1,
    SecurityEvent.TOKEN_REFUSED: 200,
    SecurityEvent.ROLE_REFUSED: 50,
    SecurityEvent.FORM_REFUSED: 50,
    SecurityEvent.REQUEST_REFUSED: 200,
    SecurityEvent.REVEAL_FAILED: 10,
    SecurityEvent.CONNECT_FAILED: 1,
    SecurityEvent.LIMIT_HIT: 100,
    SecurityEvent.WEBHOOK_REFUSED: 10,
}
"""So many of an event within two hours of the clock, the present one and the last, raise an alert."""

_ADVICE: Final[Mapping[SecurityEvent, str]] = {
    SecurityEvent.SIGN_IN_MISCONFIGURED: "The sign-in provider's tokens are not for this API: check AUTH0_AUDIENCE and "
    "AUTH0_ISSUER, and that the provider issues signed access tokens",
    SecurityEvent.CONNECT_FAILED: "A customer was told that allwhere looks into it: the security log and the account's audit "
    "log have what Microsoft answered",
}
_LOOK: Final = "Look at the security log for whom and from where"
_KEPT: Final = timedelta(days=90)


def count(db: Connection, event: SecurityEvent, account: str, now: datetime) -> None:
    """Count one event.

    Args:
        db: a connection in a transaction of its own: what is refused must be counted.
        event: what happened.
        account: the account's slug, "" when none is known.
        now: the present moment.
    """
    db.execute(_COUNT, {"now": now, "event": event.value, "account": account})


def excesses(db: Connection) -> list[tuple[str, str]]:
    """What happens too often now: cause and a sentence for operators."""
    found = []
    for row in db.execute(_RECENT):
        event = SecurityEvent(row.event)
        if row.times >= THRESHOLDS.get(event, row.times + 1):
            whose = f", most by account {row.account}" if row.account else ""
            advice = _ADVICE.get(event, _LOOK)
            found.append(
                (event.value, f"{event.value.replace('_', ' ')}: {row.times} times within two hours{whose}. {advice}.")
            )
    return found


def forget(db: Connection, now: datetime) -> int:
    """Delete counts of more than 90 days ago; returns how many rows."""
    return db.execute(sa.text("delete from security_counts where hour < :before"), {"before": now - _KEPT}).rowcount


_COUNT = sa.text("""
    insert into security_counts as kept (hour, event, account, times)
    values (date_trunc('hour', cast(:now as timestamptz)), :event, :account, 1)
    on conflict (hour, event, account) do update set times = kept.times + 1
""")
_RECENT = sa.text("""
    select event, sum(times)::int as times, (array_agg(account order by times desc))[1] as account
    from security_counts where hour >= date_trunc('hour', now()) - interval '1 hour'
    group by event order by event
""")
