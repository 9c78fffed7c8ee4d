"""What was decided: who, when, what came of it; taking it back, and applying it at once.

Belongs here: these pages, and what the lists say right after a decision. Does not belong here: deciding.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import Trigger
from intune_pipeline.inventory import connections, held, holds, sync_requests, waiting
from intune_pipeline.inventory.holds import CannotUndoError
from intune_pipeline.inventory.waiting import Missed
from intune_pipeline.portal import decision_words, limits
from intune_pipeline.portal.access import Admin, PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.decision_choice import DECISIONS, Notice, address
from intune_pipeline.portal.inputs import Id
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.run_pages import run_href
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
DECIDED: Final = f"{DECISIONS}/decided"
_SHOWN: Final = 50


def just_decided(db: Connection, account: str, notice: Notice, missed: Sequence[Missed]) -> dict[str, Any]:
    """What a list shows of the decision made just now: the decision, about whom it was not, and whether a sync is on its way."""
    made = waiting.decision(db, account, notice.decision_id) if notice.decision_id else None
    link = connections.of_account(db, account)
    return {
        "made": made,
        "made_words": decision_words.of_decision(made.decision).done(made.size) if made else "",
        "missed": missed,
        "fewer": notice.fewer,
        "impossible": notice.impossible,
        "is_asked": link is not None and sync_requests.is_open(db, link.id),
    }


def apply_now(portal: PortalContext, admin: Admin) -> None:
    """Ask for a sync that applies what was decided, whenever the last one was.

    Raises:
        TooOftenError: the account has asked too often.
        NotConnectedError: the account is not connected.
    """
    limits.spend(portal, limits.SYNCS, admin.account)
    with portal.transaction(admin.account) as db:
        holds.sync_now(db, admin.account.slug, requested_by=admin.label, trigger=Trigger.MANUAL)


@router.get(DECISIONS)
def decisions_page(portal: ThePortal, admin: PageAdmin) -> Response:
    """To the first list in which something waits."""
    with portal.transaction(admin.account) as db:
        found = waiting.counts(db, admin.account.slug)
    lists = (("people", found.lookalikes), ("people?kind=shared", found.shared), ("devices", found.devices))
    first = next((name for name, waits in lists if waits), "people")
    return RedirectResponse(f"{DECISIONS}/{first}", status_code=303)


@router.get(f"{HOME}/holds")
def earlier_address(_: PageAdmin) -> Response:
    """The address that messages and bookmarks of before have."""
    return RedirectResponse(DECISIONS, status_code=303)


@router.get(DECIDED)
def decided_page(
    request: Request, portal: ThePortal, admin: PageAdmin, before: Id | None = None, undone: Id | None = None
) -> Response:
    """What was decided, newest first."""
    with portal.transaction(admin.account) as db:
        return _decided(request, db, admin.account.slug, before, undone=undone)


@router.post(f"{DECISIONS}/undo", dependencies=[Depends(checked_form)])
def undo_decision(
    request: Request, portal: ThePortal, admin: PagePrimaryAdmin, decision_id: Annotated[Id, Form()]
) -> Response:
    """Take a decision back: what it was about waits again."""
    account = admin.account.slug
    try:
        with portal.transaction(admin.account) as db:
            holds.undo_decision(db, account, decision_id, undone_by=admin.label)
    except CannotUndoError:
        with portal.transaction(admin.account) as db:
            return _decided(request, db, account, None, refused=_why_not(waiting.decision(db, account, decision_id)))
    return RedirectResponse(address(DECIDED, [("undone", decision_id)]), status_code=303)


@router.post(f"{DECISIONS}/apply", dependencies=[Depends(checked_form)])
def apply(portal: ThePortal, admin: PagePrimaryAdmin) -> Response:
    """Start a sync that applies what was decided."""
    apply_now(portal, admin)
    return RedirectResponse(f"{HOME}/progress", status_code=303)


def _why_not(made: held.Decision | None) -> str:
    if made is None:
        return "There is no such decision."
    if made.undone_at:
        return f"It was taken back by {made.undone_by} already."
    if made.applied_run_id:
        return (
            f"Run {made.applied_run_id} has taken it up already. What that run wrote can be put back: open the run and "
            "undo it."
        )
    return "A sync is running and may count on it. Wait for its end."


def _decided(
    request: Request,
    db: Connection,
    account: str,
    before: int | None,
    *,
    undone: int | None = None,
    refused: str = "",
) -> Response:
    found = held.decisions(db, account, limit=_SHOWN + 1, before=before)
    shown = found[:_SHOWN]
    return page(
        request,
        "decided.html",
        409 if refused else 200,
        tab="decided",
        counts=waiting.counts(db, account),
        decisions=shown,
        named=waiting.named(db, account, shown),
        done=lambda one: decision_words.of_decision(one.decision).done(one.size),
        older=address(DECIDED, [("before", shown[-1].id)]) if len(found) > _SHOWN else None,
        undone=waiting.decision(db, account, undone) if undone else None,
        refused=refused,
        run_href=run_href,
        can_apply=any(one.can_be_undone for one in shown),
    )
