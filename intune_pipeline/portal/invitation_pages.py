"""The colleague who is the Microsoft administrator: a link for them, their answer, and the confirmation of the tenant.

The administrator has no user in allwhere. Their link's secret and a cookie of their browser are all they carry; whatever
changes something needs, too, the one-time state of a sign-in at Microsoft that showed a directory role. They only ever
open addresses (no forms), so nothing is read of somebody unknown. Does not belong here: storing (``inventory``), the way of
an admin who consents alone (``connect_pages``).
"""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import (
    ConnectionStatus,
    ConnectStep,
    EndOfConnection,
    InvitationStatus,
    OwnershipProblem,
)
from intune_pipeline.inventory import audit, connect_attempts, connections, invitations, linking
from intune_pipeline.inventory.connect_attempts import Attempt, AttemptError, AttemptProblem
from intune_pipeline.inventory.invitations import Invitation
from intune_pipeline.inventory.linking import Proof, TenantMismatchError
from intune_pipeline.inventory.tenant_owners import TenantLinkedElsewhereError
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.microsoft.consent import ConsentOutcome, admin_consent_url, parse_consent_redirect
from intune_pipeline.microsoft.sign_in import SignedIn, SignInError, SignInProblem, finish_sign_in, start_sign_in
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.connect_answers import CONNECT, Connecting, ended, failed, not_granted, verified
from intune_pipeline.portal.outcomes import Outcome, of_code
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
INVITATION = "/invitation"
CONSENT_RETURN = f"{INVITATION}/consent"
SIGN_IN_RETURN = f"{INVITATION}/sign-in"
REFUSE = f"{INVITATION}/refuse"
CONFIRM = f"{HOME}/confirm"
_COOKIE_SECONDS = 3600
_INVITED = "Microsoft administrator"
ThePortal = Annotated[PortalContext, Depends(portal_of)]


def invite(request: Request, portal: PortalContext, admin: Admin, choices: Mapping[str, Any]) -> Response:
    """Make a link and show it, once."""
    with portal.transaction(admin.account) as db:
        token = invitations.create(db, admin.account.id, requested_by=admin.label, choices=choices, now=portal.clock())
    return page(request, "invitation_made.html", link=portal.address(f"{INVITATION}/{token}"))


