"""One tenant's run: whose it is, the lock it holds, the client it asks with, and its line in the sync log.

Belongs here: what lasts from a run's first step to its last, and how a failure is recorded. Does not belong here: the
steps (``assets``), and runs whose process died, which can record nothing (``reaper``).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import dagster as dg
from sqlalchemy import Connection, Engine

from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.reconciliation import Counts, Plan
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import connections, open_syncs, reconciliation, sync_runs
from intune_pipeline.inventory.database import WITHOUT_WAITING
from intune_pipeline.inventory.frames import Listing, Snapshot
from intune_pipeline.inventory.reconciliation import run_columns
from intune_pipeline.inventory.state import load_state
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration import steps
from intune_pipeline.orchestration.failures import StepFailure, failing_in_one_sentence
from intune_pipeline.orchestration.partitions import (
    PARTITION_TAG,
    RETRY_ON_FAILURE_TAG,
    TRIGGER_TAG,
)
from intune_pipeline.orchestration.records import judged_of
from intune_pipeline.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

LAST_ASSET = "allwhere_assets"
DRY_RUN = "dry_run"
_STOPPED = "The run stopped before the sync was done; its page in Dagster shows the check or the step that stopped it."


class InputsRefusedError(WrongUseError):
    """Frames that must not be reconciled: too old, of another tenant, or of different listings."""


@dataclass
class TenantRun:
    """One tenant's Dagster run. Nothing is read, locked or asked before a step begins.

    Attributes:
        engine: allwhere's database.
        settings: the product's settings.
        run: Dagster's run.
        instance: Dagster's database.
        open_client: opens a client for a tenant.
    """

    engine: Engine
    settings: Settings
    run: dg.DagsterRun
    instance: dg.DagsterInstance
    open_client: Callable[[str], GraphClient]

    def __post_init__(self) -> None:
        self._held = ExitStack()
        self._sync_run_id: int | None = None
        self._judged: dict[str, list[JudgedDevice]] = {}
        self._plans: dict[str, Plan] = {}

    @property
    def account(self) -> str:
        """The account's slug, which is the partition key; "" when the run has none or several."""
        return self.run.tags.get(PARTITION_TAG, "")

    @cached_property
    def connection(self) -> connections.Record:
        """The tenant's connection; reading it takes the tenant's lock for the rest of the run.

        Raises:
            NotConnectedError: there is none, or it was disconnected.
            SyncLockedError: another run holds the lock; the sentence names it.
            WrongUseError: the run is not about one tenant.
        """
        if not self.account:
            raise WrongUseError("A run is about one tenant; choose a single partition, or a backfill of single runs.")
        with self.engine.connect() as db:
            found = connections.syncable(db, self.account)
        self.lock = self._held.enter_context(sync_runs.locked(self.engine, found.id))
        return found

    @cached_property
    def client(self) -> GraphClient:
        """Asks Microsoft about this tenant until the run's deadline."""
        return self._held.enter_context(self.open_client(str(self.connection.tenant_id)))

    @property
    def is_sync(self) -> bool:
        """Whether this run goes through to allwhere's assets; a single asset by hand or a dry run is not a sync."""
        chosen = self.run.asset_selection
        config: Mapping[str, Any] = self.run.run_config
        is_dry = bool(config.get("ops", {}).get(LAST_ASSET, {}).get("config", {}).get(DRY_RUN))
        return not is_dry and (not chosen or dg.AssetKey(LAST_ASSET) in chosen)

    @property
    def sync_run_id(self) -> int | None:
        """The run's line in the sync log, opened by the first step that asks for it; None when it is no sync."""
        if self._sync_run_id is None and self.is_sync:
            trigger = self.run.tags.get(TRIGGER_TAG, "operator")
            with self.engine.begin() as db:
                open_syncs.take_over(db, self.connection.id)
                self._sync_run_id = sync_runs.open_run(db, self.connection.id, trigger, self.run.run_id)
                open_syncs.serve(db, self.connection.id, self._sync_run_id)
        return self._sync_run_id

    def progress(self, **values: Any) -> None:
        """Show people how far the sync is; see `inventory.sync_runs.progress`."""
        if self.sync_run_id is not None:
            with self.engine.begin() as db:
                db.execute(WITHOUT_WAITING)
                sync_runs.progress(db, self.sync_run_id, **values)

    def new_listing(self, listed: steps.Listed) -> Listing:
        """What every frame of this run stems from, after a fresh list."""
        return Listing(
            listing_id=str(uuid4()),
            tenant_id=str(self.connection.tenant_id),
            partition_key=self.account,
            run_id=self.run.run_id,
            listed_at=listed.listed_at,
            complete=listed.complete,
            devices_listed=listed.devices_listed,
            personal=len(listed.personal_ids),
            unreadable=listed.unreadable,
        )

    def judged(self, classified: Snapshot) -> list[JudgedDevice]:
        """The judged devices of a frame of ``classified_devices``; three assets ask for the same ones."""
        key = classified.listing.listing_id
        if key not in self._judged:
            self._judged[key] = judged_of(classified.frame)
        return self._judged[key]

    def plan(self, classified: Snapshot) -> Plan:
        """What a sync of these devices does; made once per run, with the evidence Graph gives for it."""
        key = classified.listing.listing_id
        if key not in self._plans:
            with self.engine.connect() as db:
                known = load_state(db, self.connection.id)
            listing = steps.domain_listing(classified.listing)
            self._plans[key] = steps.decide(
                self.judged(classified), known, self.connection.policy, listing, lambda: self.client
            )
        return self._plans[key]

    def apply(self, plan: Plan) -> tuple[int, Counts]:
        """Do what a plan says, and return the sync's id with what was done; success is in the last transaction."""
        sync_run_id = self.sync_run_id
        assert sync_run_id is not None  # noqa: S101 - a run that applies plans is a sync

        def succeed(db: Connection, counts: Counts) -> None:
            totals = {**run_columns(counts), **self.requests_sent(), "list_complete": plan.listing.complete}
            sync_runs.succeed(db, sync_run_id, totals)

        counts = reconciliation.apply(
            self.engine, plan, sync_run_id, before_batch=lambda _: self.lock.ensure_held(), finish=succeed
        )
        return sync_run_id, counts

    def requests_sent(self) -> dict[str, int]:
        """Requests to Graph so far, batch items included, and how many of them were throttled."""
        if "client" not in vars(self):
            return {"requests": 0, "throttled": 0}
        sent = self.client.stats
        return {"requests": sent.requests + sent.batch_items, "throttled": sent.throttled}

    def accept(self, inputs: Mapping[str, Listing]) -> Listing:
        """The one listing that all inputs stem from.

        Raises:
            InputsRefusedError: they are too old, of another tenant, or of different listings.
        """
        maximum_age = timedelta(hours=self.settings.intune_input_max_age_hours)
        problem = refusal(inputs, tenant_id=self.connection.tenant_id, now=datetime.now(UTC), maximum_age=maximum_age)
        if problem:
            raise InputsRefusedError(f"{self.account}: {problem}")
        return next(iter(inputs.values()))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """The boundary around a step: what goes wrong inside is recorded and raised as one sentence.

        Raises:
            StepFailure: with that sentence.
        """
        try:
            with failing_in_one_sentence(name):
                assert self.connection  # noqa: S101 - every step is of a connected tenant and holds its lock
                yield
        except StepFailure as failure:
            self._record(failure)
            raise

    def close(self) -> None:
        """Give back lock and connections; a sync that ends here without a result says so.

        Its requests stay open: whether Dagster starts the run over is known only after it has ended.
        """
        with self._held, suppress(StepFailure), failing_in_one_sentence("closing the sync"):
            if self._sync_run_id is not None:
                with self.engine.begin() as db:
                    ended = sync_runs.get(db, self._sync_run_id)
                    if ended and ended.status == "running":
                        open_syncs.release(db, self._sync_run_id)
                        sync_runs.fail(db, self._sync_run_id, "stopped", _STOPPED)

    def _record(self, failure: StepFailure) -> None:
        """Write a failure down; that the database is gone too must not hide it."""
        cause = failure.error.cause if isinstance(failure.error, MicrosoftError) else None
        with suppress(StepFailure), failing_in_one_sentence("recording the failure"):
            self.instance.add_run_tags(
                self.run.run_id, {RETRY_ON_FAILURE_TAG: "true" if failure.is_passing else "false"}
            )
            with self.engine.begin() as db:
                if cause and cause.connection_status:
                    connections.set_status(db, self.connection.id, cause.connection_status, cause.value, cause.sentence)
                if self._sync_run_id is not None:
                    if failure.is_passing:
                        open_syncs.release(db, self._sync_run_id)
                    stored = cause.value if cause else "failed"
                    sync_runs.fail(db, self._sync_run_id, stored, failure.sentence)


