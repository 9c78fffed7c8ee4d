"""Who is asking and what they may do: from the claims of the sign-in's tokens to an admin of one account.

Belongs here: identities, roles, and the dependencies every route declares. Does not belong here: getting tokens
(``sign_in``), checking their signature (``access_tokens``), and finding the session or token of a request (``admission``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from intune_pipeline.domain.vocabulary import Role, SecurityEvent
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.sessions import Session, SignedIn
from intune_pipeline.portal.errors import (
    RecentSignInNeededError,
    RefusedError,
    SessionEndedError,
    SignInNeededError,
)
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.settings import PortalSettings

BETA_PERMISSION = "intune:beta"

RECENT: Final = timedelta(minutes=10)
"""How old a sign-in may be for what cannot be taken back."""

_LONGEST_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation somebody signed in to, in the provider's words.

    Attributes:
        id: immutable; "" when the token names none.
        name: what it is called at present; it may be the slug of an account that was never signed in to.
    """

    id: str
    name: str


def person_of(claims: Mapping[str, Any], settings: PortalSettings) -> SignedIn:
    """Read validated claims of an access token, among which an id_token's e-mail, name and auth_time may be.

    An e-mail that the provider did not verify could be anybody's and is left out; very long texts are cut.
    """
    roles = _words(claims.get(settings.auth0_roles_claim))
    return SignedIn(
        subject=str(claims["sub"]),
        email=_text(claims, "email") if _is_true(claims.get("email_verified")) else "",
        name=_text(claims, "name"),
        role=next((role for role in Role if role in roles), None),
        beta=BETA_PERMISSION in _words(claims.get("permissions")),
        authenticated_at=_moment(claims.get("auth_time")),
    )


def organization_of(claims: Mapping[str, Any], settings: PortalSettings) -> Organization:
    """The organisation of validated claims; a provider without names for them has the id stand for both."""
    org_id = str(claims.get(settings.auth0_organization_claim) or "")
    return Organization(org_id, str(claims.get(settings.auth0_organization_name_claim) or org_id))


def _words(value: object) -> frozenset[str]:
    """A claim that is a list of words, or one string of words separated by spaces or commas."""
    if isinstance(value, str):
        return frozenset(value.replace(",", " ").split())
    return frozenset(word for word in value if isinstance(word, str)) if isinstance(value, list) else frozenset()


def _is_true(value: object) -> bool:
    """A claim that is true, as JSON or, by some providers, as text."""
    return value is True or value == "true"


def _text(claims: Mapping[str, Any], name: str) -> str:
    return str(claims.get(name) or "").replace("\x00", "")[:_LONGEST_TEXT]


