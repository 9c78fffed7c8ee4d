"""The chain of a sync: from Intune's list to allwhere's assets, one tenant per partition.

Belongs here: the five assets, what each is given, what it shows. Does not belong here: deciding (``domain``), asking
(``microsoft``), writing (``inventory``), and what they share with ``plan`` (``sync``).
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg
from sqlalchemy import Engine

from intune_pipeline.domain import reconciliation
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.eligibility import judge
from intune_pipeline.domain.reconciliation import Plan
from intune_pipeline.domain.vocabulary import Outcome, RunPhase, SkipReason
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import account_rules, erasures, rehearsals, sync_runs, unknown_models
from intune_pipeline.inventory import reconciliation as writing
from intune_pipeline.inventory.connections import Record
from intune_pipeline.inventory.frames import Listing, Snapshot
from intune_pipeline.inventory.run_results import exposed_codes, outcomes_of
from intune_pipeline.inventory.state import forget_devices, load_state
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration import catalog, checks, run_log
from intune_pipeline.orchestration.asset_configs import ClassificationConfig, ListingConfig, ReconciliationConfig
from intune_pipeline.orchestration.asset_definition import chain_asset
from intune_pipeline.orchestration.links import Links
from intune_pipeline.orchestration.metadata import (
    changed_shown,
    changes_table,
    conventions_table,
    counts_shown,
    counts_table,
    people_kinds,
    plotted,
    rehearsed_table,
    shown,
    synced_kinds,
    unknown_table,
)
from intune_pipeline.orchestration.resources import Limits
from intune_pipeline.orchestration.source import catalogue_version
from intune_pipeline.orchestration.sync import planning, steps, story
from intune_pipeline.orchestration.sync.device_details import DetailReader
from intune_pipeline.orchestration.sync.frame_conversion import (
    Decided,
    decided_behind,
    decisions_of,
    details_of,
    devices_of,
    frame_of,
    frame_of_devices,
    frame_of_judged,
    frame_of_outcomes,
    frame_of_people,
    judged_of,
    remember,
)
from intune_pipeline.orchestration.sync.inputs import accepted
from intune_pipeline.orchestration.sync.session import Session
from intune_pipeline.orchestration.sync.steps import domain_listing

if TYPE_CHECKING:
    Materialized: TypeAlias = dg.MaterializeResult[Snapshot]
else:
    # Dagster knows the annotation only without its parameter.
    Materialized = dg.MaterializeResult

# One after the other: for checks inside a MaterializeResult Dagster looks twice for the materialization they are about.
Results: TypeAlias = Iterator[Materialized | dg.AssetCheckResult]


@chain_asset(
    "raw_intune_devices",
    steps.list_devices,
    deps=[catalog.INTUNE],
    kinds={"microsoft", "postgres"},
    description="The tenant's managed devices as Intune lists them, one row per device. Personal devices are counted "
    "and dropped here; nothing of them goes further.",
)
def raw_intune_devices(
    context: dg.AssetExecutionContext,
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    vault: dg.ResourceParam[Vault],
    limits: Limits,
    links: Links,
    config: ListingConfig,
) -> Results:
    """List the tenant's devices."""
    with session.step("raw_intune_devices") as connection:
        if config.max_devices is not None and config.max_devices < 1:
            raise WrongUseError(
                f"max_devices is {config.max_devices}; it must be at least 1, or left out for all devices."
            )
        session.progress(phase=RunPhase.LISTING)
        began = time.monotonic()
        if session.includes("intune_device_details"):
            reader = _reader(session, tenant_database, connection, vault, limits)
            session.details_ahead.begin(reader, connection.account)

        def on_page(read: int, devices: Sequence[ManagedDevice]) -> None:
            session.progress(devices_read=read)
            session.details_ahead.add(devices)

        listed = steps.list_devices(session.client, max_devices=config.max_devices, on_page=on_page)
        sent = session.client.stats
        seconds = time.monotonic() - began
        context.log.info(story.listed(listed, seconds=seconds, throttled=sent.throttled, waited=sent.seconds_waited))
        with tenant_database.begin() as db:
            forget_devices(db, connection.id, listed.personal_ids)
            listed = steps.without_erased(db, connection.account_id, listed)
            before = sync_runs.last_good(db, connection.account)
        listing = steps.new_listing(
            listed, tenant_id=str(connection.tenant_id), account=connection.account, run_id=session.run_id
        )
        snapshot = Snapshot(listing, frame_of_devices(listed.devices))
        remember(snapshot, listed.devices)
        context.log_event(catalog.listed(connection.account, listed, links, listing.tenant_id))
        materialized = dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot),
                "skipped/personal": len(listed.personal_ids),
                **plotted("graph", sent.as_dict()),
                "seconds": round(seconds, 2),
                **links.intune_devices(listing.tenant_id),
            },
        )
        checked = run_log.warned(context, session, checks.of_listing(listed, before=before, policy=connection.policy))
    yield materialized
    yield from checked


