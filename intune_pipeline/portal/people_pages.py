"""Decisions about people: look-alikes of employees, and users who look like shared accounts.

Belongs here: these pages. Does not belong here: who waits (``inventory.waiting``) and deciding (``inventory.holds``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import EmployeeAnswer, EmployeeHoldKind, HoldKind, LookalikeGrade
from intune_pipeline.inventory import holds, waiting
from intune_pipeline.inventory.waiting import PeopleQuery
from intune_pipeline.portal import decision_words
from intune_pipeline.portal.access import PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.decided_pages import apply_now, just_decided
from intune_pipeline.portal.decision_choice import (
    DECISIONS,
    LISTED,
    PAGE_SIZE,
    Address,
    Notice,
    PageNumber,
    Scope,
    ShownBefore,
    address,
    shown,
)
from intune_pipeline.portal.inputs import Id, Text
from intune_pipeline.portal.paging import page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
PEOPLE: Final = f"{DECISIONS}/people"
_MOST_CHOSEN: Final = 200
_NOBODY_CHOSEN: Final = "Tick at least one person, or choose everybody that is found."

Ids = Annotated[list[Id], Query(max_length=_MOST_CHOSEN)]


@dataclass(frozen=True, slots=True)
class Part:
    """Whom a decision is about.

    Attributes:
        query: what is looked for.
        scope: a chosen few, or everybody who is found.
        chosen: the holds of the chosen few.
    """

    query: PeopleQuery
    scope: Scope
    chosen: tuple[int, ...]

    def ids(self, db: Connection, account: str) -> list[int]:
        """The holds it is about, some of which may be decided already if they were chosen."""
        return list(self.chosen) if self.scope == "chosen" else waiting.people_ids(db, account, self.query)

    def params(self) -> dict[str, Any]:
        """The search as query parameters."""
        kind = self.query.kind if self.query.kind is not EmployeeHoldKind.LOOKALIKE else None
        return {"kind": kind, "search": self.query.search, "grade": self.query.grade}


def _query(kind: EmployeeHoldKind, search: str, grade: LookalikeGrade | Literal[""]) -> PeopleQuery:
    return PeopleQuery(kind, search.strip(), grade or None)


async def asked(
    kind: EmployeeHoldKind = EmployeeHoldKind.LOOKALIKE,
    search: Text = "",
    grade: LookalikeGrade | Literal[""] = "",
    scope: Scope = "chosen",
    hold_id: Ids = [],  # noqa: B006 - FastAPI makes a copy
) -> Part:
    """Dependency: whom an address is about."""
    return Part(_query(kind, search, grade), scope, tuple(hold_id))


async def sent(
    kind: Annotated[EmployeeHoldKind, Form()] = EmployeeHoldKind.LOOKALIKE,
    search: Annotated[Text, Form()] = "",
    grade: Annotated[LookalikeGrade | Literal[""], Form()] = "",
    scope: Annotated[Scope, Form()] = "chosen",
    hold_id: Annotated[list[Id], Form(max_length=_MOST_CHOSEN)] = [],  # noqa: B006
) -> Part:
    """Dependency: whom a form is about."""
    return Part(_query(kind, search, grade), scope, tuple(hold_id))


Asked = Annotated[Part, Depends(asked)]
Sent = Annotated[Part, Depends(sent)]


@router.get(PEOPLE)
def people_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    part: Asked,
    page: PageNumber = 1,
    decided: Id | None = None,
    missed: Ids = [],  # noqa: B006
    fewer: Annotated[int, Query(ge=0)] = 0,
    impossible: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Who waits."""
    notice = Notice(decided, tuple(missed), fewer, impossible)
    with portal.transaction(admin.account) as db:
        return _list(request, db, admin.account.slug, part, page, notice)


@router.get(f"{PEOPLE}/check")
def check_people(
    request: Request, portal: ThePortal, admin: PagePrimaryAdmin, part: Asked, decision: EmployeeAnswer
) -> Response:
    """What a decision would do, before it is taken."""
    with portal.transaction(admin.account) as db:
        if part.scope == "chosen" and not part.chosen:
            return _list(request, db, admin.account.slug, part, 1, Notice(), problem=_NOBODY_CHOSEN)
        return _check(request, db, admin.account.slug, part, decision)


