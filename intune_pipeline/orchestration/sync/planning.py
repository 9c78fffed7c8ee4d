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
from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.domain.erasure import Erasure
from intune_pipeline.domain.facts import fact_values, shown_model
from intune_pipeline.domain.fields import DeviceDetails
from intune_pipeline.domain.nouns import counted
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import DecidedPeople, Listing, PersonDecision, Plan, State
from intune_pipeline.domain.vocabulary import PersonAction
from intune_pipeline.inventory import account_rules, connections, details, erasures
from intune_pipeline.inventory.state import load_state
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration.sync import device_details, steps
from intune_pipeline.orchestration.sync.device_lookups import DeviceLookups
from intune_pipeline.orchestration.sync.session import OpenClient


def decide_people(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    listing: Listing,
    lookups: DeviceLookups,
    erased: Sequence[Erasure],
) -> DecidedPeople:
    """Whom the devices belong to, and who would be created.

    Args:
        judged: every listed device but personal ones.
        state: what allwhere knows.
        policy: the connection's settings.
        listing: the list.
        lookups: asks Graph what it has not been asked yet.
        erased: people whom no answer brings back.
    """
    needed = reconciliation.needed_evidence(judged, state, policy, listing)
    return reconciliation.decide_people(judged, state, policy, lookups.answers(needed, erased))


def make_plan(
    judged: Sequence[JudgedDevice],
    state: State,
    policy: Policy,
    listing: Listing,
    lookups: DeviceLookups,
    erased: Sequence[Erasure],
    decided: Sequence[PersonDecision],
    people: DecidedPeople | None,
) -> Plan:
    """The plan of a sync; see `decide_people` for the first arguments.

    Args:
        judged: likewise.
        state: likewise.
        policy: likewise.
        listing: likewise.
        lookups: likewise.
        erased: likewise.
        decided: what `decide_people` decided, now or a while ago.
        people: what it returned in this run; None where another run did.
    """
    needed = reconciliation.needed_evidence(judged, state, policy, listing)
    answers = lookups.answers(needed, erased)
    return reconciliation.plan(judged, state, policy, listing, answers, decided, people)


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
            f"{counted(plan.redecided.total(), 'person is', 'people are')} not treated as employees showed them, because allwhere's employees, "
            f"assets or decisions changed since: {ways}."
        )
    if refreshed_details:
        said.append(
            f"{counted(refreshed_details, 'device has', 'devices have')} newer details than intune_device_details showed; the next sync takes "
            "them over."
        )
    return " ".join(said) or None


def as_dict(made: Plan) -> dict[str, Any]:
    """The counts a sync would report, ``status`` being ``planned``, and every change it would make.

    ``look_alikes`` are the people who would be created, or are held, beside an employee who could be the same person, with
    grade and reasons; ``shared_accounts`` the users left out until somebody decides; ``conventions`` how each mail domain
    writes addresses, with the counts of certain names; ``lifecycle_hold_reason`` is null unless endings are held.
    ``employees`` are the people who would be created or are held, ``skipped`` and ``gone`` say the same as ``run`` does.
    """
    counts = made.counts.as_dict()
    names = {step.judged.device.serial_number: _shown_model(step.judged.device) for step in made.steps if step.changes}
    look_alikes = [
        {
            "email": step.person.email,
            "name": " ".join(step.name or ()),
            "looks_like_employee": step.lookalike.employee_id,
            "action": step.action,
            "grade": step.lookalike.grade,
            "reasons": list(step.lookalike.reasons),
        }
        for step in made.lookalikes
        if step.lookalike
    ]
    shared_accounts = [
        {"email": step.person.email, "name": step.person.display_name, "reason": step.shared_reason}
        for step in made.shared_accounts
    ]
    conventions = {
        domain: {
            "convention": str(convention),
            "forms": dict(convention.forms),
            "orders": {str(order): count for order, count in convention.orders},
        }
        for domain, convention in made.decider.assignees.conventions.by_domain.items()
    }
    return {
        "status": "planned",
        **counts,
        "look_alikes": look_alikes,
        "shared_accounts": shared_accounts,
        "conventions": conventions,
        "lifecycle_hold_reason": made.hold_reason,
        "employees": [
            {"email": step.person.email, "first_name": first, "last_name": last, "action": str(step.action)}
            for step in made.people
            if step.action in {PersonAction.CREATE, PersonAction.HELD}
            for first, last in [step.name or (None, None)]
        ],
        "skipped": counts["devices_skipped"],
        "gone": counts["devices_gone"],
        "changes": [{**change, "model": names.get(change["serial_number"], "")} for change in made.changes()],
    }


def _shown_model(device: ManagedDevice) -> str:
    facts = fact_values(device.operating_system or "", device.manufacturer or "", device.model or "")
    return shown_model(device.manufacturer, facts.get("model_name"), device.model)


def plan_account(
    engine: Engine, account: str, *, open_client: OpenClient, vault: Vault, details_refresh: timedelta | None
) -> Plan:
    """List, classify, ask for what is due without storing it, and plan; nothing is written.

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
    with engine.connect() as db:
        record = connections.syncable(db, account)
        classifier = account_rules.classifier(account_rules.for_classifier(db, account))
    with open_client(str(record.tenant_id)) as client:
        listed = steps.list_devices(client)
        with engine.connect() as db:
            erased = erasures.standing(db, record.account_id)
            listed = steps.without_erased(db, record.account_id, listed)
        judged = judge(listed.devices, classifier, listed_at=listed.listed_at)
        with engine.connect() as db:
            due = device_details.details_due(db, record.id, judged, vault, details_refresh)
        fetched: dict[str, DeviceDetails] = {}
        for answers in device_details.ask_details(lambda: client, due, device_details.serials_of(judged)):
            with engine.connect() as db:
                fetched |= details.sealed(db, record.id, answers, vault)
        with engine.connect() as db:
            state = _without(load_state(db, record.id), listed.personal_ids).with_details(fetched)
        listing = Listing(listed.listed_at, listed.complete, len(listed.personal_ids), listed.unreadable)
        evidence = DeviceLookups(lambda: client)
        people = decide_people(judged, state, record.policy, listing, evidence, erased)
        return make_plan(judged, state, record.policy, listing, evidence, erased, people.decisions, people)


def _without(state: State, personal_ids: Iterable[str]) -> State:
    """The state as it is once devices that became personal are forgotten."""
    personal = set(personal_ids)
    memory: Mapping[str, Any] = {key: one for key, one in state.memory.items() if key not in personal}
    return replace(state, memory=memory)
