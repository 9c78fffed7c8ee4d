"""One sync in this process, as the command line starts it.

Belongs here: a real Dagster run of the job ``intune_sync`` against the configured instance, outside its queue. The
tenant's lock in the database keeps it apart from every other run. Does not belong here: showing progress (``cli``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.jobs import INTUNE_SYNC
from intune_pipeline.orchestration.partitions import TRIGGER_TAG, add_missing


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
    result = (
        (defs or build_defs())
        .resolve_job_def(INTUNE_SYNC)
        .execute_in_process(
            partition_key=account,
            tags={TRIGGER_TAG: trigger},
            run_config=dict(run_config or {}),
            instance=instance,
            raise_on_error=False,
        )
    )
    return FinishedRun(result.run_id, result.success, None if result.success else _sentence(result))


def _sentence(result: dg.ExecuteInProcessResult) -> str:
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        if failure and failure.description:
            return failure.description
    return "The run was stopped by a check; its page in Dagster shows which."
