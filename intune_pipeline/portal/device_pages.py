"""The history of every device, its CSV, and the page of one device.

Belongs here: these pages. Does not belong here: paging and filtering (``inventory.device_list``), the story of a
device (``inventory.history``) and its bypass code (``reveal_pages``).
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from intune_pipeline.domain.fields import SEALED_FIELD
from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import DeviceType, KeptKind, Outcome, SkipReason
from intune_pipeline.inventory import device_list, kept_values
from intune_pipeline.inventory.history import why
from intune_pipeline.inventory.kept_values import LOCKABLE, Kept
from intune_pipeline.inventory.story import Source, Story
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.errors import NotHereError
from intune_pipeline.portal.inputs import FilledText, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
DEVICES = f"{HOME}/devices"
DEVICE = f"{HOME}/device"
PAGE_SIZE = 50
MAX_PAGE = 100_000


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

    @property
    def csv(self) -> str:
        """Everything that is found, as CSV."""
        return self._address(f"{DEVICES}.csv", page=1)

    def device(self, serial_number: str) -> str:
        """The page of one device."""
        return device_href(serial_number)

    def _address(self, path: str, **changes: Any) -> str:
        query = replace(self.query, **changes)
        given = {
            "search": query.search,
            "outcome": query.outcome,
            "reason": query.reason,
            "device_type": query.device_type,
            "sort": query.sort,
            "order": "desc" if query.descending else "asc",
            "page": query.page if query.page > 1 else None,
        }
        return f"{path}?{urlencode({name: value for name, value in given.items() if value})}"


def device_href(serial_number: str) -> str:
    """The page of one device; serial numbers may hold any character, so they go into the query."""
    return f"{DEVICE}?{urlencode({'serial_number': serial_number})}"


async def queried(
    search: Text = "",
    outcome: Outcome | Literal[""] = "",
    reason: SkipReason | Literal[""] = "",
    device_type: DeviceType | Literal[""] = "",
    sort: device_list.SortColumn = "last_seen_at",
    order: Literal["asc", "desc"] = "desc",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> device_list.Query:
    """Dependency: what is looked for in the list."""
    return device_list.Query(
        search=search.strip(),
        outcome=outcome or None,
        reason=reason or None,
        device_type=device_type or None,
        sort=sort,
        descending=order == "desc",
        page=page,
        page_size=PAGE_SIZE,
    )


Queried = Annotated[device_list.Query, Depends(queried)]


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
        pages=max(1, -(-found.total // query.page_size)),
        links=Links(query),
        reasons=[(reason, known.name) for reason, known in SKIPPED.items() if reason != SkipReason.PERSONAL],
    )


@router.get(f"{DEVICES}.csv")
def devices_csv(portal: ThePortal, admin: PageAdmin, query: Queried) -> Response:
    """Everything that is found."""
    return csv_of(portal, admin, query)


def csv_of(portal: PortalContext, admin: Admin, query: device_list.Query) -> Response:
    """The list as a CSV download.

    It is read whole before it is sent, so that a slow download keeps no database connection from others.
    """
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        lines = "".join(device_list.csv_lines(db, admin.account.slug, query))
    return Response(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="intune-devices-{admin.account.slug}.csv"'},
    )


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of the asset.

    Attributes:
        field: the column.
        value: what allwhere has; None for nothing.
        source: who set it.
        locked: the lock, if there is one.
        undone: what an undo keeps back, if anything.
        can_lock: whether a sync ever writes it.
    """

    field: str
    value: Any
    source: Source | None
    locked: Kept | None
    undone: Kept | None
    can_lock: bool


def fields_of(story: Story) -> list[FieldRow]:
    """The asset's fields that are not empty, and those that syncs leave as they are."""
    if story.asset is None:
        return []
    values: dict[str, Any] = {"assignee_id": story.asset.assignee, **story.asset.fields}
    if story.asset.has_bypass_code:
        values[SEALED_FIELD] = "Stored, encrypted"
    kept = {(one.field, one.kind): one for one in story.kept if one.field != WHOLE_ASSET}
    names = dict.fromkeys([*values, *(field for field, _ in kept)])
    return [
        FieldRow(
            field,
            values.get(field),
            story.sources.get(field),
            kept.get((field, KeptKind.LOCKED)),
            kept.get((field, KeptKind.UNDONE)),
            field in LOCKABLE,
        )
        for field in names
    ]


@router.get(DEVICE)
def device_page(request: Request, portal: ThePortal, admin: PageAdmin, serial_number: FilledText) -> Response:
    """Why one device is in the inventory as it is."""
    story = story_of(portal, admin, serial_number)
    return page(
        request,
        "device.html",
        story=story,
        fields=fields_of(story),
        kept_away=next((one for one in story.kept if one.field == WHOLE_ASSET), None),
        runs=f"{HOME}/runs",
    )


@router.post(f"{DEVICE}/locks", dependencies=[Depends(checked_form)])
def change_lock(
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    serial_number: Annotated[FilledText, Form()],
    field: Annotated[FilledText, Form()],
    step: Annotated[Literal["lock", "unlock"], Form()],
) -> Response:
    """Let syncs leave a field as it is, or write it again."""
    change = kept_values.lock if step == "lock" else kept_values.release
    with portal.transaction(admin.account) as db:
        change(db, admin.account.slug, serial_number, field, actor=admin.label)
    return RedirectResponse(f"{device_href(serial_number)}#fields", status_code=303)


def story_of(portal: PortalContext, admin: Admin, serial_number: str) -> Story:
    """The story of one device.

    Raises:
        NotHereError: nothing is known of this serial number.
    """
    with portal.transaction(admin.account) as db:
        story = why(db, admin.account.slug, serial_number)
    if story.asset is None and not story.records:
        raise NotHereError(f"{serial_number} is {story.verdict}", title="No such device")
    return story
