"""Connecting Microsoft Intune: the page that explains it, the way to Microsoft and back, and every way it can end.

The order (Microsoft's redirects prove nothing by themselves): a one-time state leaves with the browser for the admin
consent and must come back in the same session; then the person signs in at Microsoft, and only the tenant of that
validated sign-in is bound to the account; then a token and one call prove the grant. Does not belong here: reading
Microsoft's answers (``microsoft``) and storing (``inventory``).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from intune_pipeline.inventory import accounts, connect_attempts, connections
from intune_pipeline.inventory.connect_attempts import AttemptError, AttemptProblem
from intune_pipeline.inventory.connections import TenantLinkedElsewhereError, TenantMismatchError
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.consent import (
    ANY_ORGANISATION,
    ConsentAnswer,
    ConsentOutcome,
    GrantOutcome,
    admin_consent_url,
    parse_consent_redirect,
)
from intune_pipeline.microsoft.sign_in import SignInError, SignInProblem, finish_sign_in, start_sign_in
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.outcomes import Outcome, of_cause, of_code
from intune_pipeline.portal.portal import Portal, portal_of
from intune_pipeline.portal.rendering import leaving, page
from intune_pipeline.portal.security import checked_form
from intune_pipeline.portal.sign_in import HOME
from intune_pipeline.portal.verification import verify

router = APIRouter(include_in_schema=False)
CONNECT = f"{HOME}/connect"
CONSENT_RETURN = f"{CONNECT}/consent"
SIGN_IN_RETURN = f"{CONNECT}/sign-in"
VERIFYING = f"{HOME}/verifying"
PROGRESS = f"{HOME}/progress"
ThePortal = Annotated[Portal, Depends(portal_of)]


@router.get(CONNECT)
def explain(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The page before consent."""
    with portal.engine.connect() as db:
        connection = connections.of_account(db, admin.account.slug)
        figures = accounts.employee_figures(db, admin.account.slug)
    if connection is not None and connection.status == "connected":
        return RedirectResponse(HOME, status_code=303)
    return page(request, "connect.html", figures=figures, connection=connection, primary=admin.is_primary)


@router.post(CONNECT, dependencies=[Depends(checked_form)])
def to_consent(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    hold_lookalike_employees: Annotated[bool, Form()] = False,
    mdm_assignee_updates: Annotated[bool, Form()] = False,
) -> Response:
    """Put the choices aside and send the browser to Microsoft's consent page."""
    choices = {"hold_lookalike_employees": hold_lookalike_employees, "mdm_assignee_updates": mdm_assignee_updates}
    state = connect_attempts.new_state()
    with portal.engine.begin() as db:
        connection = connections.of_account(db, admin.account.slug)
        connect_attempts.begin(
            db,
            state,
            account_id=admin.account.id,
            session_id=request.session["id"],
            requested_by=admin.label,
            step="consent",
            choices=choices,
        )
    # Who connects again is led to the tenant they are bound to.
    bound = connection.tenant_id if connection is not None and connection.status != "disconnected" else None
    url = admin_consent_url(
        portal.microsoft.cloud,
        portal.microsoft.credential.client_id,
        redirect_uri=portal.address(CONSENT_RETURN),
        state=state,
        tenant=bound or ANY_ORGANISATION,
    )
    return leaving(request, url, "Taking you to Microsoft")


