"""An administrator's consent: the page to send them to, what comes back, and whether it really took effect.

Here: the consent address, reading the redirect, proving the grant with a token and one call. Not here: the sign-in
that proves whose tenant it is (`sign_in`), one-time state and binding (the portal and the store).

Nothing in the redirect can be believed: its ``tenant`` is whatever the browser sent. It becomes true by the sign-in.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.error_answers import cause_of_token_answer, entra_code, entra_codes
from intune_pipeline.microsoft.graph import GraphClient

ANY_ORGANISATION = "organizations"
"""Entra's name for "the tenant of whoever signs in"."""


def admin_consent_url(
    cloud: MicrosoftCloud, client_id: str, *, redirect_uri: str, state: str, tenant: str = ANY_ORGANISATION
) -> str:
    """Where an administrator grants the application its permissions.

    Args:
        cloud: which Microsoft cloud.
        client_id: our application.
        redirect_uri: where Microsoft sends the browser back, registered with the application.
        state: comes back unchanged.
        tenant: the tenant's GUID when it is known.
    """
    query = {"client_id": client_id, "scope": cloud.scope, "redirect_uri": redirect_uri, "state": state}
    return f"{cloud.login_url}/{tenant}/v2.0/adminconsent?{urlencode(query)}"


class ConsentOutcome(StrEnum):
    """How a visit to the consent page ended."""

    GRANTED = "granted"
    DECLINED = "declined"
    """Cancelled, or turned away at "Need admin approval": Microsoft sends the same answer for both."""
    APPROVAL_NEEDED = "approval_needed"
    """The person may not grant application permissions; an administrator has to."""
    SERVICE_MISSING = "service_missing"
    """The tenant has not subscribed to the service the application asks for."""
    FAILED = "failed"
    """Another error; `ConsentAnswer.cause` and ``code`` say more."""
    UNRECOGNISED = "unrecognised"
    """Neither an answer nor an error: the page was opened by itself."""


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What the redirect from the consent page says.

    Attributes:
        outcome: how it ended.
        claimed_tenant_id: the tenant the browser claims, in lower case; None when missing or no GUID. Not proven.
        state: our state, None when Microsoft sent none, as from its own portal.
        cause: for `ConsentOutcome.FAILED`, what the error means.
        code: Microsoft's short code of the error, "" when there is none.
    """

    outcome: ConsentOutcome
    claimed_tenant_id: str | None
    state: str | None
    cause: Cause | None = None
    code: str = ""


_CONSENT_CODES: Mapping[int, ConsentOutcome] = {
    65004: ConsentOutcome.DECLINED,
    65005: ConsentOutcome.SERVICE_MISSING,
    650052: ConsentOutcome.SERVICE_MISSING,
    90093: ConsentOutcome.APPROVAL_NEEDED,
    90094: ConsentOutcome.APPROVAL_NEEDED,
    90095: ConsentOutcome.APPROVAL_NEEDED,
}
_DECLINED_ERRORS = frozenset({"access_denied", "permission_denied"})


def parse_consent_redirect(params: Mapping[str, str]) -> ConsentAnswer:
    """Read the query of the redirect from the consent page. An error wins: ``admin_consent=True`` may come with it."""
    tenant_id, state = _guid(params.get("tenant")), params.get("state") or None
    if params.get("error"):
        outcome = _outcome_of_error(params)
        failed = outcome is ConsentOutcome.FAILED
        cause = cause_of_token_answer(None, params) if failed else None
        return ConsentAnswer(outcome, tenant_id, state, cause, entra_code(params))
    granted = params.get("admin_consent", "").lower() == "true" and tenant_id is not None
    return ConsentAnswer(ConsentOutcome.GRANTED if granted else ConsentOutcome.UNRECOGNISED, tenant_id, state)


def _outcome_of_error(params: Mapping[str, str]) -> ConsentOutcome:
    for code in entra_codes(params):
        if code in _CONSENT_CODES:
            return _CONSENT_CODES[code]
        return ConsentOutcome.FAILED
    return ConsentOutcome.DECLINED if params["error"] in _DECLINED_ERRORS else ConsentOutcome.FAILED


def _guid(value: str | None) -> str | None:
    try:
        return str(UUID(value)) if value else None
    except ValueError:
        return None


class GrantOutcome(StrEnum):
    """Whether our application can read a tenant's devices."""

    GRANTED = "granted"
    NOT_YET = "not_yet"
    """Consent takes minutes to reach every corner of Microsoft's cloud: try again in a minute, for 15 minutes."""
    REFUSED = "refused"
    """Trying again does not help."""


@dataclass(frozen=True, slots=True)
class GrantCheck:
    """The result of proving a grant.

    Attributes:
        outcome: whether devices can be read.
        cause: why not; None when they can.
        request_id: what Microsoft's support asks for; "" when there is none.
    """

    outcome: GrantOutcome
    cause: Cause | None = None
    request_id: str = ""


_PASSES = frozenset({Cause.CONSENT_MISSING, Cause.PERMISSION_REMOVED, Cause.THROTTLED, Cause.OUTAGE})


def verify_grant(
    cloud: MicrosoftCloud, credential: Credential, tenant_id: str, *, within: timedelta = timedelta(seconds=20)
) -> GrantCheck:
    """Prove the grant: a token of this tenant, with the role, that reads one device.

    Args:
        cloud: which Microsoft cloud.
        credential: who we are.
        tenant_id: the tenant's GUID.
        within: how long to try before answering "not yet".
    """
    deadline = time.monotonic() + within.total_seconds()
    try:
        with GraphClient(cloud, credential, tenant_id, deadline=deadline, give_up_after=within / 2) as client:
            client.tokens.require_role()
            client.probe()
    except MicrosoftError as error:
        outcome = GrantOutcome.NOT_YET if error.cause in _PASSES else GrantOutcome.REFUSED
        return GrantCheck(outcome, error.cause, error.request_id)
    return GrantCheck(GrantOutcome.GRANTED)
