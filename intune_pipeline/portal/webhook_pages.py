"""The pages of webhooks: where to, what is told, secrets, the log of messages.

Belongs here: these pages, and what the API shares with them. Does not belong here: storing (``inventory.webhooks``,
``inventory.webhook_deliveries``) and sending (``webhook_sender``).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import SecurityEvent, WebhookEvent
from intune_pipeline.domain.web_addresses import AddressRefusedError
from intune_pipeline.domain.webhooks import SUBSCRIBABLE
from intune_pipeline.inventory import webhook_deliveries, webhooks
from intune_pipeline.inventory.webhook_deliveries import UnknownDeliveryError
from intune_pipeline.inventory.webhooks import UnknownWebhookError, Webhook
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin, PageRecentPrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import NotHereError, PortalError
from intune_pipeline.portal.inputs import FilledText, Id, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
CHECKED = [Depends(checked_form)]
WEBHOOKS: Final = f"{HOME}/webhooks"
LOG_PAGE: Final = 50
Event = Literal[
    WebhookEvent.SYNC_FINISHED,
    WebhookEvent.SYNC_FAILED,
    WebhookEvent.ASSET_CHANGED,
    WebhookEvent.EMPLOYEE_CREATED,
    WebhookEvent.NEEDS_CHANGED,
]

EVENTS: Final[Mapping[WebhookEvent, str]] = {
    WebhookEvent.ASSET_CHANGED: "Assets were created, changed, assigned, ended, merged, undone or locked",
    WebhookEvent.EMPLOYEE_CREATED: "Employees were created",
    WebhookEvent.SYNC_FINISHED: "A sync finished",
    WebhookEvent.SYNC_FAILED: "A sync failed",
    WebhookEvent.NEEDS_CHANGED: "What waits for a person of yours changed",
    WebhookEvent.TEST: "A test",
}


class AddressError(PortalError):
    """A webhook cannot lead there."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Check the address"
    event = SecurityEvent.WEBHOOK_REFUSED


def check_address(portal: PortalContext, admin: Admin, url: str) -> None:
    """Look where an address leads, without a database connection in hand.

    Raises:
        AddressError: nowhere, or to where nothing is ever sent.
        TooOftenError: the account has asked too often.
    """
    limits.spend(portal, limits.WEBHOOKS, admin.account)
    try:
        portal.webhook_client.check(url)
    except AddressRefusedError as error:
        raise AddressError(str(error), cause="webhook address") from None


def found(db: Connection, admin: Admin, webhook_id: UUID) -> Webhook:
    """One of the account's webhooks.

    Raises:
        NotHereError: the account has no such webhook.
    """
    try:
        return webhooks.get(db, admin.account.id, webhook_id)
    except UnknownWebhookError as error:
        raise NotHereError(str(error)) from None


def created(
    portal: PortalContext, admin: Admin, url: str, events: Sequence[str], description: str
) -> tuple[Webhook, str]:
    """Make a webhook; returns it and its secret, to be shown this once.

    Raises:
        AddressError: nothing is ever sent there.
        WrongUseError: the account has as many as it may have, or there is no key.
    """
    check_address(portal, admin, url)
    with portal.transaction(admin.account) as db:
        return webhooks.create(
            db,
            admin.account.id,
            portal.vault,
            url,
            [WebhookEvent(event) for event in events],
            description=description,
            actor=admin.label,
            now=portal.clock(),
        )


def changed(portal: PortalContext, admin: Admin, webhook_id: UUID, values: Mapping[str, Any]) -> Webhook:
    """Change address, description or events.

    Raises:
        AddressError: nothing is ever sent to the new address.
        NotHereError: the account has no such webhook.
    """
    if "url" in values:
        check_address(portal, admin, values["url"])
    stored = dict(values)
    if "events" in stored:
        stored["events"] = [WebhookEvent(event) for event in stored["events"]]
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        return webhooks.change(db, admin.account.id, webhook_id, stored, actor=admin.label)


def rotated(portal: PortalContext, admin: Admin, webhook_id: UUID) -> tuple[Webhook, str]:
    """Make a new secret; returns it, to be shown this once.

    Raises:
        NotHereError: the account has no such webhook.
    """
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        secret = webhooks.rotate(db, admin.account.id, webhook_id, portal.vault, actor=admin.label, now=portal.clock())
        return webhooks.get(db, admin.account.id, webhook_id), secret


def turned(portal: PortalContext, admin: Admin, webhook_id: UUID, *, on: bool) -> Webhook:
    """Switch a webhook on, or pause it.

    Raises:
        NotHereError: the account has no such webhook.
    """
    turn = webhooks.switch_on if on else webhooks.pause
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        return turn(db, admin.account.id, webhook_id, actor=admin.label, now=portal.clock())


def tested(portal: PortalContext, admin: Admin, webhook_id: UUID) -> webhook_deliveries.Delivery:
    """Have a test sent.

    Raises:
        NotHereError: the account has no such webhook.
        TooOftenError: the account has asked too often.
    """
    limits.spend(portal, limits.WEBHOOKS, admin.account)
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        return webhook_deliveries.ask_for_test(db, admin.account.id, webhook_id, actor=admin.label, now=portal.clock())


def replayed(portal: PortalContext, admin: Admin, webhook_id: UUID, delivery_id: int) -> webhook_deliveries.Delivery:
    """Have a message sent again.

    Raises:
        NotHereError: the account has no such webhook, or its log no such message that was sent.
        TooOftenError: the account has asked too often.
    """
    limits.spend(portal, limits.WEBHOOKS, admin.account)
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        try:
            return webhook_deliveries.replay(db, admin.account.id, webhook_id, delivery_id, actor=admin.label)
        except UnknownDeliveryError as error:
            raise NotHereError(str(error)) from None


