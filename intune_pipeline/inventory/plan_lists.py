"""A stored plan's lines: searched, counted and paged in the database, and as CSV.

Belongs here: what people look at. Does not belong here: storing and approving plans (``plans``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.plan_lines import Difference, PlanLine
from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import LookalikeGrade, PlanLineKind
from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.inventory.plans import StoredPlan, line_of

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for in a plan.

    Attributes:
        search: part of a serial number, model, e-mail, name or reason; "" finds all.
        kind: only these; None: all.
        grade: only look-alikes of this grade; None: all.
        page: from 1.
        page_size: lines on a page.
    """

    search: str = ""
    kind: PlanLineKind | None = None
    grade: LookalikeGrade | None = None
    page: int = 1
    page_size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found.

    Attributes:
        counts: how many the search finds, by kind; those of no kind are left out.
        grades: how many look-alikes the search finds, by grade.
        total: how many there are on all pages.
        lines: those of this page.
    """

    counts: Mapping[PlanLineKind, int]
    grades: Mapping[LookalikeGrade, int]
    total: int
    lines: list[PlanLine]


def page(db: Connection, plan: StoredPlan, query: Query) -> Page:
    """One page of a plan's lines."""
    given = _given(plan, query)
    counted = {PlanLineKind(row.kind): row.lines for row in db.execute(_COUNTS, given)}
    counts = {kind: counted[kind] for kind in PlanLineKind if kind in counted}
    graded = {LookalikeGrade(row.grade): row.lines for row in db.execute(_GRADES, given)}
    grades = {grade: graded[grade] for grade in LookalikeGrade if grade in graded}
    total = db.execute(_TOTAL, given).scalar_one()
    given |= {"limit": query.page_size, "offset": (query.page - 1) * query.page_size}
    return Page(counts, grades, total, _lines(db, db.execute(_LINES, given).mappings()))


def csv_lines(db: Connection, plan: StoredPlan, query: Query) -> Iterator[str]:
    """All that is found, a line of CSV per field; what has no fields has one line."""
    yield csv_line(("what", "name", "model", "field", "before", "after", "note", "same person", "because"))
    given = _given(plan, query) | {"limit": None, "offset": 0}
    for line in _lines(db, db.execute(_LINES, given).mappings()):
        for name, (old, new) in line.fields.items() or [("", (None, None))]:
            because = ", ".join(line.reasons)
            yield csv_line((line.kind, line.name, line.model, name, old, new, line.note, line.grade, because))


def changed_since(db: Connection, plan: StoredPlan, limit: int) -> list[Difference]:
    """The first things that changed since the approved plan in whose place this one stands, employees by their e-mail."""
    found = db.execute(_DIFFERENCES, {"id": plan.id, "limit": limit}).scalars().all()
    told = [Difference(one["name"], _told(one["before"]), _told(one["after"])) for one in found]
    _name_assignees(db, [line for one in told for line in (one.before, one.after) if line])
    return told


def _told(stored: Mapping[str, Any] | None) -> PlanLine | None:
    return None if stored is None else PlanLine(PlanLineKind(stored["kind"]), stored["name"], stored["fields"])


def _given(plan: StoredPlan, query: Query) -> dict[str, Any]:
    search = query.search.strip()
    return {
        "id": plan.id,
        "kind": query.kind,
        "grade": query.grade,
        "pattern": _pattern(search),
        "key": _pattern(serial_key(search) or search),
    }


def _pattern(search: str) -> str:
    literal = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{literal}%"


def _lines(db: Connection, rows: Iterable[Mapping[Any, Any]]) -> list[PlanLine]:
    found = [line_of(row) for row in rows]
    _name_assignees(db, found)
    return found


def _name_assignees(db: Connection, found: Iterable[PlanLine]) -> None:
    """Say employees by their e-mail address instead of their id; who is still to be created is an address already."""
    assigned = [line.fields["assignee_id"] for line in found if "assignee_id" in line.fields]
    ids = sorted({one for values in assigned for one in values if isinstance(one, int)})
    emails = {row.id: row.email for row in db.execute(_EMAILS, {"ids": ids})} if ids else {}
    for values in assigned:
        values[:] = [emails.get(one) or f"employee {one}" if isinstance(one, int) else one for one in values]


_FOUND: Final = """
    from plan_lines l where l.plan_id = :id
      and (concat_ws(' ', l.name, l.model, l.note) ilike :pattern or upper(l.name) like :key)
"""
_CHOSEN: Final = f"""{_FOUND}
      and (cast(:kind as text) is null or l.kind = :kind) and (cast(:grade as text) is null or l.grade = :grade)
"""
_COUNTS = sa.text(f"select l.kind, count(*) as lines {_FOUND} group by l.kind")
_GRADES = sa.text(f"select l.grade, count(*) as lines {_FOUND} and l.grade is not null group by l.grade")
_TOTAL = sa.text(f"select count(*) {_CHOSEN}")
_LINES = sa.text(f"select l.* {_CHOSEN} order by l.position limit :limit offset :offset")
_DIFFERENCES = sa.text("""
    select d.value from plans p cross join lateral jsonb_array_elements(p.differences) with ordinality d(value, position)
    where p.id = :id order by d.position limit :limit
""")
_EMAILS = sa.text("""
    select e.id, (select m.email from employee_emails m where m.employee_id = e.id
                  order by m.kind = 'personal', m.email_key limit 1) as email
    from employees e where e.id = any(cast(:ids as bigint[]))
""")
