"""The list of devices as a file for people: columns and values in words, times in the reader's time zone.

Belongs here: the columns. Does not belong here: what is found (``inventory.device_list``) and that no cell begins a formula
(``inventory.csv_lines``).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.inventory.device_list import Device
from intune_pipeline.portal import words

BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By which spreadsheets know that a file is UTF-8."""

_COLUMNS: Final[tuple[tuple[str, Callable[[Device], Any]], ...]] = (
    ("Serial number", lambda device: device.serial_number),
    ("Device name", lambda device: device.device_name),
    ("User in Intune", lambda device: device.user),
    ("Assignee in allwhere", lambda device: device.assignee),
    ("Maker", lambda device: device.manufacturer),
    ("Model", lambda device: device.model_name or device.model),
    ("Model in Intune", lambda device: device.model),
    ("Type", lambda device: words.DEVICE_TYPES.get(device.device_type or "", "")),
    ("Operating system", lambda device: device.operating_system),
    ("Released", lambda device: device.release_date),
    ("Result", lambda device: words.OUTCOMES[device.outcome]),
    ("Reason", lambda device: words.outcome_reason(device.outcome, device.reason)),
    ("In Intune", lambda device: "Gone" if device.is_gone else "Yes"),
    ("Asset status", lambda device: words.ASSET_STATUSES.get(device.asset_status or "", "")),
)
_TIMES: Final[tuple[tuple[str, Callable[[Device], datetime | None]], ...]] = (
    ("Last contact with Intune", lambda device: device.last_contact_at),
    ("First seen", lambda device: device.first_seen_at),
    ("Last seen", lambda device: device.last_seen_at),
    ("Last synced", lambda device: device.last_synced_at),
)


def lines(devices: Iterable[Device], time_zone: str) -> Iterator[str]:
    """The file, line by line.

    Args:
        devices: what is listed.
        time_zone: the reader's, by its IANA name; one that is not known is taken for UTC.
    """
    zone = ZoneInfo(time_zone if time_zone in _time_zones() else "UTC")
    headers = [*(name for name, _ in _COLUMNS), *(f"{name} ({zone.key})" for name, _ in _TIMES), "Intune device id"]
    yield BYTE_ORDER_MARK + csv_line(headers)
    for device in devices:
        yield csv_line(
            [
                *(read(device) for _, read in _COLUMNS),
                *(_local(read(device), zone) for _, read in _TIMES),
                device.intune_device_id,
            ]
        )


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
