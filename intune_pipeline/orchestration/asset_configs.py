"""What a person may choose when they materialize an asset by hand.

Belongs here: run configuration and its descriptions, as Dagster's launchpad shows them. Does not belong here: settings.
"""

from typing import TYPE_CHECKING, TypeAlias

import dagster as dg
from pydantic import Field

from intune_pipeline.inventory.frames import Snapshot

if TYPE_CHECKING:
    Materialized: TypeAlias = dg.MaterializeResult[Snapshot]
else:
    # Dagster knows the annotation only without its parameter.
    Materialized = dg.MaterializeResult


class ListingConfig(dg.Config):
    """How much of the tenant to read."""

    max_devices: int | None = Field(
        None,
        description="Stop after so many devices, to try something out; at least 1. The list then counts as "
        "incomplete: nothing that is missing from it is taken for gone.",
    )


class ReconciliationConfig(dg.Config):
    """Whether to write."""

    dry_run: bool = Field(
        False,
        description="Only show what would be created and changed; nothing is written, nothing is materialized.",
    )


class ClassificationConfig(dg.Config):
    """Which lists may be judged."""

    any_age: bool = Field(
        False,
        description="Judge the kept list however old it is, to see what changed rules say. Nothing is written to "
        "allwhere's tables from an old one.",
    )
