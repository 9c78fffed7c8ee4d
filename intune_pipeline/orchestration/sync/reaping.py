"""Runs that ended without a word, and what was left open because of them.

Belongs here: finding runs whose process is gone, closing what their end left open, and noticing those that Dagster
forgot to start over. Does not belong here: starting anything; Dagster retries crashed runs itself (``run_retries``).

Dagster's default launcher looks after no run whose machine or container is gone (dagster#15325). A run's process holds the tenant's lock in PostgreSQL from its first step to its last, and the server frees it the
moment the process is gone, on whatever machine it was. So a run that Dagster believes started, and whose tenant's lock
nobody holds, is dead; no process ids, no heartbeats, and the same for every run launcher. One look is not enough: a run
holds no lock yet while its first step begins, and none any more while its last event is written.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from dagster import DagsterRun, DagsterRunStatus

from intune_pipeline.domain.vocabulary import OwnCause, RunStatus
from intune_pipeline.inventory.open_syncs import Unserved
from intune_pipeline.inventory.sync_runs import CANCELED
from intune_pipeline.orchestration.partitions import MAX_RETRIES_TAG, PARTITION_TAG, WILL_RETRY_TAG

GRACE = timedelta(seconds=30)
#: How long a run that was forgotten is looked for.
MEMORY = timedelta(days=1)
REMINDER = "This run was to be started over and has not been; Dagster is told of its failure once more."
_DEATH_SENTENCE = "The run's process is gone: its machine or container stopped, or it was killed."

_ENDINGS = {
    DagsterRunStatus.CANCELED: CANCELED,
    DagsterRunStatus.FAILURE: (
        OwnCause.DIED,
        "The run's process ended before the sync was done; a crashed run is started over.",
    ),
    DagsterRunStatus.SUCCESS: (OwnCause.DIED, "The run ended before the sync was done; sync again."),
}
_UNKNOWN_RUN = (
    OwnCause.DIED,
    "Dagster knows nothing of the run any more: it was deleted, or its database is another one.",
)
_NO_RESULT = "The run ended before its sync was done; the run's page in Dagster says why."

Sightings = Mapping[str, float]
"""Runs seen without their lock, and when first, in seconds since the epoch."""


def lockless(started: Iterable[DagsterRun], locked_accounts: Collection[str]) -> list[DagsterRun]:
    """The tenants' runs that nobody works on. Look for locks first and for runs after, never the other way round."""
    return [
        run
        for run in started
        if run.status is DagsterRunStatus.STARTED
        and PARTITION_TAG in run.tags
        and run.tags[PARTITION_TAG] not in locked_accounts
    ]


def judge(suspects: Iterable[DagsterRun], seen: Sightings, now: datetime) -> tuple[list[DagsterRun], dict[str, float]]:
    """Those suspects that have been without their lock for `GRACE`, and the sightings to remember for the rest."""
    dead, sightings = [], {}
    for run in suspects:
        first_seen = seen.get(run.run_id, now.timestamp())
        if now.timestamp() - first_seen >= GRACE.total_seconds():
            dead.append(run)
        else:
            sightings[run.run_id] = first_seen
    return dead, sightings


def sightings_from(cursor: str | None) -> dict[str, float]:
    """The sightings a sensor remembered in its cursor."""
    return dict(json.loads(cursor)) if cursor else {}


def cursor_of(sightings: Sightings) -> str:
    """The sightings as a sensor's cursor."""
    return json.dumps(sightings, sort_keys=True)


def ending(run: DagsterRun | None) -> tuple[str, str] | None:
    """How the run of an unfinished sync ended, as cause and sentence; None while it goes on.

    Args:
        run: None when Dagster has no such run.
    """
    return _UNKNOWN_RUN if run is None else _ENDINGS.get(run.status)


def death_sentence(run: DagsterRun) -> str:
    """What a dead run is failed with."""
    is_last = run.tags.get(MAX_RETRIES_TAG) == "0"
    return _DEATH_SENTENCE if is_last else f"{_DEATH_SENTENCE} It is started over."


def is_started_over(run: DagsterRun) -> bool:
    """Whether Dagster starts another run in this one's place; never for those of the command line, which allow no retry."""
    return run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None


def is_overdue(run: DagsterRun, ended: datetime, now: datetime) -> bool:
    """Whether Dagster said of this run that it starts it over, and still has not after `GRACE`.

    Dagster's daemon reads a run's failure as soon as it is stored, looks whether the run is marked failed, and never
    looks again; a few milliseconds in between are enough for the run to be forgotten (dagster#33741).

    Args:
        run: a failed run.
        ended: when its failure was last reported.
        now: the time of the look.
    """
    return is_started_over(run) and run.is_complete_and_waiting_to_retry and now - ended >= GRACE


def request_error(request: Unserved) -> str | None:
    """The sentence a request that nobody serves any more is closed with; None when its sync succeeded."""
    return None if request.sync_status == RunStatus.SUCCEEDED else request.error or _NO_RESULT