def _reader(session: Session, engine: Engine, connection: Record, vault: Vault, limits: Limits) -> DetailReader:
    return DetailReader(engine, connection.id, lambda: session.client, vault, limits.details_refresh)


@chain_asset(
    "classified_devices",
    judge,
    kinds={"python", "postgres"},
    code_version=catalogue_version(),
    description="The devices with their type, the rule that decided it, and why a device is skipped. Of several "
    "records of one serial number the newest wins; two different machines of one serial are both left alone.",
)
def classified_devices(
    context: dg.AssetExecutionContext,
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    links: Links,
    config: ClassificationConfig,
    raw_intune_devices: Snapshot,
) -> Results:
    """Judge every device."""
    with session.step("classified_devices") as connection:
        maximum_age = None if config.any_age else limits.input_max_age
        listing = accepted(connection, maximum_age=maximum_age, raw_intune_devices=raw_intune_devices)
        with tenant_database.connect() as db:
            rules = account_rules.for_classifier(db, connection.account)
            changed = [] if session.is_sync else rehearsals.rehearsed(db)
        classifier = account_rules.classifier(rules)
        judged = judge(devices_of(raw_intune_devices), classifier, listed_at=listing.listed_at)
        session.progress(devices_listed=listing.devices_listed, devices_classified=len(judged))
        skipped = {SkipReason.PERSONAL: listing.personal, **steps.skipped_by_reason(judged)}
        types = Counter(str(one.classification.device_type) for one in judged if one.skip_reason is None)
        context.log.info(story.judged(listing, types, skipped))
        unknown = steps.unknown_models(judged)
        if session.sync_run_id is not None:
            with tenant_database.begin() as db:
                unknown_models.record(db, session.sync_run_id, connection.id, unknown)
        snapshot = Snapshot(listing, frame_of_judged(judged))
        remember(snapshot, judged)
        materialized = dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot),
                "eligible": sum(one.skip_reason is None for one in judged),
                "skip_reasons": counts_table(skipped, of="reason"),
                **plotted("skipped", skipped),
                **plotted("type", Counter(one.classification.device_type for one in judged)),
                "unknown_models": unknown_table(unknown),
                **({} if session.is_sync else {"changed_since_last_sync": rehearsed_table(changed)}),
                **links.devices(outcome=Outcome.SKIPPED),
            },
        )
        checked = run_log.warned(
            context,
            session,
            checks.of_classification(
                judged,
                listing,
                skipped,
                unknown_share=limits.unknown_share_warning,
                junk_share=limits.junk_share_warning,
            ),
        )
    yield materialized
    yield from checked


@chain_asset(
    "intune_device_details",
    DetailReader.ask,
    kinds={"microsoft", "postgres"},
    description="What Graph tells of single devices only: the memory of Windows devices, and whether an Apple device "
    "has an activation-lock bypass code. Asked for eligible devices that are new or were not asked for a week. The "
    "code itself is encrypted as it arrives and never part of a frame. allwhere_assets takes the memory from here. "
    "Where one run makes both, asking begins while the list is still being read.",
)
def intune_device_details(
    context: dg.AssetExecutionContext,
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    vault: dg.ResourceParam[Vault],
    limits: Limits,
    classified_devices: Snapshot,
) -> Results:
    """Ask for the details that are due."""
    with session.step("intune_device_details") as connection:
        listing = accepted(connection, maximum_age=limits.input_max_age, classified_devices=classified_devices)
        session.progress(phase=RunPhase.DETAILS)
        began = time.monotonic()
        judged, reader = judged_of(classified_devices), _reader(session, tenant_database, connection, vault, limits)
        detailed = reader.detailed(judged, session.details_ahead.finish(reader, judged))
        context.log.info(story.details(detailed, seconds=time.monotonic() - began))
        snapshot = Snapshot(listing, frame_of("intune_device_details", detailed.rows))
        materialized = dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot),
                **plotted("details", Counter(freshness for *_, freshness in detailed.rows)),
                **({"left_out": detailed.said} if detailed.said else {}),
            },
        )
    yield materialized


@chain_asset(
    "employees",
    reconciliation.decide_people,
    kinds={"python", "postgres"},
    # In this order because a run asks Microsoft for everything before anybody is decided about.
    deps=["intune_device_details"],
    description="A plan, not allwhere's table of employees: the users of eligible devices, and the employee each matches by e-mail, or who is to be created, held "
    "back as a look-alike, or left out because the name cannot be split safely. Nobody is created here: "
    "allwhere_assets does what this says, and says where allwhere changed meanwhile.",
)
def employees(
    context: dg.AssetExecutionContext,
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    links: Links,
    classified_devices: Snapshot,
) -> Results:
    """Find out whom the devices belong to."""
    with session.step("employees") as connection:
        listing = accepted(connection, maximum_age=limits.input_max_age, classified_devices=classified_devices)
        with tenant_database.connect() as db:
            state = load_state(db, connection.id)
            erased = erasures.standing(db, connection.account_id)
        people = planning.decide_people(
            judged_of(classified_devices), state, connection.policy, domain_listing(listing), session.lookups, erased
        )
        snapshot = Snapshot(listing, frame_of_people(people.steps))
        remember(snapshot, Decided(people, state))
        run_log.tell_evidence(context, session, "before deciding about people")
        actions = Counter(str(person.action) for person in people.steps)
        context.log.info(story.people(people.steps))
        materialized = dg.MaterializeResult(
            value=snapshot,
            metadata={
                **shown(snapshot, people_kinds(people.steps)),
                "conventions": conventions_table(people.conventions),
                **plotted("action", actions),
                **links.entra_users(listing.tenant_id),
            },
        )
        checked = run_log.warned(
            context, session, checks.of_people(sum(person.lookalike_id is not None for person in people.steps))
        )
    yield materialized
    yield from checked


