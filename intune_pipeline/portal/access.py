"""Who is asking and what they may do: from the claims of the sign-in's tokens to an admin of one account.

Belongs here: identities, roles, and the dependencies every route declares. Does not belong here: getting tokens
(``sign_in``) and checking their signature (``access_tokens``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from intune_pipeline.inventory import accounts
from intune_pipeline.inventory.roles import act_for
from intune_pipeline.portal.errors import RefusedError, SignInNeededError
from intune_pipeline.portal.portal import Portal, portal_of
from intune_pipeline.settings import PortalSettings

BETA_PERMISSION = "intune:beta"


class Role(StrEnum):
    """What an admin is in allwhere."""

    PRIMARY_ADMIN = "primary_admin"
    SECONDARY_ADMIN = "secondary_admin"


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the tokens describe them; this is what a session remembers.

    Attributes:
        subject: the sign-in provider's id of the person.
        email: "" when the token names none.
        name: "" when the token names none.
        organization: the organisation the person signed in to: the account's slug, "" when none.
        role: the strongest role, None for somebody who is no admin.
        beta: whether the person has the permission `BETA_PERMISSION`.
    """

    subject: str
    email: str
    name: str
    organization: str
    role: Role | None
    beta: bool

    @classmethod
    def of(cls, claims: Mapping[str, Any], settings: PortalSettings) -> "Identity":
        """Read validated claims of an access token (an id_token's e-mail and name may be among them)."""
        roles = claims.get(settings.auth0_roles_claim) or []
        permissions = claims.get("permissions") or []
        return cls(
            subject=str(claims["sub"]),
            email=str(claims.get("email") or ""),
            name=str(claims.get("name") or ""),
            organization=str(claims.get(settings.auth0_organization_claim) or ""),
            role=next((role for role in Role if isinstance(roles, list) and role in roles), None),
            beta=isinstance(permissions, list) and BETA_PERMISSION in permissions,
        )

    @classmethod
    def remembered(cls, session: Mapping[str, Any]) -> "Identity | None":
        """The identity a session holds, None when nobody is signed in."""
        kept = session.get("identity")
        return cls(**(kept | {"role": Role(kept["role"]) if kept["role"] else None})) if kept else None

    def to_remember(self) -> dict[str, Any]:
        """The form `remembered` reads."""
        return asdict(self)

    @property
    def label(self) -> str:
        """How the person is named in the audit log and to their colleagues."""
        return self.email or self.subject


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin of one account, allowed into the beta. Whatever they ask for is looked up in this account only."""

    identity: Identity
    account: accounts.Account

    @property
    def label(self) -> str:
        """How the person is named in the audit log and to their colleagues."""
        return self.identity.label

    @property
    def is_primary(self) -> bool:
        """Whether they may connect, change and disconnect."""
        return self.identity.role is Role.PRIMARY_ADMIN


def admitted(identity: Identity, portal: Portal) -> Admin:
    """Let a known person in; from now on the request sees rows of their account only.

    Raises:
        RefusedError: no role, no beta permission, or an organisation allwhere does not know.
    """
    if identity.role is None:
        raise RefusedError(
            "This page is for admins of your company's allwhere account. Ask a Primary Admin to give you a role.",
            title="Admins only",
        )
    if not identity.beta:
        raise RefusedError(
            "Microsoft Intune in allwhere is in beta, and your user is not part of it yet. "
            "Write to your allwhere contact to join.",
            title="Not part of the beta yet",
        )
    account = portal.account(identity.organization)
    if account is None:
        raise RefusedError(
            "allwhere has no account for the organisation you signed in to. Sign out and choose another one.",
            title="Unknown organisation",
        )
    act_for(account.id)
    return Admin(identity, account)


def signed_in_admin(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Admin:
    """Dependency of every page: the admin of the browser's session.

    Raises:
        SignInNeededError: nobody is signed in.
        RefusedError: they may not be here.
    """
    identity = Identity.remembered(request.session)
    if identity is None:
        raise SignInNeededError("Sign in to see this page.")
    return admitted(identity, portal)


async def signed_in_primary_admin(admin: Annotated[Admin, Depends(signed_in_admin)]) -> Admin:
    """Dependency of pages only Primary Admins may use.

    Raises:
        RefusedError: it is a Secondary Admin.
    """
    return _primary(admin)


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token for the API's audience.")


def token_admin(
    portal: Annotated[Portal, Depends(portal_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Admin:
    """Dependency of every API route: the admin of the bearer token.

    Raises:
        SignInNeededError: there is no token, or it is not good.
        RefusedError: they may not be here.
    """
    if credentials is None:
        raise SignInNeededError("Send an access token in the header Authorization: Bearer.")
    claims = portal.access_tokens.claims(credentials.credentials)
    return admitted(Identity.of(claims, portal.portal), portal)


async def token_primary_admin(admin: Annotated[Admin, Depends(token_admin)]) -> Admin:
    """Dependency of API routes only Primary Admins may use.

    Raises:
        RefusedError: it is a Secondary Admin.
    """
    return _primary(admin)


def _primary(admin: Admin) -> Admin:
    if not admin.is_primary:
        raise RefusedError("Only Primary Admins may do this. Ask one of your company's Primary Admins.")
    return admin


PageAdmin = Annotated[Admin, Depends(signed_in_admin)]
PagePrimaryAdmin = Annotated[Admin, Depends(signed_in_primary_admin)]
TokenAdmin = Annotated[Admin, Depends(token_admin)]
TokenPrimaryAdmin = Annotated[Admin, Depends(token_primary_admin)]