@router.post(PEOPLE, dependencies=[Depends(checked_form)])
def decide_people(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    part: Sent,
    before: ShownBefore,
    decision: Annotated[EmployeeAnswer, Form()],
    apply: Annotated[bool, Form()] = False,
) -> Response:
    """Decide about those who still wait, and say about whom not."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        ids = part.ids(db, account)
        if part.scope == "found" and not before.covers(db, account, ids):
            return _check(request, db, account, part, decision, more=True)
        still = waiting.lock_people(db, account, ids)
        possible = [row.id for row in still if _is_possible(row, decision)]
        if not possible:
            return _list(request, db, account, part, 1, Notice(missed=tuple(ids[:PAGE_SIZE])), problem=_nothing(still))
        holds.decide_employees(db, account, possible, decision, decided_by=admin.label)
        notice = Notice(
            waiting.decision_about(db, HoldKind.EMPLOYEES, possible[0]),
            tuple(set(ids) - {row.id for row in still}) if part.scope == "chosen" else (),
            max(0, before.count - len(still)) if part.scope == "found" else 0,
            len(still) - len(possible),
        )
    if apply:
        apply_now(portal, admin)
    back = Address(PEOPLE, part.params()).given.items()
    return RedirectResponse(address(PEOPLE, [*back, *notice.params()]), status_code=303)


def _is_possible(row: sa.Row[Any], decision: EmployeeAnswer) -> bool:
    needed = {EmployeeAnswer.LINK: row.lookalike_id is not None, EmployeeAnswer.CREATE: row.has_name}
    return bool(needed.get(decision, True))


def _nothing(still: Sequence[object]) -> str:
    if still:
        return "Nothing was decided: this answer cannot be given about any of them."
    return "Nothing was decided: none of them waits any more."


def _list(
    request: Request, db: Connection, account: str, part: Part, number: int, notice: Notice, problem: str = ""
) -> Response:
    query = part.query
    part_missed = [int(one) for one in notice.missed]
    grades = waiting.people_by_grade(db, account, query)
    total = grades.get(query.grade, 0) if query.grade else sum(grades.values())
    return page(
        request,
        "people.html",
        409 if problem and notice.missed else 422 if problem else 200,
        tab=query.kind,
        counts=waiting.counts(db, account),
        query=query,
        chosen=part.chosen,
        people=waiting.people(db, account, query, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE),
        grades=grades,
        total=total,
        number=number,
        pages=page_count(total, PAGE_SIZE),
        here=Address(PEOPLE, part.params()),
        answers=decision_words.OF_PEOPLE[query.kind],
        problem=problem,
        **just_decided(db, account, notice, waiting.missed_people(db, account, part_missed) if part_missed else ()),
    )


def _check(
    request: Request, db: Connection, account: str, part: Part, decision: EmployeeAnswer, *, more: bool = False
) -> Response:
    query = part.query
    answer = decision_words.answer(decision_words.OF_PEOPLE[query.kind], decision)
    if part.scope == "chosen":
        found = waiting.people_chosen(db, account, query, part.chosen)
        ids = [one.id for one in found]
    else:
        ids = waiting.people_ids(db, account, query)
        found = waiting.people(db, account, query, limit=LISTED)
    if answer is None or not ids:
        return _list(request, db, account, part, 1, Notice(missed=part.chosen), problem=_nothing([]))
    return page(
        request,
        "people_check.html",
        409 if more else 200,
        tab=query.kind,
        counts=waiting.counts(db, account),
        answer=answer,
        part=part,
        people=found[:LISTED],
        listed=LISTED,
        shown=shown(db, ids),
        # One who was decided about in the meantime stays in the form, so that the answer names them.
        hold_ids=part.chosen,
        gone=len(part.chosen) - len(ids) if part.scope == "chosen" else 0,
        impossible=decision_words.IMPOSSIBLE.get(decision, ""),
        more=more,
        here=Address(PEOPLE, part.params()),
    )
