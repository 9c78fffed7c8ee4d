"""OpenLineage: every finished run of a tenant told to a lineage server, the tenant as namespace. The extra ``[lineage]``.

Belongs here: which runs are told, and what of them. Does not belong here: OpenLineage's words, which are
``dagster-openlineage``'s, and where events go, which ``OPENLINEAGE_URL`` or a file at ``OPENLINEAGE_CONFIG`` says.

Of that library only the adapter is used. Its sensor and its storage know neither the run's tags, so that every tenant would be
one namespace, nor what an asset is made from, so that there would be no lineage; and they drop what the server does not take
(0.2.1). Columns, checks and the sentence of a failure are told; previews and other metadata are not.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster import DagsterEventType, RunsFilter
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.events.log import EventLogEntry

from intune_pipeline.domain.nouns import counted
from intune_pipeline.errors import WrongUseError
from intune_pipeline.orchestration.jobs import INTUNE_SYNC
from intune_pipeline.orchestration.partitions import PARTITION_TAG
from intune_pipeline.orchestration.process.retention import FINISHED
from intune_pipeline.settings import SettingsError

if TYPE_CHECKING:
    from dagster_openlineage import OpenLineageAdapter

#: A tick may last 60 seconds, and a run is about fifteen requests.
RUNS_PER_TICK: Final = 20
SECONDS_BETWEEN_LOOKS: Final = 30
#: Runs are told in the order in which they ended; one that is stored a moment late is found all the same.
OVERLAP: Final = timedelta(minutes=1)
DEFAULT_NAMESPACE: Final = "intune"
TENANT_NAMESPACE: Final = f"{{namespace}}/{{tag:{PARTITION_TAG}}}"
CONFIGURED_BY: Final = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_COLUMNS: Final = ("dagster/column_schema", "dagster/column_lineage")
_TOLD: Final = {
    DagsterEventType.RUN_START,
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_CANCELED,
    DagsterEventType.STEP_START,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}


def build_sensors() -> list[dg.SensorDefinition]:
    """The sensor, where OpenLineage is configured; else none.

    Raises:
        SettingsError: it is configured, and the extra is not installed.
    """
    named = [name for name in CONFIGURED_BY if os.environ.get(name)]
    if not named:
        return []
    if find_spec("dagster_openlineage") is None:
        raise SettingsError(f"{named[0]} is set, and the extra is missing: pip install 'intune-pipeline[lineage]'.")
    return [lineage]


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells OpenLineage of every finished sync: its assets, their columns and checks; the tenant is the namespace.",
)
def lineage(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell of the runs that ended since the last look; what the server does not take is told again at the next one."""
    until, told = _remembered(context.cursor)
    context.update_cursor(_cursor(until, told))
    records = context.instance.get_run_records(
        RunsFilter(job_name=INTUNE_SYNC, statuses=FINISHED, updated_after=datetime.fromtimestamp(until, UTC) - OVERLAP),
        limit=RUNS_PER_TICK + len(told),
        order_by="update_timestamp",
        ascending=True,
    )
    new = [record for record in records if record.dagster_run.run_id not in told]
    adapter, graph = _adapter(), _graph(context)
    for record in new:
        run, ended = record.dagster_run, record.update_timestamp.replace(tzinfo=UTC).timestamp()
        tell(adapter, run, context.instance.all_logs(run.run_id, of_type=_TOLD), graph)
        told[run.run_id] = ended
        until = max(until, ended)
        context.update_cursor(_cursor(until, told))
    return dg.SkipReason(f"Told of {counted(len(new), 'run')}.")


def tell(
    adapter: "OpenLineageAdapter", run: dg.DagsterRun, entries: Sequence[EventLogEntry], graph: BaseAssetGraph[Any]
) -> None:
    """Tell all of one run: itself, each asset from its start to its end, and what its checks found.

    Raises:
        Exception: the server did not take an event.
    """
    of_run = {
        DagsterEventType.RUN_START: adapter.start_pipeline,
        DagsterEventType.RUN_SUCCESS: adapter.complete_pipeline,
        DagsterEventType.RUN_FAILURE: adapter.fail_pipeline,
        DagsterEventType.RUN_CANCELED: adapter.cancel_pipeline,
    }
    checks: dict[dg.AssetKey, list[dg.AssetCheckEvaluation]] = defaultdict(list)
    for entry in entries:
        event = entry.get_dagster_event()
        if event.event_type in of_run:
            of_run[event.event_type](run.job_name, run.run_id, entry.timestamp, namespace_of(run))
        elif event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            checks[event.asset_check_evaluation_data.asset_key].append(event.asset_check_evaluation_data)
        else:
            _tell_of_asset(adapter, run, entry, graph)
    for key, evaluations in checks.items():
        adapter.asset_check_evaluation(key, evaluations, run.run_id, entries[-1].timestamp, run_tags=run.tags)


def namespace_of(run: dg.DagsterRun) -> str:
    """The tenant's: as the adapter makes it for assets."""
    return "/".join(filter(None, (_namespace(), run.tags.get(PARTITION_TAG))))


def _tell_of_asset(
    adapter: "OpenLineageAdapter", run: dg.DagsterRun, entry: EventLogEntry, graph: BaseAssetGraph[Any]
) -> None:
    event = entry.get_dagster_event()
    key = event.asset_key or dg.AssetKey(event.step_key or "")
    if not graph.has(key):
        return
    if event.event_type is DagsterEventType.STEP_START:
        adapter.asset_materialization_planned(key, run.run_id, entry.timestamp, run_tags=run.tags)
    elif event.event_type is DagsterEventType.STEP_FAILURE:
        said = event.step_failure_data.user_failure_data
        sentence = said.description if said else None
        adapter.asset_failed_to_materialize(key, run.run_id, entry.timestamp, error_message=sentence, run_tags=run.tags)
    elif event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
        node = graph.get(key)
        adapter.asset_materialization(
            key,
            run.run_id,
            entry.timestamp,
            metadata={name: value for name, value in node.metadata.items() if name in _COLUMNS},
            upstream_asset_keys=sorted(node.parent_keys),
            run_tags=run.tags,
        )


def _graph(context: dg.SensorEvaluationContext) -> BaseAssetGraph[Any]:
    if context.repository_def is None:
        raise WrongUseError("The sensor lineage looks within a code location only.")
    return context.repository_def.asset_graph


def _remembered(cursor: str | None) -> tuple[float, dict[str, float]]:
    """Until when runs were told, and which lately. The first look tells of what ends from then on."""
    if not cursor:
        return datetime.now(UTC).timestamp(), {}
    until, told = json.loads(cursor)
    return float(until), dict(told)


def _cursor(until: float, told: Mapping[str, float]) -> str:
    oldest = until - OVERLAP.total_seconds()
    return json.dumps([until, {run_id: ended for run_id, ended in told.items() if ended >= oldest}])


def _namespace() -> str:
    return os.environ.get("OPENLINEAGE_NAMESPACE") or DEFAULT_NAMESPACE


def _adapter() -> "OpenLineageAdapter":
    """The library's words, said so that the sensor hears what the server does not take."""
    from dagster_openlineage import OpenLineageAdapter
    from dagster_openlineage.emitter import OpenLineageEmitter
    from openlineage.client import OpenLineageClient

    class Emitter(OpenLineageEmitter):  # type: ignore[misc]
        """Raises where the library's drops the event."""

        def emit(self, event: Any) -> None:
            self._client.emit(event)

    emitter = Emitter(client=OpenLineageClient())
    return OpenLineageAdapter(namespace=_namespace(), namespace_template=TENANT_NAMESPACE, emitter=emitter)
