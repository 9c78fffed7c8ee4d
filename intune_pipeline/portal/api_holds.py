"""The JSON API's routes about what is held: who waits, deciding for all, a search or a few, taking back, applying now.

Belongs here: routes and their schemas. Does not belong here: deciding (``inventory.holds``) and reading (``inventory.held``).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Discriminator, Field, StringConstraints, Tag

from intune_pipeline.domain.vocabulary import (
    AskedOutcome,
    EmployeeAnswer,
    EmployeeHoldKind,
    HoldKind,
    LifecycleDecision,
    LookalikeGrade,
    Trigger,
)
from intune_pipeline.inventory import held, holds
from intune_pipeline.inventory.sync_requests import Answer
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, TokenAdmin, TokenPrimaryAdmin, TokenRecentPrimaryAdmin
from intune_pipeline.portal.api_schema import COMMON, CONFLICT, MAX_PAGE_SIZE, TOO_OFTEN, Input, Output, ThePortal
from intune_pipeline.portal.inputs import MAX_TEXT, FilledText, Id, LifecycleAnswer, Text
from intune_pipeline.portal.paging import MAX_PAGE
from intune_pipeline.portal.portal import PortalContext

router = APIRouter(prefix="/api/v1/holds", responses=COMMON)
MAX_CHOSEN = 10_000
DECISIONS_SHOWN = 50
#: Holds something to search for: what is only spaces would find everything.
SearchedText = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00]*[^\x00-\x20\s][^\x00]*$")]
PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]


class EmployeeHold(Output):
    """A user held back because an employee looks like them, or because they look like a shared account."""

    id: int
    first_name: str | None
    last_name: str | None
    email: str
    lookalike: str | None
    created_at: datetime
    kind: EmployeeHoldKind
    reason: str | None
    grade: LookalikeGrade | None
    display_name: str | None


class LifecycleHold(Output):
    """Lifecycle ends held back because there were too many."""

    id: int
    devices: int
    reason: str
    created_at: datetime


class Holds(Output):
    """What waits for a decision."""

    employees: list[EmployeeHold]
    lifecycle: list[LifecycleHold]


class HeldPeople(Output):
    """One page of the users who are found; ``more``: whether there is another."""

    page: int
    page_size: int
    more: bool
    employees: list[EmployeeHold]


class HeldDevice(Output):
    """A device whose asset waits to be ended, with what is known of it."""

    intune_device_id: str
    serial_number: str | None
    device_name: str | None
    manufacturer: str | None
    model: str | None
    assignee: str | None
    last_contact_at: datetime | None
    absent_since: datetime | None


class HeldDevices(Output):
    """One page of the devices that are found; ``more``: whether there is another."""

    page: int
    page_size: int
    more: bool
    devices: list[HeldDevice]


class Decision(Output):
    """What somebody decided about a part of what waited, and what came of it."""

    id: int
    kind: HoldKind
    decision: str
    size: int
    decided_by: str
    decided_at: datetime
    applied_run_id: int | None
    undone_by: str | None
    undone_at: datetime | None
    can_be_undone: bool
    outcome: str


class AppliedNow(Output):
    """The sync that takes decisions up: one that was asked for, or one that runs and may have begun without them."""

    outcome: Literal[AskedOutcome.ACCEPTED, AskedOutcome.JOINED]
    request_id: UUID | None
    sync_run_id: int | None


class Decided(Output):
    """How many people or devices were decided about, or wait again."""

    size: int
    sync: AppliedNow | None = None


class _Decision(Input):
    """What every decision may ask for."""

    apply_now: bool = Field(False, description="ask for a sync that takes it up, however long ago the last one was")


class PeopleChosen(_Decision):
    """A decision on a chosen few of the held people."""

    hold_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_CHOSEN)]
    decision: EmployeeAnswer
    search: ClassVar[str] = ""


class PeopleFound(_Decision):
    """A decision on everybody of the held people whom a search finds."""

    search: SearchedText
    decision: EmployeeAnswer
    hold_ids: ClassVar[None] = None


class Everybody(_Decision):
    """A decision on all held people."""

    everything: Literal[True]
    decision: EmployeeAnswer
    search: ClassVar[str] = ""
    hold_ids: ClassVar[None] = None


class DevicesChosen(_Decision):
    """A decision on a chosen few of the held ends."""

    intune_device_ids: Annotated[list[FilledText], Field(min_length=1, max_length=MAX_CHOSEN)]
    decision: LifecycleAnswer
    search: ClassVar[str] = ""


class DevicesFound(_Decision):
    """A decision on the ends of all devices that a search finds."""

    search: SearchedText
    decision: LifecycleAnswer
    intune_device_ids: ClassVar[None] = None


class EveryDevice(_Decision):
    """A decision on all held ends."""

    everything: Literal[True] = True
    decision: LifecycleAnswer
    search: ClassVar[str] = ""
    intune_device_ids: ClassVar[None] = None


def _people_part(body: Any) -> str:
    """Which of the three a body about people is, so that only its own fields are judged."""
    given = _given(body)
    return "Everybody" if "everything" in given else "PeopleFound" if "search" in given else "PeopleChosen"


def _given(body: Any) -> Collection[str]:
    """Names of a body's fields; whatever is sent comes here before anything is judged."""
    if isinstance(body, Mapping):
        return body.keys()
    return body.model_fields_set if isinstance(body, BaseModel) else ()


def _devices_part(body: Any) -> str:
    given = _given(body)
    if "intune_device_ids" in given:
        return "DevicesChosen"
    return "DevicesFound" if "search" in given else "EveryDevice"


