"""The audit log: who did what, found by person, deed, subject and day, and as CSV.

Belongs here: the page and the file. Does not belong here: the words (``audit_words``) and what is recorded, which is said
where it is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from intune_pipeline.inventory import audit
from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.portal import audit_words, limits
from intune_pipeline.portal.access import Admin, PageAdmin
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.inputs import Id, Text
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
AUDIT: Final = f"{HOME}/audit"
PAGE_SIZE: Final = 50
_BYTE_ORDER_MARK: Final = "\ufeff"
_COLUMNS: Final = ("When (UTC)", "Who", "Sign-in id", "What", "About", "Details", "Reason")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for in the log.

    Attributes:
        given: as they typed it.
        query: what it means; a day that is none finds all.
        problems: what is wrong with a field, by its name.
    """

    given: Mapping[str, str]
    query: audit.Query
    problems: Mapping[str, str]

    def href(self, path: str, **more: object) -> str:
        """An address that finds the same."""
        found = {name: value for name, value in {**self.given, **more}.items() if value}
        return f"{path}?{urlencode(found)}" if found else path


async def asked(action: Text = "", person: Text = "", about: Text = "", since: Text = "", until: Text = "") -> Asked:
    """Dependency: what is looked for. A form's empty field finds all."""
    given = {
        "action": action,
        "person": person.strip(),
        "about": about.strip(),
        "since": since.strip(),
        "until": until.strip(),
    }
    days, problems = {}, {}
    for name in ("since", "until"):
        try:
            days[name] = date.fromisoformat(given[name]) if given[name] else None
        except ValueError:
            days[name], problems[name] = None, "Write a day like 2026-11-27."
    query = audit.Query(action or None, given["person"], given["about"], days["since"], days["until"])
    return Asked(given, query, problems)


TheAsked = Annotated[Asked, Depends(asked)]


@router.get(AUDIT)
def audit_page(
    request: Request, portal: ThePortal, admin: PageAdmin, asked_for: TheAsked, before: Id | None = None
) -> Response:
    """The audit log, newest first."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        found = audit.entries(db, account, limit=PAGE_SIZE + 1, before=before, query=asked_for.query)
        actions = audit.actions(db, account)
    shown, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    return page(
        request,
        "audit.html",
        422 if asked_for.problems else 200,
        entries=shown,
        asked=asked_for,
        actions=[("", "All")] + [(one, audit_words.ACTIONS.get(one, one)) for one in actions],
        audit_words=audit_words,
        older=asked_for.href(AUDIT, before=shown[-1].id) if more else None,
        csv=asked_for.href(f"{AUDIT}.csv"),
    )


@router.get(f"{AUDIT}.csv")
def audit_csv(portal: ThePortal, admin: PageAdmin, asked_for: TheAsked) -> Response:
    """Everything that is found, as CSV."""
    return csv_of(portal, admin, asked_for.query)


def csv_of(portal: PortalContext, admin: Admin, query: audit.Query) -> Response:
    """The entries as a CSV download.

    Raises:
        TooOftenError: the account has downloaded too much of late.
    """
    limits.spend(portal, limits.EXPORTS, admin.account)
    with portal.transaction(admin.account) as db:
        found = audit.entries(db, admin.account.slug, limit=None, query=query)
    lines = [csv_line(_COLUMNS), *(csv_line(_cells(entry)) for entry in found)]
    return Response(
        _BYTE_ORDER_MARK + "".join(lines),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="intune-audit-{admin.account.slug}.csv"'},
    )


def _cells(entry: audit.Entry) -> tuple[str, ...]:
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.actor,
        entry.actor_subject or "",
        audit_words.action(entry),
        entry.subject,
        "; ".join(audit_words.details(entry)),
        entry.reason or "",
    )
