"""The security log: who tried what from where, structured, and counted so that many of a kind alarm operators.

Belongs here: writing an event. Does not belong here: thresholds (``inventory.security_counts``). No event holds an e-mail,
a name, a token or what somebody typed.
"""

import structlog
from starlette.requests import Request

from intune_pipeline.domain.vocabulary import SecurityEvent
from intune_pipeline.inventory import security_counts
from intune_pipeline.inventory.database import DatabaseUnreachableError
from intune_pipeline.portal.portal import PortalContext

log = structlog.get_logger("intune_pipeline.security")
_LONGEST_ROUTE = 200


def address_of(request: Request) -> str:
    """Where a request comes from: the proxy's word where the proxy is trusted (``FORWARDED_ALLOW_IPS``)."""
    return request.client.host if request.client else ""


def record(
    portal: PortalContext,
    event: SecurityEvent,
    request: Request,
    *,
    subject: str = "",
    account: str = "",
    cause: str = "",
) -> None:
    """Write one event and count it.

    Args:
        portal: the running portal.
        event: what happened.
        request: during which request; its address and path are logged, its query and body are not.
        subject: the sign-in provider's id of the person, "" when nobody is known.
        account: the account's slug, "" likewise.
        cause: why, in a few words.
    """
    log.warning(
        event.value,
        subject=subject,
        account=account,
        address=address_of(request),
        route=f"{request.method} {request.url.path[:_LONGEST_ROUTE]}",
        cause=cause,
    )
    try:
        with portal.system_transaction() as db:
            security_counts.count(db, event, account, portal.clock())
    except DatabaseUnreachableError:
        log.exception("counting a security event failed")
