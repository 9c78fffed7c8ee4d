"""Webhooks of an account: making, changing, pausing and removing them, and their secrets.

Belongs here: what people do with webhooks, each deed with its audit entry. Does not belong here: messages
(``webhook_deliveries``), when they are tried again (``domain.webhooks``), sending (``portal``).

A secret is shown once, when it is made. It is stored sealed with the account's data key and bound to its webhook, as bypass
codes are to their asset.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import WebhookEvent, WebhookStatus
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import audit, change_feed
from intune_pipeline.inventory.schema import webhooks
from intune_pipeline.inventory.vault import Vault

MOST: Final = 5
"""Webhooks of one account."""

BOTH_SIGN_FOR: Final = timedelta(hours=24)
"""How long the secret before a rotation signs beside the new one."""

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


class UnknownWebhookError(WrongUseError):
    """The account has no such webhook."""


class NoKeyError(WrongUseError):
    """Secrets cannot be sealed or opened."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook, without its secrets.

    Attributes:
        id: its row.
        url: where messages go.
        description: what it is for.
        events: what it tells.
        status: whether it is sent to.
        status_reason: why it was switched off.
        status_since: since when.
        failures: failures in a row.
        next_try_at: when it is tried next after a failure.
        previous_secret_until: how long the secret before signs too; None when there is none.
        created_by: who made it.
        created_at: when.
    """

    id: UUID
    url: str
    description: str
    events: tuple[WebhookEvent, ...]
    status: WebhookStatus
    status_reason: str | None
    status_since: datetime
    failures: int
    next_try_at: datetime
    previous_secret_until: datetime | None
    created_by: str
    created_at: datetime


_COLUMNS: Final = [webhooks.c[name] for name in Webhook.__slots__]


def every(db: Connection, account_id: int) -> list[Webhook]:
    """The account's webhooks, the oldest first."""
    query = sa.select(*_COLUMNS).where(webhooks.c.account_id == account_id)
    return [_webhook(row) for row in db.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))]


def get(db: Connection, account_id: int, webhook_id: UUID) -> Webhook:
    """One webhook.

    Raises:
        UnknownWebhookError: the account has no such webhook.
    """
    row = db.execute(sa.select(*_COLUMNS).where(_is(account_id, webhook_id))).one_or_none()
    if row is None:
        raise UnknownWebhookError("Your account has no such webhook.")
    return _webhook(row)


def create(
    db: Connection,
    account_id: int,
    vault: Vault,
    url: str,
    events: Sequence[WebhookEvent],
    *,
    description: str,
    actor: str,
    now: datetime,
) -> tuple[Webhook, str]:
    """Make a webhook that tells of what happens from now on; returns it and its secret, which is never shown again.

    Args:
        db: a connection in a transaction.
        account_id: whose.
        vault: seals the secret.
        url: checked already.
        events: at least one.
        description: what it is for.
        actor: who makes it.
        now: the present moment.

    Raises:
        WrongUseError: the account has as many as it may have.
        NoKeyError: there is no key to seal the secret with.
    """
    # Two at once wait for each other, so that both count.
    db.execute(sa.text("select pg_advisory_xact_lock(:lock, hashint8(:id))"), {"lock": _COUNT_LOCK, "id": account_id})
    if len(every(db, account_id)) >= MOST:
        raise WrongUseError(f"Your account has {MOST} webhooks, which is the most; remove one first.")
    webhook_id, secret = uuid4(), _new_secret()
    cursor = change_feed.latest(db, now)
    db.execute(
        sa.insert(webhooks).values(
            id=webhook_id,
            account_id=account_id,
            url=url,
            description=description,
            events=_ordered(events),
            secret=_sealed(db, account_id, vault, webhook_id, secret),
            cursor=str(cursor),
            read_to=cursor.upper,
            next_try_at=now,
            needs_looked_at=now,
            status_since=now,
            created_at=now,
            created_by=actor,
        )
    )
    _audit(db, account_id, actor, webhook_id, "created", url=url, events=_ordered(events))
    return get(db, account_id, webhook_id), secret


def change(
    db: Connection,
    account_id: int,
    webhook_id: UUID,
    values: Mapping[str, Any],
    *,
    actor: str,
) -> Webhook:
    """Change address, description or events; messages that wait go to the new address.

    Args:
        db: a connection in a transaction.
        account_id: whose.
        webhook_id: which.
        values: ``url``, ``description`` and ``events``, those that change.
        actor: who changes it.

    Raises:
        UnknownWebhookError: the account has no such webhook.
    """
    before = get(db, account_id, webhook_id)
    stored = dict(values)
    if "events" in stored:
        stored["events"] = _ordered(stored["events"])
    told = {"url": before.url, "description": before.description, "events": _ordered(before.events)}
    changed = {name: value for name, value in stored.items() if told[name] != value}
    if changed:
        db.execute(sa.update(webhooks).where(_is(account_id, webhook_id)).values(**changed))
        _audit(db, account_id, actor, webhook_id, "changed", **{n: [told[n], v] for n, v in changed.items()})
    return get(db, account_id, webhook_id)


