"""The status page, Sync Now, and watching a sync.

Belongs here: these pages. Does not belong here: what makes a connection healthy (``health``) and the debounce, which
the database keeps (``inventory.sync_requests``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import AskedOutcome, ConnectionStatus, RunStatus, Trigger
from intune_pipeline.inventory import connections, fleet_overview, heartbeats, sync_requests, sync_runs, waiting
from intune_pipeline.portal import chart, fleet, health, limits, needs, progress, yesterday
from intune_pipeline.portal.access import Admin, PageAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.run_pages import run_href
from intune_pipeline.portal.security import checked_form
from intune_pipeline.portal.settings_pages import connected
from intune_pipeline.portal.totals import Totals, totals_of_today

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
RUNS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Notice:
    """What to say about the button that was pressed."""

    tone: health.Tone
    title: str
    sentence: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the status page and its API twin tell."""

    connection: connections.Record
    health: health.Health
    runs: list[sync_runs.SyncRun]
    counts: Totals
    last_finished: datetime | None
    next_scheduled: datetime | None
    possible_at: datetime | None
    waiting: int
    needs: list[needs.Waiting]
    undone_by: dict[int, int]
    overview: fleet_overview.Overview
    changes: yesterday.Changes | None


def status_of(db: Connection, portal: PortalContext, account: str) -> Status | None:
    """Gather an account's status; None when it never connected."""
    connection = connections.of_account(db, account)
    if connection is None:
        return None
    now = portal.clock()
    runs = sync_runs.last(db, account, RUNS_SHOWN)
    waits = waiting.counts(db, account)
    good = sync_runs.last_good(db, account)
    settings = portal.pipeline
    connected = connection.status == ConnectionStatus.CONNECTED
    syncs = [run for run in runs if run.trigger != Trigger.UNDO]
    before = yesterday.baseline(syncs, now)
    overview = fleet_overview.of_account(db, account, *((before.started_at, before.finished_at) if before else ()))
    how = health.of_connection(
        connection,
        syncs,
        now=now,
        late_after=timedelta(hours=settings.intune_late_after_hours),
        waiting=waits.everything,
        asked=_asked(db, connection.id),
    )
    return Status(
        connection=connection,
        health=how,
        runs=runs,
        counts=totals_of_today(overview, good),
        last_finished=good.finished_at if good else None,
        next_scheduled=health.next_scheduled(now, settings.intune_sync_hour, settings.intune_sync_time_zone)
        if connected or connection.status == ConnectionStatus.NEEDS_CONSENT
        else None,
        possible_at=sync_requests.possible_at(db, connection.id, portal.debounce),
        waiting=waits.everything,
        needs=needs.of_account(db, portal, account, how, syncs),
        undone_by=sync_runs.undone_by(db, account),
        overview=overview,
        changes=yesterday.changes(runs, before, overview) if before else None,
    )


def _asked(db: Connection, connection_id: int) -> health.Asked:
    return health.Asked(
        is_open=sync_requests.is_open(db, connection_id),
        waiting_since=sync_requests.waiting_since(db, connection_id),
        starter_seen_at=heartbeats.last(db, heartbeats.DAEMON),
    )


@router.get(HOME)
def status_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """The status page; the connect page while there is nothing to tell."""
    return _status_page(request, portal, admin)


@router.post(f"{HOME}/sync", dependencies=[Depends(checked_form)])
def sync_now(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Ask for a sync."""
    limits.spend(portal, limits.SYNCS, admin.account)
    with portal.transaction(admin.account) as db:
        connection = connected(db, admin.account.slug)
        asked = sync_requests.request(db, connection.id, requested_by=admin.label, debounce=portal.debounce)
    if asked.outcome != AskedOutcome.TOO_EARLY:
        return RedirectResponse(f"{HOME}/progress", status_code=303)
    notice = Notice(
        "wait", "Not yet", "A sync was asked for a short while ago. It is possible again", asked.possible_at
    )
    return _status_page(request, portal, admin, notice)


@router.get(f"{HOME}/progress")
def progress_page(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """Watch the sync that was asked for or runs; without one, the last one's result."""
    with portal.transaction(admin.account) as db:
        seen = _progress(db, admin.account.slug, portal.clock())
        first = _syncs(db, admin.account.slug)
    if seen.go_to:
        return RedirectResponse(seen.go_to, status_code=303)
    return page(
        request, "progress.html", progress=seen, first=not any(run.status == RunStatus.SUCCEEDED for run in first)
    )


@router.get(f"{HOME}/progress.json")
def progress_json(portal: ThePortal, admin: PageAdmin) -> JSONResponse:
    """The same for the page's script."""
    with portal.transaction(admin.account) as db:
        return JSONResponse(_progress(db, admin.account.slug, portal.clock()).as_dict())


@router.get(f"{HOME}/result")
def result(request: Request, portal: ThePortal, admin: PageAdmin) -> Response:
    """What the last sync did."""
    with portal.transaction(admin.account) as db:
        runs = _syncs(db, admin.account.slug)
        waits = waiting.counts(db, admin.account.slug)
    if not runs or runs[0].status == RunStatus.RUNNING:
        return RedirectResponse(HOME, status_code=303)
    title = "Your first sync is done" if len(runs) == 1 else "The sync is done"
    return page(request, "result.html", run=runs[0], waits=waits, title=title)


def _syncs(db: Connection, account: str) -> list[sync_runs.SyncRun]:
    """The last syncs, newest first, without undos."""
    return [run for run in sync_runs.last(db, account, RUNS_SHOWN) if run.trigger != Trigger.UNDO]


def _progress(db: Connection, account: str, now: datetime) -> progress.Progress:
    newest = next(iter(_syncs(db, account)), None)
    if newest is not None and newest.status == RunStatus.RUNNING:
        return progress.of_run(newest)
    connection = connections.of_account(db, account)
    asked = _asked(db, connection.id) if connection is not None else health.Asked()
    if asked.is_open:
        return progress.not_begun(health.stuck(asked, now))
    return progress.Progress((), "", go_to=f"{HOME}/result" if newest else HOME)


def _status_page(request: Request, portal: PortalContext, admin: Admin, notice: Notice | None = None) -> Response:
    with portal.transaction(admin.account) as db:
        status = status_of(db, portal, admin.account.slug)
    if status is None or (status.connection.status == ConnectionStatus.PENDING and not status.runs):
        return RedirectResponse(f"{HOME}/connect", status_code=303)
    shown: dict[str, Any] = {
        "health": status.health if admin.is_primary else health.for_secondary_admins(status.health),
        "needs": status.needs if admin.is_primary else needs.for_secondary_admins(status.needs),
        "runs": status.runs,
        "undone_by": status.undone_by,
        "run_href": run_href,
        "chart": chart.of_runs([run for run in status.runs if run.trigger != Trigger.UNDO]),
        "counts": status.counts,
        "changes": status.changes,
        "fleet": fleet.charts(status.overview, portal.clock().year),
        "daily_hour": portal.pipeline.intune_sync_hour,
        "daily_zone": portal.pipeline.intune_sync_time_zone,
        "last_finished": status.last_finished,
        "next_scheduled": status.next_scheduled,
        "possible_at": status.possible_at,
        "can_sync": status.connection.tenant_id is not None
        and status.connection.status
        not in {ConnectionStatus.DISCONNECTED, ConnectionStatus.PENDING, ConnectionStatus.VERIFYING}
        and not status.connection.plan_first,
        "debounce_minutes": portal.pipeline.intune_sync_debounce_minutes,
        "notice": notice,
    }
    return page(request, "status.html", 409 if notice else 200, **shown)
