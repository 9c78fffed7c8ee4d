"""A plan applied to allwhere's database.

Belongs here: writing a plan batch by batch. Does not belong here: deciding (``domain.reconciliation``), reading the state
a plan is made from (``state``), starting and closing runs (``sync_runs``).

A batch is one transaction of 50 devices that change something, and of those between them that stay as they are: it locks
their assets, lets the domain decide again where one has changed since the plan was made, and writes assets, employees,
history, outcomes and the run's progress together. Transactions take their locks in one order, assets by id, then e-mails,
new assets and device outcomes, so that they cannot wait for each other in a circle. What later syncs count on, absences
and candidates, is written with the last batch: a run that was killed has counted nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from intune_pipeline.domain.assignments import Candidate
from intune_pipeline.domain.people import Person
from intune_pipeline.domain.reconciliation import Asset, Counts, DeviceStep, Ending, Plan
from intune_pipeline.domain.vocabulary import AssetAction, LifecycleDecision, Outcome, RunPhase, RunStatus
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory import audit, schema
from intune_pipeline.inventory import reconciliation_statements as statements
from intune_pipeline.inventory.reconciliation_failures import UNWRITABLE, failed_step, is_passing, logger
from intune_pipeline.inventory.reconciliation_rows import (
    as_json,
    employee_row,
    history_row,
    hold_row,
    outcome_row,
    shown_value,
    stored_value,
)
from intune_pipeline.inventory.reconciliation_totals import Totals, Written, run_columns
from intune_pipeline.inventory.state import asset_of

BATCH_SIZE: Final = 50
"""Devices per transaction that change something."""

LONGEST_BATCH: Final = 500
"""Devices per transaction, those included that stay as they are: on most days nearly all of them."""

_ATTEMPTS: Final = 5


class RunClosedError(PipelineError):
    """The run is not running any more: its deadline or an operator closed it, so it must write no further."""


class DecisionUndoneError(PipelineError):
    """A decision the plan counts on was taken back at this very moment: nothing is written, the next sync plans anew."""


class ChangedMeanwhileError(PipelineError):
    """Somebody created an asset or deleted an employee of the batch at this very moment: it is decided again."""

    def __init__(self) -> None:
        super().__init__(
            f"Somebody else changed the same assets or employees {_ATTEMPTS} times while this sync wrote them, so it "
            "stopped; sync again. What it wrote before stays."
        )


def apply(
    engine: Engine,
    plan: Plan,
    sync_run_id: int,
    *,
    before_batch: Callable[[Counts], None] | None = None,
    finish: Callable[[Connection, Counts], None] | None = None,
) -> Counts:
    """Do what a plan says, batch by batch.

    Args:
        engine: allwhere's database.
        plan: What to do.
        sync_run_id: The run, which must be ``running``.
        before_batch: Called before each batch with the counts so far; what it raises stops the sync there.
        finish: Called in the last transaction with all counts: what it writes is there exactly when the whole plan is.

    Returns:
        What was done; equal to ``plan.counts`` unless an asset changed meanwhile or a device failed.

    Raises:
        RunClosedError: The run was closed meanwhile; batches committed so far stay.
        ChangedMeanwhileError: A batch was changed by somebody else at every attempt; batches committed so far stay.
        DecisionUndoneError: A decision about a hold was taken back since the plan was made; nothing was written.
        DatabaseUnreachable: The connection to the database was lost; batches committed so far stay.
    """
    batches = list(_batches([*plan.steps, *plan.endings])) or [[]]
    with engine.connect() as db:
        run = _Run(db, plan, sync_run_id, finish)
        for number, batch in enumerate(batches, start=1):
            if before_batch:
                before_batch(run.totals.counts)
            run.commit(batch, is_last=number == len(batches))
        return run.totals.counts


def _batches(work: Iterable[DeviceStep | Ending]) -> Iterator[list[DeviceStep | Ending]]:
    batch: list[DeviceStep | Ending] = []
    changing = 0
    for item in work:
        batch.append(item)
        changing += isinstance(item, Ending) or item.is_change
        if changing == BATCH_SIZE or len(batch) == LONGEST_BATCH:
            yield batch
            batch, changing = [], 0
    if batch:
        yield batch


class _Run:
    """One plan being applied."""

    def __init__(
        self, db: Connection, plan: Plan, sync_run_id: int, finish: Callable[[Connection, Counts], None] | None
    ) -> None:
        self._db = db
        self._plan = plan
        self._sync_run_id = sync_run_id
        self._finish = finish
        self._known = {"connection_id": plan.connection_id, "account_id": plan.account_id, "sync_run_id": sync_run_id}
        self.totals = Totals.before(plan)
        self._open_decisions = plan.open_decisions

    def commit(self, batch: Sequence[DeviceStep | Ending], *, is_last: bool) -> None:
        """Write one batch in one transaction; the devices one by one when the batch as a whole cannot be written."""
        db, one_by_one = self._db, False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with db.begin():
                    db.execute(statements.BY_INDEX if is_last else statements.BY_INDEX_WITHOUT_WAITING)
                    self._take_up_decisions(db)
                    written = self._each(db, batch) if one_by_one else [self._write(db, batch)]
                    totals = self.totals.including(written, self._plan.memory)
                    self._note_progress(db, totals.counts)
                    if is_last:
                        self._conclude(db, totals)
            except ChangedMeanwhileError:
                if attempt == _ATTEMPTS:
                    raise
            except (sa.exc.SQLAlchemyError, *UNWRITABLE) as error:
                if attempt == _ATTEMPTS or (one_by_one and not is_passing(error)):
                    raise
                one_by_one = one_by_one or not is_passing(error)
            else:
                self.totals = totals
                self._open_decisions = ()
                return

    def _take_up_decisions(self, db: Connection) -> None:
        """With the first batch: from now on the decisions the plan counts on cannot be taken back."""
        if not self._open_decisions:
            return
        given = {**self._known, "ids": list(self._open_decisions)}
        if db.execute(statements.TAKEN_UP, given).rowcount < len(self._open_decisions):
            raise DecisionUndoneError(
                "A decision about held people or devices was taken back while this sync began, so it stopped before it "
                "wrote anything; sync again."
            )

    def _each(self, db: Connection, batch: Iterable[DeviceStep | Ending]) -> list[Written]:
        """Write devices one by one, each in its savepoint, so that only the failing ones fail."""
        return [self._alone(db, item) for item in batch]

    def _alone(self, db: Connection, item: DeviceStep | Ending) -> Written:
        try:
            with db.begin_nested():
                return self._write(db, [item])
        except (sa.exc.SQLAlchemyError, *UNWRITABLE) as error:
            if is_passing(error):
                raise
            if isinstance(item, Ending):
                # The asset stays as it is, and the next sync tries again.
                logger.warning("ending could not be written", intune_device_ids=item.device.intune_device_ids)
                return Written()
            failed = failed_step(item, error)
        try:
            with db.begin_nested():
                return self._write(db, [failed])
        except (sa.exc.SQLAlchemyError, *UNWRITABLE):
            # Not even its outcome can be stored: the device is counted, and logged.
            return Written([failed])

    def _write(self, db: Connection, batch: Sequence[DeviceStep | Ending]) -> Written:
        current = self._locked(db, batch)
        steps = [self._now(item, current) for item in batch if isinstance(item, DeviceStep)]
        endings = [self._ending_now(item, current) for item in batch if isinstance(item, Ending)]
        drafts = {person.email_key: person for step in steps if (person := step.new_employee)}
        employees, created = self._employ(db, drafts)
        asset_ids = {key: asset.id for key, asset in current.items()}
        asset_ids |= self._create(db, [step for step in steps if step.action == AssetAction.CREATE], employees)
        self._update(db, [*steps, *endings], employees)
        self._hold(db, [step for step in steps if step.held], asset_ids)
        self._settle(db, [step.asset.id for step in steps if step.settles and step.asset])
        self._note_outcomes(db, steps, asset_ids)
        self._note_kept(db, steps)
        self._note_endings(db, endings)
        return Written(steps, endings, created)

    def _locked(self, db: Connection, batch: Sequence[DeviceStep | Ending]) -> dict[str, Asset]:
        """The batch's assets as they are now, locked until the transaction ends."""
        keys = [key for item in batch if (key := _serial_key(item))]
        if not keys:
            return {}
        planned = {item.asset.id: item.asset for item in batch if item.asset}
        current, others = {}, []
        for asset_id, version in db.execute(statements.LOCKED_ASSETS, {**self._known, "keys": keys}).all():
            asset = planned.get(asset_id)
            if asset and asset.version == version:
                current[asset.serial_key] = asset
            else:
                others.append(asset_id)
        if others:
            rows = db.execute(statements.ASSETS_BY_ID, {**self._known, "ids": others}).all()
            current |= {asset.serial_key: asset for asset in map(asset_of, rows)}
        return current

    def _now(self, step: DeviceStep, current: Mapping[str, Asset]) -> DeviceStep:
        """The step, decided again where its asset is not what it was when the plan was made."""
        asset = current.get(_serial_key(step))
        return step if asset == step.asset else self._plan.decider.decide(step.judged, asset)

    def _ending_now(self, ending: Ending, current: Mapping[str, Asset]) -> Ending:
        asset = current.get(_serial_key(ending))
        return ending if asset == ending.asset else self._plan.decider.end(ending.device, asset)

    def _employ(self, db: Connection, drafts: Mapping[str, Person]) -> tuple[dict[str, int], int]:
        """Ids of the employees these people are, by compared e-mail, and how many were created for it.

        The e-mail is written first: of several syncs and people who write the same one, one wins, and the others find it.
        """
        if not drafts:
            return {}, 0
        people = [{"email_key": key, **employee_row(person)} for key, person in drafts.items()]
        rows = db.execute(statements.NEW_EMPLOYEES, {**self._known, "rows": as_json(people)}).all()
        employees: dict[str, int] = {row.email_key: row.employee_id for row in rows}
        created = len(employees)
        if missing := drafts.keys() - employees.keys():
            found = db.execute(statements.EMPLOYEES_BY_EMAIL, {**self._known, "keys": list(missing)})
            employees |= {row.email_key: row.employee_id for row in found}
        if drafts.keys() - employees.keys():
            raise ChangedMeanwhileError
        return employees, created

    def _create(self, db: Connection, steps: Sequence[DeviceStep], employees: Mapping[str, int]) -> dict[str, int]:
        """Write new assets; returns their ids by compared serial."""
        if not steps:
            return {}
        rows = [{change.field: stored_value(change.new, employees) for change in step.changes} for step in steps]
        created = db.execute(statements.NEW_ASSETS, {**self._known, "rows": as_json(rows)}).all()
        if len(created) < len(steps):
            raise ChangedMeanwhileError
        return {row.serial_key: row.id for row in created}

    def _update(self, db: Connection, items: Iterable[DeviceStep | Ending], employees: Mapping[str, int]) -> None:
        """Write what changes in existing assets, and its history."""
        rows, history = [], []
        for item in items:
            if item.asset is None or not item.changes:
                continue
            row: dict[str, Any] = {
                **{name: stored_value(value, employees) for name, value in item.asset.values.items()},
                "id": item.asset.id,
                "status": item.asset.status,
                "assignee_id": item.asset.assignee_id,
            }
            for change in item.changes:
                row[change.field] = stored_value(change.new, employees)
                history.append(history_row(item.asset.id, change, employees))
            rows.append(row)
        if rows:
            db.execute(statements.CHANGED_ASSETS, {"rows": as_json(rows)})
            db.execute(statements.HISTORY, {**self._known, "rows": as_json(history)})

    def _hold(self, db: Connection, steps: Sequence[DeviceStep], asset_ids: Mapping[str, int]) -> None:
        """Write down held employees, and the new assets that wait for them."""
        holds = {step.held.person.email_key: step.held for step in steps if step.held}
        if not holds:
            return
        people = [hold_row(held) for held in holds.values()]
        waiting = [
            {"email": step.held.person.email, "asset_id": asset_ids[_serial_key(step)]}
            for step in steps
            if step.held and step.action == AssetAction.CREATE
        ]
        db.execute(statements.NEW_HOLDS, {**self._known, "rows": as_json(people)})
        if waiting:
            db.execute(statements.HELD_ASSIGNMENTS, {**self._known, "rows": as_json(waiting)})

    def _settle(self, db: Connection, asset_ids: Sequence[int]) -> None:
        if asset_ids:
            db.execute(statements.SETTLED, {**self._known, "asset_ids": list(asset_ids)})

    def _note_outcomes(self, db: Connection, steps: Sequence[DeviceStep], asset_ids: Mapping[str, int]) -> None:
        if not steps:
            return
        rows = [outcome_row(step, asset_ids.get(_serial_key(step))) for step in steps]
        failed = [row for row in rows if row["outcome"] == Outcome.FAILED]
        if failed:
            db.execute(statements.FAILED_DEVICES, {**self._known, "rows": as_json(failed)})
        listed_at = self._plan.listing.listed_at
        db.execute(statements.OUTCOMES, {**self._known, "listed_at": listed_at, "rows": as_json(rows)})

    def _note_kept(self, db: Connection, steps: Iterable[DeviceStep]) -> None:
        """What Intune says beside the values that are kept, where that is news, and which are not kept any more."""
        seen = [
            {"id": kept.by.id, "intune_value": shown}
            for step in steps
            for kept in step.kept
            if (shown := shown_value(kept.change)) != kept.by.intune_value
        ]
        if seen:
            db.execute(statements.KEPT_VALUES, {**self._known, "rows": as_json(seen)})
        released = [one for step in steps for one in step.released]
        if released:
            db.execute(statements.RELEASED_VALUES, {**self._known, "ids": released})

    def _note_endings(self, db: Connection, endings: Sequence[Ending]) -> None:
        if endings:
            ids = [device_id for ending in endings for device_id in ending.device.intune_device_ids]
            db.execute(statements.ENDED, {**self._known, "ids": ids})

    def _note_progress(self, db: Connection, counts: Counts) -> None:
        columns = run_columns(counts)
        reconciled = counts.devices_synced + counts.devices_failed + columns["devices_skipped"]
        noted = db.execute(_PROGRESS, {**columns, "sync_run_id": self._sync_run_id, "devices_reconciled": reconciled})
        if noted.rowcount == 0:
            raise RunClosedError(
                f"Sync run {self._sync_run_id} was closed while it still wrote; it stops here, and the next sync goes on."
            )

    def _conclude(self, db: Connection, totals: Totals) -> None:
        """Write what later syncs count on, and let the caller close the run, in the last batch's transaction."""
        self._note_candidates(db, totals.candidates)
        absences = [
            {"intune_device_id": one.memory.intune_device_id, "absent_lists": one.lists, "absent_since": one.since}
            for one in self._plan.absences
        ]
        if absences:
            db.execute(statements.ABSENCES, {**self._known, "rows": as_json(absences)})
        self._note_lifecycle_hold(db)
        self._note_users(db)
        if self._finish:
            self._finish(db, totals.counts)

    def _note_users(self, db: Connection) -> None:
        """Remember whom Entra's users stand for, and add the new addresses of those who were known by it."""
        if addresses := self._plan.new_addresses():
            added = db.scalars(statements.NEW_ADDRESSES, {**self._known, "rows": as_json(addresses)}).all()
            for email in added:
                audit.record(
                    db, self._plan.account_id, actor=f"sync {self._sync_run_id}", action="address", subject=email
                )
        if users := self._plan.users_to_remember():
            db.execute(statements.KNOWN_USERS, {**self._known, "rows": as_json(users)})

    def _note_candidates(self, db: Connection, candidates: Mapping[str, Candidate | None]) -> None:
        rows = [
            {
                "intune_device_id": device_id,
                "candidate_user": one and one.user,
                "candidate_syncs": one.syncs if one else 0,
            }
            for device_id, one in {**self._plan.forgotten_candidates(), **candidates}.items()
        ]
        if rows:
            db.execute(statements.CANDIDATES, {**self._known, "rows": as_json(rows)})

    def _note_lifecycle_hold(self, db: Connection) -> None:
        held = [device_id for ending in self._plan.held_endings for device_id in ending.device.intune_device_ids]
        if held:
            reason = self._plan.hold_reason
            db.execute(statements.LOCKED_LIFECYCLE_HOLD, self._known)
            db.execute(statements.LIFECYCLE_HOLD, {**self._known, "ids": sorted(held), "reason": reason})
        elif self._plan.moot_holds:
            holds = schema.lifecycle_holds
            is_moot = holds.c.id.in_(self._plan.moot_holds) & (holds.c.decision == LifecycleDecision.WAITING)
            db.execute(sa.delete(holds).where(is_moot))


def _serial_key(item: DeviceStep | Ending) -> str:
    """The compared serial of the asset it is about; empty where it is about none, being skipped or failed."""
    if isinstance(item, Ending):
        return item.device.serial_key
    return (item.outcome == Outcome.SYNCED and item.judged.device.serial_key) or ""


_PROGRESS: Final = (
    sa.update(schema.sync_runs)
    .where(schema.sync_runs.c.id == sa.bindparam("sync_run_id"), schema.sync_runs.c.status == RunStatus.RUNNING)
    .values(
        {name: sa.bindparam(name) for name in (*run_columns(Counts()), "devices_reconciled")}
        | {"phase": RunPhase.RECONCILING, "progress_at": sa.func.clock_timestamp()}
    )
)
