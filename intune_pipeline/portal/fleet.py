"""The synced devices as bar charts: by type, system, year of release and last contact.

Belongs here: which bars, in which order, with which link. Does not belong here: counting (``inventory.fleet_overview``) and
drawing (``templates/fleet.html``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from intune_pipeline.domain.vocabulary import Outcome, Presence, System
from intune_pipeline.inventory import fleet_overview
from intune_pipeline.inventory.device_filters import UNKNOWN_YEAR
from intune_pipeline.inventory.fleet_overview import Overview
from intune_pipeline.portal import words
from intune_pipeline.portal.device_links import devices_href

_YEARS: Final = 8
"""Years with a bar of their own, from this one back."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, how many devices, its length in percent of the longest, and where they are listed."""

    label: str
    devices: int
    percent: float
    href: str | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars under a title."""

    title: str
    bars: tuple[Bar, ...]


def charts(overview: Overview, year: int) -> list[Chart]:
    """The charts; none while no device is synced.

    Args:
        overview: the devices counted.
        year: the present one.
    """
    synced = overview.synced
    if not any(synced[fleet_overview.TYPE].values()):
        return []
    types = [(words.DEVICE_TYPES.get(name, name), name) for name in words.DEVICE_TYPES]
    contacts = [(label, name) for name, label in words.CONTACTS.items()]
    return [
        _chart("By type", fleet_overview.TYPE, synced[fleet_overview.TYPE], types),
        _chart("By system", fleet_overview.SYSTEM, synced[fleet_overview.SYSTEM], [(one, one) for one in System]),
        _by_year(synced[fleet_overview.RELEASED], year),
        _chart("By last contact", fleet_overview.CONTACT, synced[fleet_overview.CONTACT], contacts),
    ]


def _chart(title: str, name: str, counted: Mapping[str, int], values: list[tuple[str, str]]) -> Chart:
    rows = [(label, counted.get(value, 0), _listed(name, value)) for label, value in values]
    return Chart(title, _bars(rows))


def _by_year(counted: Mapping[str, int], year: int) -> Chart:
    rows: list[tuple[str, int, str | None]] = []
    earlier = 0
    for released in sorted((one for one in counted if one != UNKNOWN_YEAR), reverse=True):
        if int(released) > year - _YEARS:
            age = max(year - int(released), 0)
            label = f"{released} ({words.counted(age, 'year')})" if age else f"{released} (new)"
            rows.append((label, counted[released], _listed(fleet_overview.RELEASED, released)))
        else:
            earlier += counted[released]
    rows.append((f"{year - _YEARS} or earlier", earlier, None))
    rows.append(("Not known", counted.get(UNKNOWN_YEAR, 0), _listed(fleet_overview.RELEASED, UNKNOWN_YEAR)))
    return Chart("By age: year the model was released", _bars(rows))


def _bars(rows: Sequence[tuple[str, int, str | None]]) -> tuple[Bar, ...]:
    longest = max((devices for _, devices, _ in rows), default=0) or 1
    return tuple(
        Bar(label, devices, round(100 * devices / longest, 1), href) for label, devices, href in rows if devices
    )


def _listed(name: str, value: str) -> str:
    return devices_href(**{name: value}, outcome=Outcome.SYNCED, presence=Presence.IN_INTUNE)
