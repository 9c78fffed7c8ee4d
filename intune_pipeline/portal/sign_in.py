"""Signing in with Auth0 (any OpenID Connect provider) and out again.

Code flow with PKCE, state and nonce by Authlib. The id_token says who it is, the access token for allwhere's API what
they may do; both are validated. Does not belong here: roles and accounts (``access``).
"""

import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError

from intune_pipeline.portal.access import Identity
from intune_pipeline.portal.access_tokens import discovery_url, trusted
from intune_pipeline.portal.errors import SignInNeededError, SignInProviderError
from intune_pipeline.portal.portal import Portal, portal_of
from intune_pipeline.portal.rendering import leaving, page
from intune_pipeline.portal.security import checked_form
from intune_pipeline.settings import PortalSettings

router = APIRouter(include_in_schema=False)
HOME = "/integrations/intune"
CALLBACK = "/sign-in/callback"
_TIMEOUT_SECONDS = 10


def client_of(settings: PortalSettings) -> Any:
    """Authlib's client of the sign-in provider; it reads the provider's description on first use."""
    return OAuth().register(
        "auth0",
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


@router.get("/")
def home() -> Response:
    """The portal has one page to land on."""
    return RedirectResponse(HOME, status_code=303)


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The page with the sign-in button."""
    if Identity.remembered(request.session):
        return RedirectResponse(HOME, status_code=303)
    return page(request, "sign_in.html")


@router.get("/sign-in/start")
async def start(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Send the browser to the sign-in provider."""
    portal.sign_in_limit.spend(request.client.host if request.client else "")
    # Sign-ins begun and left must not fill the cookie up.
    for begun in [name for name in request.session if name.startswith("_state_")]:
        del request.session[begun]
    try:
        answer: Response = await request.app.state.sign_in.authorize_redirect(
            request, portal.address(CALLBACK), audience=portal.portal.auth0_audience
        )
    except (httpx2.HTTPError, ValueError, KeyError, RuntimeError):
        raise _unreachable() from None
    return answer


@router.get(CALLBACK)
async def callback(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Take the provider's answer: validate both tokens and begin a session."""
    portal.sign_in_limit.spend(request.client.host if request.client else "")
    try:
        tokens = await request.app.state.sign_in.authorize_access_token(
            request, claims_options={"iss": {"essential": True, "value": portal.portal.issuer}}
        )
    except OAuthError as error:
        raise _refusal(error) from None
    except httpx2.HTTPError:
        raise _unreachable() from None
    except (JoseError, ValueError, KeyError, RuntimeError):
        raise SignInProviderError("The sign-in service's answer could not be trusted. Sign in again.") from None
    claims = await run_in_threadpool(portal.access_tokens.claims, str(tokens.get("access_token", "")))
    who = tokens.get("userinfo") or {}
    if not who or who.get("sub") != claims["sub"]:
        raise SignInProviderError("The sign-in service's answer could not be trusted. Sign in again.")
    named = {name: who.get(name) for name in ("email", "name")}
    request.session.clear()
    request.session.update(
        id=secrets.token_urlsafe(32),
        form_token=secrets.token_urlsafe(32),
        identity=Identity.of({**claims, **named}, portal.portal).to_remember(),
    )
    return RedirectResponse(HOME, status_code=303)


@router.post("/sign-out", dependencies=[Depends(checked_form)])
async def sign_out(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """End the session here, then at the provider where it offers that."""
    request.session.clear()
    try:
        description = await request.app.state.sign_in.load_server_metadata()
    except httpx2.HTTPError:
        description = {}
    endpoint = description.get("end_session_endpoint")
    if not endpoint:
        return RedirectResponse("/signed-out", status_code=303)
    back = {"client_id": portal.portal.auth0_client_id, "post_logout_redirect_uri": portal.address("/signed-out")}
    return leaving(request, f"{endpoint}?{urlencode(back)}", "Signing you out")


@router.get("/signed-out")
def signed_out(request: Request) -> Response:
    """The last page."""
    return page(request, "signed_out.html")


def _refusal(error: OAuthError) -> SignInNeededError:
    if error.error == "access_denied":
        return SignInNeededError("The sign-in was cancelled or refused. Sign in again, or ask your Primary Admin.")
    return SignInNeededError(
        "This sign-in is too old, was used before or was started in another browser. Sign in again."
    )


def _unreachable() -> SignInProviderError:
    return SignInProviderError("The sign-in service does not answer. Try again in a minute.")
