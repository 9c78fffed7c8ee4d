"""The page of one run, its CSV, and undoing it.

Belongs here: these pages, and what the API shares with them. Does not belong here: listing what a run did
(``inventory.run_changes``) and undoing (``inventory.undo``).
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import RunChange, RunStatus, UndoAction
from intune_pipeline.inventory import run_changes, run_story, sync_runs, undo
from intune_pipeline.inventory.sync_runs import RunOfAccount, SyncRun
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin, PageRecentPrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.device_links import device_href
from intune_pipeline.portal.errors import NotHereError
from intune_pipeline.portal.inputs import Id, Text
from intune_pipeline.portal.paging import MAX_PAGE, page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form
from intune_pipeline.portal.totals import totals_of

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
RUNS: Final = f"{HOME}/runs"
SHOWN_IN_CHECK: Final = 100
"""Changes and refusals that the check page lists; the numbers above them are of all."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of a run's list with one thing changed."""

    run_id: int
    query: run_changes.Query

    def kind(self, kind: RunChange | None) -> str:
        """Only what is of this kind; None: everything."""
        return self._address(run_href(self.run_id), replace(self.query, kind=kind, page=1))

    def page(self, number: int) -> str:
        """Another page."""
        return self._address(run_href(self.run_id), replace(self.query, page=number))

    @property
    def here(self) -> str:
        """The page of the run."""
        return run_href(self.run_id)

    def run(self, run_id: int) -> str:
        """The page of another run."""
        return run_href(run_id)

    @property
    def csv(self) -> str:
        """Everything that is found, as CSV."""
        return self._address(f"{run_href(self.run_id)}/changes.csv", replace(self.query, page=1))

    @property
    def undo(self) -> str:
        """The page to check before undoing."""
        return f"{run_href(self.run_id)}/undo"

    def device(self, serial_number: str) -> str:
        """The page of one device."""
        return device_href(serial_number)

    @staticmethod
    def _address(path: str, query: run_changes.Query) -> str:
        given = {"search": query.search, "kind": query.kind, "page": query.page if query.page > 1 else None}
        asked = urlencode({name: value for name, value in given.items() if value})
        return f"{path}?{asked}" if asked else path


def run_href(run_id: int) -> str:
    """The page of one run."""
    return f"{RUNS}/{run_id}"


async def queried(
    search: Text = "",
    kind: RunChange | Literal[""] = "",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> run_changes.Query:
    """Dependency: what is looked for in a run."""
    return run_changes.Query(search.strip(), kind or None, page)


Queried = Annotated[run_changes.Query, Depends(queried)]


def run_of(db: Connection, account: str, run_id: int) -> tuple[RunOfAccount, SyncRun]:
    """A run of the account.

    Raises:
        NotHereError: the account has no such run.
    """
    try:
        owner = run_changes.of_account(db, account, run_id)
    except sync_runs.UnknownRunError:
        owner = None
    run = sync_runs.get(db, run_id) if owner else None
    if owner is None or run is None:
        raise NotHereError(f"Your account has no run {run_id}.", title="No such run")
    return owner, run


def previewed(portal: PortalContext, admin: Admin, run_id: int) -> undo.Undone:
    """What undoing a run of the account would do now.

    Raises:
        NotHereError: the account has no such run.
        TooOftenError: the account has asked too often.
        WrongUseError: the run has not ended.
    """
    limits.spend(portal, limits.PREVIEWS, admin.account)
    with portal.transaction(admin.account) as db:
        run_of(db, admin.account.slug, run_id)
    with portal.engine_for(admin.account) as engine:
        return undo.preview(engine, run_id)


def undone(portal: PortalContext, admin: Admin, run_id: int) -> undo.Undone:
    """Undo a run of the account.

    Raises:
        NotHereError: the account has no such run.
        TooOftenError: the account has asked too often.
        WrongUseError: the run has not ended.
        SyncLockedError: a sync of the account is running.
    """
    limits.spend(portal, limits.UNDOS, admin.account)
    with portal.transaction(admin.account) as db:
        run_of(db, admin.account.slug, run_id)
    with portal.engine_for(admin.account) as engine:
        return undo.undo(engine, run_id, actor=admin.label)


@router.get(f"{RUNS}/{{run_id}}")
def run_page(request: Request, portal: ThePortal, admin: PageAdmin, run_id: Id, query: Queried) -> Response:
    """What one run did."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        owner, run = run_of(db, account, run_id)
        shown: dict[str, Any] = {
            "found": run_changes.page(db, owner, query),
            "held": run_story.held(db, run_id),
            "undone_by": sync_runs.undone_by(db, account).get(run_id),
        }
    return page(
        request,
        "run.html",
        run=run,
        query=query,
        pages=page_count(shown["found"].total, query.page_size),
        links=Links(run_id, query),
        totals=totals_of(run),
        figures=[(label, count) for label, count in _figures(run) if count or label in _ALWAYS],
        can_undo=run.status != RunStatus.RUNNING and not shown["undone_by"],
        **shown,
    )


@router.get(f"{RUNS}/{{run_id}}/changes.csv")
def run_csv(portal: ThePortal, admin: PageAdmin, run_id: Id, query: Queried) -> Response:
    """Everything that is found, read whole before it is sent."""
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        owner, _ = run_of(db, admin.account.slug, run_id)
        lines = "".join(run_changes.csv_lines(db, owner, query))
    name = f"intune-run-{run_id}-{admin.account.slug}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get(f"{RUNS}/{{run_id}}/undo")
def undo_question(request: Request, portal: ThePortal, admin: PagePrimaryAdmin, run_id: Id) -> Response:
    """What undoing would change, what stays, and why; changes nothing."""
    return _undo_page(request, "undo.html", previewed(portal, admin, run_id))


@router.post(f"{RUNS}/{{run_id}}/undo", dependencies=[Depends(checked_form)])
def undo_run(request: Request, portal: ThePortal, admin: PageRecentPrimaryAdmin, run_id: Id) -> Response:
    """Undo it, and say what was not undone."""
    return _undo_page(request, "undone.html", undone(portal, admin, run_id))


_ALWAYS: Final = frozenset({"Assets created", "Assets updated"})


def _figures(run: SyncRun) -> list[tuple[str, int]]:
    return [
        ("Assets created", run.assets_created),
        ("Assets updated", run.assets_updated),
        ("Assets removed", run.assets_removed),
        ("Assignees changed", run.assignees_changed),
        ("Ended", run.lifecycle_transitions),
        ("Employees added", run.employees_created),
        ("Employees removed", run.employees_removed),
        ("Held", run.lookalikes_held + run.lifecycle_held),
        ("Skipped", run.devices_skipped),
        ("Failed", run.devices_failed),
    ]


def _undo_page(request: Request, template: str, what: undo.Undone) -> Response:
    actions = Counter(change["action"] for change in what.changes)
    people = Counter(person["action"] for person in what.employees)
    return page(
        request,
        template,
        undo=what,
        counts={
            "put_back": actions[UndoAction.UPDATE],
            "removed": actions[UndoAction.REMOVE],
            "brought_back": actions[UndoAction.CREATE],
            "employees_removed": people[UndoAction.REMOVE],
            "employees_brought_back": people[UndoAction.CREATE],
        },
        most=SHOWN_IN_CHECK,
        links=Links(what.run_id, run_changes.Query()),
    )
