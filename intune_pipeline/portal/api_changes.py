"""The JSON API's change feed.

Belongs here: the route and its schema. Does not belong here: reading the feed (``inventory.change_feed``).
"""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from intune_pipeline.domain.vocabulary import ChangedEntity
from intune_pipeline.inventory import change_feed
from intune_pipeline.portal.access import TokenAdmin
from intune_pipeline.portal.api_schema import COMMON, Output, ThePortal, problem
from intune_pipeline.portal.errors import GoneError, PortalError
from intune_pipeline.portal.inputs import Text

router = APIRouter(prefix="/api/v1", responses=COMMON)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: problem("This is no cursor of the feed."),
    410: problem("The cursor is older than 90 days."),
}
_CURSOR = "the cursor of the page before; none: from the oldest change kept; latest: from now on"


class ChangeEvent(Output):
    """One change of an asset or employee."""

    id: int
    entity: ChangedEntity
    entity_id: int
    kind: str
    at: datetime
    run_id: int | None
    fields: dict[str, list[str | None]]
    current: dict[str, Any] | None


class Changes(Output):
    """A part of the feed; ``cursor`` says where to go on, ``more`` whether there may be more already."""

    changes: list[ChangeEvent]
    cursor: str
    more: bool


@router.get("/changes", responses=_ANSWERS, response_model=Changes)
def changes(
    portal: ThePortal,
    admin: TokenAdmin,
    cursor: Annotated[Text | None, Query(description=_CURSOR)] = None,
    limit: Annotated[int, Query(ge=1, le=change_feed.PAGE_SIZE)] = change_feed.PAGE_SIZE,
) -> Response:
    """Every change of the account's assets and employees, in order, from wherever a reader has come to."""
    with portal.transaction(admin.account) as db:
        try:
            found = change_feed.read(db, admin.account.id, cursor, limit=limit)
        except change_feed.BadCursorError as error:
            raise PortalError(str(error), title="Not a cursor") from None
        except change_feed.CursorExpiredError as error:
            raise GoneError(str(error), title="Cursor too old") from None
    # The model is for the document only: checking every field of a thousand changes takes longer than reading them.
    return Response(orjson.dumps(found), media_type="application/json")
