"""The list of field locks, and of what undos keep back; lifting them.

Belongs here: this page. Does not belong here: locking one field, which the device's page does (``device_pages``).
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import kept_list, kept_values, waiting
from intune_pipeline.portal.access import PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.decision_choice import DECISIONS, PAGE_SIZE, Address, PageNumber, address
from intune_pipeline.portal.device_links import device_href
from intune_pipeline.portal.inputs import FilledText, Text
from intune_pipeline.portal.paging import page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page as rendered
from intune_pipeline.portal.run_pages import run_href
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
LOCKS: Final = f"{DECISIONS}/locks"


@router.get(LOCKS)
def locks_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    search: Text = "",
    page: PageNumber = 1,
    lifted: Text = "",
    field: Text = "",
) -> Response:
    """What syncs leave as it is."""
    with portal.transaction(admin.account) as db:
        total, kept = kept_list.page(
            db, admin.account.slug, search.strip(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE
        )
        counts = waiting.counts(db, admin.account.slug)
    return rendered(
        request,
        "locks.html",
        tab="locks",
        counts=counts,
        kept=kept,
        total=total,
        search=search.strip(),
        number=page,
        pages=page_count(total, PAGE_SIZE),
        here=Address(LOCKS, {"search": search.strip()}),
        lifted=lifted,
        field=field,
        device_href=device_href,
        run_href=run_href,
    )


@router.post(LOCKS, dependencies=[Depends(checked_form)])
def lift(
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    serial_number: Annotated[FilledText, Form()],
    field: Annotated[FilledText, Form()],
    search: Annotated[Text, Form()] = "",
) -> Response:
    """Let syncs write one value again."""
    try:
        with portal.transaction(admin.account) as db:
            kept_values.release(db, admin.account.slug, serial_number, field, actor=admin.label)
    except WrongUseError:
        # Somebody else was quicker: what was wanted is so.
        pass
    told = [("search", search), ("lifted", serial_number), ("field", field)]
    return RedirectResponse(address(LOCKS, told), status_code=303)
