"""Telling people: e-mail, Slack, Teams or a webhook, whatever ``INTUNE_ALERT_URLS`` names in Apprise's notation.

Belongs here: sending what is not told yet. Does not belong here: finding out what is wrong (``inventory.alerts``).
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr
from sqlalchemy import Engine

from intune_pipeline.inventory import alerts
from intune_pipeline.inventory.alerts import Trouble
from intune_pipeline.settings import SettingsError

if TYPE_CHECKING:
    import apprise

log = structlog.get_logger(__name__)

#: A tick of a sensor may last 60 seconds, and a webhook may be slow.
MESSAGES_PER_TICK = 20

#: Sends a title and a text; says whether somebody got them.
Notify = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Notifier:
    """How people are told.

    Attributes:
        notify: sends one message; None: nobody is to be told.
        problem: why nobody can be told, a sentence; "" when that is as it should be.
    """

    notify: Notify | None = None
    problem: str = ""


def watch(
    engine: Engine, *, late_after: timedelta, notify: Notify | None, also: Iterable[Trouble] = ()
) -> list[Trouble]:
    """Record what is wrong, tell people of what is new, and return all that is wrong now.

    One message per cause and tenant until it clears. What could not be sent is tried again at the next call.

    Args:
        engine: allwhere's database.
        late_after: how old the last good sync of a tenant may be.
        notify: sends one message; None: nobody is to be told, the alerts are only recorded.
        also: what is wrong beside that, which allwhere's database cannot know.
    """
    with engine.begin() as db:
        found = [*alerts.troubles(db, late_after=late_after), *also]
        alerts.record(db, found)
    with engine.begin() as db:
        for alert in alerts.untold(db, limit=MESSAGES_PER_TICK) if notify else ():
            log.warning("alert", cause=alert.cause)
            if notify and notify(_title(alert.cause), alert.message):
                alerts.told(db, [alert.id])
    return found


def notifier_of(addresses: SecretStr | None) -> Notifier:
    """Sends to all of these addresses; one that nobody understands is a problem to be said, what is wrong is recorded still."""
    try:
        return Notifier(notify_at(addresses))
    except SettingsError as error:
        log.error("alerts_not_sent", reason=str(error))  # noqa: TRY400 - a sentence is all there is to say
        return Notifier(problem=f"Nobody is told: {error}")


def notify_at(addresses: SecretStr | None) -> Notify | None:
    """Sends to all of these addresses; None when there are none.

    Args:
        addresses: in Apprise's notation, which says itself where one ends: an address may hold commas.

    Raises:
        SettingsError: an address is malformed.
    """
    if addresses is None:
        return None
    everybody = _understood(addresses)

    def notify(title: str, body: str) -> bool:
        try:
            sent = bool(everybody.notify(title=title, body=body, notify_type="warning"))
        except Exception as error:  # noqa: BLE001 - one message must not keep the others from being sent
            log.error("alert_not_sent", error=type(error).__name__)  # noqa: TRY400 - a traceback may show the address
            return False
        if not sent:
            log.error("alert_not_sent")
        return sent

    return notify


def how_many_addresses(addresses: SecretStr | None) -> int:
    """How many addresses there are.

    Raises:
        SettingsError: an address is malformed.
    """
    return 0 if addresses is None else len(_understood(addresses))


def quiet_apprise() -> None:
    """Keep Apprise from logging addresses, which hold passwords, and what servers answer."""
    library = logging.getLogger("apprise")
    if library.propagate:
        library.addHandler(logging.NullHandler())
        library.propagate = False


def _understood(addresses: SecretStr) -> "apprise.Apprise":
    import apprise

    quiet_apprise()
    everybody = apprise.Apprise()
    if not everybody.add(addresses.get_secret_value()):
        raise SettingsError("INTUNE_ALERT_URLS holds an address that Apprise does not know; see docs/operations.md.")
    return everybody


def _title(cause: str) -> str:
    return f"Intune sync: {cause.replace('_', ' ')}"
