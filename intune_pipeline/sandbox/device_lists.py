"""Graph's list of managed devices, page by page in the order of device names.

A page is a keyset: it starts behind the name and id the page before ended with, so that a rename between two pages
shows a device twice or not at all, as at Graph.
"""

from typing import NamedTuple

import orjson

from intune_pipeline.sandbox import managed_devices
from intune_pipeline.sandbox.answers import Answer
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.managed_devices import Record
from intune_pipeline.sandbox.odata import Query
from intune_pipeline.sandbox.spoiling import spoilt
from intune_pipeline.sandbox.tenants import Listing, SandboxTenant

_AGAIN = "&again="
PATH = "/v1.0/deviceManagement/managedDevices"


class _Page(NamedTuple):
    number: int
    content: Record
    encoded: bytes


class DeviceLists:
    """Pages of every tenant's list; a page asked for again is served from memory until the tenant's devices change."""

    def __init__(self, faults: Faults, origin: str) -> None:
        self._faults = faults
        self._origin = origin
        self._kept: dict[str, tuple[Listing, dict[tuple[object, ...], _Page]]] = {}

    def answer(self, tenant: SandboxTenant, query: Query) -> Answer:
        """The page a query asks for, whole or spoilt."""
        first, _, turn = query.text.partition(_AGAIN)
        page = self._page(tenant, Query.parse(first) if turn else query)
        spoiling = self._faults.spoils(page.number)
        if spoiling is None:
            return Answer(200, page.encoded)
        if spoiling == "cut":
            return Answer(200, page.encoded, broken_off=True)
        if spoiling == "no_value":
            return Answer(200, {name: shown for name, shown in page.content.items() if name != "value"})
        if spoiling == "endless":
            link = f"{self._origin}{PATH}?{first}{_AGAIN}{int(turn or 0) + 1}"
        elif spoiling == "repeat_link":
            link = f"{self._origin}{PATH}?{query.text}"
        elif spoiling == "foreign_link":
            link = f"https://graph.attacker.example{PATH}?{query.text}"
        else:
            return spoilt(Answer(200, page.encoded), spoiling)
        return Answer(200, {**page.content, "@odata.nextLink": link})

    def _page(self, tenant: SandboxTenant, query: Query) -> _Page:
        listing = tenant.listing()
        kept_for, pages = self._kept.get(tenant.tenant_id, (None, {}))
        if kept_for is not listing:
            pages = {}
            self._kept[tenant.tenant_id] = listing, pages
        key = query.text, self._faults.truncate_list_at, self._faults.largest_page
        if key not in pages:
            pages[key] = self._cut_out(listing, query)
        return pages[key]

    def _cut_out(self, listing: Listing, query: Query) -> _Page:
        end, size = self._faults.truncate_list_at, min(query.top, self._faults.largest_page)
        total = len(listing.views) if end is None else min(end, len(listing.views))
        start = listing.start(query.after)
        stop = min(start + size, total)
        views = listing.views[start:stop]
        content: Record = {
            "@odata.context": f"{self._origin}/v1.0/$metadata#deviceManagement/managedDevices",
            "@odata.count": len(views),
        }
        if start < stop < total:
            content["@odata.nextLink"] = f"{self._origin}{PATH}?{query.following(listing.positions[stop - 1])}"
        names = None if query.select is None else tuple(dict.fromkeys(("id", *query.select)))
        content["value"] = views if names is None else [managed_devices.project(view, names) for view in views]
        return _Page(start // size + 1, content, orjson.dumps(content))
