"""The chain of a sync: from Intune's list to allwhere's assets, one tenant per partition.

Belongs here: the five assets, what each is given, what it shows. Does not belong here: deciding (``domain``), asking
(``microsoft``), writing (``inventory``), and what they share with ``plan`` (``steps``).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from pydantic import Field

from intune_pipeline.domain.eligibility import judge
from intune_pipeline.domain.vocabulary import SkipReason
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import account_rules, sync_runs, unknown_models
from intune_pipeline.inventory.frames import Snapshot
from intune_pipeline.inventory.run_results import exposed_codes, outcomes_of
from intune_pipeline.inventory.schema import FRAMES
from intune_pipeline.inventory.state import forget_devices
from intune_pipeline.orchestration import checks, steps
from intune_pipeline.orchestration.jobs import ASSET_GROUP
from intune_pipeline.orchestration.metadata import (
    asset_metadata,
    changes_table,
    counts_shown,
    counts_table,
    plotted,
    shown,
    unknown_table,
)
from intune_pipeline.orchestration.partitions import tenants
from intune_pipeline.orchestration.records import (
    devices_of,
    frame_of,
    frame_of_devices,
    frame_of_judged,
    frame_of_outcomes,
    frame_of_people,
)
from intune_pipeline.orchestration.tenant_run import TenantRun, tenant_step

if TYPE_CHECKING:
    Materialized: TypeAlias = dg.MaterializeResult[Snapshot]
else:
    # Dagster knows the annotation only without its parameter.
    Materialized = dg.MaterializeResult

SNAPSHOT = dg.PythonObjectDagsterType(Snapshot, name="Snapshot")
OWNERS = ["team:it-asset-management"]


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


def _asset(name: str, **particulars: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dagster.asset` with what all five have in common."""
    return dg.asset(  # type: ignore[no-any-return]
        name=name,
        partitions_def=tenants,
        group_name=ASSET_GROUP,
        dagster_type=SNAPSHOT,
        owners=OWNERS,
        metadata=asset_metadata(FRAMES[name]),
        check_specs=checks.specs_of(name),
        **particulars,
    )


@_asset(
    "raw_intune_devices",
    kinds={"microsoft", "postgres"},
    description="The tenant's managed devices as Intune lists them, one row per device. Personal devices are counted "
    "and dropped here; nothing of them goes further.",
)
@tenant_step
def raw_intune_devices(tenant: dg.ResourceParam[TenantRun], config: ListingConfig) -> Materialized:
    """List the tenant's devices."""
    if config.max_devices is not None and config.max_devices < 1:
        raise WrongUseError(f"max_devices is {config.max_devices}; it must be at least 1, or left out for all devices.")
    tenant.progress(phase="listing")
    listed = steps.list_devices(
        tenant.client, max_devices=config.max_devices, on_page=lambda read: tenant.progress(devices_read=read)
    )
    with tenant.engine.begin() as db:
        forget_devices(db, tenant.connection.id, listed.personal_ids)
        listed = steps.without_erased(db, tenant.connection.account_id, listed)
        before = sync_runs.last_good(db, tenant.account)
    snapshot = Snapshot(tenant.new_listing(listed), frame_of_devices(listed.devices))
    return dg.MaterializeResult(
        value=snapshot,
        metadata={
            **shown(snapshot),
            "skipped/personal": len(listed.personal_ids),
            **plotted("graph", tenant.client.stats.as_dict()),
        },
        check_results=checks.of_listing(listed, before=before, policy=tenant.connection.policy),
    )


@_asset(
    "classified_devices",
    kinds={"python", "postgres"},
    description="The devices with their type, the rule that decided it, and why a device is skipped. Of several "
    "records of one serial number the newest wins; two different machines of one serial are both left alone.",
)
@tenant_step
def classified_devices(tenant: dg.ResourceParam[TenantRun], raw_intune_devices: Snapshot) -> Materialized:
    """Judge every device."""
    listing = tenant.accept({"raw_intune_devices": raw_intune_devices.listing})
    with tenant.engine.connect() as db:
        rules = account_rules.for_classifier(db, tenant.account)
    classifier = account_rules.classifier(rules)
    judged = judge(devices_of(raw_intune_devices.frame), classifier, listed_at=listing.listed_at)
    tenant.progress(devices_listed=listing.devices_listed, devices_classified=len(judged))
    skipped = {SkipReason.PERSONAL: listing.personal, **steps.skipped_by_reason(judged)}
    unknown = steps.unknown_models(judged)
    if tenant.sync_run_id is not None:
        with tenant.engine.begin() as db:
            unknown_models.record(db, tenant.sync_run_id, tenant.connection.id, unknown)
    snapshot = Snapshot(listing, frame_of_judged(judged))
    return dg.MaterializeResult(
        value=snapshot,
        metadata={
            **shown(snapshot),
            "eligible": sum(one.skip_reason is None for one in judged),
            "skip_reasons": counts_table(skipped, of="reason"),
            **plotted("skipped", skipped),
            **plotted("type", Counter(one.classification.device_type for one in judged)),
            "unknown_models": unknown_table(unknown),
        },
        check_results=checks.of_classification(judged, listing, skipped, tenant.settings),
    )


