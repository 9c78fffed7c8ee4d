"""Revealing one activation-lock bypass code, once for each time its form is filled in.

Belongs here: the form's answer, and the same for the API. Does not belong here: ciphers, how often, and the audit entry
(``inventory.vault``).
"""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.database import DatabaseUnreachableError
from intune_pipeline.inventory.vault import SHORTEST_REASON, RevealLimitError, ShownAlreadyError
from intune_pipeline.portal.access import Admin, PageRecentPrimaryAdmin
from intune_pipeline.portal.device_links import DEVICE, device_href
from intune_pipeline.portal.errors import ConflictError, TooOftenError
from intune_pipeline.portal.inputs import FilledText, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)


@router.post(f"{DEVICE}/reveal", dependencies=[Depends(checked_form)])
def reveal(
    request: Request,
    portal: Annotated[PortalContext, Depends(portal_of)],
    admin: PageRecentPrimaryAdmin,
    serial_number: Annotated[FilledText, Form()],
    reason: Annotated[Text, Form()] = "",
    once: Annotated[Text, Form()] = "",
) -> Response:
    """Show one bypass code. Sending the same form again, as by loading the page again, shows nothing."""
    shown: dict[str, Any] = {"serial_number": serial_number, "device_href": device_href(serial_number)}
    if len(reason.strip()) < SHORTEST_REASON:
        problem = f"Write a reason of {SHORTEST_REASON} characters at least, so that others understand it."
        return page(request, "reveal.html", 422, reason=reason, problem=problem, **shown)
    form = hashlib.sha256(once.encode()).hexdigest()[:32] if once else ""
    code = revealed(portal, admin, serial_number, reason, form=form)
    return page(request, "revealed.html", code=code, **shown)


def revealed(portal: PortalContext, admin: Admin, serial_number: str, reason: str, *, form: str = "") -> str:
    """Decrypt a code, with the audit row in the same transaction.

    Raises:
        TooOftenError: the account has revealed too many within an hour.
        ConflictError: there is no such code, it cannot be opened, or the form was answered before.
    """
    try:
        with portal.transaction(admin.account) as db:
            return portal.vault.reveal(
                db, admin.account.slug, serial_number, reason=reason.strip(), actor=admin.label, form=form
            )
    except DatabaseUnreachableError:
        raise
    except RevealLimitError as error:
        wait = max(1, round((error.possible_at - portal.clock()).total_seconds()))
        raise TooOftenError(f"{error}", wait, cause="reveals") from None
    except ShownAlreadyError:
        raise ConflictError(
            "A code is shown once each time you fill in its form, and this form was answered already. If you need the "
            "code again, open the device's page and say why.",
            title="The code was shown already",
        ) from None
    except PipelineError as error:
        raise ConflictError(str(error), event=SecurityEvent.REVEAL_FAILED, cause=type(error).__name__) from None
