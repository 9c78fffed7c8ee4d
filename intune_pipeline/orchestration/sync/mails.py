"""Telling customers' admins by e-mail what waits for them: finding who is to be told now, sending, and noting it.

Belongs here: the round over accounts and people, and sending by the mail server of ``INTUNE_MAIL_URL``. Does not belong here:
what is due and its words (``domain.mails``), who asked for it (``inventory.mails``), and operators (``alerts``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine

from intune_pipeline.domain import mails as rules
from intune_pipeline.domain.mails import Message, Place
from intune_pipeline.domain.needs import Need
from intune_pipeline.domain.vocabulary import NeedKind
from intune_pipeline.inventory import mails, needs
from intune_pipeline.inventory.mails import Subscription
from intune_pipeline.microsoft.causes import Audience, Cause
from intune_pipeline.orchestration.sync.alerts import quiet_apprise
from intune_pipeline.settings import MailSettings, SettingsError

log = structlog.get_logger(__name__)

#: A tick of a sensor may last 60 seconds, and a mail server may be slow.
MAILS_PER_ROUND: Final = 30
_PAGE: Final = "/integrations/intune"
_FAILURES: Final = frozenset({NeedKind.CONNECTION_BROKEN, NeedKind.SYNC_FAILED})

#: Sends a message to an address, with the address that ends it; says whether the server took it.
Send = Callable[[str, Message, str], bool]


@dataclass(frozen=True, slots=True)
class Mailer:
    """How customers' admins are told.

    Attributes:
        send: sends one message; None: nobody is.
        portal_url: where links lead.
        problem: why nobody can be told, a sentence; "" when that is as it should be.
    """

    send: Send | None = None
    portal_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """When digests come, and how old the last good sync may be."""

    now: datetime
    sync_hour: int
    time_zone: str
    late_after: timedelta


def tell(engine: Engine, mailer: Mailer, this: Round) -> int:
    """Send what is due to everybody who asked for it; returns how many messages were sent.

    What could not be sent is not noted, so that the next round tries again.
    """
    if mailer.send is None:
        return 0
    with engine.connect() as db:
        told = mails.accounts_told(db)
    sent = 0
    for account_id, slug, name in told:
        with engine.begin() as db:
            waiting = _for_customers(needs.of_account(db, slug, late_after=this.late_after))
            mails.cleared(db, account_id, {need.kind for need in waiting})
            people = mails.subscriptions(db, account_id)
        for one in people:
            if sent >= MAILS_PER_ROUND:
                return sent
            with engine.begin() as db:
                sent += _tell(db, mailer, this, name, one.id, account_id, waiting)
    return sent


def _tell(
    db: Connection,
    mailer: Mailer,
    this: Round,
    name: str,
    subscription_id: int,
    account_id: int,
    waiting: Sequence[Need],
) -> int:
    """Send one person what is due, and note it in the same transaction; who unsubscribed meanwhile gets nothing."""
    one = next((found for found in mails.subscriptions(db, account_id) if found.id == subscription_id), None)
    if one is None or mailer.send is None:
        return 0
    place = _place(mailer.portal_url, name, one)
    sent = 0
    if new := rules.at_once(waiting, one.told):
        urgent = rules.message(new, waiting, place, urgent=True)
        if not mailer.send(one.email, urgent, place.unsubscribe):
            return 0
        mails.told(db, one, urgent.told)
        sent += 1
    due = rules.digest_is_due(one.digest, one.digest_at, this.now, sync_hour=this.sync_hour, time_zone=this.time_zone)
    if not due:
        return sent
    if new := rules.for_digest(waiting, one.told):
        digest = rules.message(new, waiting, place, urgent=False)
        if not mailer.send(one.email, digest, place.unsubscribe):
            return sent
        mails.told(db, one, digest.told)
        sent += 1
    mails.digest_was_due(db, one, this.now)
    return sent


def _for_customers(found: Sequence[Need]) -> list[Need]:
    """What customers can do something about; what only allwhere's operators can mend, those are told of."""
    ours = {cause.value for cause in Cause if cause.audience is Audience.OPERATOR}
    return [need for need in found if not (need.kind in _FAILURES and need.cause in ours)]


def _place(portal_url: str, name: str, one: Subscription) -> Place:
    home = f"{portal_url.rstrip('/')}{_PAGE}"
    return Place(name, home, f"{home}/settings#mail", f"{portal_url.rstrip('/')}/unsubscribe/{one.token}")


def mailer_of(settings: MailSettings) -> Mailer:
    """Sends by the server of the settings; a malformed address is a problem to be said."""
    if settings.intune_mail_url is None:
        return Mailer()
    if settings.portal_url is None:
        return Mailer(problem="No admin is told by e-mail: PORTAL_URL is not set, to which the links in e-mails lead.")
    address = settings.intune_mail_url.get_secret_value()
    try:
        _server(address, "somebody@example.com", {})
    except SettingsError as error:
        log.error("mails_not_sent", reason=str(error))  # noqa: TRY400 - a sentence is all there is to say
        return Mailer(problem=f"No admin is told by e-mail: {error}")

    def send(to: str, message: Message, unsubscribe: str) -> bool:
        headers = {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        try:
            server = _server(address, to, headers)
            sent = bool(server.notify(title=message.subject, body=message.body, body_format="text"))
        except Exception as error:  # noqa: BLE001 - one message must not keep the others from being sent
            log.error("mail_not_sent", error=type(error).__name__)  # noqa: TRY400 - a traceback may show the address
            return False
        if not sent:
            log.error("mail_not_sent")
        return sent

    return Mailer(send, settings.portal_url)


def _server(address: str, to: str, headers: dict[str, str]) -> Any:
    """Apprise's way to the mail server, for one recipient.

    Raises:
        SettingsError: the address is malformed.
    """
    from apprise import Apprise
    from apprise.plugins import url_to_dict

    quiet_apprise()
    parsed = url_to_dict(address, secure_logging=True)  # type: ignore[no-untyped-call]
    if not parsed or parsed["schema"] not in {"mailto", "mailtos"}:
        raise SettingsError("INTUNE_MAIL_URL is no address that Apprise knows; see docs/operations.md.")
    one = {**parsed, "targets": [to], "cc": None, "bcc": None, "headers": headers, "format": "text"}
    server = Apprise.instantiate(one, suppress_exceptions=True)
    if server is None:
        raise SettingsError("INTUNE_MAIL_URL is no address that Apprise knows; see docs/operations.md.")
    return server
