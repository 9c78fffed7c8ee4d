"""Everything one run did, a line per asset, employee and failed device: searched, counted and paged in the database.

Belongs here: the list and its CSV. Does not belong here: a run as one value (``run_story``, whose words these are) and what is
undone (``undo``).

What a run created and an undo removed is listed with its run all the same, and says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.serials import serial_key
from intune_pipeline.domain.vocabulary import AssetAction, RunChange
from intune_pipeline.inventory import run_story, sync_runs
from intune_pipeline.inventory.csv_lines import csv_line
from intune_pipeline.inventory.sync_runs import RunOfAccount

PAGE_SIZE: Final = 50
_ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        search: part of a serial number, model, e-mail, name, or device id; "" finds all.
        kind: only these; None: all.
        page: from 1.
        page_size: lines on a page.
    """

    search: str = ""
    kind: RunChange | None = None
    page: int = 1
    page_size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Line:
    """What the run did to one thing.

    Attributes:
        kind: what.
        name: the asset's serial number, the employee's e-mail, or the failed device's serial number or id.
        fields: each field's value before and after; None is nothing.
        note: why it failed, or that it was removed since.
    """

    kind: RunChange
    name: str
    fields: dict[str, list[Any]] = field(default_factory=dict)
    note: str | None = None

    @property
    def is_asset(self) -> bool:
        """Whether it is about an asset, which has a page by its serial number."""
        return self.kind in {RunChange.CREATED, RunChange.UPDATED, RunChange.REMOVED}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found.

    Attributes:
        counts: how many the search finds, by kind; those of no kind are left out.
        total: how many there are on all pages.
        lines: those of this page.
    """

    counts: Mapping[RunChange, int]
    total: int
    lines: list[Line]


def page(db: Connection, run: RunOfAccount, query: Query) -> Page:
    """One page of what a run did."""
    given = _given(run, query)
    counts = {RunChange(row.kind): row.things for row in db.execute(_COUNTS, given)}
    counts = {kind: counts[kind] for kind in RunChange if kind in counts}
    total = counts.get(query.kind, 0) if query.kind else sum(counts.values())
    given |= {"limit": query.page_size, "offset": (query.page - 1) * query.page_size}
    return Page(counts, total, _lines(db, run, db.execute(_THINGS, given).all()))


def csv_lines(db: Connection, run: RunOfAccount, query: Query) -> Iterator[str]:
    """All that is found, a line of CSV per field; what has no fields has one line."""
    yield csv_line(("what", "name", "field", "before", "after", "note"))
    given = _given(run, query) | {"limit": None, "offset": 0}
    found = db.execute(_THINGS, given).all()
    for start in range(0, len(found), _ROWS_AT_ONCE):
        for line in _lines(db, run, found[start : start + _ROWS_AT_ONCE]):
            for name, (old, new) in line.fields.items() or [("", (None, None))]:
                yield csv_line((line.kind, line.name, name, old, new, line.note))


def _given(run: RunOfAccount, query: Query) -> dict[str, Any]:
    search = query.search.strip()
    return {
        "account_id": run.account_id,
        "run_id": run.id,
        "kind": query.kind,
        "pattern": _pattern(search),
        "key": _pattern(serial_key(search) or search),
    }


def _pattern(search: str) -> str:
    """The search as a pattern for LIKE that finds it anywhere."""
    literal = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{literal}%"


def _lines(db: Connection, run: RunOfAccount, things: Sequence[sa.Row[Any]]) -> list[Line]:
    """The things with their fields, in their order."""
    ids = [thing.id for thing in things if thing.kind in {RunChange.CREATED, RunChange.UPDATED} and not thing.content]
    given = {"account_id": run.account_id, "run_id": run.id, "ids": ids}
    written = [*run_story.created(db, given, {}), *run_story.updated(db, given, {})] if ids else []
    # An asset that a run created has no changes of the same run but for what came in a later batch of it.
    fields = {(change["serial_number"], change["action"]): change["fields"] for change in written}
    actions = {RunChange.CREATED: AssetAction.CREATE, RunChange.UPDATED: AssetAction.UPDATE}
    lines = [
        Line(
            RunChange(thing.kind),
            thing.name or "",
            dict(
                run_story.new_fields(thing.content, {})
                if thing.content
                else fields.get((thing.name, actions.get(thing.kind)), {})
            ),
            thing.note,
        )
        for thing in things
    ]
    _name_assignees(db, run.account_id, lines)
    return lines


def _name_assignees(db: Connection, account_id: int, lines: Iterable[Line]) -> None:
    """Say employees by their e-mail address instead of their id."""
    assigned = [line.fields["assignee_id"] for line in lines if "assignee_id" in line.fields]
    ids = sorted({int(one) for values in assigned for one in values if one is not None})
    if not ids:
        return
    emails = {row.id: row.email for row in db.execute(_EMAILS, {"account_id": account_id, "ids": ids})}
    for values in assigned:
        values[:] = [None if one is None else emails.get(int(one)) or f"employee {one}" for one in values]


def of_account(db: Connection, account: str, run_id: int) -> RunOfAccount:
    """A run of this account.

    Raises:
        UnknownRunError: the account has no such run.
    """
    found = sync_runs.of_account(db, run_id)
    if found.account != account:
        raise sync_runs.UnknownRunError(f"There is no run {run_id}.")
    return found


_OF_RUN: Final = """
    with things as (
        select 'created' as kind, a.id, a.serial_number as name, a.serial_key as sort_key,
               concat_ws(' ', a.serial_number, a.model_name, a.model) as words, cast(null as text) as note,
               cast(null as jsonb) as content
        from assets a where a.account_id = :account_id and a.sync_run_id = :run_id
        union all
        select 'created', cast(u.content ->> 'id' as bigint), u.content ->> 'serial_number', u.content ->> 'serial_key',
               concat_ws(' ', u.content ->> 'serial_number', u.content ->> 'model_name', u.content ->> 'model'),
               'removed since by run ' || u.sync_run_id, u.content
        from undone_rows u
        where u.account_id = :account_id and u.kind = 'asset' and cast(u.content ->> 'sync_run_id' as bigint) = :run_id
        union all
        select 'updated', a.id, a.serial_number, a.serial_key, concat_ws(' ', a.serial_number, a.model_name, a.model), null,
               null
        from assets a join (select distinct asset_id from asset_changes where sync_run_id = :run_id) h on h.asset_id = a.id
        where a.account_id = :account_id
        union all
        select 'removed', cast(u.content ->> 'id' as bigint), u.content ->> 'serial_number', u.content ->> 'serial_key',
               concat_ws(' ', u.content ->> 'serial_number', u.content ->> 'model_name', u.content ->> 'model'), null, null
        from undone_rows u where u.account_id = :account_id and u.kind = 'asset' and u.sync_run_id = :run_id
        union all
        select 'employee_added', e.id, m.email, m.email, concat_ws(' ', e.first_name, e.last_name, m.email),
               concat_ws(' ', e.first_name, e.last_name), null
        from employees e left join lateral (
            select x.email from employee_emails x where x.employee_id = e.id order by x.kind = 'personal', x.email_key limit 1
        ) m on true
        where e.account_id = :account_id and e.sync_run_id = :run_id
        union all
        select case when u.sync_run_id = :run_id then 'employee_removed' else 'employee_added' end,
               cast(u.content ->> 'id' as bigint), u.content #>> '{emails,0,email}', u.content #>> '{emails,0,email}',
               concat_ws(' ', u.content ->> 'first_name', u.content ->> 'last_name', u.content #>> '{emails,0,email}'),
               concat_ws(' ', u.content ->> 'first_name', u.content ->> 'last_name')
                   || case when u.sync_run_id = :run_id then '' else ', removed since by run ' || u.sync_run_id end,
               null
        from undone_rows u
        where u.account_id = :account_id and u.kind = 'employee'
          and (u.sync_run_id = :run_id or cast(u.content ->> 'sync_run_id' as bigint) = :run_id)
        union all
        select 'failed', 0, coalesce(f.serial_number, f.intune_device_id), f.intune_device_id,
               concat_ws(' ', f.serial_number, f.intune_device_id, f.reason), f.reason, null
        from failed_devices f where f.sync_run_id = :run_id
    ), found as (
        select * from things where words ilike :pattern or sort_key like :key
    )
"""
_COUNTS = sa.text(f"{_OF_RUN} select kind, count(*) as things from found group by kind")  # noqa: S608 - a constant
_THINGS = sa.text(f"""
    {_OF_RUN}
    select kind, id, name, note, content from found
    where cast(:kind as text) is null or kind = :kind
    order by array_position(array['created', 'updated', 'removed', 'employee_added', 'employee_removed', 'failed'], kind),
             sort_key, id
    limit :limit offset :offset
""")  # noqa: S608 - a constant
_EMAILS = sa.text("""
    select e.id, (select m.email from employee_emails m where m.employee_id = e.id
                  order by m.kind = 'personal', m.email_key limit 1) as email
    from employees e where e.account_id = :account_id and e.id = any(cast(:ids as bigint[]))
""")
