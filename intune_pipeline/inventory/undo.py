"""Undoing a run: what it wrote is read, decided about, and put back batch by batch, as a run of its own.

Belongs here: reading a run's writings, applying an `UndoPlan`, the run in the sync log. Does not belong here: deciding what
is put back (``domain.undo``) and the statements (``undo_statements``).

Every batch is one transaction: whole or not at all. An undo that was interrupted is finished by undoing the run again. The
next sync does not do what was undone again for the same evidence: ``kept_values`` says so, until Intune's value changes, the
undo is undone, or somebody lifts it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.kept import WHOLE_ASSET
from intune_pipeline.domain.undo import (
    CreatedAsset,
    CreatedEmployee,
    Refusal,
    RemovedRow,
    UndoPlan,
    Writings,
    WrittenValue,
    plan_undo,
)
from intune_pipeline.domain.vocabulary import AssetAction, RunPhase, RunStatus, Trigger, UndoAction, UndoneKind
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import audit, sync_locks, sync_runs
from intune_pipeline.inventory import undo_statements as statements
from intune_pipeline.inventory.sync_runs import RunOfAccount

BATCH_SIZE: Final = 50
"""Assets or employees per transaction."""

T = TypeVar("T")


@dataclass
class Undone:
    """What undoing a run did, or would do.

    Attributes:
        run_id: The run that was undone.
        sync_run_id: The undo in the sync log; None for a preview.
        changes: Every asset that changes: ``{"serial_number", "action", "fields": {name: [old, new]}}``; the actions are
            ``update``, ``remove`` and ``create``.
        employees: Every employee who goes or comes back: ``{"email", "first_name", "last_name", "action"}``.
        refused: What is not undone, and why.
    """

    run_id: int
    sync_run_id: int | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    employees: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return {
            "status": "planned" if self.sync_run_id is None else RunStatus.SUCCEEDED.value,
            "run": self.sync_run_id,
            "undoes": self.run_id,
            "changes": self.changes,
            "employees": self.employees,
            "not_undone": [{"what": one.what, "field": one.field, "reason": one.reason} for one in self.refused],
        }


def preview(engine: Engine, run_id: int) -> Undone:
    """What undoing a run would do now; nothing is written.

    Raises:
        UnknownRunError: there is no such run.
        WrongUseError: the run has not ended.
    """
    with engine.connect() as db:
        run = _ended(db, run_id)
        return _shown(run_id, plan_undo(read_writings(db, run)))


def undo(engine: Engine, run_id: int, *, actor: str, before_batch: Callable[[], None] | None = None) -> Undone:
    """Put back what a run wrote and nobody changed since.

    Args:
        engine: allwhere's database.
        run_id: The run.
        actor: Who undoes it, for the history and the audit log.
        before_batch: Called before each transaction; what it raises stops the undo there.

    Raises:
        UnknownRunError: there is no such run.
        WrongUseError: the run has not ended.
        SyncLockedError: a sync of the account is running.
    """
    with engine.connect() as db:
        run = _ended(db, run_id)
    with sync_locks.locked(engine, run.connection_id):
        with engine.begin() as db:
            undo_id = sync_runs.open_undo(db, run, started_by=actor)
            audit.record(db, run.account_id, actor=actor, action="undo", subject=f"run {run_id}")
            made = plan_undo(read_writings(db, run))
        work = _Undo(engine, run, undo_id, actor)
        try:
            work.apply(made, before_batch or (lambda: None))
        except BaseException as error:
            with engine.begin() as db:
                sentence = f"The undo was interrupted; what it did is whole. Undo run {run_id} again for the rest."
                sync_runs.fail(db, undo_id, type(error).__name__, sentence)
            raise
        with engine.begin() as db:
            sync_runs.close_undo(db, undo_id, work.counts)
    done = _shown(run_id, work.done(made))
    done.sync_run_id = undo_id
    return done


def read_writings(db: Connection, run: RunOfAccount) -> Writings:
    """Everything a run wrote, and what became of it since."""
    given = {"run_id": run.id, "account_id": run.account_id}
    return Writings(
        values=[WrittenValue(**row) for row in db.execute(statements.WRITTEN_VALUES, given).mappings()],
        assets=[CreatedAsset(**row) for row in db.execute(statements.CREATED_ASSETS, given).mappings()],
        employees=[
            CreatedEmployee(**{**row, "asset_ids": frozenset(row["asset_ids"])})
            for row in db.execute(statements.CREATED_EMPLOYEES, given).mappings()
        ],
        removed=[
            RemovedRow(row.id, UndoneKind(row.kind), row.content, row.taken_by)
            for row in db.execute(statements.REMOVED_ROWS, given)
        ],
    )


def _ended(db: Connection, run_id: int) -> RunOfAccount:
    run = sync_runs.of_account(db, run_id)
    if run.status == RunStatus.RUNNING:
        raise WrongUseError(f"Run {run_id} is still running; wait until it has ended, then undo it.")
    return run


class _Undo:
    """One undo being applied."""

    def __init__(self, engine: Engine, run: RunOfAccount, undo_id: int, actor: str) -> None:
        self._engine = engine
        self._run = run
        self._undo_id = undo_id
        self._known: dict[str, Any] = {
            "account_id": run.account_id,
            "sync_run_id": undo_id,
            "undoes": run.id,
            "actor": actor,
            "reason": f"run {run.id} was undone",
            "kept": run.trigger != Trigger.UNDO,
        }
        self._refused: list[Refusal] = []
        self._skipped_assets: set[int] = set()
        self._kept_employees: set[int] = set()
        self.counts = {"assets_updated": 0, "assets_removed": 0, "assets_created": 0}
        self.counts |= {"employees_removed": 0, "employees_created": 0}

    def apply(self, made: UndoPlan, before_batch: Callable[[], None]) -> None:
        """Employees who come back first, since assets refer to them; employees who go last, since assets did."""
        work = chain(
            self._steps(
                self._bring_back_employees, [row for row in made.bring_back if row.kind is UndoneKind.EMPLOYEE]
            ),
            self._steps(self._bring_back_assets, [row for row in made.bring_back if row.kind is UndoneKind.ASSET]),
            self._steps(self._put_back, list(made.put_back.values())),
            self._steps(self._remove_assets, made.remove_assets),
            self._steps(self._remove_employees, made.remove_employees),
        )
        for write in work:
            before_batch()
            with self._engine.begin() as db:
                write(db)
                sync_runs.progress(db, self._undo_id, phase=RunPhase.RECONCILING, **self.counts)

    def done(self, made: UndoPlan) -> UndoPlan:
        """The plan less what somebody changed at that very moment."""
        return UndoPlan(
            {key: values for key, values in made.put_back.items() if key not in self._skipped_assets},
            [asset for asset in made.remove_assets if asset.id not in self._skipped_assets],
            [employee for employee in made.remove_employees if employee.id not in self._kept_employees],
            made.bring_back,
            [*made.refused, *self._refused],
        )

    @staticmethod
    def _steps(
        write: Callable[[Connection, Sequence[T]], None], items: Sequence[T]
    ) -> Iterator[Callable[[Connection], None]]:
        for start in range(0, len(items), BATCH_SIZE):
            yield partial(_write_batch, write, items[start : start + BATCH_SIZE])

    def _put_back(self, db: Connection, batch: Sequence[Sequence[WrittenValue]]) -> None:
        now = self._locked(db, [values[0].asset_id for values in batch])
        values = [one for of_asset in batch if self._is_as_planned(of_asset, now) for one in of_asset]
        if not values:
            return
        patches: dict[int, dict[str, Any]] = {}
        for one in values:
            patches.setdefault(one.asset_id, dict(now[one.asset_id]))[one.field] = one.old
        history = [
            {"asset_id": one.asset_id, "field": one.field, "old_value": one.current, "new_value": one.old}
            for one in values
        ]
        self._keep(db, values)
        rows = [{"id": asset_id, "patch": patch} for asset_id, patch in patches.items()]
        db.execute(statements.PUT_BACK, {"rows": _json(rows)})
        db.execute(statements.HISTORY, {**self._known, "rows": _json(history)})
        self.counts["assets_updated"] += len(patches)

    def _is_as_planned(self, values: Sequence[WrittenValue], now: Mapping[int, Mapping[str, Any]]) -> bool:
        asset = now.get(values[0].asset_id)
        if asset is not None and all(_text(asset[one.field]) == one.current for one in values):
            return True
        self._skipped_assets.add(values[0].asset_id)
        self._refused.append(Refusal(values[0].serial_number, None, "changed by somebody at this very moment"))
        return False

    def _keep(self, db: Connection, values: Sequence[WrittenValue]) -> None:
        """Let the next sync keep what was put back; undoing an undo ends that instead."""
        if not self._known["kept"]:
            rows = [{"serial_key": one.serial_key, "field": one.field} for one in values]
            db.execute(statements.NO_LONGER_KEPT, {**self._known, "rows": _json(rows)})
            return
        ids = [one.new for one in values if one.field == "assignee_id" and one.new]
        found = db.execute(statements.ADDRESSES, {**self._known, "ids": ids}).all() if ids else []
        addresses: dict[str | None, str] = {row.employee_id: row.email_key for row in found}
        kept: list[dict[str, str | None]] = [
            {
                "serial_key": one.serial_key,
                "field": one.field,
                "evidence": addresses.get(one.new) if one.field == "assignee_id" else one.new,
            }
            for one in values
            if one.new is not None and one.field != "status"
        ]
        db.execute(statements.KEEP, {**self._known, "rows": _json(kept)})

    def _remove_assets(self, db: Connection, batch: Sequence[CreatedAsset]) -> None:
        now = self._locked(db, [asset.id for asset in batch])
        ids = [asset.id for asset in batch if now.get(asset.id) == asset.content]
        for asset in batch:
            if asset.id not in ids:
                self._skipped_assets.add(asset.id)
                self._refused.append(Refusal(asset.serial_number, None, "changed by somebody at this very moment"))
        if self._known["kept"]:
            db.execute(statements.KEEP_AWAY, {**self._known, "ids": ids})
        db.execute(statements.REMOVE_ASSETS, {**self._known, "ids": ids})
        self.counts["assets_removed"] += len(ids)

    def _remove_employees(self, db: Connection, batch: Sequence[CreatedEmployee]) -> None:
        rows = [{"id": employee.id, "content": employee.content} for employee in batch]
        ids = [employee.id for employee in batch]
        gone = set(db.scalars(statements.REMOVE_EMPLOYEES, {**self._known, "ids": ids, "rows": _json(rows)}))
        for employee in batch:
            if employee.id not in gone:
                self._kept_employees.add(employee.id)
                self._refused.append(Refusal(f"employee {employee.id}", None, "created by the run, but holds an asset"))
        self.counts["employees_removed"] += len(gone)

    def _bring_back_employees(self, db: Connection, batch: Sequence[RemovedRow]) -> None:
        ids = [row.id for row in batch]
        db.execute(statements.BRING_BACK_EMPLOYEES, {**self._known, "ids": ids})
        db.execute(statements.DROP_REMOVED_ROWS, {"ids": ids})
        self.counts["employees_created"] += len(ids)

    def _bring_back_assets(self, db: Connection, batch: Sequence[RemovedRow]) -> None:
        ids = [row.id for row in batch]
        db.execute(statements.BRING_BACK_ASSETS, {**self._known, "ids": ids})
        rows = [{"serial_key": row.content["serial_key"], "field": WHOLE_ASSET} for row in batch]
        db.execute(statements.NO_LONGER_KEPT, {**self._known, "rows": _json(rows)})
        db.execute(statements.DROP_REMOVED_ROWS, {"ids": ids})
        self.counts["assets_created"] += len(ids)

    def _locked(self, db: Connection, asset_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        rows = db.execute(statements.LOCKED, {**self._known, "ids": list(asset_ids)})
        return {row.id: row.content for row in rows}


def _write_batch(write: Callable[[Connection, Sequence[T]], None], batch: Sequence[T], db: Connection) -> None:
    write(db, batch)


def _shown(run_id: int, made: UndoPlan) -> Undone:
    changes = [
        _change(values[0].serial_number, AssetAction.UPDATE, {one.field: [one.current, one.old] for one in values})
        for values in made.put_back.values()
    ]
    changes += [_change(asset.serial_number, UndoAction.REMOVE, {}) for asset in made.remove_assets]
    employees = [_employee(one.content, UndoAction.REMOVE) for one in made.remove_employees]
    for row in made.bring_back:
        if row.kind is UndoneKind.ASSET:
            changes.append(_change(row.content["serial_number"], AssetAction.CREATE, {}))
        else:
            employees.append(_employee(row.content, UndoAction.CREATE))
    return Undone(run_id, None, changes, employees, list(made.refused))


def _change(serial_number: str, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"serial_number": serial_number, "action": str(action), "fields": dict(fields)}


def _employee(content: Mapping[str, Any], action: str) -> dict[str, Any]:
    emails = content.get("emails") or [{"email": None}]
    return {
        "email": emails[0]["email"],
        "first_name": content["first_name"],
        "last_name": content["last_name"],
        "action": action,
    }


def _text(value: object) -> str | None:
    """A value of a row as ``asset_changes`` writes it."""
    return None if value is None else str(value)


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()
