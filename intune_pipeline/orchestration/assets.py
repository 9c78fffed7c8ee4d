"""The chain of a sync: from Intune's list to allwhere's assets, one tenant per partition.

Belongs here: the five assets, what each is given, what it shows. Does not belong here: deciding (``domain``), asking
(``microsoft``), writing (``inventory``), and what they share with ``plan`` (``sync``).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from intune_pipeline.domain.eligibility import judge
from intune_pipeline.domain.reconciliation import Plan
from intune_pipeline.domain.vocabulary import RunPhase, SkipReason
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import account_rules, erasures, sync_runs, unknown_models
from intune_pipeline.inventory.connections import Record
from intune_pipeline.inventory.frames import Listing, Snapshot
from intune_pipeline.inventory.run_results import exposed_codes, outcomes_of
from intune_pipeline.inventory.schema import FRAMES
from intune_pipeline.inventory.state import forget_devices, load_state
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration import checks
from intune_pipeline.orchestration.jobs import ASSET_GROUP
from intune_pipeline.orchestration.metadata import (
    asset_metadata,
    changed_shown,
    changes_table,
    counts_shown,
    counts_table,
    plotted,
    shown,
    unknown_table,
)
from intune_pipeline.orchestration.partitions import tenants
from intune_pipeline.orchestration.resources import Limits
from intune_pipeline.orchestration.sync import planning, steps
from intune_pipeline.orchestration.sync.frame_codec import (
    decisions_of,
    details_of,
    devices_of,
    frame_of,
    frame_of_devices,
    frame_of_judged,
    frame_of_outcomes,
    frame_of_people,
    judged_of,
    people_behind,
    remember_people,
)
from intune_pipeline.orchestration.sync.inputs import accepted
from intune_pipeline.orchestration.sync.session import Session
from intune_pipeline.orchestration.sync.steps import domain_listing

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
def raw_intune_devices(
    session: dg.ResourceParam[Session], tenant_database: dg.ResourceParam[Engine], config: ListingConfig
) -> Materialized:
    """List the tenant's devices."""
    with session.step("raw_intune_devices") as connection:
        if config.max_devices is not None and config.max_devices < 1:
            raise WrongUseError(
                f"max_devices is {config.max_devices}; it must be at least 1, or left out for all devices."
            )
        session.progress(phase=RunPhase.LISTING)
        listed = steps.list_devices(
            session.client, max_devices=config.max_devices, on_page=lambda read: session.progress(devices_read=read)
        )
        with tenant_database.begin() as db:
            forget_devices(db, connection.id, listed.personal_ids)
            listed = steps.without_erased(db, connection.account_id, listed)
            before = sync_runs.last_good(db, connection.account)
        listing = steps.new_listing(
            listed, tenant_id=str(connection.tenant_id), account=connection.account, run_id=session.run_id
        )
        snapshot = Snapshot(listing, frame_of_devices(listed.devices))
        return dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot),
                "skipped/personal": len(listed.personal_ids),
                **plotted("graph", session.client.stats.as_dict()),
            },
            check_results=session.noted(checks.of_listing(listed, before=before, policy=connection.policy)),
        )


@_asset(
    "classified_devices",
    kinds={"python", "postgres"},
    description="The devices with their type, the rule that decided it, and why a device is skipped. Of several "
    "records of one serial number the newest wins; two different machines of one serial are both left alone.",
)
def classified_devices(
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    raw_intune_devices: Snapshot,
) -> Materialized:
    """Judge every device."""
    with session.step("classified_devices") as connection:
        listing = accepted(connection, maximum_age=limits.input_max_age, raw_intune_devices=raw_intune_devices)
        with tenant_database.connect() as db:
            rules = account_rules.for_classifier(db, connection.account)
        classifier = account_rules.classifier(rules)
        judged = judge(devices_of(raw_intune_devices.frame), classifier, listed_at=listing.listed_at)
        session.progress(devices_listed=listing.devices_listed, devices_classified=len(judged))
        skipped = {SkipReason.PERSONAL: listing.personal, **steps.skipped_by_reason(judged)}
        unknown = steps.unknown_models(judged)
        if session.sync_run_id is not None:
            with tenant_database.begin() as db:
                unknown_models.record(db, session.sync_run_id, connection.id, unknown)
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
            check_results=session.noted(
                checks.of_classification(
                    judged,
                    listing,
                    skipped,
                    unknown_share=limits.unknown_share_warning,
                    junk_share=limits.junk_share_warning,
                )
            ),
        )


