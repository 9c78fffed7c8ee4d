"""Signing in with Auth0 (any OpenID Connect provider) and out again.

Code flow with PKCE, state and nonce by Authlib. The id_token says who it is, the access token for allwhere's API what
they may do; both are validated. What must come back with the browser rests in a cookie of its own for a quarter of an hour,
so that beginning a sign-in changes nothing about the session there is. Does not belong here: roles and accounts
(``access``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.inventory import accounts, mails, rate_limits, security_counts, sessions
from intune_pipeline.inventory.roles import in_account
from intune_pipeline.portal import browser_sessions, limits, security_log
from intune_pipeline.portal.access import RECENT, Organization, asker_of, organization_of, person_of
from intune_pipeline.portal.access_tokens import TokenProblem, TokenRefusedError, believed, discovery_url, trusted
from intune_pipeline.portal.browser_sessions import HOME, safe_return
from intune_pipeline.portal.errors import PortalError, SignInNeededError, SignInProviderError
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import leaving, page
from intune_pipeline.portal.security import checked_form
from intune_pipeline.settings import PortalSettings

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
CALLBACK: Final = "/sign-in/callback"
FLOW_PATH: Final = "/sign-in"
FLOW_SECONDS: Final = 15 * 60
_TIMEOUT_SECONDS = 10
_LEEWAY = timedelta(minutes=1)
#: What is wrong with a token that the provider itself has just issued to us is how one of the two is set up.
_OUR_SETTINGS = frozenset(
    {TokenProblem.AUDIENCE, TokenProblem.ISSUER, TokenProblem.MALFORMED, TokenProblem.ALGORITHM, TokenProblem.SIGNATURE}
)


class _Provider(StarletteOAuth2App):  # type: ignore[misc]
    """Authlib's client, believing only the signatures we believe whatever the provider announces."""

    async def load_server_metadata(self) -> Mapping[str, Any]:
        description: dict[str, Any] = await super().load_server_metadata()
        description["id_token_signing_alg_values_supported"] = believed(description)
        return description


def client_of(settings: PortalSettings) -> Any:
    """Authlib's client of the sign-in provider; it reads the provider's description on first use."""
    return OAuth().register(
        "auth0",
        client_cls=_Provider,
        server_metadata_url=discovery_url(settings.issuer),
        client_id=settings.auth0_client_id,
        client_secret=settings.auth0_client_secret.get_secret_value(),
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "verify": trusted(settings.auth0_ca_bundle),
            "timeout": _TIMEOUT_SECONDS,
        },
    )


def start_href(after: str, *, fresh: bool = False) -> str:
    """Where a sign-in begins.

    Args:
        after: the page to go to when it is done.
        fresh: whether it must be a sign-in of now, not a session the provider still has.
    """
    return f"/sign-in/start?{urlencode({'next': after} | ({'fresh': 'true'} if fresh else {}))}"


@router.get("/")
def home() -> Response:
    """The portal has one page to land on."""
    return RedirectResponse(HOME, status_code=303)


@router.get("/sign-in")
def sign_in_page(request: Request, after: Annotated[str, Query(alias="next")] = "") -> Response:
    """The page with the sign-in button."""
    asker = asker_of(request)
    if asker is not None and asker.live:
        return RedirectResponse(safe_return(after), status_code=303)
    return page(request, "sign_in.html", start=start_href(safe_return(after)))


@router.get("/sign-in/start")
async def start(
    request: Request, portal: ThePortal, after: Annotated[str, Query(alias="next")] = "", *, fresh: bool = False
) -> Response:
    """Send the browser to the sign-in provider."""
    await run_in_threadpool(limits.check_address, portal, limits.SIGN_IN_FAILURES, security_log.address_of(request))
    request.session.clear()
    request.session.update(after=safe_return(after), fresh=fresh)
    oldest = RECENT if fresh else sessions.LONGEST
    try:
        answer: Response = await request.app.state.sign_in.authorize_redirect(
            request,
            portal.address(CALLBACK),
            audience=portal.settings.auth0_audience,
            max_age=int(oldest.total_seconds()),
        )
    except (httpx2.HTTPError, ValueError, KeyError, RuntimeError):
        raise _unreachable() from None
    return answer