@router.post(f"{HOME}/invitation/withdraw", dependencies=[Depends(checked_form)])
def withdraw(portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """Make the link useless."""
    with portal.transaction(admin.account) as db:
        if invitations.end(db, admin.account.id, InvitationStatus.WITHDRAWN):
            audit.record(db, admin.account.id, actor=admin.label, action="withdraw")
        waiting = connections.of_account(db, admin.account.slug)
        if waiting is not None and waiting.status == ConnectionStatus.AWAITING_CONFIRMATION:
            _refuse(db, waiting, admin.label, "A Primary Admin withdrew the link. Connect again when you want to.")
    return RedirectResponse(CONNECT, status_code=303)


@router.get(CONFIRM)
def confirm_question(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Whose tenant the administrator consented for."""
    with portal.transaction(admin.account) as db:
        waiting = connections.of_account(db, admin.account.slug)
    if waiting is None or waiting.status != ConnectionStatus.AWAITING_CONFIRMATION:
        return RedirectResponse(HOME, status_code=303)
    return page(request, "confirm.html", connection=waiting, name=_tenant_name(waiting))


@router.post(CONFIRM, dependencies=[Depends(checked_form)])
def confirm(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    tenant_id: Annotated[str, Form()],
    decision: Annotated[Literal["confirm", "refuse"], Form()],
) -> Response:
    """Let allwhere read the tenant that was shown, or not."""
    with portal.transaction(admin.account) as db:
        waiting = connections.of_account(db, admin.account.slug)
        awaits = waiting is not None and waiting.status == ConnectionStatus.AWAITING_CONFIRMATION
        if waiting is None or not awaits or waiting.candidate_tenant_id != tenant_id:
            return ended(request, "nothing_to_confirm")
        if decision == "refuse":
            invitations.end(db, admin.account.id, InvitationStatus.REFUSED)
            _refuse(db, waiting, admin.label, "A Primary Admin said that the tenant is not yours. Connect again.")
            return RedirectResponse(CONNECT, status_code=303)
        if not linking.approve(db, waiting, actor=admin.label, now=portal.clock()):
            return ended(request, "nothing_to_confirm")
        approved = connections.get(db, admin.account.slug)
    return verified(request, portal, approved)


def _tenant_name(connection: connections.Record) -> str:
    """The domain of the administrator's name, which is how people know their tenant."""
    return (connection.proven_by_upn or "").rpartition("@")[2] or str(connection.candidate_tenant_id)


@router.get(CONSENT_RETURN)
def back_from_consent(request: Request, portal: ThePortal) -> Response:
    """Read what the consent page says; when consent was given, let the administrator sign in once more."""
    answer = parse_consent_redirect(request.query_params)
    attempt = _taken(request, portal, answer.state, ConnectStep.INVITED_CONSENT)
    if isinstance(attempt, Response):
        return attempt
    invitation = _invitation_of(request, portal, attempt)
    if invitation is None:
        return _ended(request, "invitation_over")
    if answer.outcome is not ConsentOutcome.GRANTED:
        return _show(request, not_granted(request, portal, _connecting(invitation, attempt), answer))
    if answer.claimed_tenant_id != attempt.tenant_id:
        return _ended(request, OwnershipProblem.WRONG_TENANT)
    person = portal.seal.open(attempt.secrets or "") or {}
    known = {"tenant_id": attempt.tenant_id, "oid": person.get("oid", "")}
    return _to_sign_in(request, portal, invitation, ConnectStep.INVITED_PROOF, **known)


@router.get(SIGN_IN_RETURN)
def back_from_sign_in(request: Request, portal: ThePortal) -> Response:
    """The administrator signed in: before consent, to be shown what they decide about; after it, as proof."""
    state = request.query_params.get("state")
    attempt = _taken(request, portal, state, ConnectStep.INVITED_SIGN_IN, ConnectStep.INVITED_PROOF)
    if isinstance(attempt, Response):
        return attempt
    invitation, kept = _invitation_of(request, portal, attempt), portal.seal.open(attempt.secrets or "")
    if invitation is None or kept is None:
        return _ended(request, "invitation_over")
    microsoft = portal.microsoft
    try:
        person = finish_sign_in(
            microsoft.cloud, microsoft.credential, kept["flow"], request.query_params, accepted=microsoft.linking_roles
        )
    except SignInError as error:
        declined = error.problem is SignInProblem.DECLINED
        return _ended(request, "sign_in_declined" if declined else "sign_in_untrusted")
    except MicrosoftError as error:
        return _show(request, failed(request, portal, _connecting(invitation, attempt), error.cause))
    proof = Proof(person.tenant_id, person.user_id, person.user_name, person.roles, portal.clock())
    why = _refusal(person, attempt.tenant_id, kept.get("oid"))
    if why is not None:
        with portal.transaction_for(invitation.account_id) as db:
            linking.refused(db, invitation.account_id, actor=_INVITED, tenant_id=person.tenant_id, why=why, proof=proof)
        return _ended(request, why)
    if attempt.tenant_id is None:
        return _review(request, portal, invitation, person)
    return _answer(request, portal, invitation, proof)


@router.get(REFUSE)
def refuse(request: Request, portal: ThePortal) -> Response:
    """The administrator, signed in, says no, or withdraws what is not confirmed yet."""
    attempt = _taken(request, portal, request.query_params.get("state"), ConnectStep.INVITED_CONSENT)
    if isinstance(attempt, Response):
        return attempt
    person = portal.seal.open(attempt.secrets or "") or {}
    invitation = _invitation_of(request, portal, attempt)
    if invitation is None:
        return _ended(request, "invitation_over")
    with portal.transaction_for(invitation.account_id) as db:
        waiting = connections.of_account(db, invitation.account)
        if invitation.status is InvitationStatus.ANSWERED and (
            waiting is None or waiting.candidate_tenant_id != attempt.tenant_id
        ):
            return _ended(request, OwnershipProblem.WRONG_TENANT)
        invitations.end(db, invitation.account_id, InvitationStatus.REFUSED)
        sentence = "Your Microsoft administrator refused. Talk to them, then make a new link."
        if waiting is not None and waiting.status == ConnectionStatus.AWAITING_CONFIRMATION:
            _refuse(db, waiting, _INVITED, sentence)
        else:
            tenant_id, why = attempt.tenant_id or "", EndOfConnection.REFUSED
            linking.refused(
                db, invitation.account_id, actor=str(person.get("upn") or _INVITED), tenant_id=tenant_id, why=why
            )
    return _ended(request, "refused_by_administrator")


@router.get(f"{INVITATION}/{{token}}")
def invited(request: Request, portal: ThePortal, token: str) -> Response:
    """Who asks, and what will be read."""
    invitation = _invitation_of_token(portal, token)
    if invitation is None:
        return _ended(request, "invitation_over")
    browser = _browser(request, portal)
    known = invitations.account_of(browser) == invitation.account_id
    shown = page(request, "invitation.html", invitation=invitation, start=f"{INVITATION}/{token}/start")
    shown.set_cookie(
        _cookie_name(portal),
        browser if known else f"{invitation.account_id}.{secrets.token_urlsafe(32)}",
        max_age=_COOKIE_SECONDS,
        secure=portal.https,
        httponly=True,
        samesite="lax",
    )
    return shown


@router.get(f"{INVITATION}/{{token}}/start")
def start(request: Request, portal: ThePortal, token: str) -> Response:
    """To the sign-in at Microsoft that shows who opened the link."""
    invitation = _invitation_of_token(portal, token)
    if invitation is None:
        return _ended(request, "invitation_over")
    return _to_sign_in(request, portal, invitation, ConnectStep.INVITED_SIGN_IN)


def _to_sign_in(
    request: Request,
    portal: PortalContext,
    invitation: Invitation,
    step: ConnectStep,
    tenant_id: str | None = None,
    oid: str | None = None,
) -> Response:
    state = connect_attempts.new_state()
    try:
        begun = start_sign_in(
            portal.microsoft.cloud,
            portal.microsoft.credential,
            redirect_uri=portal.address(SIGN_IN_RETURN),
            state=state,
        )
    except MicrosoftError as error:
        return _show(request, failed(request, portal, _connecting(invitation), error.cause))
    _begin(request, portal, invitation, state, step, tenant_id, {"flow": begun.flow, "oid": oid})
    return RedirectResponse(begun.url, status_code=303)


def _begin(
    request: Request,
    portal: PortalContext,
    invitation: Invitation,
    state: str,
    step: ConnectStep,
    tenant_id: str | None,
    kept: dict[str, Any],
) -> None:
    with portal.transaction_for(invitation.account_id) as db:
        connect_attempts.begin(
            db,
            state,
            account_id=invitation.account_id,
            session_id=_browser(request, portal),
            requested_by=invitation.requested_by,
            step=step,
            choices={"invitation": invitation.id},
            tenant_id=tenant_id,
            sealed=portal.seal.close(kept),
        )


def _refusal(person: SignedIn, tenant_id: str | None, oid: str | None) -> str | None:
    """Why this sign-in does not go on; after consent it has to be the same person of the same tenant."""
    if person.problem is not None:
        return person.problem
    if tenant_id is None:
        return None
    if person.tenant_id != tenant_id:
        return OwnershipProblem.WRONG_TENANT
    return None if person.user_id == oid else OwnershipProblem.ANOTHER_ADMINISTRATOR


def _review(request: Request, portal: PortalContext, invitation: Invitation, person: SignedIn) -> Response:
    """Show the administrator what they decide about; the state of their decision works once, in this browser."""
    state = connect_attempts.new_state()
    kept = {"oid": person.user_id, "upn": person.user_name}
    _begin(request, portal, invitation, state, ConnectStep.INVITED_CONSENT, person.tenant_id, kept)
    consent_url = admin_consent_url(
        portal.microsoft.cloud,
        portal.microsoft.credential.client_id,
        redirect_uri=portal.address(CONSENT_RETURN),
        state=state,
        tenant=person.tenant_id,
    )
    shown: dict[str, Any] = {"invitation": invitation, "person": person, "refuse": f"{REFUSE}?state={state}"}
    is_open = invitation.status is InvitationStatus.OPEN
    return page(request, "invitation_review.html", consent_url=consent_url if is_open else None, **shown)


def _answer(request: Request, portal: PortalContext, invitation: Invitation, proof: Proof) -> Response:
    """Note who consented for which tenant; the Primary Admin confirms it."""
    try:
        with portal.transaction_for(invitation.account_id) as db:
            before = connections.of_account(db, invitation.account)
            if before is not None and before.status == ConnectionStatus.CONNECTED:
                return _ended(request, "already_connected")
            if not invitations.answer(db, invitation.id):
                return _ended(request, "invitation_over")
            linking.bind(
                db,
                invitation.account,
                proof,
                actor=invitation.requested_by,
                status=ConnectionStatus.AWAITING_CONFIRMATION,
                **invitation.choices,
            )
            audit.record(
                db,
                invitation.account_id,
                actor=_INVITED,
                action="answer",
                subject=proof.tenant_id,
                **proof.as_details(),
            )
    except TenantLinkedElsewhereError:
        return _ended(request, "linked_elsewhere")
    except TenantMismatchError:
        return _ended(request, "other_tenant")
    return page(request, "invitation_done.html", invitation=invitation)


def _refuse(db: Connection, waiting: connections.Record, actor: str, sentence: str) -> None:
    status = ConnectionStatus.NEEDS_CONSENT if waiting.tenant_id else ConnectionStatus.PENDING
    if linking.end_verifying(db, waiting, status, EndOfConnection.REFUSED, sentence):
        tenant_id = waiting.candidate_tenant_id or ""
        linking.refused(db, waiting.account_id, actor=actor, tenant_id=tenant_id, why=EndOfConnection.REFUSED)


def _connecting(invitation: Invitation, attempt: Attempt | None = None) -> Connecting:
    tenant_id = attempt.tenant_id if attempt else None
    return Connecting(invitation.account_id, invitation.account, _INVITED, tenant_id=tenant_id or "")


def _invitation_of(request: Request, portal: PortalContext, attempt: Attempt) -> Invitation | None:
    with portal.transaction_for(invitations.account_of(_browser(request, portal)) or 0) as db:
        return invitations.of_id(db, int(attempt.choices["invitation"]), portal.clock())


def _invitation_of_token(portal: PortalContext, token: str) -> Invitation | None:
    account_id = invitations.account_of(token)
    if account_id is None:
        return None
    with portal.transaction_for(account_id) as db:
        return invitations.of_token(db, token, portal.clock())


def _taken(request: Request, portal: PortalContext, state: str | None, *steps: ConnectStep) -> Attempt | Response:
    """The attempt behind a state, used up; or the page that says why there is none."""
    browser = _browser(request, portal)
    account_id = invitations.account_of(browser) or 0
    problem = AttemptProblem.UNKNOWN
    for step in steps if state and account_id else ():
        try:
            with portal.transaction_for(account_id) as db:
                return connect_attempts.take(db, state or "", account_id=account_id, session_id=browser, step=step)
        except AttemptError as error:
            problem = error.problem if problem is AttemptProblem.UNKNOWN else problem
    ends = {AttemptProblem.EXPIRED: "state_expired", AttemptProblem.USED: "state_used"}
    return _ended(request, ends.get(problem, "state_unknown"))


def _browser(request: Request, portal: PortalContext) -> str:
    """The account's id and a secret of this browser, since it opened a link; "" before."""
    return request.cookies.get(_cookie_name(portal), "")


def _cookie_name(portal: PortalContext) -> str:
    return "__Host-allwhere-intune-invitation" if portal.https else "allwhere-intune-invitation"


def _ended(request: Request, code: str) -> Response:
    return _show(request, of_code(code))


def _show(request: Request, outcome: Outcome) -> Response:
    return page(request, "invitation_outcome.html", outcome.status, outcome=outcome)
