"""A plan's decisions as rows of the tables they are written to.

Belongs here: columns and values. Does not belong here: the statements (``reconciliation_statements``) and when they are
executed (``reconciliation``).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from intune_pipeline.domain.assignments import HeldEmployee, listed_user
from intune_pipeline.domain.facts import fact_values
from intune_pipeline.domain.fields import SEALED_FIELD, Value
from intune_pipeline.domain.people import Person
from intune_pipeline.domain.reconciliation import Change, DeviceStep, Sealed


def stored_value(value: Value | Person, employees: Mapping[str, int]) -> str | int | None:
    """A value as its column takes it; a new employee by the id the database gave."""
    if isinstance(value, Person):
        return employees[value.email_key]
    return value.token if isinstance(value, Sealed) else value


def history_row(asset_id: int, change: Change, employees: Mapping[str, int]) -> dict[str, Any]:
    """A change as columns of ``asset_changes``; a sealed value is never told."""
    old, new = (stored_value(value, employees) for value in (change.old, change.new))
    if change.field == SEALED_FIELD:
        old = new = None
    return {
        "asset_id": asset_id,
        "field": change.field,
        "old_value": None if old is None else str(old),
        "new_value": None if new is None else str(new),
        "reason": change.reason,
    }


def shown_value(change: Change) -> str | None:
    """What Intune says, for people: an address for a person, nothing for a secret."""
    value = change.shown()[1]
    return None if value is None or change.field == SEALED_FIELD else str(value)


def outcome_row(step: DeviceStep, asset_id: int | None) -> dict[str, Any]:
    """A device as columns of ``device_outcomes``."""
    device, classification = step.judged.device, step.judged.classification
    facts = fact_values(device.operating_system or "", device.manufacturer or "", device.model or "")
    return {
        "intune_device_id": device.intune_device_id,
        "serial_number": device.serial_number,
        "outcome": step.outcome,
        "reason": step.reason,
        "device_type": classification.device_type,
        "rule": classification.rule,
        "rule_reason": classification.reason,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "model_name": facts.get("model_name"),
        "operating_system": device.operating_system,
        "device_name": device.device_name,
        "last_contact_at": device.last_contact_at,
        "listed_user": listed_user(device),
        "asset_id": asset_id,
    }


def employee_row(person: Person) -> dict[str, str | None]:
    """A person as columns of an employee; only people with a name become one."""
    first_name, last_name = person.name or (None, None)
    return {"email": person.email, "first_name": first_name, "last_name": last_name}


def hold_row(held: HeldEmployee) -> dict[str, str | int | None]:
    """A held employee as columns of ``employee_holds``."""
    verdict = held.person.verdict
    first_name, last_name = verdict.name or verdict.possible or (None, None)
    return {
        "email": held.person.email,
        "first_name": first_name,
        "last_name": last_name,
        "display_name": held.person.display_name,
        "lookalike_id": held.lookalike_id,
        "kind": held.kind,
        "reason": held.reason,
        "grade": held.grade,
    }


def as_json(rows: object) -> str:
    """Rows as one parameter of a statement."""
    return orjson.dumps(rows).decode()
