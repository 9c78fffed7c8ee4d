"""Connecting Microsoft Intune: the page that explains it, the way to Microsoft and back, and every way it can end.

The order (Microsoft's redirects prove nothing by themselves): a one-time state leaves with the browser for the admin
consent and must come back in the same session; then the person signs in at Microsoft, and only the tenant of that
validated sign-in counts, if the person holds a directory role there that can consent; then a token and one call prove
the grant, and only then the tenant is the account's. Does not belong here: reading Microsoft's answers (``microsoft``),
who may link a tenant (``domain.tenant_ownership``) and storing (``inventory``).
"""

import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from intune_pipeline.domain.vocabulary import ConnectionStatus, ConnectStep, OwnershipProblem
from intune_pipeline.inventory import accounts, connect_attempts, connections, invitations, linking
from intune_pipeline.inventory.connect_attempts import AttemptError, AttemptProblem
from intune_pipeline.inventory.linking import Proof, TenantMismatchError
from intune_pipeline.inventory.tenant_owners import TenantLinkedElsewhereError
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.microsoft.consent import (
    ANY_ORGANISATION,
    ConsentOutcome,
    admin_consent_url,
    parse_consent_redirect,
)
from intune_pipeline.microsoft.sign_in import SignedIn, SignInError, SignInProblem, finish_sign_in, start_sign_in
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.connect_answers import (
    CONNECT,
    VERIFYING,
    Connecting,
    ended,
    failed,
    not_granted,
    show,
    verified,
)
from intune_pipeline.portal.invitation_pages import invite
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import leaving, page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
CONSENT_RETURN = f"{CONNECT}/consent"
SIGN_IN_RETURN = f"{CONNECT}/sign-in"
PROGRESS = f"{HOME}/progress"
ThePortal = Annotated[PortalContext, Depends(portal_of)]

log = logging.getLogger(__name__)


@router.get(CONNECT)
def explain(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The page before consent."""
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, admin.account.slug)
        figures = accounts.employee_figures(db, admin.account.slug)
        invitation = invitations.of_account(db, admin.account.id, portal.clock())
    if connection is not None and connection.status == ConnectionStatus.CONNECTED:
        return RedirectResponse(HOME, status_code=303)
    shown: dict[str, Any] = {"figures": figures, "connection": connection, "invitation": invitation}
    return page(request, "connect.html", primary=admin.is_primary, **shown)


@router.post(CONNECT, dependencies=[Depends(checked_form)])
def to_consent(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    hold_lookalike_employees: Annotated[bool, Form()] = False,
    mdm_assignee_updates: Annotated[bool, Form()] = False,
    plan_first: Annotated[bool, Form()] = False,
    consent_by: Annotated[Literal["me", "administrator"], Form()] = "me",
) -> Response:
    """Put the choices aside and send the browser to Microsoft's consent page, or make a link for who may consent."""
    choices = {
        "hold_lookalike_employees": hold_lookalike_employees,
        "mdm_assignee_updates": mdm_assignee_updates,
        "plan_first": plan_first,
    }
    if consent_by == "administrator":
        return invite(request, portal, admin, choices)
    state = connect_attempts.new_state()
    limits.spend(portal, limits.CONNECTS, admin.account)
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, admin.account.slug)
        connect_attempts.begin(
            db,
            state,
            account_id=admin.account.id,
            session_id=admin.session_id,
            requested_by=admin.label,
            step=ConnectStep.CONSENT,
            choices=choices,
        )
    # Who connects again is led to the tenant they are bound to.
    lives = connection is not None and connection.status != ConnectionStatus.DISCONNECTED
    bound = connection.tenant_id if connection is not None and lives else None
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
        return ended(request, "stateless")
    attempt = _taken(request, portal, admin, answer.state, ConnectStep.CONSENT)
    if isinstance(attempt, Response):
        return attempt
    if answer.outcome is not ConsentOutcome.GRANTED:
        connecting = _connecting(admin, answer.claimed_tenant_id)
        return show(request, not_granted(request, portal, connecting, answer))
    state = connect_attempts.new_state()
    try:
        start = start_sign_in(
            portal.microsoft.cloud,
            portal.microsoft.credential,
            redirect_uri=portal.address(SIGN_IN_RETURN),
            state=state,
        )
    except MicrosoftError as error:
        return show(request, failed(request, portal, _connecting(admin, answer.claimed_tenant_id), error.cause))
    with portal.transaction(admin.account) as db:
        connect_attempts.begin(
            db,
            state,
            account_id=admin.account.id,
            session_id=admin.session_id,
            requested_by=admin.label,
            step=ConnectStep.SIGN_IN,
            choices=attempt.choices,
            tenant_id=answer.claimed_tenant_id,
            sealed=portal.seal.close(start.flow),
        )
    return RedirectResponse(start.url, status_code=303)


