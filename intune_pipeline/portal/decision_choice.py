"""A choice among what waits, as pages and forms hand it on: a chosen few, or everything that a search finds.

Belongs here: what the pages of people and of devices share. Does not belong here: what waits (``inventory.waiting``).

The page that asks "are you sure" says in hidden fields what it showed: how many, a fingerprint of them, and when. What is
decided is never more than was shown. Less is decided when others were quicker, and that is said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Depends, Form, Query
from sqlalchemy import Connection

from intune_pipeline.inventory import waiting
from intune_pipeline.portal.browser_sessions import HOME
from intune_pipeline.portal.inputs import Text
from intune_pipeline.portal.paging import MAX_PAGE

DECISIONS: Final = f"{HOME}/decisions"
PAGE_SIZE: Final = 50
LISTED: Final = 100
"""How many the page that asks lists; all of them are decided about."""

#: What others began to write before a page was read and committed after it counts as later.
_OVERLAP: Final = timedelta(seconds=5)

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

Scope = Literal["chosen", "found"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page that asked had shown.

    Attributes:
        count: how many.
        fingerprint: of their ids.
        at: when.
    """

    count: int = 0
    fingerprint: str = ""
    at: datetime = _LONG_AGO

    def covers(self, db: Connection, account: str, ids: list[int] | list[str]) -> bool:
        """Whether nothing is among these that was not shown."""
        if waiting.fingerprint(ids) == self.fingerprint:
            return True
        return len(ids) <= self.count and not waiting.changed_since(db, account, self.at)


def shown(db: Connection, ids: list[int] | list[str]) -> Shown:
    """What a page shows in this transaction."""
    began: datetime = db.execute(sa.select(sa.func.now())).scalar_one()
    return Shown(len(ids), waiting.fingerprint(ids), began - _OVERLAP)


async def shown_of_form(
    shown_count: Annotated[int, Form(ge=0)] = 0,
    shown_fingerprint: Annotated[Text, Form()] = "",
    shown_at: Annotated[datetime | None, Form()] = None,
) -> Shown:
    """Dependency: what the page that asked had shown."""
    at = shown_at or _LONG_AGO
    return Shown(shown_count, shown_fingerprint, at if at.tzinfo else at.replace(tzinfo=UTC))


ShownBefore = Annotated[Shown, Depends(shown_of_form)]
PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a list says about the decision made just now.

    Attributes:
        decision_id: the decision.
        missed: ids of those people or devices that were chosen and decided about by others meanwhile.
        fewer: how many of everything that was found had been decided about meanwhile.
        impossible: how many the answer could not be given about.
    """

    decision_id: int | None = None
    missed: tuple[int, ...] | tuple[str, ...] = ()
    fewer: int = 0
    impossible: int = 0

    def params(self) -> list[tuple[str, Any]]:
        """As query parameters."""
        given = [("decided", self.decision_id), ("fewer", self.fewer), ("impossible", self.impossible)]
        return [(name, value) for name, value in given if value] + [("missed", one) for one in self.missed]


@dataclass(frozen=True, slots=True)
class Address:
    """A list's address with one thing changed.

    Attributes:
        path: of the list.
        given: its query, without what is empty.
    """

    path: str
    given: dict[str, Any] = field(default_factory=dict)

    def with_(self, **changes: Any) -> str:
        """The address with these parameters changed; empty ones are left out."""
        return address(self.path, (self.given | {"page": None} | changes).items())


def address(path: str, params: Iterable[tuple[str, Any]]) -> str:
    """A path with those parameters that are not empty."""
    asked = urlencode([(name, value) for name, value in params if value not in {None, "", 0}])
    return f"{path}?{asked}" if asked else path