def removed(portal: PortalContext, admin: Admin, webhook_id: UUID) -> None:
    """Remove a webhook with its log.

    Raises:
        NotHereError: the account has no such webhook.
    """
    with portal.transaction(admin.account) as db:
        found(db, admin, webhook_id)
        webhooks.remove(db, admin.account.id, webhook_id, actor=admin.label)


@router.get(WEBHOOKS)
def webhooks_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The account's webhooks."""
    return _list(request, portal, admin)


@router.post(WEBHOOKS, dependencies=CHECKED)
def create(
    request: Request,
    portal: ThePortal,
    admin: PageRecentPrimaryAdmin,
    url: Annotated[FilledText, Form()],
    event: Annotated[list[Event] | None, Form()] = None,
    description: Annotated[Text, Form()] = "",
) -> Response:
    """Make one, and show its secret this once."""
    typed = {"url": url, "events": event or [], "description": description}
    if not event:
        return _list(request, portal, admin, typed, "Choose at least one thing to be told.")
    try:
        webhook, secret = created(portal, admin, url, event, description)
    except AddressError as refused:
        return _list(request, portal, admin, typed, refused.sentence)
    return page(request, "webhook_secret.html", webhook=webhook, secret=secret, rotated=False)


@router.get(f"{WEBHOOKS}/{{webhook_id}}")
def webhook_page(
    request: Request, portal: ThePortal, admin: PageAdmin, webhook_id: UUID, before: Id | None = None
) -> Response:
    """One webhook and its log."""
    with portal.transaction(admin.account) as db:
        webhook = found(db, admin, webhook_id)
        log = webhook_deliveries.log(db, admin.account.id, webhook_id, limit=LOG_PAGE + 1, before=before)
    shown = log[:LOG_PAGE]
    return page(
        request,
        "webhook.html",
        webhook=webhook,
        log=shown,
        older_than=shown[-1].id if len(log) > LOG_PAGE else None,
        events=EVENTS,
        subscribable=SUBSCRIBABLE,
        both_sign=webhook.previous_secret_until is not None and webhook.previous_secret_until > portal.clock(),
        kept_days=webhook_deliveries.KEPT_FOR // timedelta(days=1),
    )


@router.post(f"{WEBHOOKS}/{{webhook_id}}", dependencies=CHECKED)
def change(
    portal: ThePortal,
    admin: PageRecentPrimaryAdmin,
    webhook_id: UUID,
    url: Annotated[FilledText, Form()],
    event: Annotated[list[Event], Form(min_length=1)],
    description: Annotated[Text, Form()] = "",
) -> Response:
    """Change address, description and events."""
    changed(portal, admin, webhook_id, {"url": url, "events": event, "description": description})
    return _back(webhook_id)


@router.post(f"{WEBHOOKS}/{{webhook_id}}/secret", dependencies=CHECKED)
def rotate(request: Request, portal: ThePortal, admin: PageRecentPrimaryAdmin, webhook_id: UUID) -> Response:
    """Make a new secret, and show it this once."""
    webhook, secret = rotated(portal, admin, webhook_id)
    return page(request, "webhook_secret.html", webhook=webhook, secret=secret, rotated=True)


@router.post(f"{WEBHOOKS}/{{webhook_id}}/status", dependencies=CHECKED)
def turn(portal: ThePortal, admin: PagePrimaryAdmin, webhook_id: UUID, on: Annotated[bool, Form()]) -> Response:
    """Pause it, or switch it on."""
    turned(portal, admin, webhook_id, on=on)
    return _back(webhook_id)


@router.post(f"{WEBHOOKS}/{{webhook_id}}/test", dependencies=CHECKED)
def test(portal: ThePortal, admin: PagePrimaryAdmin, webhook_id: UUID) -> Response:
    """Have a test sent; the log shows what comes of it."""
    tested(portal, admin, webhook_id)
    return _back(webhook_id)


@router.post(f"{WEBHOOKS}/{{webhook_id}}/replay", dependencies=CHECKED)
def replay(
    portal: ThePortal, admin: PagePrimaryAdmin, webhook_id: UUID, delivery_id: Annotated[Id, Form()]
) -> Response:
    """Have a message sent again."""
    replayed(portal, admin, webhook_id, delivery_id)
    return _back(webhook_id)


@router.post(f"{WEBHOOKS}/{{webhook_id}}/remove", dependencies=CHECKED)
def remove(portal: ThePortal, admin: PagePrimaryAdmin, webhook_id: UUID) -> Response:
    """Remove it with its log."""
    removed(portal, admin, webhook_id)
    return RedirectResponse(WEBHOOKS, status_code=303)


def _list(
    request: Request,
    portal: PortalContext,
    admin: Admin,
    typed: Mapping[str, Any] | None = None,
    problem: str | None = None,
) -> Response:
    with portal.transaction(admin.account) as db:
        every = webhooks.every(db, admin.account.id)
    return page(
        request,
        "webhooks.html",
        422 if problem else 200,
        webhooks=every,
        most=webhooks.MOST,
        events=EVENTS,
        subscribable=SUBSCRIBABLE,
        typed=typed or {"url": "", "events": [], "description": ""},
        problem=problem,
    )


def _back(webhook_id: UUID) -> Response:
    return RedirectResponse(f"{WEBHOOKS}/{webhook_id}", status_code=303)
