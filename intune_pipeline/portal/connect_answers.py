"""What people are shown at the end of a step of connecting, whoever takes it.

Belongs here: what the admin's own way (``connect_pages``) and the invited administrator's (``invitation_pages``) share.
Does not belong here: the words (``outcomes``) and the steps themselves.
"""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.inventory import connections
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.consent import ConsentAnswer, ConsentOutcome
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.outcomes import Outcome, of_cause, of_code
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.verification import Verdict, verify

CONNECT = f"{HOME}/connect"
VERIFYING = f"{HOME}/verifying"


def verified(request: Request, portal: PortalContext, connection: connections.Record) -> Response:
    """Try the grant once; to the page that waits, or the end that it came to."""
    verdict, cause = verify(portal, connection)
    if verdict is Verdict.REFUSED:
        return show(request, of_cause(cause or Cause.UNEXPECTED))
    if verdict is Verdict.OVERTAKEN:
        return ended(request, "linked_elsewhere")
    return RedirectResponse(VERIFYING, status_code=303)


def outcome_of(answer: ConsentAnswer) -> Outcome:
    """What Microsoft's consent page answered, when it was not consent."""
    if answer.outcome is ConsentOutcome.FAILED and answer.cause is not None:
        return of_cause(answer.cause, answer.code)
    return of_code(answer.outcome.value)


def ended(request: Request, code: str) -> Response:
    """The page of an end by its name."""
    return show(request, of_code(code))


def show(request: Request, outcome: Outcome) -> Response:
    """The page of an end."""
    return page(request, "outcome.html", outcome.status, outcome=outcome)