def refusal(
    inputs: Mapping[str, Listing], *, tenant_id: str | None, now: datetime, maximum_age: timedelta
) -> str | None:
    """Why frames must not be used together now, as a sentence; None when they may.

    Args:
        inputs: the listing that each upstream asset's frame stems from.
        tenant_id: the tenant the account is connected to.
        now: aware.
        maximum_age: how old a listing may be.
    """
    for asset, listing in inputs.items():
        if listing.tenant_id != tenant_id:
            return f"{asset} holds devices of another tenant than the connected one; materialize it again."
        if now - listing.listed_at > maximum_age:
            hours = maximum_age.total_seconds() / 3600
            return f"{asset} stems from a list of {listing.listed_at:%Y-%m-%d %H:%M} UTC, older than {hours:g} hours; materialize raw_intune_devices and what follows again."
    if len({listing.listing_id for listing in inputs.values()}) > 1:
        return f"{' and '.join(inputs)} stem from different lists; materialize them again from the same one."
    return None


def tenant_step(asset: Callable[Concatenate[TenantRun, P], R]) -> Callable[..., R]:
    """Run a function inside `TenantRun.step`; its first parameter is ``tenant``."""

    @wraps(asset)
    def wrapper(tenant: TenantRun, *args: P.args, **kwargs: P.kwargs) -> R:
        with tenant.step(asset.__name__.strip("_")):
            return asset(tenant, *args, **kwargs)

    return wrapper
