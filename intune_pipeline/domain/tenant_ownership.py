"""Who may link a Microsoft tenant to an allwhere account: a member of it who holds a directory role that can consent.

Belonging to a tenant is not owning it: consent outlives a disconnect, and any member can sign in. So the sign-in that
proves a tenant has to show a role. Belongs here: the rule. Does not belong here: validating tokens
(``microsoft.sign_in``) and which account a tenant is linked to (``inventory.connections``).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from intune_pipeline.domain.vocabulary import DirectoryRole, OwnershipProblem

#: Microsoft, "Microsoft Entra built-in roles": the template ids, the same in every tenant.
ROLE_IDS: Mapping[DirectoryRole, str] = {
    DirectoryRole.GLOBAL_ADMINISTRATOR: "62e90394-69f5-4237-9190-012177145e10",
    DirectoryRole.PRIVILEGED_ROLE_ADMINISTRATOR: "e8611ab8-c189-46e8-94e1-60213ab1f814",
    DirectoryRole.CLOUD_APPLICATION_ADMINISTRATOR: "158c047a-c907-4556-b7ef-446551a6b5f7",
}
#: Who can grant an application permission of Microsoft Graph.
CAN_CONSENT = frozenset({DirectoryRole.GLOBAL_ADMINISTRATOR, DirectoryRole.PRIVILEGED_ROLE_ADMINISTRATOR})
#: Microsoft, "ID token claims reference": the tenant of all personal Microsoft accounts.
PERSONAL_TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"
_PERSONAL_PROVIDERS = frozenset({"live.com", "msa"})
_GUEST_MARK = "#ext#"
_GUEST_ACCOUNT = "1"


def directory_roles(claims: Mapping[str, Any]) -> frozenset[DirectoryRole] | None:
    """The roles of the claim ``wids`` that matter here; None when the token has no such claim.

    Microsoft: ``wids`` holds the template ids of the person's tenant-wide roles when the application's
    ``groupMembershipClaims`` ask for them. Other ids, such as the one of every member, are left out.
    """
    held = claims.get("wids")
    if not isinstance(held, list):
        return None
    ids = {str(one).lower() for one in held}
    return frozenset(role for role, template in ROLE_IDS.items() if template in ids)


def ownership_problem(
    claims: Mapping[str, Any], accepted: frozenset[DirectoryRole] = CAN_CONSENT
) -> OwnershipProblem | None:
    """Why the person of a validated id token may not link its tenant; None when they may.

    Args:
        claims: the token's claims: ``tid``, ``iss``, ``idp``, ``preferred_username``, ``upn``, ``acct``, ``wids``.
        accepted: the roles that suffice.
    """
    if _is_personal(claims):
        return OwnershipProblem.PERSONAL_ACCOUNT
    if _is_guest(claims):
        return OwnershipProblem.GUEST
    roles = directory_roles(claims)
    if roles is None:
        return OwnershipProblem.ROLES_NOT_TOLD
    return None if roles & accepted else OwnershipProblem.NO_ROLE


def _is_personal(claims: Mapping[str, Any]) -> bool:
    provider = str(claims.get("idp") or "").lower()
    return PERSONAL_TENANT_ID in {str(claims.get("tid")).lower(), _home(provider)} or provider in _PERSONAL_PROVIDERS


def _is_guest(claims: Mapping[str, Any]) -> bool:
    """Microsoft: ``idp`` is there when somebody else than the issuer authenticated the person; ``acct`` 1 is a guest."""
    provider = str(claims.get("idp") or "").lower()
    foreign = bool(provider) and provider != str(claims.get("iss")).lower() and _home(provider) != claims.get("tid")
    names = (str(claims.get(name) or "").lower() for name in ("preferred_username", "upn", "unique_name"))
    return foreign or str(claims.get("acct")) == _GUEST_ACCOUNT or any(_GUEST_MARK in name for name in names)


def _home(provider: str) -> str:
    """The tenant of a provider that is one, as in ``https://sts.windows.net/{tenant}/``; "" for others."""
    return urlsplit(provider).path.strip("/").partition("/")[0] if provider.startswith("https://") else ""
