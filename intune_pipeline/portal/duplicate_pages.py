"""Employees who look like one person: merging two, telling them apart, and taking either back.

Belongs here: these pages. Does not belong here: finding and merging (``inventory.duplicates``).

Finding every pair of 10,000 employees takes most of a second of computing. As the answer depends on the employees only, it is
kept for as long as none of them changes.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from intune_pipeline.domain.vocabulary import LookalikeGrade
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import duplicates, waiting
from intune_pipeline.inventory.duplicates import Duplicate
from intune_pipeline.portal.access import PageAdmin, PagePrimaryAdmin
from intune_pipeline.portal.decision_choice import DECISIONS, PAGE_SIZE, Address, PageNumber, address
from intune_pipeline.portal.device_links import device_href
from intune_pipeline.portal.errors import ConflictError
from intune_pipeline.portal.inputs import Id, Text
from intune_pipeline.portal.paging import page_count
from intune_pipeline.portal.portal import PortalContext, portal_of
from intune_pipeline.portal.rendering import page
from intune_pipeline.portal.run_pages import run_href
from intune_pipeline.portal.security import checked_form

router = APIRouter(include_in_schema=False)
ThePortal = Annotated[PortalContext, Depends(portal_of)]
DUPLICATES: Final = f"{DECISIONS}/duplicates"
_LAST: Final = 20
_ACCOUNTS_KEPT: Final = 32
#: By account, the state of its employees and the pairs found in it. Every use is one step, so that threads may share it.
_found: dict[str, tuple[str, list[Duplicate]]] = {}

Done = Literal["merged", "unmerged", "different", "not_different", "gone", ""]


def found_pairs(db: Connection, account: str) -> list[Duplicate]:
    """The pairs of an account, from memory if no employee changed."""
    state = duplicates.state(db, account)
    known = _found.get(account)
    if known is not None and known[0] == state:
        return known[1]
    pairs = duplicates.duplicates(db, account)
    if len(_found) >= _ACCOUNTS_KEPT:
        _found.clear()
    _found[account] = state, pairs
    return pairs


@router.get(DUPLICATES)
def duplicates_page(
    request: Request,
    portal: ThePortal,
    admin: PageAdmin,
    search: Text = "",
    grade: LookalikeGrade | Literal[""] = "",
    page: PageNumber = 1,
    done: Done = "",
    one: Id | None = None,
    other: Id | None = None,
) -> Response:
    """Pairs who could be one person, the surest first, and what was said about pairs before."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        pairs = [pair for pair in found_pairs(db, account) if _is_found(pair, search.strip().casefold())]
        grades = {name: sum(pair.likeness.grade == name for pair in pairs) for name in LookalikeGrade}
        shown = [pair for pair in pairs if grade in {"", pair.likeness.grade}]
        return _page(
            request,
            db,
            account,
            search=search.strip(),
            grade=grade,
            grades={name: count for name, count in grades.items() if count},
            pairs=shown[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
            total=len(shown),
            number=page,
            pages=page_count(len(shown), PAGE_SIZE),
            here=Address(DUPLICATES, {"search": search.strip(), "grade": grade}),
            done=done,
            one=one,
            other=other,
        )


@router.get(f"{DUPLICATES}/check")
def check_merge(
    request: Request,
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    one: Annotated[int, Query(ge=1, le=2**53)],
    other: Annotated[int, Query(ge=1, le=2**53)],
) -> Response:
    """Two employees beside each other, before they are made one or told apart."""
    account = admin.account.slug
    with portal.transaction(admin.account) as db:
        known = duplicates.cards(db, account, [one, other])
        pair = next(
            (pair for pair in found_pairs(db, account) if {pair.employee.id, pair.other.id} == {one, other}), None
        )
    if pair is None or len(known) < len({one, other}):
        return RedirectResponse(address(DUPLICATES, [("done", "gone")]), status_code=303)
    return page(
        request,
        "duplicates_check.html",
        cards=[known[one], known[other]],
        pair=pair,
        device_href=device_href,
        run_href=run_href,
    )


@router.post(DUPLICATES, dependencies=[Depends(checked_form)])
def decide(
    portal: ThePortal,
    admin: PagePrimaryAdmin,
    one: Annotated[Id, Form()],
    other: Annotated[Id, Form()],
    step: Annotated[str, Form(pattern=r"^(keep-\d{1,16}|different|unmerge|not_different)$")],
) -> Response:
    """Make two one, tell them apart, or take either back."""
    account, actor = admin.account.slug, admin.label
    done: dict[str, str] = {"different": "different", "unmerge": "unmerged", "not_different": "not_different"}
    try:
        with portal.transaction(admin.account) as db:
            if step == "different":
                duplicates.declare_different(db, account, one, other, actor=actor)
            elif step == "not_different":
                duplicates.take_back_different(db, account, one, other, actor=actor)
            elif step == "unmerge":
                duplicates.unmerge(db, account, other, actor=actor)
            else:
                keep = int(step.removeprefix("keep-"))
                if keep not in {one, other}:
                    raise ConflictError("Say which of the two employees stays.")
                one, other = (one, other) if keep == one else (other, one)
                duplicates.merge(db, account, one, other, actor=actor)
    except WrongUseError:
        return RedirectResponse(address(DUPLICATES, [("done", "gone")]), status_code=303)
    told = [("done", done.get(step, "merged")), ("one", one), ("other", other)]
    return RedirectResponse(address(DUPLICATES, told), status_code=303)


def _is_found(pair: Duplicate, search: str) -> bool:
    texts = (
        text
        for employee in (pair.employee, pair.other)
        for text in (f"{employee.first_name} {employee.last_name}", *(email for email, _ in employee.emails))
    )
    return not search or any(search in text.casefold() for text in texts)


def _page(request: Request, db: Connection, account: str, **context: Any) -> Response:
    return page(
        request,
        "duplicates.html",
        tab="duplicates",
        counts=waiting.counts(db, account),
        merged=duplicates.merged(db, account, _LAST),
        different=duplicates.declared_different(db, account, _LAST),
        **context,
    )
