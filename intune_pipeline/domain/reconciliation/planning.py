"""The three steps to a plan: what Graph is asked, whom the devices belong to, and everything a sync will do."""

from collections import Counter
from collections.abc import Iterable, Sequence

from intune_pipeline.domain import lifecycle
from intune_pipeline.domain.assignments import Evidence
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.lifecycle import Absence
from intune_pipeline.domain.people import Person
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation.counting import Counts
from intune_pipeline.domain.reconciliation.deciding import Decider, Users
from intune_pipeline.domain.reconciliation.plans import DecidedPeople, Plan
from intune_pipeline.domain.reconciliation.state import Asset, Listing, NeededEvidence, State
from intune_pipeline.domain.reconciliation.steps import DeviceStep, Ending, PersonDecision
from intune_pipeline.domain.vocabulary import Outcome, SkipReason


def needed_evidence(judged: Sequence[JudgedDevice], state: State, policy: Policy, listing: Listing) -> NeededEvidence:
    """Which few devices Graph is asked about before a plan is made; nothing while the connection's switch is off.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows.
        policy: The connection's settings.
        listing: The list.
    """
    if not policy.mdm_assignee_updates:
        return NeededEvidence((), ())
    assignees = Decider(judged, state, policy, Evidence()).assignees
    asked = (
        one.device.intune_device_id
        for one in judged
        if one.skip_reason is None
        and (asset := state.assets.get(one.device.serial_key or ""))
        and assignees.needs_primary_user(
            one.device,
            asset.status,
            asset.assignee_id,
            state.memory.get(one.device.intune_device_id),
            asset.assigned_by_person_at,
        )
    )
    suspected = lifecycle.suspects(_absences(judged, state, policy, listing), state.lifecycle_holds, policy)
    others = lifecycle.siblings(frozenset(suspected), state.memory.values())
    return NeededEvidence(tuple(sorted(asked)), tuple(sorted({*suspected, *others})))


def decide_people(
    judged: Sequence[JudgedDevice], state: State, policy: Policy, evidence: Evidence | None = None
) -> DecidedPeople:
    """Who is an employee, who becomes one, who is held back.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows.
        policy: The connection's settings.
        evidence: Graph's answers to `needed_evidence`; what is missing counts as not answered.
    """
    decider = Decider(judged, state, policy, evidence or Evidence())
    users = Users()
    for one in judged:
        if one.skip_reason is not None:
            continue
        try:
            assignment = decider.employs(one, state.assets.get(one.device.serial_key or ""))
            user = decider.assignees.user_of(one.device)
        except Exception:  # noqa: BLE001, S112 - the plan counts such a device as failed
            continue
        if assignment is not None:
            created = assignment.employee if isinstance(assignment.employee, Person) else None
            users.add(user, created, assignment.held)
    return DecidedPeople(tuple(users.steps(decider)), decider.assignees.people, decider.assignees.conventions)


