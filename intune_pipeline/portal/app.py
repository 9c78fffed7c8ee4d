"""The portal as one application: its parts put together, its middleware, and how errors look.

Belongs here: assembly. Does not belong here: pages (``*_pages``), the API (``api``) and sign-in (``sign_in``).
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.database import DatabaseUnreachableError
from intune_pipeline.portal import (
    api,
    api_audit,
    api_changes,
    api_holds,
    api_lists,
    api_plans,
    api_rules,
    api_runs,
    api_webhooks,
    audit_pages,
    connect_pages,
    decided_pages,
    device_list_pages,
    device_pages,
    duplicate_pages,
    field_errors,
    held_device_pages,
    help_pages,
    invitation_pages,
    kept_forms,
    lock_pages,
    mail_pages,
    people_pages,
    plan_pages,
    reveal_pages,
    run_pages,
    security_log,
    settings_pages,
    sign_in,
    status_pages,
    teach_pages,
    webhook_pages,
)
from intune_pipeline.portal.access import RECENT, asker_of
from intune_pipeline.portal.access_tokens import AccessTokens
from intune_pipeline.portal.admission import Admission
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import (
    ConflictError,
    NotHereError,
    PortalError,
    RecentSignInNeededError,
    SignInNeededError,
    TooOftenError,
)
from intune_pipeline.portal.metrics import Metrics
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.probes import HeadAsGet, Probes
from intune_pipeline.portal.rendering import STATIC_DIRECTORY, page
from intune_pipeline.portal.security import SecurityHeaders, protecting_headers
from intune_pipeline.portal.verification import Verification
from intune_pipeline.portal.webhook_sender import WebhookSender
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings

#: Pages at work at once. Fewer than the engine's database connections, so that none waits for one; more would only
#: make each slower, as Python computes one at a time.
_THREADS = 12


_ROUTES: Final = (
    sign_in,
    connect_pages,
    invitation_pages,
    status_pages,
    device_list_pages,
    device_pages,
    reveal_pages,
    run_pages,
    decided_pages,
    people_pages,
    held_device_pages,
    duplicate_pages,
    lock_pages,
    teach_pages,
    plan_pages,
    mail_pages,
    settings_pages,
    audit_pages,
    webhook_pages,
    kept_forms,
    help_pages,
    api,
    api_audit,
    api_runs,
    api_plans,
    api_holds,
    api_rules,
    api_changes,
    api_lists,
    api_webhooks,
)


def create_app(
    settings: Settings,
    portal: PortalSettings,
    microsoft: MicrosoftSettings,
    engine: Engine,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """Build the portal. Nothing is connected to before the first request.

    Args:
        settings: what the pipeline shares.
        portal: address, cookie key, sign-in.
        microsoft: our application at Microsoft.
        engine: allwhere's database, migrated.
        clock: the present moment; tests pass their own.
    """
    parts = PortalContext(
        settings=portal,
        pipeline=settings,
        microsoft=microsoft,
        access_tokens=AccessTokens(portal.issuer, portal.auth0_audience, portal.auth0_ca_bundle),
        clock=clock,
        _engine=engine,
    )
    verification = Verification(parts)
    webhooks = WebhookSender(parts)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        with verification.running(), webhooks.running():
            yield

    app = FastAPI(
        title="allwhere: Microsoft Intune",
        version="1",
        description=api.DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.portal = parts
    app.state.sign_in = sign_in.client_of(portal)
    for routes in _ROUTES:
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC_DIRECTORY), name="static")
    _add_middleware(app, parts)
    app.add_exception_handler(PortalError, _refused)
    app.add_exception_handler(PipelineError, _not_possible)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)
    return app


def _add_middleware(app: FastAPI, parts: PortalContext) -> None:
    # Each stands before those added earlier.
    app.add_middleware(
        SessionMiddleware,
        secret_key=parts.settings.portal_session_secret.get_secret_value(),
        session_cookie="__Secure-allwhere-sign-in" if parts.https else "allwhere-sign-in",
        max_age=sign_in.FLOW_SECONDS,
        path=sign_in.FLOW_PATH,
        same_site="lax",
        https_only=parts.https,
    )
    app.add_middleware(Admission, portal=parts, refuse=_refused)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[parts.host], www_redirect=False)
    app.add_middleware(Probes, portal=parts)
    app.add_middleware(SecurityHeaders, https=parts.https)
    app.add_middleware(Metrics, token=parts.pipeline.intune_metrics_token)
    app.add_middleware(HeadAsGet)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PortalError)  # noqa: S101
    if error.event is not None:
        _log(request, error.event, error.cause)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooOftenError) else {}
    if isinstance(error, SignInNeededError) and _is_api(request):
        headers["WWW-Authenticate"] = _challenge(error)
    return _answer(request, error, headers)


def _log(request: Request, event: SecurityEvent, cause: str) -> None:
    asker = asker_of(request)
    known = {"subject": asker.person.subject, "account": asker.account.slug if asker.account else ""} if asker else {}
    security_log.record(request.app.state.portal, event, request, **known, cause=cause)


def _challenge(error: SignInNeededError) -> str:
    """What a program reads (RFC 6750): that a token is needed, or a younger sign-in (RFC 9470)."""
    if isinstance(error, RecentSignInNeededError):
        return f'Bearer error="insufficient_user_authentication", max_age="{int(RECENT.total_seconds())}"'
    return "Bearer"


def _not_possible(request: Request, error: Exception) -> Response:
    """What the store refuses is a sentence for people already; a lost database is nobody's wrong use."""
    if isinstance(error, DatabaseUnreachableError):
        return _broken(request, error)
    return _answer(request, ConflictError(f"{error}"))


