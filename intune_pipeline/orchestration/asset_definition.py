"""What all assets of the chain have in common: partitions, group, owners, stored type, checks, code references.

Belongs here: how an asset is defined. Does not belong here: what one computes (``assets``).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import dagster as dg

from intune_pipeline.inventory.frames import Snapshot
from intune_pipeline.inventory.schema import FRAMES
from intune_pipeline.orchestration import checks
from intune_pipeline.orchestration.jobs import ASSET_GROUP
from intune_pipeline.orchestration.metadata import (
    asset_metadata,
)
from intune_pipeline.orchestration.partitions import tenants
from intune_pipeline.orchestration.source import references

Compute: TypeAlias = Callable[..., Any]

SNAPSHOT = dg.PythonObjectDagsterType(Snapshot, name="Snapshot")

OWNERS = ["team:it-asset-management"]


def chain_asset(
    name: str, *computed_by: Callable[..., Any], **particulars: Any
) -> Callable[[Compute], dg.AssetsDefinition]:
    """`dagster.asset` with what all five have in common.

    Args:
        name: the asset's.
        computed_by: the functions that do the work, which people who look for it want to read.
        particulars: what only this one has.
    """

    def defined(step: Compute) -> dg.AssetsDefinition:
        return dg.asset(  # type: ignore[no-any-return]
            name=name,
            partitions_def=tenants,
            group_name=ASSET_GROUP,
            dagster_type=SNAPSHOT,
            owners=OWNERS,
            metadata={**asset_metadata(FRAMES[name]), "dagster/code_references": references(*computed_by, step)},
            check_specs=checks.specs_of(name),
            **particulars,
        )(step)

    return defined
