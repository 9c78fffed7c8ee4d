"""Addresses of the device pages.

Belongs here: making them, and reading which list somebody came from. Does not belong here: the pages.
"""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from intune_pipeline.inventory.device_list import Device
from intune_pipeline.inventory.history import names_one_device
from intune_pipeline.portal.browser_sessions import HOME

DEVICES: Final = f"{HOME}/devices"
DEVICE: Final = f"{HOME}/device"
#: What a list's address may hold.
_OF_LIST: Final = frozenset(
    {"search", "outcome", "reason", "device_type", "presence", "system", "decided", "contact", "released"}
    | {"sort", "order", "page"}
)


def device_href(serial_number: str, back: str = "") -> str:
    """The page of one device; serial numbers may hold any character, so they go into the query.

    Args:
        serial_number: in any spelling.
        back: the query of the list that leads there, see :func:`list_href`.
    """
    return _href(DEVICE, serial_number=serial_number, back=back)


def record_href(device: Device, back: str = "") -> str:
    """The page of a listed device, which may be without a serial number of its own."""
    if device.serial_number and names_one_device(device.serial_number, device.reason):
        return device_href(device.serial_number, back)
    return _href(DEVICE, intune_device_id=device.intune_device_id, back=back)


def devices_href(**query: str) -> str:
    """The list of devices, found by these."""
    return _href(DEVICES, **query)


def list_href(back: str) -> str:
    """The list somebody came from.

    Args:
        back: its query; whatever a list does not know is left out.
    """
    return _href(DEVICES, **{name: value for name, value in parse_qsl(back) if name in _OF_LIST})


def _href(path: str, **query: str) -> str:
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{given}" if given else path