def _moment(seconds: object) -> datetime | None:
    """A NumericDate (RFC 7519) as a moment, None for whatever is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sent a request.

    Attributes:
        person: as their sign-in or token describes them.
        account: of their organisation; None when allwhere does not know it.
        session: the browser's session; None for a bearer token.
        form_token: what forms of this session carry; "" for a bearer token.
        live: whether the session is, or the token was good; an ended session is known but opens nothing.
        tenant_domain: of the account's Microsoft tenant, for the head of pages; "" when it is not known.
    """

    person: SignedIn
    account: Account | None
    session: Session | None = None
    form_token: str = ""
    live: bool = True
    tenant_domain: str = ""


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin of one account, allowed into the beta. Whatever they ask for is looked up in this account only."""

    person: SignedIn
    account: Account
    session_id: str

    @property
    def label(self) -> str:
        """How the person is named in the audit log and to their colleagues."""
        return self.person.email or self.person.subject

    @property
    def is_primary(self) -> bool:
        """Whether they may connect, change and disconnect."""
        return self.person.role is Role.PRIMARY_ADMIN


def asker_of(request: Request) -> Asker | None:
    """Who sent the request, found before its body was read; None for nobody known."""
    asker: Asker | None = getattr(request.state, "asker", None)
    return asker


def admitted(asker: Asker) -> Admin:
    """Let a known person in.

    Raises:
        RefusedError: no role, no beta permission, or an organisation allwhere does not know.
    """
    if asker.person.role is None:
        raise RefusedError(
            "This page is for admins of your company's allwhere account. Ask a Primary Admin to give you a role.",
            title="Admins only",
            cause="no role",
        )
    if not asker.person.beta:
        raise RefusedError(
            "Microsoft Intune in allwhere is in beta, and your user is not part of it yet. "
            "Write to your allwhere contact to join.",
            title="Not part of the beta yet",
            cause="not in the beta",
        )
    if asker.account is None:
        raise RefusedError(
            "allwhere has no account for the organisation you signed in to. Sign out and choose another one.",
            title="Unknown organisation",
            cause="unknown organisation",
        )
    return Admin(asker.person, asker.account, str(asker.session.id) if asker.session else "")


def live_session(request: Request) -> Asker:
    """Who is signed in with this browser.

    Raises:
        SignInNeededError: nobody is.
        SessionEndedError: somebody was.
    """
    asker = asker_of(request)
    if asker is None or asker.session is None:
        raise SignInNeededError("Sign in to see this page.")
    if not asker.live:
        ended = asker.session.ended_at is not None
        raise SessionEndedError(
            "Your sign-in has ended, so nothing was changed. Sign in again.",
            event=SecurityEvent.SESSION_REFUSED if ended else None,
            cause="ended by sign-out or operator" if ended else "",
        )
    return asker


async def signed_in_admin(request: Request) -> Admin:
    """Dependency of every page: the admin of the browser's session.

    Raises:
        SignInNeededError: nobody is signed in.
        RefusedError: they may not be here.
    """
    return admitted(live_session(request))


async def signed_in_primary_admin(admin: Annotated[Admin, Depends(signed_in_admin)]) -> Admin:
    """Dependency of pages only Primary Admins may use.

    Raises:
        RefusedError: it is a Secondary Admin.
    """
    return _primary(admin)


async def recently_signed_in_primary_admin(
    admin: Annotated[Admin, Depends(signed_in_primary_admin)], portal: Annotated[PortalContext, Depends(portal_of)]
) -> Admin:
    """Dependency of forms that reveal, end or release something: a Primary Admin who signed in a moment ago.

    Raises:
        RecentSignInNeededError: the sign-in is too old.
    """
    return _recent(admin, portal)


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token for the API's audience.")


async def token_admin(request: Request, _: Annotated[object, Depends(_bearer)]) -> Admin:
    """Dependency of every API route: the admin of the bearer token.

    Raises:
        SignInNeededError: there is no token.
        RefusedError: they may not be here.
    """
    asker = asker_of(request)
    if asker is None or asker.session is not None:
        raise SignInNeededError("Send an access token in the header Authorization: Bearer.")
    return admitted(asker)


async def token_primary_admin(admin: Annotated[Admin, Depends(token_admin)]) -> Admin:
    """Dependency of API routes only Primary Admins may use.

    Raises:
        RefusedError: it is a Secondary Admin.
    """
    return _primary(admin)


async def recent_token_primary_admin(
    admin: Annotated[Admin, Depends(token_primary_admin)], portal: Annotated[PortalContext, Depends(portal_of)]
) -> Admin:
    """Dependency of API routes that reveal, end or release something; the token tells its ``auth_time`` (RFC 9470).

    Raises:
        RecentSignInNeededError: the sign-in is too old, or the token does not tell.
    """
    return _recent(admin, portal)


def _primary(admin: Admin) -> Admin:
    if not admin.is_primary:
        raise RefusedError(
            "Only Primary Admins may do this. Ask one of your company's Primary Admins.", cause="not a Primary Admin"
        )
    return admin


def _recent(admin: Admin, portal: PortalContext) -> Admin:
    authenticated_at = admin.person.authenticated_at
    if authenticated_at is None or portal.clock() - authenticated_at > RECENT:
        minutes = int(RECENT.total_seconds() // 60)
        raise RecentSignInNeededError(
            f"This needs a sign-in younger than {minutes} minutes, so nothing was done yet. Sign in again."
        )
    return admin


PageAdmin = Annotated[Admin, Depends(signed_in_admin)]
PagePrimaryAdmin = Annotated[Admin, Depends(signed_in_primary_admin)]
PageRecentPrimaryAdmin = Annotated[Admin, Depends(recently_signed_in_primary_admin)]
TokenAdmin = Annotated[Admin, Depends(token_admin)]
TokenPrimaryAdmin = Annotated[Admin, Depends(token_primary_admin)]
TokenRecentPrimaryAdmin = Annotated[Admin, Depends(recent_token_primary_admin)]