@chain_asset(
    "allwhere_assets",
    reconciliation.plan,
    writing.apply,
    kinds={"python", "postgres"},
    output_required=False,
    description="What became of each device, not allwhere's table of assets itself: those are created and updated by serial number in transactions of 50 devices. Intune owns "
    "hardware facts; status, assignee, location and condition stay as people set them, unless the connection says so.",
)
def allwhere_assets(
    context: dg.AssetExecutionContext,
    session: dg.ResourceParam[Session],
    tenant_database: dg.ResourceParam[Engine],
    limits: Limits,
    links: Links,
    config: ReconciliationConfig,
    classified_devices: Snapshot,
    intune_device_details: Snapshot,
    employees: Snapshot,
) -> Iterator[Materialized | dg.AssetCheckResult | dg.AssetObservation | dg.Output[None]]:
    """Do what the plan says; a dry run shows it and materializes nothing."""
    with session.step("allwhere_assets") as connection:
        listing = accepted(
            connection,
            maximum_age=limits.input_max_age,
            classified_devices=classified_devices,
            intune_device_details=intune_device_details,
            employees=employees,
        )
        decided = decided_behind(employees)
        with tenant_database.connect() as db:
            state = decided.state if decided else load_state(db, connection.id)
            erased = erasures.standing(db, connection.account_id)
        state, refreshed_since = planning.with_shown_details(state, details_of(intune_device_details.frame))
        plan = planning.make_plan(
            judged_of(classified_devices),
            state,
            connection.policy,
            domain_listing(listing),
            session.lookups,
            erased,
            decisions_of(employees.frame),
            decided and decided.people,
        )
        said = planning.changed_since(plan, refreshed_since)
        run_log.tell_evidence(context, session, "before deciding about assets")
        context.log.info(story.planned(plan))
        run_log.warn(context, [*story.held(plan), *([said] if said else [])])
        results = (
            _shown_only(context, connection, plan, said)
            if config.dry_run
            else _applied(context, session, tenant_database, connection, plan, listing, said, links)
        )
    yield from results


def _applied(
    context: dg.AssetExecutionContext,
    session: Session,
    tenant_database: Engine,
    connection: Record,
    plan: Plan,
    listing: Listing,
    said: str | None,
    links: Links,
) -> Sequence[Materialized | dg.AssetCheckResult]:
    """Do what a plan says; `said` is what it does otherwise than its inputs showed."""
    session.progress(phase=RunPhase.RECONCILING, devices_listed=listing.devices_listed)
    began = time.monotonic()
    sync_run_id, counts = session.apply(plan, story.batches(plan, context.log.info))
    context.log.info(story.written(counts, seconds=time.monotonic() - began))
    with tenant_database.connect() as db:
        outcomes = outcomes_of(db, connection.id, sync_run_id)
        exposed = exposed_codes(db, connection.account_id)
    snapshot = Snapshot(listing, frame_of_outcomes(outcomes, plan))
    for event in catalog.written(connection.account, counts, links, sync_run_id):
        context.log_event(event)
    results = checks.of_reconciliation(counts, snapshot.frame["asset_id"].dropna().tolist(), exposed)
    materialized = dg.MaterializeResult(
        value=snapshot,
        metadata={
            **shown(snapshot, synced_kinds(plan, snapshot.frame)),
            **counts_shown(counts),
            **changed_shown(said),
            **plotted("graph", session.requests_sent()),
            **links.run(sync_run_id),
            **links.devices(),
        },
    )
    return [materialized, *run_log.warned(context, session, results)]


def _shown_only(
    context: dg.AssetExecutionContext, connection: Record, plan: Plan, said: str | None
) -> Sequence[dg.AssetObservation | dg.Output[None]]:
    """Show what a plan would do, and check nothing: the checks are about what was done; for `said` see `_applied`."""
    context.log.info("A dry run: nothing is written.")
    seen = dg.AssetObservation(
        "allwhere_assets",
        partition=connection.account,
        description="What a sync would do now; nothing was written.",
        metadata={**counts_shown(plan.counts), **changed_shown(said), "changes": changes_table(plan)},
    )
    return [seen, *checks.unanswered("allwhere_assets")]


ASSETS = [raw_intune_devices, classified_devices, intune_device_details, employees, allwhere_assets]
