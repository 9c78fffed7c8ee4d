"""What people are shown at the end of a step of connecting, whoever takes it.

Belongs here: what the admin's own way (``connect_pages``) and the invited administrator's (``invitation_pages``) share.
Does not belong here: the words (``outcomes``) and the steps themselves.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.inventory import connections, linking
from intune_pipeline.microsoft.causes import Audience, Cause
from intune_pipeline.microsoft.consent import ConsentAnswer, ConsentOutcome
from intune_pipeline.portal import security_log
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


@dataclass(frozen=True, slots=True)
class Connecting:
    """Somebody on the way to connect.

    Attributes:
        account_id: for which account.
        account: its slug.
        actor: who, for the audit log.
        subject: the sign-in provider's id of them, "" when they have none.
        tenant_id: which tenant, as far as it is known; "" when it is not.
    """

    account_id: int
    account: str
    actor: str
    subject: str = ""
    tenant_id: str = ""


def not_granted(request: Request, portal: PortalContext, connecting: Connecting, answer: ConsentAnswer) -> Outcome:
    """Record what Microsoft's consent page answered when it was not consent; the words for it."""
    if answer.outcome is ConsentOutcome.FAILED and answer.cause is not None:
        return failed(request, portal, connecting, answer.cause, answer.code)
    _record(portal, connecting, answer.outcome.value, code=answer.code)
    return of_code(answer.outcome.value)


def failed(request: Request, portal: PortalContext, connecting: Connecting, cause: Cause, code: str = "") -> Outcome:
    """Record that Microsoft answered with an error, and tell operators of one that is theirs; the words for it.

    Args:
        request: what is answered.
        portal: the running portal.
        connecting: who was on the way.
        cause: what the error means.
        code: Microsoft's short code, "" when there is none.
    """
    _record(portal, connecting, ConsentOutcome.FAILED.value, cause=cause.value, code=code)
    if cause.audience is Audience.OPERATOR:
        known = {"subject": connecting.subject, "account": connecting.account}
        why = f"{cause.value} {code}".strip()
        security_log.record(portal, SecurityEvent.CONNECT_FAILED, request, **known, cause=why)
    return of_cause(cause, code)


def _record(portal: PortalContext, connecting: Connecting, why: str, **answered: str) -> None:
    told: dict[str, Any] = {name: value for name, value in answered.items() if value}
    with portal.transaction_for(connecting.account_id) as db:
        linking.refused(
            db, connecting.account_id, actor=connecting.actor, tenant_id=connecting.tenant_id, why=why, **told
        )


def ended(request: Request, code: str) -> Response:
    """The page of an end by its name."""
    return show(request, of_code(code))


def show(request: Request, outcome: Outcome) -> Response:
    """The page of an end."""
    return page(request, "outcome.html", outcome.status, outcome=outcome)