@_asset(
    "intune_device_details",
    kinds={"microsoft", "postgres"},
    description="What Graph tells of single devices only: the memory of Windows devices, and whether an Apple device "
    "has an activation-lock bypass code. Asked for eligible devices that are new or were not asked for a week. The "
    "code itself is encrypted as it arrives and never part of a frame.",
)
@tenant_step
def intune_device_details(tenant: dg.ResourceParam[TenantRun], classified_devices: Snapshot) -> Materialized:
    """Ask for the details that are due."""
    listing = tenant.accept({"classified_devices": classified_devices.listing})
    tenant.progress(phase="details")
    detailed = steps.refresh_details(
        tenant.engine,
        tenant.connection.id,
        tenant.judged(classified_devices),
        tenant.settings,
        lambda: tenant.client,
    )
    snapshot = Snapshot(listing, frame_of("intune_device_details", detailed.rows))
    return dg.MaterializeResult(
        value=snapshot,
        metadata={
            **shown(snapshot),
            **plotted("details", Counter(freshness for *_, freshness in detailed.rows)),
            **({"left_out": detailed.said} if detailed.said else {}),
        },
    )


@_asset(
    "employees",
    kinds={"python", "postgres"},
    description="The users of eligible devices: the employee each matches by e-mail, or who would be created, held "
    "back as a look-alike, or left out because the name cannot be split safely. Nobody is created here.",
)
@tenant_step
def employees(
    tenant: dg.ResourceParam[TenantRun],
    classified_devices: Snapshot,
    intune_device_details: Snapshot,
) -> Materialized:
    """Find out whom the devices belong to."""
    listing = tenant.accept(
        {"classified_devices": classified_devices.listing, "intune_device_details": intune_device_details.listing}
    )
    people = tenant.plan(classified_devices).people
    snapshot = Snapshot(listing, frame_of_people(people))
    actions = Counter(person.action for person in people)
    return dg.MaterializeResult(
        value=snapshot,
        metadata={**shown(snapshot), "actions": counts_table(actions, of="action"), **plotted("action", actions)},
        check_results=checks.of_people(sum(person.lookalike_id is not None for person in people)),
    )


@_asset(
    "allwhere_assets",
    kinds={"python", "postgres"},
    output_required=False,
    description="allwhere's assets, created and updated by serial number in transactions of 50 devices. Intune owns "
    "hardware facts; status, assignee, location and condition stay as people set them, unless the connection says so.",
)
def allwhere_assets(
    tenant: dg.ResourceParam[TenantRun],
    config: ReconciliationConfig,
    classified_devices: Snapshot,
    employees: Snapshot,
) -> Iterator[Materialized | dg.AssetCheckResult | dg.AssetObservation]:
    """Do what the plan says; a dry run shows it and materializes nothing."""
    yield from (_dry_run if config.dry_run else _reconcile)(tenant, classified_devices, employees)


@tenant_step
def _reconcile(
    tenant: dg.ResourceParam[TenantRun], classified_devices: Snapshot, employees: Snapshot
) -> list[Materialized]:
    listing = tenant.accept({"classified_devices": classified_devices.listing, "employees": employees.listing})
    tenant.progress(phase="reconciling", devices_listed=listing.devices_listed)
    made = tenant.plan(classified_devices)
    sync_run_id, counts = tenant.apply(made)
    with tenant.engine.connect() as db:
        outcomes = outcomes_of(db, tenant.connection.id, sync_run_id)
        exposed = exposed_codes(db, tenant.connection.account_id)
    snapshot = Snapshot(listing, frame_of_outcomes(outcomes, made))
    return [
        dg.MaterializeResult(
            value=snapshot,
            metadata={**shown(snapshot), **counts_shown(counts), **plotted("graph", tenant.requests_sent())},
            check_results=checks.of_reconciliation(counts, snapshot.frame["asset_id"].dropna().tolist(), exposed),
        )
    ]


@tenant_step
def _dry_run(
    tenant: dg.ResourceParam[TenantRun], classified_devices: Snapshot, employees: Snapshot
) -> list[dg.AssetCheckResult | dg.AssetObservation]:
    tenant.accept({"classified_devices": classified_devices.listing, "employees": employees.listing})
    made = tenant.plan(classified_devices)
    with tenant.engine.connect() as db:
        exposed = exposed_codes(db, tenant.connection.account_id)
    seen = dg.AssetObservation(
        "allwhere_assets",
        partition=tenant.account,
        description="What a sync would do now; nothing was written.",
        metadata={**counts_shown(made.counts), "changes": changes_table(made)},
    )
    return [seen, *checks.of_reconciliation(made.counts, [step.asset.id for step in made.steps if step.asset], exposed)]


ASSETS = [raw_intune_devices, classified_devices, intune_device_details, employees, allwhere_assets]
