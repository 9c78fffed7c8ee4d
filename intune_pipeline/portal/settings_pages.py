"""Settings and disconnecting.

Belongs here: these pages. Does not belong here: what a setting does (``domain``) and storing it (``inventory``, which
writes the audit log in the same transaction).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.inventory import connections, mails, unknown_models, waiting
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin, PageRecentPrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import ConflictError
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
SETTINGS = f"{HOME}/settings"
CHECKED = [Depends(checked_form)]


def connected(db: Connection, account: str) -> connections.Record:
    """The account's connection.

    Raises:
        ConflictError: it has none.
    """
    connection = connections.of_account(db, account)
    if connection is None:
        raise ConflictError("Microsoft Intune is not connected. Connect it first.")
    return connection


@router.get(SETTINGS)
def settings_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Everything that can be set."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, account)
        if connection is None:
            return RedirectResponse(f"{HOME}/connect", status_code=303)
        shown: dict[str, Any] = {
            "connection": connection,
            "waiting": waiting.counts(db, account).everything,
            "unknown_models": len(unknown_models.worth_teaching(db, account)),
            "mail_digest": mails.chosen(db, admin.account.id, admin.person.subject),
            "email": admin.person.email,
        }
    return page(request, "settings.html", **shown)


@router.get(f"{SETTINGS}/assignee")
def assignee_question(request: Request, portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """The confirmation as a page, for browsers without script."""
    with portal.transaction(admin.account) as db:
        connection = connected(db, admin.account.slug)
    return page(request, "assignee.html", connection=connection)


@router.post(f"{SETTINGS}/assignee", dependencies=CHECKED)
def set_assignee_updates(portal: ThePortal, admin: PagePrimaryAdmin, allow: Annotated[bool, Form()]) -> Response:
    """Turn "Allow MDM to update allwhere assignee" on or off."""
    return _set(portal, admin, {"mdm_assignee_updates": allow})


@router.post(f"{SETTINGS}/lookalikes", dependencies=CHECKED)
def set_lookalikes(portal: ThePortal, admin: PagePrimaryAdmin, hold: Annotated[bool, Form()]) -> Response:
    """Turn holding look-alikes on or off."""
    return _set(portal, admin, {"hold_lookalike_employees": hold})


def _set(portal: PortalContext, admin: Admin, values: dict[str, bool]) -> Response:
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        connections.change_settings(db, admin.account.slug, values, actor=admin.label)
    return RedirectResponse(SETTINGS, status_code=303)


@router.get(f"{SETTINGS}/disconnect")
def disconnect_question(request: Request, portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """What disconnecting does and does not do."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
    return page(request, "disconnect.html")


@router.post(f"{SETTINGS}/disconnect", dependencies=CHECKED)
def disconnect(portal: ThePortal, admin: PageRecentPrimaryAdmin) -> Response:
    """Disconnect; assets, employees and history stay."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        connections.disconnect(db, admin.account.slug, actor=admin.label)
    return RedirectResponse(HOME, status_code=303)
