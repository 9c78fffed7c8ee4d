"""The one place where everything is assembled: Dagster loads ``defs`` from here, and nothing else belongs here."""

from intune_pipeline import logs
from intune_pipeline.orchestration import worker

worker.settle()

from intune_pipeline.orchestration.build import build_defs  # noqa: E402 - what it imports is most of a small run's work

logs.configure()
defs = build_defs()
