"""Plans that were asked for in the database: made by a run of their own, stored, and closed when that run ends.

Belongs here: making one under the tenant's lock, and finding those whose run ended without a word. Does not belong here:
planning (``planning``), and storing and approving (``inventory.plans``).
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import dagster as dg
from dagster import RunsFilter
from sqlalchemy import Engine

from intune_pipeline.inventory import connections, plans, sync_locks
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.orchestration.partitions import PLAN_TAG
from intune_pipeline.orchestration.process.retention import UNFINISHED
from intune_pipeline.orchestration.sync import reaping
from intune_pipeline.orchestration.sync.failures import StepFailure, failing_in_one_sentence
from intune_pipeline.orchestration.sync.planning import plan_account
from intune_pipeline.orchestration.sync.session import OpenClient

_NO_RESULT = "The plan was not finished: its process ended. Ask for it again."


def make(
    engine: Engine,
    plan_id: UUID,
    account: str,
    *,
    open_client: OpenClient,
    vault: Vault,
    details_refresh: timedelta | None,
) -> None:
    """Make a plan that was asked for, while no sync of the tenant runs, and store it; a failure is stored, too.

    Raises:
        StepFailure: with the sentence.
    """
    try:
        with failing_in_one_sentence("the plan"):
            with engine.begin() as db:
                record = connections.syncable(db, account)
                if not plans.begin(db, plan_id):
                    return
            with sync_locks.locked(engine, record.id) as lock:
                planned = plan_account(
                    engine, account, open_client=open_client, vault=vault, details_refresh=details_refresh
                )
                lock.ensure_held()
                with engine.begin() as db:
                    plans.store(db, plan_id, planned)
    except StepFailure as failure:
        with engine.begin() as db:
            plans.fail(db, plan_id, failure.sentence)
            cause = failure.error.cause if isinstance(failure.error, MicrosoftError) else None
            if cause and cause.connection_status:
                connections.set_status(db, record.id, cause.connection_status, cause.value, cause.sentence)
        raise


def under_way(instance: dg.DagsterInstance, plan_id: UUID) -> bool | None:
    """Whether a run makes this plan or is about to; False when its runs have ended, None when there was none."""
    runs = instance.get_runs(RunsFilter(tags={PLAN_TAG: str(plan_id)}))
    if not runs:
        return None
    return any(run.status in UNFINISHED or _is_started_over(run) for run in runs)


def _is_started_over(run: dg.DagsterRun) -> bool:
    return reaping.is_started_over(run) and run.is_complete_and_waiting_to_retry


def close_ended(engine: Engine, ended: Iterable[UUID]) -> int:
    """Close plans whose run has ended and that are not made; returns how many."""
    with engine.begin() as db:
        return sum(plans.fail(db, plan_id, _NO_RESULT) for plan_id in ended)