@router.get(CONSENT_RETURN)
def back_from_consent(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Read what the consent page says; when consent was given, go on to the sign-in that proves the tenant."""
    answer = parse_consent_redirect(request.query_params)
    if answer.state is None:
        return _ended(request, "stateless")
    attempt = _taken(request, portal, admin, answer.state, "consent")
    if isinstance(attempt, Response):
        return attempt
    if answer.outcome is not ConsentOutcome.GRANTED:
        return _show(request, _outcome_of(answer))
    state = connect_attempts.new_state()
    try:
        start = start_sign_in(
            portal.microsoft.cloud,
            portal.microsoft.credential,
            redirect_uri=portal.address(SIGN_IN_RETURN),
            state=state,
        )
    except MicrosoftError as error:
        return _show(request, of_cause(error.cause))
    with portal.engine.begin() as db:
        connect_attempts.begin(
            db,
            state,
            account_id=admin.account.id,
            session_id=request.session["id"],
            requested_by=admin.label,
            step="sign_in",
            choices=attempt.choices,
            tenant_id=answer.claimed_tenant_id,
            sealed=portal.seal.close(start.flow),
        )
    return RedirectResponse(start.url, status_code=303)


@router.get(SIGN_IN_RETURN)
def back_from_sign_in(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Prove the tenant, bind it, and prove the grant."""
    state = request.query_params.get("state")
    if not state:
        return _ended(request, "stateless")
    attempt = _taken(request, portal, admin, state, "sign_in")
    if isinstance(attempt, Response):
        return attempt
    flow = portal.seal.open(attempt.secrets or "")
    if flow is None:
        return _ended(request, "state_expired")
    try:
        person = finish_sign_in(portal.microsoft.cloud, portal.microsoft.credential, flow, request.query_params)
    except SignInError as error:
        return _ended(request, "sign_in_declined" if error.problem is SignInProblem.DECLINED else "sign_in_untrusted")
    except MicrosoftError as error:
        return _show(request, of_cause(error.cause))
    if person.tenant_id != attempt.tenant_id:
        return _ended(request, "wrong_tenant")
    return _bind(request, portal, admin, person.tenant_id, dict(attempt.choices))


@router.get(VERIFYING)
def verifying(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The page that waits for Microsoft; the portal keeps trying whether or not somebody looks."""
    with portal.engine.connect() as db:
        connection = connections.of_account(db, admin.account.slug)
    if connection is None or connection.status != "verifying":
        return RedirectResponse(_after_verifying(connection), status_code=303)
    return page(request, "verifying.html")


@router.get(f"{VERIFYING}.json")
def verifying_state(portal: ThePortal, admin: PageAdmin) -> JSONResponse:
    """The same for the page's script."""
    with portal.engine.connect() as db:
        connection = connections.of_account(db, admin.account.slug)
    waits = connection is not None and connection.status == "verifying"
    go_to = None if waits else _after_verifying(connection)
    return JSONResponse({"steps": [], "sentence": "Still waiting for Microsoft.", "go_to": go_to, "again_in_ms": 5000})


def _bind(request: Request, portal: Portal, admin: Admin, tenant_id: str, choices: dict[str, Any]) -> Response:
    try:
        with portal.engine.begin() as db:
            connection = connections.bind(db, admin.account.slug, tenant_id, actor=admin.label, **choices)
    except TenantLinkedElsewhereError:
        return _ended(request, "linked_elsewhere")
    except TenantMismatchError:
        return _ended(request, "other_tenant")
    check = verify(portal, connection, admin.label)
    if check.outcome is GrantOutcome.REFUSED:
        return _show(request, of_cause(check.cause or Cause.UNEXPECTED))
    return RedirectResponse(VERIFYING, status_code=303)


def _after_verifying(connection: connections.Record | None) -> str:
    return PROGRESS if connection is not None and connection.status == "connected" else HOME


def _taken(
    request: Request, portal: Portal, admin: Admin, state: str, step: connect_attempts.Step
) -> connect_attempts.Attempt | Response:
    """The attempt behind a state, used up; or the page that says why there is none."""
    if not admin.is_primary:
        return _ended(request, "not_primary")
    try:
        with portal.engine.begin() as db:
            return connect_attempts.take(
                db, state, account_id=admin.account.id, session_id=request.session["id"], step=step
            )
    except AttemptError as error:
        ends = {AttemptProblem.EXPIRED: "state_expired", AttemptProblem.USED: "state_used"}
        return _ended(request, ends.get(error.problem, "state_unknown"))


def _outcome_of(answer: ConsentAnswer) -> Outcome:
    if answer.outcome is ConsentOutcome.FAILED and answer.cause is not None:
        return of_cause(answer.cause, answer.code)
    return of_code(answer.outcome.value)


def _ended(request: Request, code: str) -> Response:
    return _show(request, of_code(code))


def _show(request: Request, outcome: Outcome) -> Response:
    return page(request, "outcome.html", outcome.status, outcome=outcome)
