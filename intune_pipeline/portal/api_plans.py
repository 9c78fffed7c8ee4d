"""The JSON API's routes about plans: asking for one, looking at it, approving it.

Belongs here: routes and their schemas. Does not belong here: what the pages share with them (``plan_pages``).
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from intune_pipeline.domain.vocabulary import LookalikeGrade, PlanLineKind, PlanStatus
from intune_pipeline.inventory import plan_lists, plans
from intune_pipeline.portal.access import TokenAdmin, TokenPrimaryAdmin
from intune_pipeline.portal.api_schema import COMMON, CONFLICT, MAX_PAGE_SIZE, NOT_FOUND, TOO_OFTEN, Output, ThePortal
from intune_pipeline.portal.inputs import Text
from intune_pipeline.portal.paging import MAX_PAGE
from intune_pipeline.portal.plan_pages import DIFFERENCES_SHOWN, approved, asked, plan_of

router = APIRouter(prefix="/api/v1/plans", responses=COMMON)


class Plan(Output):
    """A stored plan; ``counts`` is empty until it is made."""

    id: UUID
    status: PlanStatus
    requested_by: str
    requested_at: datetime
    listed_at: datetime | None
    made_at: datetime | None
    counts: dict[str, Any]
    hold_reason: str | None
    follows_id: UUID | None
    differences: int
    approved_by: str | None
    approved_at: datetime | None
    sync_run_id: int | None
    error: str | None


class Line(Output):
    """What the plan says about one asset, person or device."""

    kind: PlanLineKind
    name: str
    fields: dict[str, list[Any]]
    model: str
    note: str
    grade: LookalikeGrade | None
    reasons: tuple[str, ...]
    lookalike_id: int | None


class Difference(Output):
    """What changed about one thing since the approved plan ``follows_id``."""

    name: str
    before: Line | None
    after: Line | None


class OpenedPlan(Plan):
    """A plan opened: its numbers, one page of its lines, and the first things that changed since ``follows_id``."""

    kinds: dict[PlanLineKind, int]
    grades: dict[LookalikeGrade, int]
    total: int
    page: int
    page_size: int
    lines: list[Line]
    changed: list[Difference]


class AskedPlan(Output):
    """A plan that is being made."""

    plan_id: UUID


class ApprovedPlan(Output):
    """The sync that was asked for."""

    request_id: UUID


@router.get("")
def list_plans(portal: ThePortal, admin: TokenAdmin) -> list[Plan]:
    """The plans of the last day, newest first."""
    with portal.transaction(admin.account) as db:
        return [Plan.model_validate(one) for one in plans.every(db, admin.account.slug)]


@router.post("", status_code=202, responses=CONFLICT | TOO_OFTEN)
def ask(portal: ThePortal, admin: TokenAdmin) -> AskedPlan:
    """Ask for a plan of what a sync would do now; one that is being made already answers this, too."""
    return AskedPlan(plan_id=asked(portal, admin))


@router.get("/{plan_id}", responses=NOT_FOUND)
def plan(
    portal: ThePortal,
    admin: TokenAdmin,
    plan_id: UUID,
    search: Text = "",
    kind: PlanLineKind | None = None,
    grade: LookalikeGrade | None = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = plan_lists.PAGE_SIZE,
) -> OpenedPlan:
    """One plan opened, searched and a page at a time."""
    query = plan_lists.Query(search, kind, grade, page, page_size)
    with portal.transaction(admin.account) as db:
        opened = plan_of(db, admin.account.slug, plan_id)
        found = plan_lists.page(db, opened, query)
        changed = plan_lists.changed_since(db, opened, DIFFERENCES_SHOWN)
    return OpenedPlan(
        **Plan.model_validate(opened).model_dump(),
        kinds=dict(found.counts),
        grades=dict(found.grades),
        total=found.total,
        page=page,
        page_size=page_size,
        lines=[Line.model_validate(line) for line in found.lines],
        changed=[Difference.model_validate(one) for one in changed],
    )


@router.post("/{plan_id}/approve", status_code=202, responses=NOT_FOUND | CONFLICT | TOO_OFTEN)
def approve(portal: ThePortal, admin: TokenPrimaryAdmin, plan_id: UUID) -> ApprovedPlan:
    """Let a sync do exactly this plan, or nothing and say what changed since. Primary Admins only."""
    return ApprovedPlan(request_id=approved(portal, admin, plan_id))
