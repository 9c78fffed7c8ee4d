"""The JSON API's lists of assets and employees.

Belongs here: the routes and their schemas. Does not belong here: reading (``inventory.lists``).
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from intune_pipeline.domain.vocabulary import ChangedEntity
from intune_pipeline.inventory import lists
from intune_pipeline.portal.access import TokenAdmin
from intune_pipeline.portal.api_schema import COMMON, Output, ThePortal
from intune_pipeline.portal.inputs import Id

router = APIRouter(prefix="/api/v1", responses=COMMON)
_MOST = 1_000
_SINCE = (
    "only what changed since; give the as_of of your last list's first page, not your own clock. What was committed late is "
    "in the list, something that changed a little before may be in it again, what was removed is told by /changes only"
)
ModifiedAfter = Annotated[AwareDatetime | None, Query(description=_SINCE)]
After = Annotated[Id | None, Query(description="the next_after of the page before")]
Limit = Annotated[int, Query(ge=1, le=_MOST)]
_AS_OF = Field(description="of the first page: the modified_after of your next list")
_NEXT = Field(description="null on the last page")


class Assets(Output):
    """A page of assets; each as the change feed tells its ``current``."""

    assets: list[dict[str, Any]]
    next_after: int | None = _NEXT
    as_of: datetime = _AS_OF


class Employees(Output):
    """A page of employees; each as the change feed tells its ``current``."""

    employees: list[dict[str, Any]]
    next_after: int | None = _NEXT
    as_of: datetime = _AS_OF


@router.get("/assets")
def assets(
    portal: ThePortal,
    admin: TokenAdmin,
    modified_after: ModifiedAfter = None,
    after: After = None,
    limit: Limit = _MOST,
) -> Assets:
    """The account's assets by id; all, or those that changed since a moment."""
    with portal.transaction(admin.account) as db:
        found = lists.page(
            db, admin.account.id, ChangedEntity.ASSET, modified_after=modified_after, after=after or 0, limit=limit
        )
    return Assets(assets=found.rows, next_after=found.next_after, as_of=found.as_of)


@router.get("/employees")
def employees(
    portal: ThePortal,
    admin: TokenAdmin,
    modified_after: ModifiedAfter = None,
    after: After = None,
    limit: Limit = _MOST,
) -> Employees:
    """The account's employees by id; all, or those that changed since a moment."""
    with portal.transaction(admin.account) as db:
        found = lists.page(
            db, admin.account.id, ChangedEntity.EMPLOYEE, modified_after=modified_after, after=after or 0, limit=limit
        )
    return Employees(employees=found.rows, next_after=found.next_after, as_of=found.as_of)