def plan(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    listing: Listing,
    evidence: Evidence | None = None,
    decided: Sequence[PersonDecision] | None = None,
    people: DecidedPeople | None = None,
) -> Plan:
    """Everything a sync will do.

    Args:
        judged: Every listed device, at most one record per id; personal devices may be left out.
        state: What allwhere knows.
        policy: The connection's settings.
        listing: The list.
        evidence: Graph's answers to `needed_evidence`; what is missing counts as not answered.
        decided: What `decide_people` decided, now or a while ago; None: decided now. What the state does not bear out any
            more is decided again, see `Plan.redecided`.
        people: What `decide_people` returned, where that was just now: nobody is read twice.

    Raises:
        ValueError: Two eligible devices have the same serial, which ``eligibility`` rules out.
    """
    evidence = evidence or Evidence()
    _check_serials(judged)
    if decided is None:
        people = people or decide_people(judged, state, policy, evidence)
        decided = people.decisions
    decider = Decider(judged, state, policy, evidence, decided, people.everybody if people else None)
    kept = sorted((one for one in judged if one.skip_reason != SkipReason.PERSONAL), key=_by_serial)
    steps = tuple(_safely(decider, one, state.assets.get(one.device.serial_key or "")) for one in kept)

    found = _absences(judged, state, policy, listing)
    verdict = _judge_endings(judged, state, policy, found, evidence, decider)
    endings, held = (
        tuple(decider.end(device, state.assets.get(device.serial_key)) for device in devices)
        for devices in (verdict.ending, verdict.held)
    )
    return Plan(
        state.connection_id,
        state.account_id,
        listing,
        steps,
        endings,
        held,
        verdict.reason,
        tuple(one for one in found if (one.lists, one.since) != (one.memory.absent_lists, one.memory.absent_since)),
        lifecycle.moot_holds(state.lifecycle_holds, found) if listing.complete else (),
        state.memory,
        _count(listing, len(judged) - len(kept), steps, endings, held, gone=_gone(judged, state, listing)),
        tuple(decided),
        people,
        decider,
        state.open_decisions,
    )


def _check_serials(judged: Iterable[JudgedDevice]) -> None:
    serials = Counter(one.device.serial_key for one in judged if one.skip_reason is None)
    if any(count > 1 for count in serials.values()):
        raise ValueError("Two eligible devices have the same serial number.")


def _safely(decider: Decider, judged: JudgedDevice, asset: Asset | None) -> DeviceStep:
    try:
        return decider.decide(judged, asset)
    except Exception as error:  # noqa: BLE001 - one device's failure, of whatever kind, never fails the run
        return DeviceStep(
            judged, Outcome.FAILED, f"The device could not be read ({type(error).__name__}); please report this."
        )


def _by_serial(judged: JudgedDevice) -> tuple[str, str]:
    return judged.device.serial_key or "", judged.device.intune_device_id


def _absences(judged: Sequence[JudgedDevice], state: State, policy: Policy, listing: Listing) -> list[Absence]:
    listed = {one.device.intune_device_id for one in judged}
    return lifecycle.absences(
        state.memory.values(), listed, listed_at=listing.listed_at, complete=listing.complete, policy=policy
    )


def _judge_endings(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    found: Sequence[Absence],
    evidence: Evidence,
    decider: Decider,
) -> lifecycle.Verdict:
    gone = lifecycle.gone_devices(
        frozenset(lifecycle.suspects(found, state.lifecycle_holds, policy)),
        state.memory.values(),
        proven_gone=evidence.gone,
        listed_serials={one.device.serial_key for one in judged if one.device.serial_key},
    )
    return lifecycle.judge_endings(
        gone,
        changes_asset={
            device.serial_key: bool(decider.end(device, state.assets.get(device.serial_key)).changes) for device in gone
        },
        synced_devices=sum(memory.was_synced and not memory.ended for memory in state.memory.values()),
        found=found,
        holds=state.lifecycle_holds,
        policy=policy,
    )


def _gone(judged: Sequence[JudgedDevice], state: State, listing: Listing) -> int:
    """Devices that earlier syncs listed and this complete list does not hold."""
    if not listing.complete:
        return 0
    return len(state.memory.keys() - {one.device.intune_device_id for one in judged})


def _count(
    listing: Listing,
    personal: int,
    steps: Sequence[DeviceStep],
    endings: Sequence[Ending],
    held: Sequence[Ending],
    *,
    gone: int,
) -> Counts:
    all_personal = personal + listing.personal
    counts = Counts.unwritten(listing, len(steps) + all_personal + listing.unreadable, all_personal)
    counts.lifecycle_held, counts.devices_gone = len(held), gone
    for step in steps:
        counts.add(step)
    for ending in endings:
        counts.add_ending(ending)
    counts.employees_created = len({step.new_employee.email_key for step in steps if step.new_employee})
    counts.lookalikes_held = len({step.held.person.email_key for step in steps if step.held})
    return counts
