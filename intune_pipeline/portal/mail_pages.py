"""Choosing e-mails, and the link in each that ends them.

Belongs here: these pages. Does not belong here: storing the choice (``inventory.mails``) and sending, which is the pipeline's.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.domain.vocabulary import Digest
from intune_pipeline.inventory import mails
from intune_pipeline.portal.access import PageAdmin
from intune_pipeline.portal.admission import UNSUBSCRIBE
from intune_pipeline.portal.errors import ConflictError
from intune_pipeline.portal.inputs import Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form
from intune_pipeline.portal.settings_pages import SETTINGS, connected

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
_UNSUBSCRIBE = f"{UNSUBSCRIBE}{{token}}"


@router.post(f"{SETTINGS}/mail", dependencies=[Depends(checked_form)])
def choose_mails(portal: ThePortal, admin: PageAdmin, digest: Annotated[Digest | Literal["off"], Form()]) -> Response:
    """Note the admin's own choice."""
    if not admin.person.email:
        raise ConflictError("Your sign-in has no verified e-mail address, so nothing can be sent to you.")
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        wanted = None if digest == "off" else Digest(digest)
        mails.choose(db, admin.account.id, admin.person.subject, admin.person.email, wanted, portal.clock())
    return RedirectResponse(f"{SETTINGS}#mail", status_code=303)


@router.get(_UNSUBSCRIBE)
def ask(request: Request, token: Text) -> Response:
    """A page with one button: programs that follow every link of an e-mail must not end anything."""
    return page(request, "unsubscribe.html", token=token, ended=False)


@router.post(_UNSUBSCRIBE)
def unsubscribe(request: Request, portal: ThePortal, token: Text) -> Response:
    """End the e-mails of whose link this is: by the button, or by a mail program's one click (RFC 8058).

    It needs no sign-in and no form token: the link itself is the proof, and says the same however often it is used.
    """
    with portal.system_transaction() as db:
        mails.unsubscribe(db, token)
    answer = page(request, "unsubscribe.html", token=token, ended=True)
    # What was sent along is not read; without this the server would go on taking it in.
    answer.headers["connection"] = "close"
    return answer
