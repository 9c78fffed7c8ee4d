"""Where a webhook may lead: https, on the public internet, and nowhere else.

Belongs here: the law of addresses. Does not belong here: resolving names and connecting (``portal.webhook_client``), which asks
again at every connection, because a name may lead elsewhere a moment later.

IPv6 is allowed by what IANA has given out for the public internet; IPv4 by what is not set aside. An IPv4 address inside an
IPv6 one is refused whatever it is: no receiver needs one, and each such form is a way around the law.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LONGEST_ADDRESS: Final = 500
PORTS: Final = frozenset({443, 8443})

_GIVEN_OUT: Final = ipaddress.ip_network("2000::/3")
#: Set aside within what is given out, and what ``ipaddress`` of Python 3.11 does not know, or calls public.
_SET_ASIDE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT, where clouds put their own services
            "168.63.129.16/32",  # Azure's host, which answers every machine of Azure
            "192.0.0.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.175.48.0/24",
            "2001::/23",  # Teredo, ORCHID, benchmarks
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_HOST: Final = re.compile(r"[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A webhook's address, taken apart.

    Attributes:
        host: a name or an address without brackets, in lower case.
        port: where the receiver listens.
        target: path and query, as they are sent.
    """

    host: str
    port: int
    target: str


class AddressRefusedError(ValueError):
    """A webhook cannot lead there; the text is a sentence for the person who entered it."""


def parsed(address: str, *, loopback: bool = False) -> WebAddress:
    """Take a webhook's address apart.

    Args:
        address: as somebody entered it.
        loopback: whether this is the sandbox, where receivers listen on any port.

    Raises:
        AddressRefusedError: it is not https, names a person or a password, or is malformed.
    """
    if not _PRINTABLE.fullmatch(address) or len(address) > LONGEST_ADDRESS or "\\" in address:
        raise AddressRefusedError(
            f"Enter an address of at most {LONGEST_ADDRESS} letters, digits and signs, without spaces."
        )
    try:
        parts = urlsplit(address)
        port = parts.port or 443
    except ValueError:
        raise AddressRefusedError("This is not a web address.") from None
    if parts.scheme != "https" or not parts.hostname:
        raise AddressRefusedError("The address must begin with https:// and name a host.")
    if "@" in parts.netloc or "#" in address:
        raise AddressRefusedError("The address must not hold a user, a password or a part after #.")
    if not _HOST.fullmatch(parts.netloc.removesuffix(f":{parts.port}")):
        raise AddressRefusedError("The host's name must be letters, digits, dots and hyphens.")
    if port not in PORTS and not loopback:
        raise AddressRefusedError("The port must be 443 or 8443.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebAddress(parts.hostname.lower(), port, target)


def is_public(address: str, *, loopback: bool = False) -> bool:
    """Whether a resolved address is on the public internet.

    Args:
        address: IPv4 or IPv6, as a resolver gives it; with a scope (``fe80::1%eth0``) it never is.
        loopback: whether loopback counts too, which it does in the sandbox only.
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    if known.is_loopback:
        return loopback
    if known.version == 6 and known not in _GIVEN_OUT:
        return False
    if any(known in network for network in _SET_ASIDE if network.version == known.version):
        return False
    return known.is_global and not known.is_multicast and not known.is_reserved
