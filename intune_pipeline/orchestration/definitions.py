"""Everything of the project put together.

Belongs here: the one function that builds Dagster's definitions, so that tests and commands get fresh ones. Does not
belong here: any definition itself.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from intune_pipeline.orchestration.assets import ASSETS
from intune_pipeline.orchestration.checks import every_tenant_synced_lately
from intune_pipeline.orchestration.jobs import intune_sync
from intune_pipeline.orchestration.maintenance import maintenance
from intune_pipeline.orchestration.resources import default_resources
from intune_pipeline.orchestration.schedules import build_schedules
from intune_pipeline.orchestration.sensors import SENSORS
from intune_pipeline.settings import Settings


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The project's definitions. Reads the schedule's hour and time zone; connects to nothing.

    Args:
        resource_overrides: resources to use in place of the default ones, by key.

    Raises:
        SettingsError: a setting is malformed.
    """
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=[every_tenant_synced_lately],
        jobs=[intune_sync, maintenance],
        schedules=build_schedules(Settings.load()),
        sensors=SENSORS,
        resources={**default_resources(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
