"""The one place where everything is assembled: Dagster loads ``defs`` from here, and nothing else belongs here."""

from intune_pipeline import logs
from intune_pipeline.orchestration.build import build_defs

logs.configure()
defs = build_defs()
