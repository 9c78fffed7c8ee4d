"""What a sync would do now, without doing it: for ``plan`` on the command line.

Belongs here: the same steps as the assets take, with nothing written. Does not belong here: printing (``cli``).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.domain.facts import fact_values, shown_model
from intune_pipeline.domain.fields import DeviceDetails
from intune_pipeline.domain.reconciliation import Listing, Plan
from intune_pipeline.domain.vocabulary import PersonAction
from intune_pipeline.inventory import account_rules, connections, details, erasures
from intune_pipeline.inventory.state import load_state
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration import steps
from intune_pipeline.orchestration.resources import open_client
from intune_pipeline.settings import Settings


def plan_account(engine: Engine, account: str) -> dict[str, Any]:
    """The counts a sync would report, ``status`` being ``planned``, and every change it would make.

    ``look_alikes`` are the people who would be created, or are held, beside an employee who could be the same person, with
    grade and reasons; ``shared_accounts`` the users left out until somebody decides; ``conventions`` how each mail domain
    writes addresses, with the counts of certain names; ``lifecycle_hold_reason`` is null unless endings are held.
    ``employees`` are the people who would be created or are held, ``skipped`` and ``gone`` say the same as ``run`` does.

    Raises:
        NotConnectedError: the account is not connected.
        MicrosoftError: Microsoft did not give the list.
    """
    made = make_plan(engine, account, Settings.load())
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


def make_plan(engine: Engine, account: str, settings: Settings) -> Plan:
    """List, classify, ask for what is due without storing it, and plan."""
    with engine.connect() as db:
        record = connections.syncable(db, account)
        classifier = account_rules.classifier(account_rules.for_classifier(db, account))
    with open_client(settings, str(record.tenant_id)) as client:
        listed = steps.list_devices(client)
        with engine.connect() as db:
            erased = erasures.standing(db, record.account_id)
            listed = steps.without_erased(db, record.account_id, listed)
        judged = judge(listed.devices, classifier, listed_at=listed.listed_at)
        fetched = _details(engine, record.id, judged, settings, client)
        with engine.connect() as db:
            known = load_state(db, record.id)
        personal = set(listed.personal_ids)
        memory = {device_id: known.memory[device_id] for device_id in known.memory if device_id not in personal}
        listing = Listing(listed.listed_at, listed.complete, len(personal), listed.unreadable)
        state = replace(known, memory=memory).with_details(fetched)
        return steps.decide(judged, state, record.policy, listing, lambda: client, erased)


def _details(
    engine: Engine, connection_id: int, judged: Sequence[JudgedDevice], settings: Settings, client: GraphClient
) -> dict[str, DeviceDetails]:
    vault = Vault(settings.bypass_code_keys)
    fetched: dict[str, DeviceDetails] = {}
    with engine.connect() as db:
        due = steps.details_due(db, connection_id, judged, settings, vault)
    for answers in steps.ask_details(lambda: client, due, judged):
        with engine.connect() as db:
            fetched |= details.sealed(db, connection_id, answers, vault)
    return fetched
