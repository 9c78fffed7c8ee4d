"""One sync in this process, as the command line starts it.

Belongs here: a run of the job ``intune_sync`` against the configured instance, outside its queue, which Dagster's UI shows as
one of the code location's own: on the job's page, re-executable. The tenant's lock in the database keeps it apart from every
other run. Does not belong here: showing progress (``cli``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.jobs import INTUNE_SYNC
from intune_pipeline.orchestration.partitions import CODE_LOCATION, MAX_RETRIES_TAG, TRIGGER_TAG, add_missing

#: Where a run says it comes from: the location by its name, however a workspace reaches it.
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(CODE_LOCATION), "__repository__"), INTUNE_SYNC
)


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has ended.

    Attributes:
        run_id: Dagster's id of it.
        succeeded: whether every step did.
        error: the sentence of the step that failed; None when none did.
    """

    run_id: str
    succeeded: bool
    error: str | None


def run_sync(
    account: str,
    *,
    trigger: str,
    run_config: Mapping[str, Any] | None = None,
    instance: dg.DagsterInstance | None = None,
    defs: dg.Definitions | None = None,
) -> FinishedRun:
    """Sync one account now, and return when it is done.

    Args:
        account: the account's slug.
        trigger: one of ``schema.TRIGGERS``.
        run_config: what the launchpad would hold, for example a cap of devices.
        instance: Dagster's database; the one ``DAGSTER_HOME`` names when not given.
        defs: the project's definitions; fresh ones when not given.
    """
    if instance is None:
        with dg.DagsterInstance.get() as configured:
            return run_sync(account, trigger=trigger, run_config=run_config, instance=configured, defs=defs)
    add_missing(instance, [account])
    job = (defs or build_defs()).resolve_job_def(INTUNE_SYNC)
    # Not `execute_in_process`: its runs have no origin, so the UI shows them nowhere and starts none over.
    run = instance.create_run_for_job(
        job,
        run_config=dict(run_config or {}),
        # Whoever waits for it sees how it ended, and says whether it is to be started over.
        tags={
            **job.run_tags,
            **job.get_tags_for_partition_key(account, None),
            TRIGGER_TAG: str(trigger),  # Dagster writes down plain text only.
            MAX_RETRIES_TAG: "0",
        },
        remote_job_origin=ORIGIN,
    )
    events = list(execute_run_iterator(InMemoryJob(job), run, instance))
    ended = instance.get_run_by_id(run.run_id)
    succeeded = ended is not None and ended.is_success
    return FinishedRun(run.run_id, succeeded, None if succeeded else _sentence(events))


def _sentence(events: Iterable[dg.DagsterEvent]) -> str:
    for event in events:
        failure = event.step_failure_data.user_failure_data if event.is_step_failure else None
        if failure and failure.description:
            return failure.description
    return "The run was stopped by a check; its page in Dagster shows which."
