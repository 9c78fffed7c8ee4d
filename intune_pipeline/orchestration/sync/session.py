"""One tenant's run: the lock it holds, the client it asks with, its line in the sync log.

Belongs here: what lasts from a run's first step to its last, and how a failure is recorded. Does not belong here: what a step
works on, which it is given (``assets``), and runs whose process died, which can record nothing (``reaping``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

import dagster as dg
import structlog
import tenacity
from dagster import DagsterExecutionInterruptedError
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.reconciliation import Counts, Plan
from intune_pipeline.domain.vocabulary import OwnCause, RunStatus
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import connections, open_syncs, plans, reconciliation, sync_locks, sync_runs
from intune_pipeline.inventory.database import WITHOUT_WAITING, DatabaseUnreachableError
from intune_pipeline.inventory.reconciliation_totals import run_columns
from intune_pipeline.inventory.sync_runs import CANCELED
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.partitions import PARTITION_TAG, REJUDGE, RETRY_ON_FAILURE_TAG, trigger_of
from intune_pipeline.orchestration.sync.device_details import DetailsAhead
from intune_pipeline.orchestration.sync.device_lookups import DeviceLookups
from intune_pipeline.orchestration.sync.failures import StepFailure, failing_in_one_sentence

log = structlog.get_logger(__name__)

R = TypeVar("R")

#: A run waits so long for a database that does not answer when it begins. Dagster starts a crashed run over at once, twice
#: within half a minute, and has no setting for it; waiting here makes an outage of some minutes cost no retry.
SECONDS_TO_WAIT_FOR_THE_DATABASE = 600
#: Shorter than a run may be without its lock (``reaping.GRACE``) once the database answers again.
LONGEST_PAUSE_SECONDS = 10

LAST_ASSET = "allwhere_assets"
DRY_RUN = "dry_run"
_STOPPED = "The run stopped before the sync was done; its page in Dagster shows the check or the step that stopped it."

#: Opens a client for a tenant, given its GUID.
OpenClient = Callable[[str], GraphClient]


class Session:
    """One tenant's Dagster run. Nothing is read, locked or asked before its first step begins.

    Args:
        engine: allwhere's database.
        run: Dagster's run.
        instance: Dagster's database.
        open_client: opens the tenant's client when the run first asks Microsoft.
    """

    def __init__(
        self, engine: Engine, run: dg.DagsterRun, instance: dg.DagsterInstance, open_client: OpenClient
    ) -> None:
        self._engine = engine
        self._run = run
        self._instance = instance
        self._open_client = open_client
        self._held = ExitStack()
        self._locked: tuple[connections.Record, sync_locks.SyncLock] | None = None
        #: The run's line in the sync log; None before the first step, and when the run is no sync.
        self.sync_run_id: int | None = None
        self._approved_plan: UUID | None = None
        #: Graph's answers about single devices.
        self.lookups = DeviceLookups(lambda: self.client)
        #: What Graph tells of single devices while the list is read.
        self.details_ahead = DetailsAhead()
        self._held.callback(self.details_ahead.close)

    @property
    def account(self) -> str:
        """The account's slug, which is the partition key; "" when the run has none or several."""
        return self._run.tags.get(PARTITION_TAG, "")

    @property
    def run_id(self) -> str:
        """Dagster's id of the run."""
        return self._run.run_id

    def includes(self, asset: str) -> bool:
        """Whether this run makes an asset."""
        chosen = self._run.asset_selection
        return not chosen or dg.AssetKey(asset) in chosen

    @property
    def is_sync(self) -> bool:
        """Whether this run goes through to allwhere's assets; a single asset by hand or a dry run is not a sync."""
        config: Mapping[str, Any] = self._run.run_config
        is_dry = bool(config.get("ops", {}).get(LAST_ASSET, {}).get("config", {}).get(DRY_RUN))
        return not is_dry and self._run.job_name != REJUDGE and self.includes(LAST_ASSET)

    @contextmanager
    def step(self, name: str) -> Iterator[connections.Record]:
        """The boundary around a step: it holds the tenant's lock, and what goes wrong inside is recorded as one sentence.

        Yields:
            The tenant's connection.

        Raises:
            StepFailure: with that sentence.
        """
        try:
            with failing_in_one_sentence(name):
                yield self.acquire()
        except StepFailure as failure:
            self._record(failure)
            raise
        except DagsterExecutionInterruptedError:
            self._close(*CANCELED)
            raise

    def acquire(self) -> connections.Record:
        """Take the tenant's lock for the rest of the run, and open the run's line in the sync log; once per run.

        Returns:
            The tenant's connection, as it was when the lock was taken.

        Raises:
            NotConnectedError: there is none, or it was disconnected.
            AwaitingApprovalError: nothing may be synced before somebody approved a plan.
            SyncLockedError: another run holds the lock; the sentence names it.
            WrongUseError: the run is not about one tenant.
        """
        if self._locked is None:
            if not self.account:
                raise WrongUseError(
                    "A run is about one tenant; choose a single partition, or a backfill of single runs."
                )
            found = _patiently(self._connection)
            self._locked = found, self._held.enter_context(sync_locks.locked(self._engine, found.id))
            if self.is_sync:
                self._approved_plan = self._plan_to_do(found)
                self.sync_run_id = self._open_log(found.id)
        return self._locked[0]

    def _connection(self) -> connections.Record:
        with self._engine.connect() as db:
            return connections.syncable(db, self.account)

    def _plan_to_do(self, connection: connections.Record) -> UUID | None:
        """The approved plan this sync has to do; None for whatever is due."""
        with self._engine.connect() as db:
            approved = plans.approved_for(db, connection.id)
        if connection.plan_first and approved is None:
            raise connections.AwaitingApprovalError(connection.account)
        return approved

    def _open_log(self, connection_id: int) -> int:
        trigger = trigger_of(self._run.tags)
        with self._engine.begin() as db:
            open_syncs.take_over(db, connection_id)
            sync_run_id = sync_runs.open_run(db, connection_id, trigger, self.run_id)
            open_syncs.serve(db, connection_id, sync_run_id)
        return sync_run_id

    @cached_property
    def client(self) -> GraphClient:
        """Asks Microsoft about this tenant until the run's deadline."""
        return self._held.enter_context(self._open_client(str(self.acquire().tenant_id)))

    def requests_sent(self) -> dict[str, int]:
        """Requests to Graph so far, batch items included, and how many of them were throttled."""
        if "client" not in vars(self):
            return {"requests": 0, "throttled": 0}
        sent = self.client.stats
        return {"requests": sent.requests + sent.batch_items, "throttled": sent.throttled}

    def progress(self, **values: Any) -> None:
        """Show people how far the sync is; see `inventory.sync_runs.progress`."""
        if self.sync_run_id is not None:
            with self._engine.begin() as db:
                db.execute(WITHOUT_WAITING)
                sync_runs.progress(db, self.sync_run_id, **values)

    def noted(self, results: Sequence[dg.AssetCheckResult]) -> Sequence[dg.AssetCheckResult]:
        """The same results, after what those that warn say is in the sync log, for people who do not look at Dagster."""
        warned = {
            str(one.check_name): str(one.description)
            for one in results
            if not one.passed and one.severity is dg.AssetCheckSeverity.WARN
        }
        if warned and self.sync_run_id is not None:
            with self._engine.begin() as db:
                sync_runs.warn(db, self.sync_run_id, warned)
        return results

    def apply(self, plan: Plan, tell: Callable[[Counts], None]) -> tuple[int, Counts]:
        """Do what a plan says while the lock is held, and return the sync's id with what was done.

        `tell` is told before each batch what is done. Success is written in the last transaction.

        Raises:
            PlanChangedError: it is not what was approved; nothing was written.
            SyncLockLostError: the lock was lost; batches committed so far stay.
            WrongUseError: this run is no sync, or has not begun.
        """
        if self._locked is None or self.sync_run_id is None:
            raise WrongUseError("Only a sync that has begun applies a plan.")
        sync_run_id, (_, lock) = self.sync_run_id, self._locked
        approved = self._approved_plan
        if approved is not None:
            self._check(approved, plan)

        def succeed(db: Connection, counts: Counts) -> None:
            listing = {"list_complete": plan.listing.complete, "listed_at": plan.listing.listed_at}
            totals = {**run_columns(counts), **self.requests_sent(), **listing}
            sync_runs.succeed(db, sync_run_id, totals)
            if approved is not None:
                plans.applied(db, approved, sync_run_id)

        def before_batch(done: Counts) -> None:
            lock.ensure_held()
            tell(done)

        counts = reconciliation.apply(self._engine, plan, sync_run_id, before_batch=before_batch, finish=succeed)
        return sync_run_id, counts

    def _check(self, approved: UUID, plan: Plan) -> None:
        with self._engine.begin() as db:
            changed = plans.check(db, approved, plan)
        if changed is not None:
            raise changed

    def close(self) -> None:
        """Give back lock and connections; a sync that ends here without a result says so.

        Its requests stay open: whether Dagster starts the run over is known only after it has ended.
        """
        with self._held:
            self._close("stopped", _STOPPED, release=True)

    def _close(self, cause: str, sentence: str, *, release: bool = False) -> None:
        """Say how a sync ended that has no result; `release` leaves its requests to whatever serves them next."""
        with suppress(StepFailure), failing_in_one_sentence("closing the sync"):
            if self.sync_run_id is not None:
                with self._engine.begin() as db:
                    ended = sync_runs.get(db, self.sync_run_id)
                    if ended and ended.status == RunStatus.RUNNING:
                        if release:
                            open_syncs.release(db, self.sync_run_id)
                        sync_runs.fail(db, self.sync_run_id, cause, sentence)

    def _record(self, failure: StepFailure) -> None:
        """Write a failure down; that the database is gone too must not hide it."""
        cause = failure.error.cause if isinstance(failure.error, MicrosoftError) else None
        ours = failure.error.cause if isinstance(failure.error, plans.PlanChangedError) else OwnCause.FAILED
        with suppress(StepFailure), failing_in_one_sentence("recording the failure"):
            retry = "true" if failure.is_passing else "false"
            self._instance.add_run_tags(self.run_id, {RETRY_ON_FAILURE_TAG: retry})
            with self._engine.begin() as db:
                if self._locked and cause and cause.connection_status:
                    connection_id = self._locked[0].id
                    connections.set_status(db, connection_id, cause.connection_status, cause.value, cause.sentence)
                if self.sync_run_id is not None:
                    if failure.is_passing:
                        open_syncs.release(db, self.sync_run_id)
                    sync_runs.fail(db, self.sync_run_id, cause.value if cause else ours, failure.sentence)


def _patiently(read: Callable[[], R]) -> R:
    """Read from the database, and wait where it does not answer.

    Raises:
        DatabaseUnreachableError: it did not for `SECONDS_TO_WAIT_FOR_THE_DATABASE`.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DatabaseUnreachableError),
        wait=tenacity.wait_exponential(max=LONGEST_PAUSE_SECONDS),
        stop=tenacity.stop_after_delay(SECONDS_TO_WAIT_FOR_THE_DATABASE),
        before_sleep=lambda state: log.warning("waiting_for_database", attempt=state.attempt_number),
        reraise=True,
    )
    return attempts(read)
