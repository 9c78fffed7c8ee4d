"""Every error answer of Entra and Graph turned into one of a few causes.

An answer is recognised by status and code. Only "tenant without Intune" has no code of its own: Graph answers a bare
``BadRequest`` with one fixed sentence. What is not recognised is `Cause.UNEXPECTED`, never a guess.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from intune_pipeline.microsoft.causes import Cause

# Codes of Entra's token endpoint and sign-in pages. Source: Microsoft, "Microsoft Entra authentication and
# authorization error codes".
_ENTRA_CODES: Mapping[int, Cause] = {
    65001: Cause.CONSENT_MISSING,  # no consent for this application
    500011: Cause.CONSENT_MISSING,  # the tenant has no service principal of Microsoft Graph
    650051: Cause.CONSENT_MISSING,  # a service principal of an earlier attempt is still there; passes within 15 minutes
    650052: Cause.CONSENT_MISSING,  # the tenant lacks the service principal of a service that is asked for
    650056: Cause.CONSENT_MISSING,  # nobody consented, or the application asks for nothing
    700016: Cause.CONSENT_MISSING,  # application not found in the directory
    7000229: Cause.CONSENT_MISSING,  # no service principal in the tenant
    7000112: Cause.APP_DISABLED,
    500014: Cause.APP_DISABLED,  # the service principal of Microsoft Graph is disabled
    50105: Cause.ASSIGNMENT_REQUIRED,  # nobody assigned who signed in
    501051: Cause.ASSIGNMENT_REQUIRED,  # the application is not assigned
    90002: Cause.TENANT_UNKNOWN,  # tenant not found
    900023: Cause.TENANT_UNKNOWN,  # neither a valid DNS name nor a valid external domain
    5000224: Cause.TENANT_BLOCKED,  # the resource is not available
    5000225: Cause.TENANT_BLOCKED,  # blocked because it is inactive
    53000: Cause.CONDITIONAL_ACCESS,  # device not compliant
    53001: Cause.CONDITIONAL_ACCESS,  # device not domain joined
    53002: Cause.CONDITIONAL_ACCESS,  # application not approved
    53003: Cause.CONDITIONAL_ACCESS,  # blocked by policy
    530032: Cause.CONDITIONAL_ACCESS,  # blocked by a security policy
    500021: Cause.CONDITIONAL_ACCESS,  # a network in between allows only listed tenants
    50076: Cause.CONDITIONAL_ACCESS,  # policy asks for a second factor
    50079: Cause.CONDITIONAL_ACCESS,  # policy asks to enrol a second factor
    50012: Cause.OUR_CREDENTIAL,  # client authentication failed
    50013: Cause.OUR_CREDENTIAL,  # assertion is invalid
    50027: Cause.OUR_CREDENTIAL,  # assertion is not a valid token
    70021: Cause.OUR_CREDENTIAL,  # no matching federated identity
    700021: Cause.OUR_CREDENTIAL,  # assertion was issued for another application
    700023: Cause.OUR_CREDENTIAL,  # assertion audience
    700024: Cause.OUR_CREDENTIAL,  # assertion outside its lifetime: the clock, or a stale token file
    700027: Cause.OUR_CREDENTIAL,  # assertion signed with an unregistered certificate
    700030: Cause.OUR_CREDENTIAL,  # certificate invalid
    700211: Cause.OUR_CREDENTIAL,  # no federated identity for the issuer
    700212: Cause.OUR_CREDENTIAL,  # no federated identity for the audience
    700213: Cause.OUR_CREDENTIAL,  # no federated identity for the subject
    1000502: Cause.OUR_CREDENTIAL,  # certificate outside its lifetime
    5002727: Cause.OUR_CREDENTIAL,  # assertion with a wrong header
    7000215: Cause.OUR_CREDENTIAL,  # secret invalid
    7000216: Cause.OUR_CREDENTIAL,  # neither secret nor assertion sent
    7000218: Cause.OUR_CREDENTIAL,  # the request has to hold a secret or an assertion
    7000222: Cause.OUR_CREDENTIAL,  # secret expired
    50196: Cause.THROTTLED,  # request loop
    90055: Cause.THROTTLED,  # too many requests
    90006: Cause.OUTAGE,  # a server behind Entra failed for a moment
    90012: Cause.OUTAGE,  # the request timed out
    90024: Cause.OUTAGE,  # the request's budget was used up
    90033: Cause.OUTAGE,  # the directory is unavailable for a moment
}

# Graph: codes that mean the same under any status. Source: recorded answers. Intune behind Graph names its code in a
# message that is JSON again, under Graph's "UnknownError".
_GRAPH_CODES: Mapping[str, Cause] = {
    "Authorization_IdentityNotFound": Cause.CONSENT_MISSING,  # the application has no service principal here
}
_STATUSES: Mapping[int, Cause] = {
    403: Cause.PERMISSION_REMOVED,
    404: Cause.NOT_FOUND,
    408: Cause.OUTAGE,  # the request arrived too slowly
    409: Cause.OUTAGE,  # a conflict with another request
    423: Cause.OUTAGE,  # locked
    429: Cause.THROTTLED,
    500: Cause.OUTAGE,
    502: Cause.OUTAGE,
    503: Cause.OUTAGE,
    504: Cause.OUTAGE,
    509: Cause.THROTTLED,  # bandwidth used up
}
_NO_INTUNE = "request not applicable to target tenant"

_AADSTS = re.compile(r"AADSTS(\d{4,8})\b")
_ACTIVITY_ID = re.compile(r"Activity ID: ([0-9a-fA-F-]{36})")
_FORBIDDEN_INSIDE = re.compile(r'"ErrorCode"\s*:\s*"Forbidden"', re.IGNORECASE)
_SAFE_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")


def cause_of_token_answer(status: int | None, body: Any) -> Cause:
    """Recognise an error answer of Entra.

    Args:
        status: the HTTP status; None when it is not known, as in a redirect from a sign-in page.
        body: the decoded JSON object, or anything else when there was none.

    An answer that is no JSON object comes from a proxy or a gateway in between, not from Entra.
    """
    for code in entra_codes(body):
        if code in _ENTRA_CODES:
            return _ENTRA_CODES[code]
    if status == 429:
        return Cause.THROTTLED
    if status is not None and (status >= 500 or not isinstance(body, Mapping)):
        return Cause.OUTAGE
    if isinstance(body, Mapping) and body.get("error") == "temporarily_unavailable":
        return Cause.OUTAGE
    return Cause.UNEXPECTED


def cause_of_graph_answer(status: int, body: Any) -> Cause:
    """Recognise an error answer of Graph, alone or inside a batch.

    Args:
        status: the HTTP status.
        body: the decoded JSON object, or anything else when there was none.
    """
    code, message = graph_code(body), _graph_message(body)
    if code in _GRAPH_CODES:
        return _GRAPH_CODES[code]
    if status == 400 and _NO_INTUNE in message.casefold():
        return Cause.NO_INTUNE_LICENCE
    if status == 401 and _FORBIDDEN_INSIDE.search(message):
        return Cause.PERMISSION_REMOVED
    return _STATUSES.get(status, Cause.UNEXPECTED)


def entra_codes(body: Any) -> Iterator[int]:
    """The AADSTS numbers of an Entra error, the listed ones first, then the one in its description."""
    if not isinstance(body, Mapping):
        return
    listed = body.get("error_codes")
    yield from (code for code in (listed if isinstance(listed, list) else []) if isinstance(code, int))
    if found := _AADSTS.search(str(body.get("error_description") or "")):
        yield int(found.group(1))


def entra_code(body: Any) -> str:
    """The short code of an Entra error, for example ``AADSTS700016`` or ``invalid_scope``; "" without one."""
    for code in entra_codes(body):
        return f"AADSTS{code}"
    return _safe(body.get("error")) if isinstance(body, Mapping) else ""


def entra_request_id(headers: Mapping[str, str], body: Any) -> str:
    """The trace id Microsoft's support asks for; "" without one."""
    fields = body if isinstance(body, Mapping) else {}
    return _safe_id(headers.get("x-ms-request-id") or fields.get("trace_id") or fields.get("correlation_id"))


def graph_code(body: Any) -> str:
    """The code of a Graph error, for example ``TooManyRequests``; "" without one."""
    return _safe(_graph_error(body).get("code"))


def graph_request_id(headers: Mapping[str, str], body: Any) -> str:
    """The request id of a Graph answer: from the header, the inner error, or Intune's activity id; "" without one."""
    inner = _graph_error(body).get("innerError")
    from_inner = inner.get("request-id") if isinstance(inner, Mapping) else None
    if found := headers.get("request-id") or from_inner:
        return _safe_id(found)
    activity = _ACTIVITY_ID.search(_graph_message(body))
    return activity.group(1) if activity else ""


def _graph_error(body: Any) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _graph_message(body: Any) -> str:
    return str(_graph_error(body).get("message") or "")


def _safe(value: Any) -> str:
    """A code as it is, or "" when it is free text that might name somebody."""
    return value if isinstance(value, str) and _SAFE_CODE.fullmatch(value) else ""


def _safe_id(value: Any) -> str:
    return "".join(character for character in str(value or "") if character.isalnum() or character in "-._()*")[:64]
