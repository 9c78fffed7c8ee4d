"""The JSON API's webhooks.

Belongs here: the routes and their schemas. Does not belong here: what they share with the pages (``webhook_pages``).
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from intune_pipeline.domain.vocabulary import DeliveryStatus, WebhookEvent, WebhookStatus
from intune_pipeline.inventory import webhook_deliveries, webhooks
from intune_pipeline.portal.access import TokenAdmin, TokenPrimaryAdmin, TokenRecentPrimaryAdmin
from intune_pipeline.portal.api_schema import COMMON, CONFLICT, NOT_FOUND, TOO_OFTEN, Input, Output, ThePortal
from intune_pipeline.portal.inputs import FilledText, Id, Text
from intune_pipeline.portal.webhook_pages import (
    Event,
    changed,
    created,
    found,
    removed,
    replayed,
    rotated,
    tested,
    turned,
)

router = APIRouter(prefix="/api/v1/webhooks", responses=COMMON)
Events = Annotated[list[Event], Field(min_length=1, max_length=len(WebhookEvent))]


class NewWebhook(Input):
    """Where to, and what to tell."""

    url: FilledText = Field(description="https, on the public internet, port 443 or 8443")
    events: Events
    description: Text = ""


class WebhookChange(Input):
    """What to change; what is left out stays."""

    url: FilledText | None = None
    events: Events | None = None
    description: Text | None = None


class Webhook(Output):
    """A webhook."""

    id: UUID
    url: str
    description: str
    events: list[WebhookEvent]
    status: WebhookStatus
    status_reason: str | None
    status_since: datetime
    failures: int = Field(description="in a row")
    next_try_at: datetime
    previous_secret_until: datetime | None = Field(
        description="until then the secret before the last rotation signs too"
    )
    created_by: str
    created_at: datetime


class WebhookWithSecret(Output):
    """A webhook and its new secret, which is never shown again."""

    webhook: Webhook
    secret: str


class Try(Output):
    """One try to send a message."""

    at: datetime
    status: int | None = Field(description="HTTP status; null when there was no answer")
    seconds: float
    problem: str = Field(description="empty when the receiver accepted")


class Delivery(Output):
    """A message in the log."""

    id: int = Field(description="the sequence in the message's data")
    message_id: UUID = Field(description="the header webhook-id is msg_ and its 32 digits")
    event: WebhookEvent
    changes: int = Field(description="how many events it tells")
    status: DeliveryStatus
    asked_by: str | None
    tries: list[Try]
    created_at: datetime
    accepted_at: datetime | None


@router.get("")
def every(portal: ThePortal, admin: TokenAdmin) -> list[Webhook]:
    """The account's webhooks, the oldest first."""
    with portal.transaction(admin.account) as db:
        return [Webhook.model_validate(one) for one in webhooks.every(db, admin.account.id)]


@router.post("", status_code=201, responses=CONFLICT | TOO_OFTEN)
def create(portal: ThePortal, admin: TokenRecentPrimaryAdmin, new: NewWebhook) -> WebhookWithSecret:
    """Make a webhook that tells of what happens from now on. Primary Admins only."""
    webhook, secret = created(portal, admin, new.url, new.events, new.description)
    return WebhookWithSecret(webhook=Webhook.model_validate(webhook), secret=secret)


@router.get("/{webhook_id}", responses=NOT_FOUND)
def one(portal: ThePortal, admin: TokenAdmin, webhook_id: UUID) -> Webhook:
    """One webhook."""
    with portal.transaction(admin.account) as db:
        return Webhook.model_validate(found(db, admin, webhook_id))


@router.patch("/{webhook_id}", responses=NOT_FOUND | CONFLICT | TOO_OFTEN)
def change(portal: ThePortal, admin: TokenRecentPrimaryAdmin, webhook_id: UUID, asked: WebhookChange) -> Webhook:
    """Change address, events or description. Primary Admins only."""
    return Webhook.model_validate(changed(portal, admin, webhook_id, asked.model_dump(exclude_none=True)))


@router.delete("/{webhook_id}", status_code=204, responses=NOT_FOUND)
def remove(portal: ThePortal, admin: TokenPrimaryAdmin, webhook_id: UUID) -> None:
    """Remove a webhook with its log. Primary Admins only."""
    removed(portal, admin, webhook_id)


@router.post("/{webhook_id}/pause", responses=NOT_FOUND)
def pause(portal: ThePortal, admin: TokenPrimaryAdmin, webhook_id: UUID) -> Webhook:
    """Send nothing until it is switched on. Primary Admins only."""
    return Webhook.model_validate(turned(portal, admin, webhook_id, on=False))


@router.post("/{webhook_id}/switch-on", responses=NOT_FOUND)
def switch_on(portal: ThePortal, admin: TokenPrimaryAdmin, webhook_id: UUID) -> Webhook:
    """Send again, beginning with what waits. Primary Admins only."""
    return Webhook.model_validate(turned(portal, admin, webhook_id, on=True))


@router.post("/{webhook_id}/secret", responses=NOT_FOUND | CONFLICT)
def rotate(portal: ThePortal, admin: TokenRecentPrimaryAdmin, webhook_id: UUID) -> WebhookWithSecret:
    """Make a new secret; for a day the one before signs too. Primary Admins only."""
    webhook, secret = rotated(portal, admin, webhook_id)
    return WebhookWithSecret(webhook=Webhook.model_validate(webhook), secret=secret)


@router.post("/{webhook_id}/test", status_code=202, responses=NOT_FOUND | TOO_OFTEN)
def test(portal: ThePortal, admin: TokenPrimaryAdmin, webhook_id: UUID) -> Delivery:
    """Have a test sent within seconds, even while the webhook is off. Primary Admins only."""
    return _delivery(tested(portal, admin, webhook_id))


@router.get("/{webhook_id}/deliveries", responses=NOT_FOUND)
def deliveries(
    portal: ThePortal,
    admin: TokenAdmin,
    webhook_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[Id | None, Query(description="only messages older than this id")] = None,
) -> list[Delivery]:
    """The log of the last 30 days, newest first."""
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        log = webhook_deliveries.log(db, admin.account.id, webhook_id, limit=limit, before=before)
    return [_delivery(one) for one in log]


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202, responses=NOT_FOUND | TOO_OFTEN)
def replay(portal: ThePortal, admin: TokenPrimaryAdmin, webhook_id: UUID, delivery_id: Id) -> Delivery:
    """Have a message sent again under its id, telling the present state. Primary Admins only."""
    return _delivery(replayed(portal, admin, webhook_id, delivery_id))


def _delivery(one: webhook_deliveries.Delivery) -> Delivery:
    told = {name: getattr(one, name) for name in one.__slots__ if name != "event_ids"}
    return Delivery.model_validate({**told, "changes": len(one.event_ids)})
