"""The plan: what a sync would do, asked for, looked at line by line, downloaded, approved.

Belongs here: these pages, and what the API shares with them. Does not belong here: storing and approving plans
(``inventory.plans``) and listing them (``inventory.plan_lists``). Making one is the pipeline's, which finds what was asked
for in the database.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import ConnectionStatus, LookalikeGrade, PlanLineKind, PlanStatus
from intune_pipeline.inventory import connections, plan_lists, plans
from intune_pipeline.inventory.plans import StoredPlan, UnknownPlanError
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.device_links import device_href
from intune_pipeline.portal.errors import NotHereError
from intune_pipeline.portal.inputs import Text
from intune_pipeline.portal.paging import MAX_PAGE, page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.run_pages import run_href
from intune_pipeline.portal.security import checked_form
from intune_pipeline.portal.settings_pages import connected

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
PLAN: Final = f"{HOME}/plan"
DIFFERENCES_SHOWN: Final = 100
_AGAIN_IN_MS: Final = 1500


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of a plan's list with one thing changed."""

    plan_id: UUID
    query: plan_lists.Query

    @property
    def here(self) -> str:
        """The page of the plan."""
        return plan_href(self.plan_id)

    @property
    def approve(self) -> str:
        """Where an approval is sent."""
        return f"{self.here}/approve"

    @property
    def csv(self) -> str:
        """Everything that is found, as CSV."""
        return self._address(f"{self.here}/lines.csv", replace(self.query, page=1))

    def kind(self, kind: PlanLineKind | None) -> str:
        """Only what is of this kind; None: everything."""
        return self._address(self.here, replace(self.query, kind=kind, grade=None, page=1))

    def grade(self, grade: LookalikeGrade) -> str:
        """Only look-alikes of this grade."""
        return self._address(self.here, replace(self.query, kind=None, grade=grade, page=1))

    def page(self, number: int) -> str:
        """Another page."""
        return self._address(self.here, replace(self.query, page=number))

    def device(self, serial_number: str) -> str:
        """The page of one device."""
        return device_href(serial_number)

    def run(self, run_id: int) -> str:
        """The page of a run."""
        return run_href(run_id)

    @staticmethod
    def _address(path: str, query: plan_lists.Query) -> str:
        given = {
            "search": query.search,
            "kind": query.kind,
            "grade": query.grade,
            "page": query.page if query.page > 1 else None,
        }
        asked = urlencode({name: value for name, value in given.items() if value})
        return f"{path}?{asked}" if asked else path


def plan_href(plan_id: UUID) -> str:
    """The page of one plan."""
    return f"{PLAN}/{plan_id}"


