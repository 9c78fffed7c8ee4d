"""Everything of the project put together.

Belongs here: the one function that builds Dagster's definitions, so that tests and commands get fresh ones. Does not
belong here: any definition itself.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from intune_pipeline.orchestration import lineage
from intune_pipeline.orchestration.assets import ASSETS
from intune_pipeline.orchestration.catalog import external_assets
from intune_pipeline.orchestration.fleet import every_tenant_synced_lately, fleet_asset
from intune_pipeline.orchestration.jobs import intune_plan, intune_sync, maintenance, rejudge_devices
from intune_pipeline.orchestration.resources import default_resources
from intune_pipeline.orchestration.schedules import build_schedules
from intune_pipeline.orchestration.sensors import SENSORS
from intune_pipeline.orchestration.source import commit
from intune_pipeline.settings import Settings

# Dagster copies each sensor together with its owners, of which ours have none, and warns that owners may change.
warnings.filterwarnings(
    "ignore", message="Parameter `owners` of initializer `SensorDefinition", category=dg.BetaWarning
)


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The project's definitions, as the settings say; connects to nothing.

    Args:
        resource_overrides: resources to use in place of the default ones, by key.

    Raises:
        SettingsError: a setting is malformed.
    """
    settings = Settings.load()
    return dg.Definitions(
        assets=[*_with_commit(), *external_assets(), fleet_asset],
        asset_checks=[every_tenant_synced_lately],
        jobs=[intune_sync, intune_plan, maintenance, rejudge_devices],
        schedules=build_schedules(hour=settings.intune_sync_hour, time_zone=settings.intune_sync_time_zone),
        sensors=[*SENSORS, *lineage.build_sensors()],
        resources={**default_resources(settings), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def _with_commit() -> list[dg.AssetsDefinition]:
    """The assets, each with the commit its code is of."""
    known = {"commit": commit()} if commit() else {}
    return [one.map_asset_specs(lambda spec: spec.merge_attributes(metadata=known)) for one in ASSETS]