@router.get(CALLBACK)
async def callback(request: Request, portal: ThePortal) -> Response:
    """Take the provider's answer: validate both tokens and begin a session."""
    address = security_log.address_of(request)
    await run_in_threadpool(limits.check_address, portal, limits.SIGN_IN_FAILURES, address)
    after, fresh = safe_return(str(request.session.get("after", ""))), bool(request.session.get("fresh"))
    try:
        arrival = await _arrival(request, portal, fresh=fresh)
    except PortalError as error:
        if error.event is SecurityEvent.SIGN_IN_REFUSED:
            await run_in_threadpool(limits.spend_of_address, portal, limits.SIGN_IN_FAILURES, address)
        raise
    finally:
        request.session.clear()
    token = await run_in_threadpool(_begin, request, portal, arrival)
    answer = RedirectResponse(after, status_code=303)
    browser_sessions.remember(answer, portal, token)
    return answer


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Who came back from the provider, and from which organisation."""

    person: sessions.SignedIn
    organization: Organization


async def _arrival(request: Request, portal: PortalContext, *, fresh: bool) -> _Arrival:
    """Read the provider's answer.

    Raises:
        SignInNeededError: the sign-in was refused, is too old or was not begun here.
        SignInProviderError: the provider does not answer, or its answer cannot be trusted.
    """
    try:
        tokens = await request.app.state.sign_in.authorize_access_token(
            request, claims_options={"iss": {"essential": True, "value": portal.settings.issuer}}
        )
    except OAuthError as error:
        raise _refusal(error) from None
    except httpx2.HTTPError:
        raise _unreachable() from None
    except (JoseError, ValueError, KeyError, RuntimeError) as error:
        raise _untrusted(f"id_token: {type(error).__name__}") from None
    try:
        claims = await run_in_threadpool(portal.access_tokens.claims, str(tokens.get("access_token", "")))
    except TokenRefusedError as error:
        raise _of_token(error.problem) from None
    who = tokens.get("userinfo") or {}
    if not who or who.get("sub") != claims["sub"]:
        raise _untrusted("id_token and access token of two people")
    person = person_of({**claims, **_named(who)}, portal.settings)
    if fresh and not _is_recent(person, portal):
        raise SignInNeededError(
            "The sign-in service did not ask you to sign in again. Sign out, and sign in anew.",
            event=SecurityEvent.SIGN_IN_REFUSED,
            cause="no recent auth_time",
        )
    return _Arrival(person, organization_of(claims, portal.settings))


def _named(who: Mapping[str, Any]) -> dict[str, Any]:
    """What an id_token says of the person; an e-mail comes with its own word on whether it was verified."""
    named = {name: who[name] for name in ("name", "auth_time") if name in who}
    return named | ({"email": who["email"], "email_verified": who.get("email_verified")} if "email" in who else {})


def _is_recent(person: sessions.SignedIn, portal: PortalContext) -> bool:
    return person.authenticated_at is not None and portal.clock() - person.authenticated_at <= RECENT + _LEEWAY


def _begin(request: Request, portal: PortalContext, arrival: _Arrival) -> str:
    """Begin a session in place of the one this browser may have; returns its token."""
    now, organization = portal.clock(), arrival.organization
    with portal.system_transaction() as db:
        account, bound = accounts.of_organization(db, organization.id, organization.name)
        sessions.end(db, browser_sessions.token_of(request, portal), now)
        token = sessions.begin(db, arrival.person, account.id if account else None, now)
        if account is not None:
            person = arrival.person
            with in_account(db, account.id):
                mails.signed_in(db, account.id, person.subject, person.email, is_admin=person.role is not None)
        rate_limits.forget(db, now)
        security_counts.forget(db, now)
    known = {"subject": arrival.person.subject, "account": account.slug if account else ""}
    if bound:
        security_log.record(portal, SecurityEvent.ORGANIZATION_BOUND, request, **known, cause=organization.id)
    security_log.record(portal, SecurityEvent.SIGNED_IN, request, **known)
    return token


@router.post("/sign-out", dependencies=[Depends(checked_form)])
async def sign_out(request: Request, portal: ThePortal) -> Response:
    """End the session here, then at the provider where it offers that."""
    return await _signed_out(request, portal, everywhere=False)


@router.post("/sign-out/everywhere", dependencies=[Depends(checked_form)])
async def sign_out_everywhere(request: Request, portal: ThePortal) -> Response:
    """End every session of this person, in every browser."""
    return await _signed_out(request, portal, everywhere=True)


async def _signed_out(request: Request, portal: PortalContext, *, everywhere: bool) -> Response:
    await run_in_threadpool(_end, request, portal, everywhere=everywhere)
    try:
        description = await request.app.state.sign_in.load_server_metadata()
    except httpx2.HTTPError:
        description = {}
    endpoint = description.get("end_session_endpoint")
    if endpoint:
        back = {"client_id": portal.settings.auth0_client_id, "post_logout_redirect_uri": portal.address("/signed-out")}
        answer = leaving(request, f"{endpoint}?{urlencode(back)}", "Signing you out")
    else:
        answer = RedirectResponse("/signed-out", status_code=303)
    browser_sessions.forget(answer, portal)
    # Browsers keep pages for the back button, which the next person at this desk may press.
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def _end(request: Request, portal: PortalContext, *, everywhere: bool) -> None:
    asker, now = asker_of(request), portal.clock()
    assert asker is not None  # noqa: S101 - the form's token was checked
    with portal.system_transaction() as db:
        if everywhere:
            sessions.end_of_subject(db, asker.person.subject, now)
        else:
            sessions.end(db, browser_sessions.token_of(request, portal), now)
    known = {"subject": asker.person.subject, "account": asker.account.slug if asker.account else ""}
    security_log.record(
        portal, SecurityEvent.SIGNED_OUT, request, **known, cause="everywhere" if everywhere else "this browser"
    )
    request.state.asker = None


@router.get("/signed-out")
def signed_out(request: Request) -> Response:
    """The last page."""
    return page(request, "signed_out.html")


def _refusal(error: OAuthError) -> SignInNeededError:
    if error.error == "access_denied":
        return SignInNeededError(
            "The sign-in was cancelled or refused. Sign in again, or ask your Primary Admin.",
            event=SecurityEvent.SIGN_IN_REFUSED,
            cause="access_denied",
        )
    return SignInNeededError(
        "This sign-in is too old, was used before or was started in another browser. Sign in again.",
        event=SecurityEvent.SIGN_IN_REFUSED,
        cause=str(error.error)[:80],
    )


def _of_token(problem: TokenProblem) -> PortalError:
    """What a refused access token of this very sign-in means."""
    if problem not in _OUR_SETTINGS:
        return _untrusted(f"access token: {problem.value}")
    return SignInProviderError(
        "You signed in, but allwhere's sign-in is not set up correctly. This is on our side, and we have been told. "
        "Try again later.",
        event=SecurityEvent.SIGN_IN_MISCONFIGURED,
        cause=f"access token: {problem.value}",
    )


def _untrusted(cause: str) -> SignInProviderError:
    return SignInProviderError(
        "The sign-in service's answer could not be trusted. Sign in again.",
        event=SecurityEvent.SIGN_IN_REFUSED,
        cause=cause,
    )


def _unreachable() -> SignInProviderError:
    return SignInProviderError("The sign-in service does not answer. Try again in a minute.")
