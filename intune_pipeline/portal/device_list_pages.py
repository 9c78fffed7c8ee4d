"""The list of every device, and its CSV.

Belongs here: these pages. Does not belong here: finding, filtering and paging (``inventory.device_list``) and the page of
one device (``device_pages``).
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import Contact, Decided, DeviceType, Outcome, Presence, SkipReason, System
from intune_pipeline.inventory import device_list
from intune_pipeline.inventory.device_filters import UNKNOWN_YEAR
from intune_pipeline.portal import device_csv, limits, words
from intune_pipeline.portal.access import Admin, PageAdmin
from intune_pipeline.portal.device_links import DEVICES, record_href
from intune_pipeline.portal.inputs import Text
from intune_pipeline.portal.paging import MAX_PAGE, page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
PAGE_SIZE: Final = 50
_FIRST_YEARS: Final = 12
"""Years of release that can be chosen, from this one back."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the list with one thing changed."""

    query: device_list.Query

    def sorted(self, column: str) -> str:
        """By this column; the other way round when it is sorted by it already."""
        descending = self.query.sort == column and not self.query.descending
        return self._address(DEVICES, sort=column, descending=descending, page=1)

    def page(self, number: int) -> str:
        """Another page."""
        return self._address(DEVICES, page=number)

    def without(self, name: str) -> str:
        """Without one of the filters."""
        return self._address(DEVICES, **{name: "" if name == "search" else None}, page=1)

    @property
    def csv(self) -> str:
        """Everything that is found, as CSV."""
        return self._address(f"{DEVICES}.csv", page=1)

    def device(self, device: device_list.Device) -> str:
        """The page of one device, which leads back to this list."""
        return record_href(device, urlencode(self.given()))

    def given(self, **changes: Any) -> dict[str, Any]:
        """The query as an address holds it."""
        query = replace(self.query, **changes)
        given = {
            "search": query.search,
            "outcome": query.outcome,
            "reason": query.reason,
            "device_type": query.device_type,
            "presence": query.presence,
            "system": query.system,
            "decided": query.decided,
            "contact": query.contact,
            "released": query.released,
            "sort": query.sort,
            "order": "desc" if query.descending else "asc",
            "page": query.page if query.page > 1 else None,
        }
        return {name: value for name, value in given.items() if value}

    def _address(self, path: str, **changes: Any) -> str:
        return f"{path}?{urlencode(self.given(**changes))}"


async def queried(
    search: Text = "",
    outcome: Outcome | Literal[""] = "",
    reason: SkipReason | Literal[""] = "",
    device_type: DeviceType | Literal[""] = "",
    presence: Presence | Literal[""] = "",
    system: System | Literal[""] = "",
    decided: Decided | Literal[""] = "",
    contact: Contact | Literal[""] = "",
    released: Annotated[str, Query(pattern=f"^([0-9]{{4}}|{UNKNOWN_YEAR}|)$")] = "",
    sort: device_list.SortColumn = "last_contact_at",
    order: Literal["asc", "desc"] = "desc",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> device_list.Query:
    """Dependency: what is looked for in the list."""
    return device_list.Query(
        search=search.strip(),
        outcome=outcome or None,
        reason=reason or None,
        device_type=device_type or None,
        presence=presence or None,
        system=system or None,
        decided=decided or None,
        contact=contact or None,
        released=released or None,
        sort=sort,
        descending=order == "desc",
        page=page,
        page_size=PAGE_SIZE,
    )


Queried = Annotated[device_list.Query, Depends(queried)]


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing the list can be narrowed by.

    Attributes:
        name: in the address.
        label: what it is called.
        options: value → words, without "all".
        chosen: the value it is narrowed to; "" for all.
    """

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str

    @property
    def chosen_words(self) -> str:
        """What it is narrowed to, in words."""
        return dict(self.options).get(self.chosen, self.chosen)


def _filters(query: device_list.Query, year: int) -> list[Filter]:
    reasons = tuple((str(name), known.name) for name, known in SKIPPED.items() if name != SkipReason.PERSONAL)
    years = tuple((str(one), str(one)) for one in range(year, year - _FIRST_YEARS, -1))
    if query.released and query.released not in dict(years) and query.released != UNKNOWN_YEAR:
        years = (*years, (query.released, query.released))
    options: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
        ("device_type", "Type", tuple(words.DEVICE_TYPES.items())),
        ("system", "System", tuple((one.value, one.value) for one in System)),
        ("outcome", "Result", tuple(words.OUTCOMES.items())),
        ("presence", "Still in Intune", tuple(words.PRESENCES.items())),
        ("reason", "Reason", reasons),
        ("contact", "Last contact", tuple(words.CONTACTS.items())),
        ("released", "Released", (*years, (UNKNOWN_YEAR, "Not known"))),
        ("decided", "Decided by people", tuple(words.DECIDED.items())),
    )
    return [Filter(name, label, choices, getattr(query, name) or "") for name, label, choices in options]


@router.get(DEVICES)
def devices_page(request: Request, portal: ThePortal, admin: PageAdmin, query: Queried) -> Response:
    """One page of the list."""
    with portal.transaction(admin.account) as db:
        found = device_list.page(db, admin.account.slug, query)
    return page(
        request,
        "devices.html",
        found=found,
        query=query,
        pages=page_count(found.total, query.page_size),
        links=Links(query),
        filters=_filters(query, portal.clock().year),
    )


@router.get(f"{DEVICES}.csv")
def devices_csv(portal: ThePortal, admin: PageAdmin, query: Queried, time_zone: Text = "UTC") -> Response:
    """Everything that is found, for people.

    It is read whole before it is sent, so that a slow download keeps no database connection from others.
    """
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        found = "".join(device_csv.lines(device_list.every(db, admin.account.slug, query), time_zone))
    return _csv(found, admin)


def csv_of(portal: PortalContext, admin: Admin, query: device_list.Query) -> Response:
    """The list as CSV for programs."""
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        found = "".join(device_list.csv_lines(db, admin.account.slug, query))
    return _csv(found, admin)


def _csv(found: str, admin: Admin) -> Response:
    return Response(
        found,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="intune-devices-{admin.account.slug}.csv"'},
    )