@_asset(
    "intune_device_details",
    kinds={"microsoft", "postgres"},
    description="What Graph tells of single devices only: the memory of Windows devices, and whether an Apple device "
    "has an activation-lock bypass code. Asked for eligible devices that are new or were not asked for a week. The "
    "code itself is encrypted as it arrives and never part of a frame. allwhere_assets takes the memory from here.",
)
def intune_device_details(
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    vault: dg.ResourceParam[Vault],
    limits: Limits,
    classified_devices: Snapshot,
) -> Materialized:
    """Ask for the details that are due."""
    with session.step("intune_device_details") as connection:
        listing = accepted(connection, maximum_age=limits.input_max_age, classified_devices=classified_devices)
        session.progress(phase=RunPhase.DETAILS)
        detailed = steps.refresh_details(
            tenant_database,
            connection.id,
            judged_of(classified_devices),
            lambda: session.client,
            vault=vault,
            refresh_after=limits.details_refresh,
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
    # In this order because a run asks Microsoft for everything before anybody is decided about.
    deps=["intune_device_details"],
    description="The users of eligible devices: the employee each matches by e-mail, or who is to be created, held "
    "back as a look-alike, or left out because the name cannot be split safely. Nobody is created here: "
    "allwhere_assets does what this says, and says where allwhere changed meanwhile.",
)
def employees(
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    classified_devices: Snapshot,
) -> Materialized:
    """Find out whom the devices belong to."""
    with session.step("employees") as connection:
        listing = accepted(connection, maximum_age=limits.input_max_age, classified_devices=classified_devices)
        with tenant_database.connect() as db:
            state = load_state(db, connection.id, values=False, memory=connection.policy.mdm_assignee_updates)
            erased = erasures.standing(db, connection.account_id)
        people = planning.decide_people(
            judged_of(classified_devices), state, connection.policy, domain_listing(listing), session.evidence, erased
        )
        snapshot = Snapshot(listing, frame_of_people(people.steps))
        remember_people(snapshot, people)
        actions = Counter(person.action.value for person in people.steps)
        return dg.MaterializeResult(
            value=snapshot,
            metadata={**shown(snapshot), "actions": counts_table(actions, of="action"), **plotted("action", actions)},
            check_results=session.noted(
                checks.of_people(sum(person.lookalike_id is not None for person in people.steps))
            ),
        )


@_asset(
    "allwhere_assets",
    kinds={"python", "postgres"},
    output_required=False,
    description="allwhere's assets, created and updated by serial number in transactions of 50 devices. Intune owns "
    "hardware facts; status, assignee, location and condition stay as people set them, unless the connection says so.",
)
def allwhere_assets(
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    config: ReconciliationConfig,
    classified_devices: Snapshot,
    intune_device_details: Snapshot,
    employees: Snapshot,
) -> Iterator[Materialized | dg.AssetObservation | dg.Output[None]]:
    """Do what the plan says; a dry run shows it and materializes nothing."""
    with session.step("allwhere_assets") as connection:
        listing = accepted(
            connection,
            maximum_age=limits.input_max_age,
            classified_devices=classified_devices,
            intune_device_details=intune_device_details,
            employees=employees,
        )
        with tenant_database.connect() as db:
            state = load_state(db, connection.id)
            erased = erasures.standing(db, connection.account_id)
        state, refreshed_since = planning.with_shown_details(state, details_of(intune_device_details.frame))
        plan = planning.make_plan(
            judged_of(classified_devices),
            state,
            connection.policy,
            domain_listing(listing),
            session.evidence,
            erased,
            decisions_of(employees.frame),
            people_behind(employees),
        )
        said = planning.changed_since(plan, refreshed_since)
        results = (
            _shown_only(connection, plan, said)
            if config.dry_run
            else _applied(session, tenant_database, connection, plan, listing, said)
        )
    yield from results


def _applied(
    session: Session, tenant_database: Engine, connection: Record, plan: Plan, listing: Listing, said: str | None
) -> Sequence[Materialized]:
    """Do what a plan says; `said` is what it does otherwise than its inputs showed."""
    session.progress(phase=RunPhase.RECONCILING, devices_listed=listing.devices_listed)
    sync_run_id, counts = session.apply(plan)
    with tenant_database.connect() as db:
        outcomes = outcomes_of(db, connection.id, sync_run_id)
        exposed = exposed_codes(db, connection.account_id)
    snapshot = Snapshot(listing, frame_of_outcomes(outcomes, plan))
    return [
        dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot),
                **counts_shown(counts),
                **changed_shown(said),
                **plotted("graph", session.requests_sent()),
            },
            check_results=session.noted(
                checks.of_reconciliation(counts, snapshot.frame["asset_id"].dropna().tolist(), exposed)
            ),
        )
    ]


def _shown_only(connection: Record, plan: Plan, said: str | None) -> Sequence[dg.AssetObservation | dg.Output[None]]:
    """Show what a plan would do, and check nothing: the checks are about what was done.

    `said` is what it does otherwise than its inputs showed.
    """
    seen = dg.AssetObservation(
        "allwhere_assets",
        partition=connection.account,
        description="What a sync would do now; nothing was written.",
        metadata={**counts_shown(plan.counts), **changed_shown(said), "changes": changes_table(plan)},
    )
    return [seen, *checks.unanswered("allwhere_assets")]


ASSETS = [raw_intune_devices, classified_devices, intune_device_details, employees, allwhere_assets]
