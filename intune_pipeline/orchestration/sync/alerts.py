"""Telling people: e-mail, Slack, Teams or a webhook, whatever ``INTUNE_ALERT_URLS`` names in Apprise's notation.

Belongs here: sending what is not told yet. Does not belong here: finding out what is wrong (``inventory.alerts``).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr
from sqlalchemy import Engine

from intune_pipeline.domain.nouns import counted
from intune_pipeline.inventory import alerts
from intune_pipeline.inventory.alerts import Alert, OpenCause, Trouble
from intune_pipeline.settings import SettingsError

if TYPE_CHECKING:
    import apprise

log = structlog.get_logger(__name__)

#: A tick of a sensor may last 60 seconds, and a webhook may be slow.
MESSAGES_PER_TICK = 20
#: So many tenants with the same trouble are a message each; more are one message together.
FEW = 4
SECONDS_BETWEEN_MANY = 1800
NAMES_LISTED = 200

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


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people.

    Attributes:
        cause: what it is about.
        title: its subject.
        text: what happened and what to do.
        alert_ids: the alerts it tells of.
    """

    cause: str
    title: str
    text: str
    alert_ids: tuple[int, ...]


def watch(
    engine: Engine, *, late_after: timedelta, notify: Notify | None, also: Iterable[Trouble] = ()
) -> list[Trouble]:
    """Record what is wrong, tell people of what is new, and return all that is wrong now.

    One message per cause and tenant until it clears, and one for all where they are many; see `messages`. What could not be
    sent is tried again at the next call.

    Args:
        engine: allwhere's database.
        late_after: how old the last good sync of a tenant may be.
        notify: sends one message; None: nobody is to be told, the alerts are only recorded.
        also: what is wrong beside that, which allwhere's database cannot know.
    """
    with engine.begin() as db:
        found = [*alerts.troubles(db, late_after=late_after), *also]
        alerts.record(db, found)
    if notify:
        with engine.begin() as db:
            for message in messages(alerts.untold(db), alerts.open_causes(db))[:MESSAGES_PER_TICK]:
                log.warning("alert", cause=message.cause, tenants=len(message.alert_ids))
                if notify(message.title, message.text):
                    alerts.told(db, message.alert_ids)
    return found


def messages(untold: Sequence[Alert], causes: Mapping[str, OpenCause]) -> list[Message]:
    """What people are told now: a message for each alert, or one for all tenants of a cause where they are many.

    When a cause spreads over many tenants little by little, people are told at once that it does, and of those that follow
    together, every `SECONDS_BETWEEN_MANY`.

    Args:
        untold: alerts nobody was told of, the oldest first.
        causes: how many tenants each cause concerns now, those told of included.
    """
    by_cause: dict[str, list[Alert]] = {}
    for alert in untold:
        by_cause.setdefault(alert.cause, []).append(alert)
    found: list[Message] = []
    for cause, several in by_cause.items():
        concerned = causes.get(cause)
        if concerned is None or concerned.tenants <= FEW or any(alert.account is None for alert in several):
            found += [Message(cause, _title(cause), alert.message, (alert.id,)) for alert in several]
        elif _is_time(several, concerned):
            found.append(_about_many(cause, several, concerned.tenants))
    return found


def _is_time(several: Sequence[Alert], concerned: OpenCause) -> bool:
    """Whether people are told now of some more tenants with a trouble that many have."""
    were_few = concerned.tenants - len(several) <= FEW
    return were_few or concerned.told_ago is None or concerned.told_ago.total_seconds() >= SECONDS_BETWEEN_MANY


def _about_many(cause: str, several: Sequence[Alert], tenants: int) -> Message:
    names = sorted(alert.account or "" for alert in several)
    listed = ", ".join(names[:NAMES_LISTED]) + (
        f" and {len(names) - NAMES_LISTED} more" if names[NAMES_LISTED:] else ""
    )
    new = (
        f"{len(names)} tenants" if len(names) == tenants else f"{counted(len(names), 'more tenant')}, {tenants} in all"
    )
    text = f"{new}: {listed}.\nOne of them, {several[0].message}\nAll: intune-pipeline fleet --trouble"
    return Message(cause, f"{_title(cause)} ({tenants} tenants)", text, tuple(alert.id for alert in several))


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
