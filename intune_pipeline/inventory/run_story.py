"""One run opened: everything it created, updated, assigned, ended, held, skipped and failed, row by row.

Belongs here: reading it from the tables. Does not belong here: printing it (``cli``, ``portal``) and undoing it (``undo``).

The history holds what became of existing assets. What a new asset was like is its row of today, less every change since.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TextIO

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.fields import FILLED_FIELDS, INTUNE_FIELDS, SEALED_FIELD
from intune_pipeline.domain.vocabulary import AssetAction, Outcome
from intune_pipeline.inventory import sync_runs
from intune_pipeline.inventory.sync_runs import REPORTED

_CREATED_FIELDS: Final = ("serial_number", "status", *INTUNE_FIELDS, *FILLED_FIELDS, "assignee_id")
_NUMBERS: Final = frozenset({"memory_gb", "storage_gb", "assignee_id"})


@dataclass(frozen=True, slots=True)
class RunStory:
    """A run and all it wrote.

    Attributes:
        run: its line in the sync log.
        account: the account's slug.
        changes: every asset it created or updated: ``{"serial_number", "action", "fields": {name: [old, new]}}``, as
            ``plan`` prints them; an employee the run created is shown as their e-mail, others as their id.
        employees: every employee it added: ``{"email", "first_name", "last_name", "action"}``.
        skipped: devices left out, by reason.
        gone: devices that are no longer in Intune.
        failed: every device that could not be written: ``{"intune_device_id", "serial_number", "reason"}``.
        held: what waits, or waited, for a person because of it, a sentence each.
    """

    run: sync_runs.SyncRun
    account: str
    changes: list[dict[str, Any]]
    employees: list[dict[str, Any]]
    skipped: dict[str, int]
    gone: int
    failed: list[dict[str, Any]]
    held: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The run in JSON's types."""
        run = asdict(self.run)
        counts = {name: run[name] for name in REPORTED}
        return {
            "id": self.run.id,
            "account": self.account,
            "trigger": self.run.trigger,
            "started_by": self.run.started_by,
            "started_at": self.run.started_at.isoformat(),
            "finished_at": self.run.finished_at.isoformat() if self.run.finished_at else None,
            "undoes": self.run.undoes_run_id,
            **counts,
            "devices_skipped": self.skipped,
            "error": self.run.error,
            "changes": self.changes,
            "employees": self.employees,
            "skipped": self.skipped,
            "gone": self.gone,
            "failed": self.failed,
            "held": self.held,
        }

    def rows(self) -> Iterator[tuple[str, str, str, Any, Any]]:
        """One row per thing: what happened, to what, field, before, after."""
        for change in self.changes:
            for name, (old, new) in change["fields"].items():
                yield change["action"], change["serial_number"], name, old, new
        for person in self.employees:
            yield "create employee", person["email"], "name", None, f"{person['first_name']} {person['last_name']}"
        for device in self.failed:
            yield (
                Outcome.FAILED.value,
                device["serial_number"] or device["intune_device_id"],
                "",
                None,
                device["reason"],
            )
        for reason, count in self.skipped.items():
            yield Outcome.SKIPPED.value, reason, "devices", None, count


def of_run(db: Connection, run_id: int) -> RunStory:
    """A run opened.

    Raises:
        UnknownRunError: there is no such run.
    """
    owner = sync_runs.of_account(db, run_id)
    run = sync_runs.get(db, run_id)
    if run is None:
        raise sync_runs.UnknownRunError(f"There is no run {run_id}.")
    given = {"run_id": run_id, "account_id": owner.account_id, "connection_id": owner.connection_id, "ids": None}
    added = {row["id"]: row for row in db.execute(_EMPLOYEES, given).mappings()}
    emails = {str(employee_id): row["email"] for employee_id, row in added.items()}
    return RunStory(
        run=run,
        account=owner.account,
        changes=[*created(db, given, emails), *updated(db, given, emails)],
        employees=[
            {
                "email": row["email"],
                "first_name": row["first_name"],
                "last_name": row["last_name"],
                "action": AssetAction.CREATE.value,
            }
            for row in added.values()
        ],
        skipped=run.skipped_by_reason,
        gone=run.devices_gone,
        failed=[dict(row) for row in db.execute(_FAILED, given).mappings()],
        held=held(db, owner.id),
    )


