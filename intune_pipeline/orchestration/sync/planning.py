"""How a sync is planned: one way, for the assets, their dry run and ``plan`` on the command line.

Belongs here: putting state, people, details and Graph's evidence together for the domain. Does not belong here: deciding
(``domain.reconciliation``), applying a plan (``session``), printing (``cli``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine

from intune_pipeline.domain import reconciliation
from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.domain.fields import DeviceDetails
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Listing, PersonStep, Plan, State
from intune_pipeline.inventory import account_rules, connections, details
from intune_pipeline.inventory.state import load_state
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration.sync import steps
from intune_pipeline.orchestration.sync.graph_evidence import GraphEvidence
from intune_pipeline.orchestration.sync.session import OpenClient


def decide_people(
    judged: Sequence[JudgedDevice], state: State, policy: Policy, listing: Listing, evidence: GraphEvidence
) -> tuple[PersonStep, ...]:
    """Whom the devices belong to, and who would be created; `state` needs no values."""
    needed = reconciliation.needed_evidence(judged, state, policy, listing)
    return reconciliation.decide_people(judged, state, policy, evidence.answers(needed))


def make_plan(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    listing: Listing,
    evidence: GraphEvidence,
    people: Sequence[PersonStep],
) -> Plan:
    """The plan of a sync.

    Args:
        judged: every listed device but personal ones.
        state: what allwhere knows.
        policy: the connection's settings.
        listing: the list.
        evidence: asks Graph what it has not been asked yet.
        people: what `decide_people` decided.
    """
    needed = reconciliation.needed_evidence(judged, state, policy, listing)
    return reconciliation.plan(judged, state, policy, listing, evidence.answers(needed), people)


class ShownDetails(NamedTuple):
    """A state with the details an engineer could look at, and for how many devices the store knows others by now."""

    state: State
    refreshed_since: int


def with_shown_details(state: State, shown: Iterable[tuple[str, int | None, bool | None]]) -> ShownDetails:
    """The state with the details of the frame ``intune_device_details``.

    The frame says what was known when it was made; of bypass codes it says only whether there is one, so they come from the
    store. What was learned since is for the next sync.

    Args:
        state: as read from the database.
        shown: id, memory in GiB and whether a bypass code is stored, of each eligible device.
    """
    details: dict[str, DeviceDetails] = dict(state.details)
    refreshed = 0
    for device_id, memory_gb, has_bypass_code in shown:
        known = state.details.get(device_id)
        if known is None:
            if memory_gb is not None:
                details[device_id] = DeviceDetails(memory_gb)
        elif known.memory_gb != memory_gb or (known.bypass_code is not None) != bool(has_bypass_code):
            refreshed += 1
            details[device_id] = DeviceDetails(memory_gb, known.bypass_code if has_bypass_code else None)
    return ShownDetails(replace(state, details=details), refreshed)


def changed_since(plan: Plan, refreshed_details: int) -> str | None:
    """What a plan does otherwise than the frames it was made from showed, as a sentence; None: nothing."""
    said = []
    if plan.redecided:
        ways = ", ".join(f"{count} {before} → {now}" for (before, now), count in sorted(plan.redecided.items()))
        said.append(
            f"{plan.redecided.total()} people are not treated as employees showed them, because allwhere's employees, "
            f"assets or decisions changed since: {ways}."
        )
    if refreshed_details:
        said.append(
            f"{refreshed_details} devices have newer details than intune_device_details showed; the next sync takes "
            "them over."
        )
    return " ".join(said) or None


def plan_account(
    engine: Engine, account: str, *, open_client: OpenClient, vault: Vault, details_refresh: timedelta | None
) -> dict[str, Any]:
    """The counts a sync would report, ``status`` being ``planned``, and every change it would make; nothing is written.

    ``look_alikes`` are the people who would be created, or are held, beside an employee of the same name without a work
    e-mail; ``lifecycle_hold_reason`` is null unless endings are held.

    Args:
        engine: allwhere's database.
        account: the account's slug.
        open_client: opens the tenant's client.
        vault: seals bypass codes.
        details_refresh: age from which details are asked for again; None: details are off.

    Raises:
        NotConnectedError: the account is not connected.
        MicrosoftError: Microsoft did not give the list.
    """
    made = _plan_now(engine, account, open_client, vault, details_refresh)
    counts = made.counts.as_dict()
    look_alikes = [
        {
            "email": person.email,
            "name": " ".join(person.name or ()),
            "looks_like_employee": person.lookalike_id,
            "action": person.action,
        }
        for person in made.lookalikes
    ]
    return {
        "status": "planned",
        **counts,
        "look_alikes": look_alikes,
        "lifecycle_hold_reason": made.hold_reason,
        "changes": made.changes(),
    }


def _plan_now(
    engine: Engine, account: str, open_client: OpenClient, vault: Vault, details_refresh: timedelta | None
) -> Plan:
    """List, classify, ask for what is due without storing it, and plan."""
    with engine.connect() as db:
        record = connections.syncable(db, account)
        classifier = Classifier(account_rules.for_classifier(db, account))
    with open_client(str(record.tenant_id)) as client:
        listed = steps.list_devices(client)
        judged = judge(listed.devices, classifier, listed_at=listed.listed_at)
        with engine.connect() as db:
            due = steps.details_due(db, record.id, judged, vault, details_refresh)
        fetched: dict[str, DeviceDetails] = {}
        for answers in steps.ask_details(lambda: client, due):
            with engine.connect() as db:
                fetched |= details.sealed(db, record.id, answers, vault)
        with engine.connect() as db:
            state = _without(load_state(db, record.id), listed.personal_ids).with_details(fetched)
        listing = Listing(listed.listed_at, listed.complete, len(listed.personal_ids))
        evidence = GraphEvidence(lambda: client)
        people = decide_people(judged, state, record.policy, listing, evidence)
        return make_plan(judged, state, record.policy, listing, evidence, people)


def _without(state: State, personal_ids: Iterable[str]) -> State:
    """The state as it is once devices that became personal are forgotten."""
    personal = set(personal_ids)
    memory: Mapping[str, Any] = {key: one for key, one in state.memory.items() if key not in personal}
    return replace(state, memory=memory)
