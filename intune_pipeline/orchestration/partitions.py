"""Tenants as Dagster partitions: one key per account, and the tags of a tenant's run.

Belongs here: names of partitions and tags, and which of them Dagster knows. Does not belong here: who is connected, which the
database knows. Dagster's partitions follow it both ways: a key that no account has goes, the key of one that was ever connected
stays, because its history hangs on it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import dagster as dg

from intune_pipeline.domain.vocabulary import Trigger

#: The name every workspace gives our code; toggles of schedules and sensors hang on it.
CODE_LOCATION = "intune_pipeline"
#: The job that judges kept lists again; its runs are no syncs.
REJUDGE = "rejudge_devices"
TENANTS = "tenants"

#: A partition per account; the key is the account's slug.
tenants = dg.DynamicPartitionsDefinition(name=TENANTS)

PARTITION_TAG = "dagster/partition"
PRIORITY_TAG = "dagster/priority"
RUN_KEY_TAG = "dagster/run_key"
WILL_RETRY_TAG = "dagster/will_retry"
RETRY_NUMBER_TAG = "dagster/retry_number"
PARENT_RUN_TAG = "dagster/parent_run_id"
MAX_RETRIES_TAG = "dagster/max_retries"
RETRY_ON_FAILURE_TAG = "dagster/retry_on_asset_or_op_failure"
#: A crashed sync starts over with a fresh list; going on from the step that died would trust an older one.
RETRY_STRATEGY_TAG = "dagster/retry_strategy"

#: The id of the crashed run that Dagster was reminded of, because it had forgotten to start it over.
REMINDED_TAG = "intune/reminded"
#: What asked for the run: ``initial``, ``schedule``, ``manual`` or ``operator``, which also is the default.
TRIGGER_TAG = "intune/trigger"
#: The id of the ``sync_requests`` row that a run serves.
SYNC_REQUEST_TAG = "intune/sync_request"
#: The id of the ``plans`` row that a run makes.
PLAN_TAG = "intune/plan"
#: The tenant's GUID, for people who search runs by it.
TENANT_TAG = "intune/tenant_id"


def trigger_of(tags: Mapping[str, str]) -> str:
    """What asked for a run.

    A run started again in the UI has all tags of the one before, and an operator asked for it. One that Dagster starts over
    after a crash is still what it was.
    """
    is_started_again = PARENT_RUN_TAG in tags and RETRY_NUMBER_TAG not in tags
    return Trigger.OPERATOR if is_started_again else tags.get(TRIGGER_TAG, Trigger.OPERATOR)


def missing(instance: dg.DagsterInstance, keys: Iterable[str]) -> list[str]:
    """Those of the keys that are no partitions yet; each once, as Dagster wants them."""
    return sorted(set(keys) - set(instance.get_dynamic_partitions(TENANTS)))


class PartitionChanges(NamedTuple):
    """What Dagster's partitions lack, and which of them are nobody's."""

    add: list[str]
    delete: list[str]


def changes(
    known: Collection[str], connected: Collection[str], accounts: Collection[str], busy: Collection[str]
) -> PartitionChanges:
    """How Dagster's partitions follow the database.

    Args:
        known: the keys Dagster has.
        connected: accounts that are or were connected.
        accounts: every account. Without any the database is a new one or the wrong one, and nothing is deleted.
        busy: keys of runs that wait or work; one without its partition would fail in the middle.
    """
    bogus = set(known) - set(connected) - set(accounts) - set(busy) if accounts else set()
    return PartitionChanges(sorted(set(connected) - set(known)), sorted(bogus))


def add_missing(instance: dg.DagsterInstance, keys: Iterable[str]) -> None:
    """Make Dagster know these partitions, where no sensor's result can ask for them."""
    if wanted := missing(instance, keys):
        instance.add_dynamic_partitions(TENANTS, wanted)


def known_run_keys(instance: dg.DagsterInstance, keys: Sequence[str]) -> set[str]:
    """Those of the run keys that a run has, whatever became of it."""
    if not keys:
        return set()
    return {run.tags[RUN_KEY_TAG] for run in instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: list(keys)}))}