@router.get(SIGN_IN_RETURN)
def back_from_sign_in(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Prove the tenant and its administrator, then the grant."""
    state = request.query_params.get("state")
    if not state:
        return ended(request, "stateless")
    attempt = _taken(request, portal, admin, state, ConnectStep.SIGN_IN)
    if isinstance(attempt, Response):
        return attempt
    flow = portal.seal.open(attempt.secrets or "")
    if flow is None:
        return ended(request, "state_expired")
    try:
        person = finish_sign_in(
            portal.microsoft.cloud,
            portal.microsoft.credential,
            flow,
            request.query_params,
            accepted=portal.microsoft.linking_roles,
        )
    except SignInError as error:
        return ended(request, "sign_in_declined" if error.problem is SignInProblem.DECLINED else "sign_in_untrusted")
    except MicrosoftError as error:
        return show(request, failed(request, portal, _connecting(admin, attempt.tenant_id), error.cause))
    proof = Proof(person.tenant_id, person.user_id, person.user_name, person.roles, portal.clock())
    refusal = _refusal(person, attempt.tenant_id)
    if refusal is not None:
        return _not_theirs(request, portal, admin, proof, refusal)
    return _bind(request, portal, admin, proof, dict(attempt.choices))


@router.get(VERIFYING)
def verifying(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The page that waits for Microsoft; the portal keeps trying whether or not somebody looks."""
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, admin.account.slug)
    if connection is None or connection.status != ConnectionStatus.VERIFYING:
        return RedirectResponse(_after_verifying(connection), status_code=303)
    return page(request, "verifying.html")


@router.get(f"{VERIFYING}.json")
def verifying_state(portal: ThePortal, admin: PageAdmin) -> JSONResponse:
    """The same for the page's script."""
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, admin.account.slug)
    waits = connection is not None and connection.status == ConnectionStatus.VERIFYING
    go_to = None if waits else _after_verifying(connection)
    return JSONResponse({"steps": [], "sentence": "Still waiting for Microsoft.", "go_to": go_to, "again_in_ms": 5000})


def _connecting(admin: Admin, tenant_id: str | None) -> Connecting:
    return Connecting(admin.account.id, admin.account.slug, admin.label, admin.person.subject, tenant_id or "")


def _refusal(person: SignedIn, claimed_tenant_id: str | None) -> str | None:
    """Why this sign-in does not prove the tenant that consent came back for: the outcome's name, None when it does."""
    if person.problem is OwnershipProblem.PERSONAL_ACCOUNT:
        return person.problem
    return OwnershipProblem.WRONG_TENANT if person.tenant_id != claimed_tenant_id else person.problem


def _not_theirs(request: Request, portal: PortalContext, admin: Admin, proof: Proof, why: str) -> Response:
    """Record who wanted to link which tenant without the right to, and say so."""
    with portal.transaction(admin.account) as db:
        linking.refused(db, admin.account.id, actor=admin.label, tenant_id=proof.tenant_id, why=why, proof=proof)
    if why == OwnershipProblem.ROLES_NOT_TOLD:
        log.error(
            "The id token of a sign-in at Microsoft carried no wids, so tenant %s was not linked to account %s. When this "
            "happens to administrators, set groupMembershipClaims to DirectoryRole in the app's manifest.",
            proof.tenant_id,
            admin.account.slug,
        )
    return ended(request, why)


def _bind(request: Request, portal: PortalContext, admin: Admin, proof: Proof, choices: dict[str, Any]) -> Response:
    try:
        with portal.transaction(admin.account) as db:
            connection = linking.bind(db, admin.account.slug, proof, actor=admin.label, **choices)
    except TenantLinkedElsewhereError:
        return ended(request, "linked_elsewhere")
    except TenantMismatchError:
        return ended(request, "other_tenant")
    return verified(request, portal, connection)


def _after_verifying(connection: connections.Record | None) -> str:
    if connection is not None and connection.status == ConnectionStatus.AWAITING_APPROVAL:
        return f"{HOME}/plan"
    return PROGRESS if connection is not None and connection.status == ConnectionStatus.CONNECTED else HOME


def _taken(
    request: Request, portal: PortalContext, admin: Admin, state: str, step: ConnectStep
) -> connect_attempts.Attempt | Response:
    """The attempt behind a state, used up; or the page that says why there is none."""
    if not admin.is_primary:
        return ended(request, "not_primary")
    try:
        with portal.transaction(admin.account) as db:
            return connect_attempts.take(db, state, account_id=admin.account.id, session_id=admin.session_id, step=step)
    except AttemptError as error:
        ends = {AttemptProblem.EXPIRED: "state_expired", AttemptProblem.USED: "state_used"}
        return ended(request, ends.get(error.problem, "state_unknown"))