async def queried(
    search: Text = "",
    kind: PlanLineKind | Literal[""] = "",
    grade: LookalikeGrade | Literal[""] = "",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> plan_lists.Query:
    """Dependency: what is looked for in a plan."""
    return plan_lists.Query(search.strip(), kind or None, grade or None, page)


Queried = Annotated[plan_lists.Query, Depends(queried)]


def plan_of(db: Connection, account: str, plan_id: UUID) -> StoredPlan:
    """A plan of the account.

    Raises:
        NotHereError: the account has no such plan any more.
    """
    try:
        return plans.get(db, plan_id, account)
    except UnknownPlanError:
        raise NotHereError("There is no such plan; a plan is kept for a day.", title="No such plan") from None


def asked(portal: PortalContext, admin: Admin) -> UUID:
    """Ask for a plan of the account; returns the id of the one that is being made.

    Raises:
        ConflictError: the account is not connected.
        TooOftenError: the account has asked too often.
    """
    limits.spend(portal, limits.PLANS, admin.account)
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        record = connections.syncable(db, admin.account.slug)
        return plans.request(db, record.id, requested_by=admin.label)


def approved(portal: PortalContext, admin: Admin, plan_id: UUID) -> UUID:
    """Approve a plan of the account; returns the id of the request for its sync.

    Raises:
        NotHereError: the account has no such plan any more.
        NotApprovableError: it cannot be approved now.
        TooOftenError: the account has asked too often.
    """
    limits.spend(portal, limits.SYNCS, admin.account)
    with portal.transaction(admin.account) as db:
        return plans.approve(db, plan_of(db, admin.account.slug, plan_id), actor=admin.label)


@router.get(PLAN)
def newest_plan(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The newest plan, or the page to ask for one."""
    with portal.transaction(admin.account) as db:
        connection = connections.of_account(db, admin.account.slug)
        newest = plans.newest(db, admin.account.slug)
    if connection is None:
        return RedirectResponse(f"{HOME}/connect", status_code=303)
    if newest is not None:
        return RedirectResponse(plan_href(newest.id), status_code=303)
    return page(request, "plan_none.html", connection=connection, can_ask=_can_ask(connection))


@router.post(PLAN, dependencies=[Depends(checked_form)])
def ask_for_plan(portal: ThePortal, admin: PageAdmin) -> Response:
    """Ask for a plan."""
    return RedirectResponse(plan_href(asked(portal, admin)), status_code=303)


@router.get(f"{PLAN}/{{plan_id}}")
def plan_page(request: Request, portal: ThePortal, admin: PageAdmin, plan_id: UUID, query: Queried) -> Response:
    """One plan: that it is being made, why it could not be, or everything it says."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        plan = plan_of(db, account, plan_id)
        connection = connected(db, account)
        newest = plans.newest(db, account)
        shown: dict[str, Any] = {"plan": plan, "connection": connection, "can_ask": _can_ask(connection)}
        if plan.is_made:
            shown["found"] = plan_lists.page(db, plan, query)
            shown["differences"] = plan_lists.changed_since(db, plan, DIFFERENCES_SHOWN) if plan.differences else []
    if not plan.is_made:
        return page(request, "plan_making.html", **shown)
    newer = newest.id if newest is not None and newest.id != plan.id else None
    return page(
        request,
        "plan.html",
        query=query,
        links=Links(plan.id, query),
        pages=page_count(shown["found"].total, query.page_size),
        newer=plan_href(newer) if newer else None,
        can_approve=plan.status is PlanStatus.READY and newer is None,
        figures=_figures(plan),
        **shown,
    )


@router.get(f"{PLAN}/{{plan_id}}/state.json")
def plan_state(portal: ThePortal, admin: PageAdmin, plan_id: UUID) -> JSONResponse:
    """Whether the plan is made, for the page's script."""
    with portal.transaction(admin.account) as db:
        plan = plan_of(db, admin.account.slug, plan_id)
    go_to = None if plan.is_open else plan_href(plan_id)
    return JSONResponse({"steps": [], "sentence": MAKING[plan.status], "go_to": go_to, "again_in_ms": _AGAIN_IN_MS})


@router.get(f"{PLAN}/{{plan_id}}/lines.csv")
def plan_csv(portal: ThePortal, admin: PageAdmin, plan_id: UUID, query: Queried) -> Response:
    """Everything that is found, read whole before it is sent."""
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        plan = plan_of(db, admin.account.slug, plan_id)
        lines = "".join(plan_lists.csv_lines(db, plan, query))
    name = f"intune-plan-{admin.account.slug}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(f"{PLAN}/{{plan_id}}/approve", dependencies=[Depends(checked_form)])
def approve_plan(portal: ThePortal, admin: PagePrimaryAdmin, plan_id: UUID) -> Response:
    """Approve the plan and watch its sync."""
    approved(portal, admin, plan_id)
    return RedirectResponse(f"{HOME}/progress", status_code=303)


MAKING: Final[dict[PlanStatus, str]] = {
    **dict.fromkeys(PlanStatus, "Done."),
    PlanStatus.REQUESTED: "Waiting for the plan to begin; it takes seconds.",
    PlanStatus.PLANNING: "Reading your devices from Microsoft Intune and comparing them with your allwhere assets.",
}


def _can_ask(connection: connections.Record) -> bool:
    return connection.tenant_id is not None and connection.status != ConnectionStatus.DISCONNECTED


def _figures(plan: StoredPlan) -> list[tuple[str, int]]:
    counts = plan.counts
    return [
        ("Assets created", counts["assets_created"]),
        ("Assets updated", counts["assets_updated"] - counts["lifecycle_transitions"]),
        ("Assets ended", counts["lifecycle_transitions"]),
        ("Employees added", counts["employees_created"]),
        ("Held for a decision", counts["lookalikes_held"] + counts["lifecycle_held"]),
        ("Devices in Intune", counts["devices_listed"]),
        ("Devices left out", sum(counts["devices_skipped"].values())),
        ("Gone from Intune", counts["devices_gone"]),
    ]
