"""The one place where everything is assembled: Dagster loads ``defs`` from here, and nothing else belongs here."""

from intune_pipeline import garbage_collector, logs

garbage_collector.collect_rarely()

from intune_pipeline.orchestration.definitions import build_defs  # noqa: E402 - its imports are half of a small run's work
from intune_pipeline.orchestration.process.forked_runs import fork_runs  # noqa: E402

logs.configure()
fork_runs()
defs = build_defs()