def write_csv(story: RunStory, file: TextIO) -> None:
    """A run as CSV: one row per field, employee, failed device and skip reason."""
    writer = csv.writer(file)
    writer.writerow(("action", "what", "field", "before", "after"))
    writer.writerows(story.rows())


def created(db: Connection, given: Mapping[str, Any], emails: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The assets a run created, as they were then.

    Args:
        db: any connection.
        given: ``account_id``, ``run_id`` and ``ids``: only these assets; None: all.
        emails: what to show for an employee's id.
    """
    first: dict[int, dict[str, str | None]] = {}
    for value in db.execute(_FIRST_VALUES, given):
        first.setdefault(value.asset_id, {})[value.field] = value.old_value
    for row in db.execute(_CREATED, given).mappings():
        was = {name: row["content"].get(name) for name in _CREATED_FIELDS} | first.get(row["id"], {})
        fields = new_fields(was, emails)
        if row["has_code"]:
            fields[SEALED_FIELD] = [None, "(sealed)"]
        yield {"serial_number": row["serial_number"], "action": AssetAction.CREATE.value, "fields": fields}


def updated(db: Connection, given: Mapping[str, Any], emails: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The assets of which a run changed a field; the arguments are those of :func:`created`."""
    changed: dict[str, dict[str, list[Any]]] = {}
    for row in db.execute(_CHANGES, given):
        old, new = (_value(row.field, value, emails) for value in (row.old_value, row.new_value))
        if row.field == SEALED_FIELD:
            old, new = None, "(sealed)"
        changed.setdefault(row.serial_number, {})[row.field] = [old, new]
    for serial_number, fields in changed.items():
        yield {"serial_number": serial_number, "action": AssetAction.UPDATE.value, "fields": fields}


def new_fields(content: Mapping[str, Any], emails: Mapping[str, str]) -> dict[str, list[Any]]:
    """The fields of a new asset, from its row; without the secret."""
    return {
        name: [None, _value(name, content[name], emails)]
        for name in _CREATED_FIELDS
        if content.get(name) is not None and name != SEALED_FIELD
    }


def _value(name: str, value: Any, emails: Mapping[str, str]) -> Any:
    if name == "assignee_id" and str(value) in emails:
        return emails[str(value)]
    return int(value) if name in _NUMBERS and value is not None else value


def held(db: Connection, run_id: int) -> list[str]:
    """What waits, or waited, for a person because of a run, a sentence each."""
    return [
        f"{row.devices} {'device' if row.devices == 1 else 'devices'} that left Intune ({row.decision}): {row.reason}"
        for row in db.execute(_HELD_ENDS, {"run_id": run_id})
    ]


_EMPLOYEES = sa.text("""
    select e.id, e.first_name, e.last_name,
           (select m.email from employee_emails m where m.employee_id = e.id
            order by m.kind = 'personal', m.email_key limit 1) as email
    from employees e where e.account_id = :account_id and e.sync_run_id = :run_id order by email, e.id
""")
_CREATED = sa.text(f"""
    select a.id, a.serial_number, to_jsonb(a) - '{SEALED_FIELD}' as content, a.{SEALED_FIELD} is not null as has_code
    from assets a
    where a.account_id = :account_id and a.sync_run_id = :run_id
      and (cast(:ids as bigint[]) is null or a.id = any(cast(:ids as bigint[])))
    order by a.serial_key
""")  # noqa: S608 - a constant
_FIRST_VALUES = sa.text("""
    select distinct on (h.asset_id, h.field) h.asset_id, h.field, h.old_value
    from asset_changes h join assets a on a.id = h.asset_id
    where a.account_id = :account_id and a.sync_run_id = :run_id
      and (cast(:ids as bigint[]) is null or a.id = any(cast(:ids as bigint[])))
    order by h.asset_id, h.field, h.id
""")
_CHANGES = sa.text("""
    select a.serial_number, h.field, h.old_value, h.new_value
    from asset_changes h join assets a on a.id = h.asset_id
    where a.account_id = :account_id and h.sync_run_id = :run_id
      and (cast(:ids as bigint[]) is null or a.id = any(cast(:ids as bigint[])))
    order by a.serial_key, h.id
""")
_FAILED = sa.text("""
    select intune_device_id, serial_number, reason from failed_devices where sync_run_id = :run_id
    order by intune_device_id
""")
_HELD_ENDS = sa.text("""
    select jsonb_array_length(intune_device_ids) as devices, decision, reason from lifecycle_holds
    where sync_run_id = :run_id
""")
