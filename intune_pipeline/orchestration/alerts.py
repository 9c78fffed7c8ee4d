"""Telling people: e-mail, Slack, Teams or a webhook, whatever ``INTUNE_ALERT_URLS`` names in Apprise's notation.

Belongs here: sending what is not told yet. Does not belong here: finding out what is wrong (``inventory.alerts``).
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from pydantic import SecretStr
from sqlalchemy import Engine

from intune_pipeline.inventory import alerts
from intune_pipeline.inventory.alerts import Trouble
from intune_pipeline.settings import SettingsError

log = structlog.get_logger(__name__)

#: A tick of a sensor may last 60 seconds, and a webhook may be slow.
MESSAGES_PER_TICK = 20

#: Sends a title and a text; says whether somebody got them.
Teller = Callable[[str, str], bool]


def watch(engine: Engine, *, late_after: timedelta, tell: Teller | None) -> list[Trouble]:
    """Record what is wrong, tell people of what is new, and return all that is wrong now.

    One message per cause and tenant until it clears. What could not be sent is tried again at the next call.

    Args:
        engine: allwhere's database.
        late_after: how old the last good sync of a tenant may be.
        tell: sends one message; None: nobody is to be told, the alerts are only recorded.
    """
    with engine.begin() as db:
        found = alerts.troubles(db, late_after=late_after)
        alerts.record(db, found)
    with engine.begin() as db:
        for alert in alerts.untold(db, limit=MESSAGES_PER_TICK) if tell else ():
            log.warning("alert", cause=alert.cause)
            if tell and tell(_title(alert.cause), alert.message):
                alerts.told(db, [alert.id])
    return found


def teller(urls: Sequence[SecretStr]) -> Teller | None:
    """Sends to all of these addresses; None when there are none.

    Raises:
        SettingsError: an address is malformed.
    """
    if not urls:
        return None
    import apprise

    everybody = apprise.Apprise()
    if not all(everybody.add(url.get_secret_value()) for url in urls):
        raise SettingsError("INTUNE_ALERT_URLS holds an address that Apprise does not know; see docs/operations.md.")

    def tell(title: str, body: str) -> bool:
        return bool(everybody.notify(title=title, body=body, notify_type=apprise.NotifyType.WARNING))

    return tell


def _title(cause: str) -> str:
    return f"Intune sync: {cause.replace('_', ' ')}"
