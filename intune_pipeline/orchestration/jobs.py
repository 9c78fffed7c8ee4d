"""The jobs: a tenant's sync from end to end, and the daily tidying.

Belongs here: which assets and ops form a job and how its runs are tagged. Does not belong here: what they do.
"""

import dagster as dg

from intune_pipeline.orchestration.partitions import RETRY_STRATEGY_TAG

INTUNE_SYNC = "intune_sync"
ASSET_GROUP = "intune"
#: Looks at all tenants, so it is no part of one tenant's sync.
FLEET_CHECK = dg.AssetCheckKey(dg.AssetKey("allwhere_assets"), "every_tenant_synced_lately")

#: One process for all steps of a tenant: parallelism comes from runs, and a process per step costs 2.5 CPU seconds.
intune_sync = dg.define_asset_job(
    INTUNE_SYNC,
    selection=dg.AssetSelection.groups(ASSET_GROUP) - dg.AssetSelection.checks(FLEET_CHECK),
    executor_def=dg.in_process_executor,
    tags={RETRY_STRATEGY_TAG: "ALL_STEPS"},
    description="Reads one tenant's Intune devices and reconciles the account's assets with them.",
)
