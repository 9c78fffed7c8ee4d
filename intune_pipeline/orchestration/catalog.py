"""What exists around the chain: a tenant's Intune, and allwhere's tables, as external assets of Dagster's catalog.

Belongs here: their descriptions and columns, and the events by which a sync tells that it read or wrote them. Does not
belong here: reading and writing. Nothing materializes them from Dagster: Intune is Microsoft's, and people and imports
write the tables too.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg
from sqlalchemy import Table

from intune_pipeline.domain.reconciliation import Counts
from intune_pipeline.inventory import schema
from intune_pipeline.inventory.schema import DEVICE_COLUMNS
from intune_pipeline.orchestration.links import Links
from intune_pipeline.orchestration.metadata import column_schema
from intune_pipeline.orchestration.partitions import tenants
from intune_pipeline.orchestration.sync.steps import Listed

INTUNE: Final = dg.AssetKey(["microsoft", "intune_managed_devices"])
_TABLES: Final[dict[str, tuple[Table, str]]] = {
    "assets": (
        schema.assets,
        "What each customer owns, one row per serial number: the table itself, which people, imports and syncs write.",
    ),
    "employees": (
        schema.employees,
        "The customers' employees: the table itself. The asset `employees` of group `intune` is a sync's plan for it.",
    ),
    "asset_changes": (
        schema.asset_changes,
        "Every field of an existing asset that changed, by a sync or in allwhere: only ever added to.",
    ),
}


def table_key(name: str) -> dg.AssetKey:
    """The external asset of one of allwhere's tables."""
    return dg.AssetKey(["allwhere", name])


def external_assets() -> list[dg.AssetSpec]:
    """Intune and allwhere's tables, by tenant like the assets between them."""
    intune = dg.AssetSpec(
        INTUNE,
        description="A tenant's managed devices where they are: in Microsoft Intune, read over Microsoft Graph "
        "(`deviceManagement/managedDevices`). The columns are the properties that are read.",
        partitions_def=tenants,
        group_name="microsoft",
        kinds={"microsoft"},
        metadata={"dagster/column_schema": _graph_properties()},
    )
    tables = [
        dg.AssetSpec(
            table_key(name),
            deps=["allwhere_assets"],
            description=description,
            partitions_def=tenants,
            group_name="allwhere",
            kinds={"postgres", "table"},
            metadata={"dagster/table_name": f"public.{table.name}", "dagster/column_schema": column_schema(table)},
        )
        for name, (table, description) in _TABLES.items()
    ]
    return [intune, *tables]


def _graph_properties() -> dg.TableSchema:
    kinds = {"storage_bytes": "int64", "enrolled_at": "dateTimeOffset", "last_contact_at": "dateTimeOffset"}
    return dg.TableSchema(
        [dg.TableColumn(graph, kinds.get(name, "string"), meaning) for name, (graph, meaning) in DEVICE_COLUMNS.items()]
    )


def listed(account: str, found: Listed, links: Links, tenant_id: str) -> dg.AssetMaterialization:
    """Intune as a sync found it: a materialization, so that the catalog shows each tenant's."""
    return dg.AssetMaterialization(
        INTUNE,
        partition=account,
        description="Listed by a sync." if found.complete else "Listed in part.",
        metadata={
            "dagster/row_count": found.devices_listed,
            "personal": len(found.personal_ids),
            "list_complete": found.complete,
            **links.intune_devices(tenant_id),
        },
    )


def written(account: str, counts: Counts, links: Links, sync_run_id: int) -> Sequence[dg.AssetMaterialization]:
    """What a sync wrote into allwhere's tables; tables in which nothing changed are left out."""
    numbers = {
        "assets": {
            "created": counts.assets_created,
            "updated": counts.assets_updated + counts.lifecycle_transitions,
        },
        "employees": {"created": counts.employees_created},
        "asset_changes": {"assets_changed": counts.assets_updated + counts.lifecycle_transitions},
    }
    return [
        dg.AssetMaterialization(
            table_key(name),
            partition=account,
            description=f"Written by sync {sync_run_id}.",
            metadata={**changed, **links.run(sync_run_id)},
        )
        for name, changed in numbers.items()
        if any(changed.values())
    ]
