"""The audit log in the API.

Belongs here: its routes and their schema. Does not belong here: the words (``audit_words``), the file (``audit_pages``).
"""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field

from intune_pipeline.inventory import audit
from intune_pipeline.portal import audit_pages, audit_words
from intune_pipeline.portal.access import TokenAdmin
from intune_pipeline.portal.api_schema import COMMON, TOO_OFTEN, Output, ThePortal
from intune_pipeline.portal.inputs import Id, Text

router = APIRouter(prefix="/api/v1", responses=COMMON)


class AuditEntry(Output):
    """Who did what."""

    id: int
    at: datetime
    actor: str
    actor_subject: str | None = Field(description="the sign-in provider's id of the portal user; null for others")
    action: str
    subject: str
    reason: str | None
    details: dict[str, Any]
    what: str = Field(description="the action in words")
    told: list[str] = Field(description="the details in words")


async def _audit_query(
    action: Text = "", person: Text = "", about: Text = "", since: date | None = None, until: date | None = None
) -> audit.Query:
    return audit.Query(action or None, person.strip(), about.strip(), since, until)


AuditQueried = Annotated[audit.Query, Depends(_audit_query)]


@router.get("/audit")
def audit_log(
    portal: ThePortal,
    admin: TokenAdmin,
    query: AuditQueried,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[Id | None, Query(description="only entries older than this id")] = None,
) -> list[AuditEntry]:
    """Who connected, changed, decided, synced and revealed what, newest first; days are UTC."""
    with portal.transaction(admin.account) as db:
        found = audit.entries(db, admin.account.slug, limit=limit, before=before, query=query)
    return [
        AuditEntry(**asdict(entry), what=audit_words.action(entry), told=audit_words.details(entry)) for entry in found
    ]


@router.get("/audit.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}, **TOO_OFTEN})
def audit_csv(portal: ThePortal, admin: TokenAdmin, query: AuditQueried) -> Response:
    """All entries that are found, as CSV."""
    return audit_pages.csv_of(portal, admin, query)