PeopleDecision = Annotated[
    Annotated[PeopleChosen, Tag("PeopleChosen")]
    | Annotated[PeopleFound, Tag("PeopleFound")]
    | Annotated[Everybody, Tag("Everybody")],
    Discriminator(_people_part),
]
DevicesDecision = Annotated[
    Annotated[DevicesChosen, Tag("DevicesChosen")]
    | Annotated[DevicesFound, Tag("DevicesFound")]
    | Annotated[EveryDevice, Tag("EveryDevice")],
    Discriminator(_devices_part),
]


@router.get("")
def waiting(portal: ThePortal, admin: TokenAdmin) -> Holds:
    """What waits for a decision."""
    with portal.transaction(admin.account) as db:
        employees = holds.employees_waiting(db, admin.account.slug)
        lifecycle = holds.lifecycle_waiting(db, admin.account.slug)
    return Holds(
        employees=[EmployeeHold.model_validate(hold) for hold in employees],
        lifecycle=[
            LifecycleHold(
                id=hold.id, devices=len(hold.intune_device_ids), reason=hold.reason, created_at=hold.created_at
            )
            for hold in lifecycle
        ],
    )


@router.get("/employees")
def employees(
    portal: ThePortal, admin: TokenAdmin, search: Text = "", page: PageNumber = 1, page_size: PageSize = 50
) -> HeldPeople:
    """The users who wait, searched and a page at a time, by name."""
    offset = (page - 1) * page_size
    with portal.transaction(admin.account) as db:
        found = holds.employees_waiting(db, admin.account.slug, search, limit=page_size + 1, offset=offset)
    listed = [EmployeeHold.model_validate(one) for one in found[:page_size]]
    return HeldPeople(page=page, page_size=page_size, more=len(found) > page_size, employees=listed)


@router.get("/devices")
def devices(
    portal: ThePortal, admin: TokenAdmin, search: Text = "", page: PageNumber = 1, page_size: PageSize = 50
) -> HeldDevices:
    """The devices whose ends wait, searched and a page at a time, by serial number."""
    offset = (page - 1) * page_size
    with portal.transaction(admin.account) as db:
        found = held.devices(db, admin.account.slug, search, limit=page_size + 1, offset=offset)
    listed = [HeldDevice.model_validate(one) for one in found[:page_size]]
    return HeldDevices(page=page, page_size=page_size, more=len(found) > page_size, devices=listed)


@router.post("/employees", responses=CONFLICT | TOO_OFTEN)
def decide_employees(portal: ThePortal, admin: TokenPrimaryAdmin, decided: PeopleDecision) -> Decided:
    """Create, link or skip held people, chosen ones together or not at all; the next sync does it. Primary Admins only."""
    _spend(portal, admin, apply_now=decided.apply_now)
    with portal.transaction(admin.account) as db:
        size = holds.decide_employees(
            db,
            admin.account.slug,
            decided.hold_ids,
            decided.decision,
            decided_by=admin.label,
            search=decided.search,
        )
    return Decided(size=size, sync=_applied(portal, admin) if decided.apply_now else None)


@router.post("/lifecycle", responses=CONFLICT | TOO_OFTEN)
def decide_lifecycle(portal: ThePortal, admin: TokenRecentPrimaryAdmin, decided: DevicesDecision) -> Decided:
    """Release or drop held lifecycle ends, chosen ones together or not at all. Primary Admins only."""
    _spend(portal, admin, apply_now=decided.apply_now)
    with portal.transaction(admin.account) as db:
        size = holds.decide_lifecycle(
            db,
            admin.account.slug,
            LifecycleDecision(decided.decision),
            decided_by=admin.label,
            device_ids=decided.intune_device_ids,
            search=decided.search,
        )
    return Decided(size=size, sync=_applied(portal, admin) if decided.apply_now else None)


@router.get("/decisions")
def decisions(
    portal: ThePortal,
    admin: TokenAdmin,
    before: Annotated[Id | None, Query(description="only decisions older than this one, for the next page")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = DECISIONS_SHOWN,
) -> list[Decision]:
    """What was decided, newest first: by whom, when, and what came of it."""
    with portal.transaction(admin.account) as db:
        found = held.decisions(db, admin.account.slug, limit=limit, before=before)
    return [Decision.model_validate(one) for one in found]


@router.post("/decisions/{decision_id}/undo", responses=CONFLICT)
def undo_decision(portal: ThePortal, admin: TokenPrimaryAdmin, decision_id: Id) -> Decided:
    """Take a decision back as long as no sync has taken it up: what it was about waits again. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        return Decided(size=holds.undo_decision(db, admin.account.slug, decision_id, undone_by=admin.label))


@router.post("/apply", status_code=202, responses=CONFLICT | TOO_OFTEN)
def apply_now(portal: ThePortal, admin: TokenPrimaryAdmin) -> AppliedNow:
    """Ask for a sync that takes up what was decided, however long ago the last one was. Primary Admins only."""
    _spend(portal, admin, apply_now=True)
    return _applied(portal, admin)


def _spend(portal: PortalContext, admin: Admin, *, apply_now: bool) -> None:
    if apply_now:
        limits.spend(portal, limits.SYNCS, admin.account)


def _applied(portal: PortalContext, admin: Admin) -> AppliedNow:
    with portal.transaction(admin.account) as db:
        answer: Answer = holds.sync_now(db, admin.account.slug, requested_by=admin.label, trigger=Trigger.MANUAL)
    return AppliedNow.model_validate(answer)
