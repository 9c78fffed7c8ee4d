"""Decisions about devices that left Intune: whether the assignments of their assets end.

Belongs here: these pages. Does not belong here: what waits (``inventory.held``) and deciding (``inventory.holds``).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import HoldKind, LifecycleDecision
from intune_pipeline.inventory import held, holds, waiting
from intune_pipeline.portal import decision_words
from intune_pipeline.portal.access import PageAdmin, PagePrimaryAdmin, PageRecentPrimaryAdmin
from intune_pipeline.portal.decided_pages import apply_now, just_decided
from intune_pipeline.portal.decision_choice import (
    DECISIONS,
    LISTED,
    PAGE_SIZE,
    Address,
    Notice,
    PageNumber,
    Scope,
    ShownBefore,
    address,
    shown,
)
from intune_pipeline.portal.device_links import device_href
from intune_pipeline.portal.inputs import FilledText, Id, LifecycleAnswer, Text
from intune_pipeline.portal.paging import page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
DEVICES: Final = f"{DECISIONS}/devices"
_MOST_CHOSEN: Final = 200
_NOTHING_CHOSEN: Final = "Tick at least one device, or choose all that are found."
_NOTHING_WAITS: Final = "Nothing was decided: none of these devices waits any more."

Ids = Annotated[list[FilledText], Query(max_length=_MOST_CHOSEN)]


@dataclass(frozen=True, slots=True)
class Part:
    """Which devices a decision is about.

    Attributes:
        search: what is looked for.
        scope: a chosen few, or all that are found.
        chosen: Intune's ids of the chosen few.
    """

    search: str
    scope: Scope
    chosen: tuple[str, ...]

    def ids(self, db: Connection, account: str) -> list[str]:
        """The devices it is about, some of which may be decided already if they were chosen."""
        return list(self.chosen) if self.scope == "chosen" else held.device_ids(db, account, self.search)

    def params(self) -> dict[str, Any]:
        """The search as query parameters."""
        return {"search": self.search}


async def asked(search: Text = "", scope: Scope = "chosen", device_id: Ids = []) -> Part:  # noqa: B006
    """Dependency: which devices an address is about."""
    return Part(search.strip(), scope, tuple(device_id))


async def sent(
    search: Annotated[Text, Form()] = "",
    scope: Annotated[Scope, Form()] = "chosen",
    device_id: Annotated[list[FilledText], Form(max_length=_MOST_CHOSEN)] = [],  # noqa: B006
) -> Part:
    """Dependency: which devices a form is about."""
    return Part(search.strip(), scope, tuple(device_id))


Asked = Annotated[Part, Depends(asked)]
Sent = Annotated[Part, Depends(sent)]


@router.get(DEVICES)
def devices_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    part: Asked,
    page: PageNumber = 1,
    decided: Id | None = None,
    missed: Ids = [],  # noqa: B006
    fewer: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Which devices wait."""
    with portal.transaction(admin.account) as db:
        return _list(request, db, admin.account.slug, part, page, Notice(decided, tuple(missed), fewer))


@router.get(f"{DEVICES}/check")
def check_devices(
    request: Request, portal: ThePortal, admin: PagePrimaryAdmin, part: Asked, decision: LifecycleAnswer
) -> Response:
    """What a decision would do, before it is taken."""
    with portal.transaction(admin.account) as db:
        if part.scope == "chosen" and not part.chosen:
            return _list(request, db, admin.account.slug, part, 1, Notice(), _NOTHING_CHOSEN, 422)
        return _check(request, db, admin.account.slug, part, decision)


@router.post(DEVICES, dependencies=[Depends(checked_form)])
def decide_devices(
    request: Request,
    portal: ThePortal,
    admin: PageRecentPrimaryAdmin,
    part: Sent,
    before: ShownBefore,
    decision: Annotated[LifecycleAnswer, Form()],
    apply: Annotated[bool, Form()] = False,
) -> Response:
    """Decide about those that still wait, and say about how many not."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        ids = part.ids(db, account)
        if part.scope == "found" and not before.covers(db, account, ids):
            return _check(request, db, account, part, decision, more=True)
        still = waiting.lock_devices(db, account, ids)
        if not still:
            return _list(request, db, account, part, 1, Notice(missed=tuple(ids[:PAGE_SIZE])), _NOTHING_WAITS, 409)
        holds.decide_lifecycle(db, account, LifecycleDecision(decision), decided_by=admin.label, device_ids=still)
        notice = Notice(
            waiting.decision_about(db, HoldKind.LIFECYCLE, still[0]),
            tuple(sorted(set(ids) - set(still)))[:PAGE_SIZE] if part.scope == "chosen" else (),
            max(0, before.count - len(still)) if part.scope == "found" else 0,
        )
    if apply:
        apply_now(portal, admin)
    back = Address(DEVICES, part.params()).given.items()
    return RedirectResponse(address(DEVICES, [*back, *notice.params()]), status_code=303)


def _list(
    request: Request,
    db: Connection,
    account: str,
    part: Part,
    number: int,
    notice: Notice,
    problem: str = "",
    status: int = 200,
) -> Response:
    missed = [str(one) for one in notice.missed]
    hold = next(iter(holds.lifecycle_waiting(db, account)), None)
    total = held.count(db, account, part.search) if part.search else len(hold.intune_device_ids) if hold else 0
    return page(
        request,
        "held_devices.html",
        status,
        tab="devices",
        counts=waiting.counts(db, account),
        hold=hold,
        search=part.search,
        chosen=part.chosen,
        devices=held.devices(db, account, part.search, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE),
        total=total,
        number=number,
        pages=page_count(total, PAGE_SIZE),
        here=Address(DEVICES, part.params()),
        answers=decision_words.DEVICES,
        device_href=device_href,
        problem=problem,
        **just_decided(db, account, notice, waiting.missed_devices(db, account, missed) if missed else ()),
    )


def _check(
    request: Request, db: Connection, account: str, part: Part, decision: LifecycleAnswer, *, more: bool = False
) -> Response:
    if part.scope == "chosen":
        chosen = set(part.chosen)
        found = [one for one in held.devices(db, account) if one.intune_device_id in chosen]
        ids = [one.intune_device_id for one in found]
    else:
        ids = held.device_ids(db, account, part.search)
        found = held.devices(db, account, part.search, limit=LISTED)
    if not ids:
        return _list(request, db, account, part, 1, Notice(missed=part.chosen), _NOTHING_WAITS, 409)
    return page(
        request,
        "held_devices_check.html",
        409 if more else 200,
        tab="devices",
        counts=waiting.counts(db, account),
        answer=decision_words.answer(decision_words.DEVICES, decision),
        part=part,
        devices=found[:LISTED],
        listed=LISTED,
        shown=shown(db, ids),
        gone=len(set(part.chosen)) - len(ids) if part.scope == "chosen" else 0,
        more=more,
        here=Address(DEVICES, part.params()),
        device_href=device_href,
    )