def pause(db: Connection, account_id: int, webhook_id: UUID, *, actor: str, now: datetime) -> Webhook:
    """Send nothing until it is switched on again; what happens meanwhile is told then.

    Raises:
        UnknownWebhookError: the account has no such webhook.
    """
    if get(db, account_id, webhook_id).status is not WebhookStatus.PAUSED:
        _set_status(db, account_id, webhook_id, WebhookStatus.PAUSED, None, now)
        _audit(db, account_id, actor, webhook_id, WebhookStatus.PAUSED)
    return get(db, account_id, webhook_id)


def switch_on(db: Connection, account_id: int, webhook_id: UUID, *, actor: str, now: datetime) -> Webhook:
    """Send again, beginning with what waits. After more than 90 days only what happens from now on is told.

    Raises:
        UnknownWebhookError: the account has no such webhook.
    """
    before = get(db, account_id, webhook_id)
    if before.status is WebhookStatus.ON:
        return before
    _set_status(db, account_id, webhook_id, WebhookStatus.ON, None, now)
    again: dict[str, Any] = {"failures": 0, "next_try_at": now}
    if now - before.status_since > change_feed.KEPT_FOR:
        cursor = change_feed.latest(db, now)
        again |= {"cursor": str(cursor), "read_to": cursor.upper}
    db.execute(sa.update(webhooks).where(_is(account_id, webhook_id)).values(**again))
    _audit(db, account_id, actor, webhook_id, "switched on")
    return get(db, account_id, webhook_id)


def switch_off(db: Connection, account_id: int, webhook_id: UUID, reason: str, *, now: datetime) -> None:
    """Stop sending because the receiver does not accept anything; a Primary Admin switches it on again."""
    _set_status(db, account_id, webhook_id, WebhookStatus.SWITCHED_OFF, reason, now)
    _audit(db, account_id, "allwhere", webhook_id, "switched off", why=reason)


def remove(db: Connection, account_id: int, webhook_id: UUID, *, actor: str) -> None:
    """Remove a webhook with its log.

    Raises:
        UnknownWebhookError: the account has no such webhook.
    """
    url = get(db, account_id, webhook_id).url
    db.execute(sa.delete(webhooks).where(_is(account_id, webhook_id)))
    _audit(db, account_id, actor, webhook_id, "removed", url=url)


def rotate(db: Connection, account_id: int, webhook_id: UUID, vault: Vault, *, actor: str, now: datetime) -> str:
    """Make a new secret, shown this once; the present one signs beside it for `BOTH_SIGN_FOR`.

    Raises:
        UnknownWebhookError: the account has no such webhook.
        NoKeyError: there is no key to seal the secret with.
    """
    get(db, account_id, webhook_id)
    secret = _new_secret()
    db.execute(
        sa.update(webhooks)
        .where(_is(account_id, webhook_id))
        .values(
            secret=_sealed(db, account_id, vault, webhook_id, secret),
            previous_secret=webhooks.c.secret,
            previous_secret_until=now + BOTH_SIGN_FOR,
        )
    )
    _audit(db, account_id, actor, webhook_id, "secret rotated")
    return secret


def signing_secrets(db: Connection, account_id: int, webhook_id: UUID, vault: Vault, now: datetime) -> list[str]:
    """What a message is signed with now: one secret, or two within a day of a rotation.

    Raises:
        NoKeyError: none of the keys opens the secret.
    """
    columns = webhooks.c.secret, webhooks.c.previous_secret, webhooks.c.previous_secret_until
    row = db.execute(sa.select(*columns).where(_is(account_id, webhook_id))).one()
    sealed = [row.secret]
    if row.previous_secret and row.previous_secret_until > now:
        sealed.append(row.previous_secret)
    seal = vault.of_account(db, account_id) if vault.is_open else None
    opened = [seal.open(one, _bound_to(webhook_id)) for one in sealed] if seal else [None]
    if opened[0] is None:
        raise NoKeyError("The webhook's secret cannot be opened any more. Rotate the secret, then switch it on.")
    return [one for one in opened if one is not None]


_COUNT_LOCK: Final = 0x1A7E_0020


def _is(account_id: int, webhook_id: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(webhooks.c.account_id == account_id, webhooks.c.id == webhook_id)


def _webhook(row: sa.Row[Any]) -> Webhook:
    webhook = Webhook(*row)
    events = tuple(WebhookEvent(event) for event in webhook.events)
    return replace(webhook, events=events, status=WebhookStatus(webhook.status))


def _ordered(events: Sequence[WebhookEvent]) -> list[str]:
    return [event.value for event in WebhookEvent if event in set(events)]


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _bound_to(webhook_id: UUID) -> str:
    return f"webhook {webhook_id}"


def _sealed(db: Connection, account_id: int, vault: Vault, webhook_id: UUID, secret: str) -> str:
    if not vault.is_open:
        raise NoKeyError(
            "Webhooks cannot be used yet: allwhere has no key to keep their secrets with. Write to allwhere."
        )
    return vault.of_account(db, account_id).seal(secret, _bound_to(webhook_id))


def _set_status(
    db: Connection, account_id: int, webhook_id: UUID, status: WebhookStatus, reason: str | None, now: datetime
) -> None:
    change = sa.update(webhooks).where(_is(account_id, webhook_id))
    db.execute(change.values(status=status, status_reason=reason, status_since=now))


def _audit(db: Connection, account_id: int, actor: str, webhook_id: UUID, what: str, **details: Any) -> None:
    audit.record(db, account_id, actor=actor, action="webhook", subject=str(webhook_id), what=what, **details)
