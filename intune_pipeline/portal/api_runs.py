"""The JSON API's routes about what waits, what runs did, undoing them, and locks of single fields.

Belongs here: routes and their schemas. Does not belong here: what the pages share with them (``run_pages``, ``needs``).
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from intune_pipeline.domain.vocabulary import NeedKind, RunChange, RunStatus, Trigger
from intune_pipeline.inventory import kept_values, run_changes, run_story, sync_runs
from intune_pipeline.portal.access import TokenAdmin, TokenPrimaryAdmin, TokenRecentPrimaryAdmin
from intune_pipeline.portal.api_schema import COMMON, CONFLICT, MAX_PAGE_SIZE, NOT_FOUND, TOO_OFTEN, Output, ThePortal
from intune_pipeline.portal.inputs import FilledText, Id, Text
from intune_pipeline.portal.paging import MAX_PAGE
from intune_pipeline.portal.run_pages import previewed, run_of, undone
from intune_pipeline.portal.status_pages import RUNS_SHOWN, status_of

router = APIRouter(prefix="/api/v1", responses=COMMON)
Serial = Annotated[FilledText, Query(description="in any spelling")]
FieldName = Annotated[FilledText, Query(description="a field that syncs write")]
DryRun = Annotated[bool, Query(description="only say what would be done")]


class Waiting(Output):
    """One thing that waits for a person."""

    kind: NeedKind
    what: str
    since: datetime | None
    count: int
    to_do: str
    href: str


class Run(Output):
    """One sync or undo in the list."""

    id: int
    trigger: Trigger
    status: RunStatus
    started_by: str | None
    started_at: datetime
    finished_at: datetime | None
    undoes: int | None
    undone_by: int | None
    devices_listed: int
    devices_synced: int
    devices_skipped: int
    devices_failed: int
    devices_gone: int
    assets_created: int
    assets_updated: int
    assets_removed: int
    employees_created: int
    employees_removed: int
    error: str | None


class Change(Output):
    """What the run did to one asset, employee or device."""

    kind: RunChange
    name: str
    fields: dict[str, list[Any]]
    note: str | None


class OpenedRun(Run):
    """A run opened: its numbers, and one page of what it did."""

    skipped_by_reason: dict[str, int]
    values_kept: int
    held: list[str]
    counts: dict[RunChange, int]
    total: int
    page: int
    page_size: int
    changes: list[Change]


@router.get("/needs")
def needs(portal: ThePortal, admin: TokenAdmin) -> list[Waiting]:
    """What waits for a person, the most urgent first. An empty list: there is nothing to do."""
    with portal.transaction(admin.account) as db:
        status = status_of(db, portal, admin.account.slug)
    return [Waiting.model_validate(one) for one in status.needs] if status else []


@router.get("/runs")
def runs(portal: ThePortal, admin: TokenAdmin, limit: Annotated[int, Query(ge=1, le=100)] = RUNS_SHOWN) -> list[Run]:
    """The last syncs and undos, newest first."""
    with portal.transaction(admin.account) as db:
        undone_by = sync_runs.undone_by(db, admin.account.slug)
        return [Run(**_of_run(run, undone_by)) for run in sync_runs.last(db, admin.account.slug, limit)]


@router.get("/runs/{run_id}", responses=NOT_FOUND)
def run(
    portal: ThePortal,
    admin: TokenAdmin,
    run_id: Id,
    search: Text = "",
    kind: RunChange | None = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = run_changes.PAGE_SIZE,
) -> OpenedRun:
    """One run opened: what it created, updated, removed and could not write, searched and a page at a time."""
    query = run_changes.Query(search, kind, page, page_size)
    with portal.transaction(admin.account) as db:
        owner, opened = run_of(db, admin.account.slug, run_id)
        found = run_changes.page(db, owner, query)
        held = run_story.held(db, run_id)
        undone_by = sync_runs.undone_by(db, admin.account.slug)
    return OpenedRun(
        **_of_run(opened, undone_by),
        skipped_by_reason=opened.skipped_by_reason,
        values_kept=opened.values_kept,
        held=held,
        counts=dict(found.counts),
        total=found.total,
        page=page,
        page_size=page_size,
        changes=[Change.model_validate(line) for line in found.lines],
    )


@router.post("/runs/{run_id}/undo", responses=NOT_FOUND | CONFLICT | TOO_OFTEN)
def undo(portal: ThePortal, admin: TokenRecentPrimaryAdmin, run_id: Id, dry_run: DryRun = False) -> dict[str, Any]:
    """Put back what a run wrote and nobody changed since; says what is not undone, and why. Primary Admins only."""
    done = previewed(portal, admin, run_id) if dry_run else undone(portal, admin, run_id)
    return done.as_dict()


@router.put("/device/locks", status_code=204, responses=CONFLICT)
def lock(portal: ThePortal, admin: TokenPrimaryAdmin, serial_number: Serial, field: FieldName) -> None:
    """Let syncs leave a field of an asset as it is. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        kept_values.lock(db, admin.account.slug, serial_number, field, actor=admin.label)


@router.delete("/device/locks", status_code=204, responses=CONFLICT)
def unlock(portal: ThePortal, admin: TokenPrimaryAdmin, serial_number: Serial, field: FieldName) -> None:
    """Let syncs write a field again: ends a lock and what an undo keeps back.

    The field ``asset`` stands for an asset whose creation was undone. Primary Admins only.
    """
    with portal.transaction(admin.account) as db:
        kept_values.release(db, admin.account.slug, serial_number, field, actor=admin.label)


def _of_run(run: sync_runs.SyncRun, undone_by: dict[int, int]) -> dict[str, Any]:
    """The fields of `Run`."""
    given = {name: getattr(run, name) for name in Run.model_fields if name not in {"undoes", "undone_by"}}
    return {**given, "undoes": run.undoes_run_id, "undone_by": undone_by.get(run.id)}
