"""How often what may be done in the portal, counted in the database for all its processes.

Belongs here: the limits, as data, and spending them. Does not belong here: counting (``inventory.rate_limits``).
"""

import ipaddress
from typing import Final

from intune_pipeline.inventory import rate_limits
from intune_pipeline.inventory.accounts import Account
from intune_pipeline.inventory.rate_limits import Limit
from intune_pipeline.portal.errors import TooOftenError
from intune_pipeline.portal.portal import PortalContext

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE

WRITES: Final = Limit("writes", 60, _MINUTE)
"""Requests of one person for an account that change something, all together."""

SYNCS: Final = Limit("syncs", 6, _MINUTE)
PREVIEWS: Final = Limit("previews", 10, _MINUTE)
EXPORTS: Final = Limit("exports", 10, _MINUTE)
CONNECTS: Final = Limit("connects", 10, _HOUR)
PLANS: Final = Limit("plans", 6, _HOUR)
"""Plans asked for: each reads the whole list of the tenant's devices."""

UNDOS: Final = Limit("undos", 6, _MINUTE)
WEBHOOKS: Final = Limit("webhooks", 20, _MINUTE)
"""Addresses looked up, tests and replays, all together."""


SIGN_IN_FAILURES: Final = Limit("sign_in_failures", 20, 10 * _MINUTE)
"""Sign-ins from one address that ended badly; who signs in well is never counted."""

TOKEN_FAILURES: Final = Limit("token_failures", 60, 10 * _MINUTE)
"""Bearer tokens from one address that were not good; a good one is never refused for them."""

_IPV6_SITE: Final = 64


def spend(portal: PortalContext, limit: Limit, account: Account) -> None:
    """Count one use by an account.

    Raises:
        TooOftenError: that was one too many.
    """
    _spend(portal, limit, f"account {account.id}")


def spend_of_person(portal: PortalContext, limit: Limit, account: Account, subject: str) -> None:
    """Count one use by a person, whom nobody else of the account has to wait for.

    Raises:
        TooOftenError: that was one too many.
    """
    _spend(portal, limit, f"account {account.id} {subject}")


def spend_of_address(portal: PortalContext, limit: Limit, address: str) -> None:
    """Count one use by an address.

    Raises:
        TooOftenError: that was one too many.
    """
    _spend(portal, limit, _site(address))


def check_address(portal: PortalContext, limit: Limit, address: str) -> None:
    """Refuse an address that has used a limit up; counts nothing.

    Raises:
        TooOftenError: it has.
    """
    with portal.system_transaction() as db:
        wait = rate_limits.waiting(db, limit, _site(address), portal.clock())
    if wait:
        raise _too_often(limit, wait)


def _spend(portal: PortalContext, limit: Limit, key: str) -> None:
    with portal.system_transaction() as db:
        wait = rate_limits.spend(db, limit, key, portal.clock())
    if wait:
        raise _too_often(limit, wait)


def _too_often(limit: Limit, wait: int) -> TooOftenError:
    what = limit.name.replace("_", " ")
    return TooOftenError(
        f"Too many {what} within a short time. Try again in {wait} {'second' if wait == 1 else 'seconds'}.",
        wait,
        cause=limit.name,
    )


def _site(address: str) -> str:
    """The address that counts: of IPv6 the network, as one subscriber has all addresses in it."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return f"address {address}"
    if known.version == 6:
        return f"address {ipaddress.ip_network((known, _IPV6_SITE), strict=False)}"
    return f"address {known}"
