"""The page of one device, locking its fields, and revealing its bypass code.

Belongs here: these pages. Does not belong here: the list (``device_list_pages``), the story of a device
(``inventory.history``), what its page tells of it (``device_evidence``) and its bypass code (``reveal_pages``).
"""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.inventory import connections, device_list, evidence, kept_values
from intune_pipeline.inventory.history import why, why_record
from intune_pipeline.inventory.story import Story
from intune_pipeline.microsoft.admin_centres import admin_centres
from intune_pipeline.portal import device_evidence
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.device_links import DEVICE, device_href, list_href
from intune_pipeline.portal.errors import NotHereError
from intune_pipeline.portal.inputs import FilledText, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
_ENTRA_ID: Final = "azure_ad_device_id"


@router.get(DEVICE)
def device_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    serial_number: Text = "",
    intune_device_id: Text = "",
    back: Text = "",
) -> Response:
    """Why one device is in the inventory as it is, by its serial number or, where it has none, by Intune's id."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        story = _story(db, account, serial_number, intune_device_id)
        record = story.records[0] if story.records else None
        says = evidence.intune_says(db, account, record.intune_device_id) if record else None
        gone = device_list.gone(db, account, [one.intune_device_id for one in story.records])
        connection = connections.of_account(db, account)
    entra_id = says.values.get(_ENTRA_ID) if says else None
    return page(
        request,
        "device.html",
        story=story,
        record=record,
        says=says,
        gone=gone,
        state=device_evidence.state_of(story, gone),
        fields=device_evidence.fields_of(story, says),
        events=device_evidence.events_of(story),
        centres=_centres(
            portal, connection, record.intune_device_id if record else None, str(entra_id) if entra_id else None
        ),
        kept_away=next((one for one in story.kept if one.field == WHOLE_ASSET), None),
        runs=f"{HOME}/runs",
        back_href=list_href(back),
    )


def _centres(
    portal: PortalContext, connection: connections.Record | None, intune_device_id: str | None, entra_id: str | None
) -> list[tuple[str, str]]:
    """Where the device is opened at Microsoft: a label and an address each."""
    known = admin_centres(portal.microsoft.microsoft_graph_url)
    if known is None or connection is None or connection.tenant_id is None:
        return []
    links = []
    if intune_device_id:
        links.append(("Open in Intune", known.device_in_intune(connection.tenant_id, intune_device_id)))
    if entra_id:
        links.append(("Open in Entra", known.device_in_entra(connection.tenant_id, entra_id)))
    return links


@router.post(f"{DEVICE}/locks", dependencies=[Depends(checked_form)])
def change_lock(
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    serial_number: Annotated[FilledText, Form()],
    field: Annotated[FilledText, Form()],
    step: Annotated[Literal["lock", "unlock"], Form()],
) -> Response:
    """Let syncs leave a field as it is, or write it again."""
    change = kept_values.lock if step == "lock" else kept_values.release
    with portal.transaction(admin.account) as db:
        change(db, admin.account.slug, serial_number, field, actor=admin.label)
    return RedirectResponse(f"{device_href(serial_number)}#fields", status_code=303)


def story_of(portal: PortalContext, admin: Admin, serial_number: str) -> Story:
    """The story of one device.

    Raises:
        NotHereError: nothing is known of this serial number.
    """
    with portal.transaction(admin.account) as db:
        return _story(db, admin.account.slug, serial_number)


def _story(db: Connection, account: str, serial_number: str, intune_device_id: str = "") -> Story:
    if serial_number:
        story = why(db, account, serial_number)
        if story.asset is None and not story.records:
            raise NotHereError(f"{serial_number} is {story.verdict}", title="No such device")
        return story
    found = why_record(db, account, intune_device_id)
    if found is None:
        raise NotHereError("No sync has seen such a device among your company's.", title="No such device")
    return found
