"""Messages to webhooks: made of events, claimed, sent one after the other, and remembered.

Belongs here: the way from ``change_events`` to ``webhook_deliveries`` and what becomes of each. Does not belong here: connecting
to receivers (``portal``), and when to try again (``domain.webhooks``).

``change_events`` is the outbox: triggers write it in the transaction of each deed, and a webhook's cursor says how far its rows
were made into messages, so that none is lost and none is made twice. A message holds the events' ids and is written out when it is
sent: nothing of a person is kept a second time, and a late try tells the present state. What waits for people is compared
with what was told last, because it changes by time alone too.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.counts import MEANINGS
from intune_pipeline.domain.needs import Need
from intune_pipeline.domain.vocabulary import ChangedEntity, DeliveryStatus, WebhookEvent, WebhookStatus
from intune_pipeline.domain.webhooks import entities, messages
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, change_feed, needs, sync_runs
from intune_pipeline.inventory.change_feed import Cursor
from intune_pipeline.inventory.schema import webhook_deliveries, webhooks

KEPT_FOR: Final = timedelta(days=30)
EVENTS_AT_ONCE: Final = 1_000
CLAIMED_FOR: Final = timedelta(minutes=2)
LOOK_AT_NEEDS_EVERY: Final = timedelta(minutes=1)


class UnknownDeliveryError(WrongUseError):
    """The webhook's log has no such message."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the log of a webhook; the attributes are columns of ``webhook_deliveries``."""

    id: int
    message_id: UUID
    event: WebhookEvent
    event_ids: list[int]
    status: DeliveryStatus
    asked_by: str | None
    tries: list[dict[str, Any]]
    created_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A webhook a process may send to for two minutes.

    Attributes:
        url: where.
        status: whether messages are due; when it is off, only tests and replays are.
        due: whether a failure before lies long enough ago.
        failures: failures in a row.
    """

    account_id: int
    webhook_id: UUID
    url: str
    status: WebhookStatus
    due: bool
    failures: int


_COLUMNS: Final = [webhook_deliveries.c[name] for name in Delivery.__slots__]


def due(db: Connection, now: datetime) -> list[tuple[int, UUID]]:
    """Webhooks of every account that have something to send, by account and id."""
    rows = db.execute(sa.text("select * from webhooks_due(:now, :look)"), {"now": now, "look": LOOK_AT_NEEDS_EVERY})
    return [(row.account_id, row.webhook_id) for row in rows]


def claim(db: Connection, account_id: int, webhook_id: UUID, now: datetime) -> Claim | None:
    """Take a webhook to send to it; None when another process has it, or it is gone."""
    row = db.execute(
        _CLAIM, {"id": webhook_id, "account_id": account_id, "now": now, "until": now + CLAIMED_FOR}
    ).first()
    if row is None:
        return None
    status = WebhookStatus(row.status)
    return Claim(
        account_id, webhook_id, row.url, status, status is WebhookStatus.ON and row.next_try_at <= now, row.failures
    )


def release(db: Connection, claimed: Claim) -> None:
    """Let other processes have it."""
    db.execute(sa.update(webhooks).where(webhooks.c.id == claimed.webhook_id).values(claimed_until=None))


def make(db: Connection, claimed: Claim, now: datetime, *, late_after: timedelta) -> int:
    """Make messages of the next events, in one transaction with the cursor; returns how many.

    Only when none waits: while a receiver refuses, changes gather and go into fewer messages.

    Args:
        db: a connection in a transaction that acts for the account.
        claimed: the webhook.
        now: the present moment.
        late_after: how old the last good sync may be, for what waits for people.
    """
    webhook = db.execute(sa.select(webhooks).where(webhooks.c.id == claimed.webhook_id).with_for_update()).one()
    if _waits(db, claimed.webhook_id):
        return 0
    events = [WebhookEvent(event) for event in webhook.events]
    made = []
    of = entities(events)
    if not of:
        reached = change_feed.latest(db, now)
        _remember(db, claimed.webhook_id, cursor=str(reached), read_to=reached.upper)
    else:
        start = Cursor.parse(webhook.cursor)
        rows, reached = change_feed.events(db, claimed.account_id, start, now, limit=EVENTS_AT_ONCE, entities=of)
        made = [(one.event, one.event_ids) for one in messages([(r.id, r.entity, r.kind) for r in rows], events)]
        read_to = reached.lower if len(rows) == EVENTS_AT_ONCE else reached.upper
        _remember(db, claimed.webhook_id, cursor=str(reached), read_to=read_to)
    if WebhookEvent.NEEDS_CHANGED in events:
        waiting = _needs(db, claimed.account_id, late_after)
        digest = _digest(waiting)
        if webhook.needs_told is not None and webhook.needs_told != digest:
            made.append((WebhookEvent.NEEDS_CHANGED, []))
        _remember(db, claimed.webhook_id, needs_told=digest, needs_looked_at=now)
    for event, ids in made:
        _add(db, claimed.account_id, claimed.webhook_id, event, now, event_ids=ids)
    return len(made)


def next_of(db: Connection, claimed: Claim) -> Delivery | None:
    """The message to send now: what people asked for first, then the oldest that waits if the webhook is due."""
    waiting = sa.and_(
        webhook_deliveries.c.webhook_id == claimed.webhook_id,
        webhook_deliveries.c.status == DeliveryStatus.WAITING,
    )
    by_hand = webhook_deliveries.c.asked_by.is_not(None)
    # Somebody may have paused it a moment ago.
    is_on = sa.exists().where(webhooks.c.id == claimed.webhook_id, webhooks.c.status == WebhookStatus.ON)
    waiting = sa.and_(waiting, sa.or_(by_hand, is_on) if claimed.due else by_hand)
    by_hand_first = webhook_deliveries.c.asked_by.is_(None), webhook_deliveries.c.id
    row = db.execute(sa.select(*_COLUMNS).where(waiting).order_by(*by_hand_first).limit(1)).first()
    return None if row is None else _delivery(row)


def body(db: Connection, account_id: int, delivery: Delivery, *, late_after: timedelta) -> str:
    """The message as it is sent: ``type``, ``timestamp`` and ``data``, as Standard Webhooks wants them."""
    account = accounts.by_id(db, account_id)
    data: dict[str, Any] = {"account": account.slug, "sequence": delivery.id}
    if delivery.event in {WebhookEvent.ASSET_CHANGED, WebhookEvent.EMPLOYEE_CREATED}:
        data["changes"] = change_feed.by_ids(db, account_id, delivery.event_ids)
    elif delivery.event in {WebhookEvent.SYNC_FINISHED, WebhookEvent.SYNC_FAILED}:
        data["sync"] = _sync(db, account_id, delivery.event_ids)
    elif delivery.event is WebhookEvent.NEEDS_CHANGED:
        data["needs"] = [asdict(need) for need in _needs(db, account_id, late_after)]
    else:
        data["message"] = "This is a test. Nothing happened."
    told = {"type": delivery.event, "timestamp": delivery.created_at, "data": data}
    return orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()


def accepted(db: Connection, claimed: Claim, delivery: Delivery, tried: dict[str, Any], now: datetime) -> None:
    """The receiver said yes."""
    _close(db, delivery, DeliveryStatus.ACCEPTED, tried, accepted_at=now)
    _remember(db, claimed.webhook_id, failures=0, next_try_at=now)


def refused(
    db: Connection, claimed: Claim, delivery: Delivery, tried: dict[str, Any], next_try_at: datetime | None
) -> None:
    """The receiver did not say yes.

    Args:
        db: a connection in a transaction.
        claimed: the webhook.
        delivery: the message; a test or replay is not tried again by itself.
        tried: the try, for the log.
        next_try_at: when the webhook is tried again; None: it is switched off, and the message waits until it is on again.
    """
    by_hand = delivery.asked_by is not None
    _close(db, delivery, DeliveryStatus.REFUSED if by_hand else DeliveryStatus.WAITING, tried)
    if not by_hand:
        later = {} if next_try_at is None else {"next_try_at": next_try_at}
        _remember(db, claimed.webhook_id, failures=webhooks.c.failures + 1, **later)


def ask_for_test(db: Connection, account_id: int, webhook_id: UUID, *, actor: str, now: datetime) -> Delivery:
    """Have a test message sent at once, even while the webhook is off."""
    return _add(db, account_id, webhook_id, WebhookEvent.TEST, now, asked_by=actor)


def replay(db: Connection, account_id: int, webhook_id: UUID, delivery_id: int, *, actor: str) -> Delivery:
    """Have a message sent again at once, under the same id, telling the present state.

    Raises:
        UnknownDeliveryError: the webhook's log has no such message, or it waits to be sent anyway.
    """
    row = db.execute(
        sa.update(webhook_deliveries)
        .where(
            webhook_deliveries.c.account_id == account_id,
            webhook_deliveries.c.webhook_id == webhook_id,
            webhook_deliveries.c.id == delivery_id,
            webhook_deliveries.c.status != DeliveryStatus.WAITING,
        )
        .values(status=DeliveryStatus.WAITING, asked_by=actor)
        .returning(*_COLUMNS)
    ).first()
    if row is None:
        raise UnknownDeliveryError("There is no such message in the webhook's log, or it is being sent already.")
    return _delivery(row)


def log(db: Connection, account_id: int, webhook_id: UUID, *, limit: int, before: int | None = None) -> list[Delivery]:
    """The webhook's messages, newest first.

    Args:
        db: a connection that acts for the account.
        account_id: whose.
        webhook_id: which.
        limit: how many at most.
        before: only older ones than this id.
    """
    mine = sa.and_(webhook_deliveries.c.account_id == account_id, webhook_deliveries.c.webhook_id == webhook_id)
    query = sa.select(*_COLUMNS).where(mine).order_by(webhook_deliveries.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(webhook_deliveries.c.id < before)
    return [_delivery(row) for row in db.execute(query)]


def delete_old(db: Connection) -> int:
    """Delete what was sent more than 30 days ago, and what waits for an event that is deleted; returns how many."""
    return db.execute(_OLD, {"kept": KEPT_FOR, "longest": change_feed.KEPT_FOR}).rowcount


def _waits(db: Connection, webhook_id: UUID) -> bool:
    waiting = sa.select(webhook_deliveries.c.id).where(
        webhook_deliveries.c.webhook_id == webhook_id,
        webhook_deliveries.c.status == DeliveryStatus.WAITING,
        webhook_deliveries.c.asked_by.is_(None),
    )
    return db.execute(waiting.limit(1)).first() is not None


def _add(
    db: Connection,
    account_id: int,
    webhook_id: UUID,
    event: WebhookEvent,
    now: datetime,
    **columns: Any,
) -> Delivery:
    new = sa.insert(webhook_deliveries).values(
        account_id=account_id, webhook_id=webhook_id, event=event, created_at=now, **columns
    )
    return _delivery(db.execute(new.returning(*_COLUMNS)).one())


def _close(db: Connection, delivery: Delivery, status: DeliveryStatus, tried: dict[str, Any], **columns: Any) -> None:
    db.execute(
        sa.update(webhook_deliveries)
        .where(webhook_deliveries.c.id == delivery.id)
        .values(status=status, tries=[*delivery.tries, tried], **columns)
    )


def _remember(db: Connection, webhook_id: UUID, **columns: Any) -> None:
    db.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**columns))


def _delivery(row: sa.Row[Any]) -> Delivery:
    delivery = Delivery(*row)
    return replace(delivery, event=WebhookEvent(delivery.event), status=DeliveryStatus(delivery.status))


def _sync(db: Connection, account_id: int, event_ids: list[int]) -> dict[str, Any] | None:
    run_id = db.scalar(_RUN_OF_EVENT, {"account_id": account_id, "ids": event_ids, "entity": ChangedEntity.SYNC})
    run = None if run_id is None else sync_runs.get(db, run_id)
    return None if run is None else {name: getattr(run, name) for name in (*_OF_SYNC, *MEANINGS)}


def _needs(db: Connection, account_id: int, late_after: timedelta) -> list[Need]:
    return needs.of_account(db, accounts.by_id(db, account_id).slug, late_after=late_after)


def _digest(waiting: list[Need]) -> str:
    """What must differ for people to be told: sentences tell hours, which pass by themselves."""
    known = sorted((need.kind.value, need.count) for need in waiting)
    return hashlib.sha256(orjson.dumps(known)).hexdigest()


_OF_SYNC: Final = (
    "id",
    "trigger",
    "status",
    "started_at",
    "finished_at",
    "devices_skipped",
    "skipped_by_reason",
    "undoes_run_id",
    "cause",
    "error",
)
_CLAIM = sa.text("""
    update webhooks set claimed_until = :until
    where id = :id and account_id = :account_id and (claimed_until is null or claimed_until < :now)
    returning url, status, next_try_at, failures
""")
_RUN_OF_EVENT = sa.text("""
    select entity_id from change_events
    where account_id = :account_id and id = any(cast(:ids as bigint[])) and entity = :entity
""")
_OLD = sa.text("""
    delete from webhook_deliveries
    where created_at < now() - cast(:kept as interval) and status <> 'waiting'
       or created_at < now() - cast(:longest as interval)
""")