def _http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, methods, bodies that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _answer(request, NotHereError("There is no such page."))
    refused = PortalError(f"{error.detail.rstrip('.')}.", title="Not possible")
    refused.status = HTTPStatus(error.status_code)
    return _answer(request, refused, dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    refused = PortalError(field_errors.sentences(list(error.errors())), title="Check what you entered")
    refused.status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _answer(request, refused)


def _broken(request: Request, _: Exception) -> Response:
    """A bug or a lost database: the trace goes to the log, a sentence to the person."""
    broken = PortalError("Something broke on our side, and nothing was changed. Try again in a minute.", title="Sorry")
    broken.status = HTTPStatus.INTERNAL_SERVER_ERROR
    # Starlette answers these outside all middleware.
    return _answer(request, broken, protecting_headers(https=request.app.state.portal.https))


def _answer(request: Request, error: PortalError, headers: dict[str, str] | None = None) -> Response:
    """The error as problem+json (RFC 9457) under ``/api``, else as a page; a page without a session leads to sign-in."""
    if _is_api(request):
        body = {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.sentence}
        return JSONResponse(body, error.status, headers, media_type="application/problem+json")
    needs_sign_in = isinstance(error, SignInNeededError)
    if needs_sign_in and request.method == "GET" and not request.url.path.startswith("/sign-in"):
        if request.headers.get("accept") == "application/json":
            return JSONResponse({"sentence": error.sentence}, error.status)
        return RedirectResponse(f"/sign-in?{urlencode({'next': _address(request)})}", status_code=303)
    kept = kept_forms.keep(request.app.state.portal, request) if needs_sign_in else None
    fresh = isinstance(error, RecentSignInNeededError)
    shown = page(
        request,
        "refused.html",
        error.status,
        title=error.title,
        sentence=error.sentence,
        sign_in=sign_in.start_href(kept or HOME, fresh=fresh) if needs_sign_in else "",
        kept=kept is not None,
    )
    shown.headers.update(headers or {})
    return shown


def _address(request: Request) -> str:
    """Path and query of a request."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")
