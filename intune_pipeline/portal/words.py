"""The portal's words: what each stored value is called, and what a person does about it.

Belongs here: names and sentences. Does not belong here: causes of Microsoft's refusals, whose sentences are in
``microsoft.causes``, and when something is shown (``health``, pages).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.microsoft.causes import Cause


@dataclass(frozen=True, slots=True)
class Explained:
    """A stored value in words.

    Attributes:
        name: what it is called.
        remedy: what to do about it, one sentence.
    """

    name: str
    remedy: str


FAILED = Explained(
    "Failed", "Nothing to do: the next sync tries again. If it stays, send allwhere the reason shown with the device."
)
UNREADABLE = Explained(
    "Unreadable",
    "Microsoft listed entries without an id, about which nothing can be said. If it stays, ask Microsoft Intune's support; "
    "until then no device counts as gone.",
)
OUTCOMES: Mapping[str, str] = {"synced": "Synced", "skipped": "Skipped", "failed": "Failed"}
DEVICE_TYPES: Mapping[str, str] = {
    "laptop": "Laptop",
    "tablet": "Tablet",
    "mobile": "Mobile",
    "desktop": "Desktop",
    "unknown": "Unknown",
}
PRESENCES: Mapping[str, str] = {"in_intune": "Yes", "gone": "No, gone"}
CONTACTS: Mapping[str, str] = {
    "day": "In the last 24 hours",
    "week": "1 to 7 days ago",
    "month": "8 to 30 days ago",
    "quarter": "31 to 90 days ago",
    "longer": "Over 90 days ago",
    "never": "Never",
}
DECIDED: Mapping[str, str] = {
    "model_taught": "Type taught by you",
    "field_locked": "A field is locked",
    "undone": "Undone, kept back",
    "assignee_chosen": "Assignee chosen in allwhere",
}
TRIGGERS: Mapping[str, str] = {
    "initial": "First sync",
    "schedule": "Daily sync",
    "manual": "Sync Now",
    "operator": "Started by allwhere",
    "undo": "Undo",
}
WEBHOOK_STATUSES: Mapping[str, str] = {"on": "On", "paused": "Paused", "switched_off": "Switched off"}
WEBHOOK_TONES: Mapping[str, str] = {"on": "good", "paused": "wait", "switched_off": "bad"}
DELIVERY_STATUSES: Mapping[str, str] = {"waiting": "Waiting", "accepted": "Accepted", "refused": "Refused"}
RUN_STATUSES: Mapping[str, str] = {"running": "Running", "succeeded": "Succeeded", "failed": "Failed"}
RUN_CHANGES: Mapping[str, str] = {
    "created": "Created",
    "updated": "Updated",
    "removed": "Removed",
    "employee_added": "Employee added",
    "employee_removed": "Employee removed",
    "failed": "Failed",
}
PLAN_LINES: Mapping[str, str] = {
    "created": "Assets created",
    "updated": "Assets updated",
    "ended": "Assets ended",
    "employee_added": "Employees added",
    "employee_held": "People held for a decision",
    "ending_held": "Ends held for a decision",
    "skipped": "Devices left out",
    "failed": "Devices that fail",
}
PLAN_LINE: Mapping[str, str] = {
    "created": "Create",
    "updated": "Update",
    "ended": "End",
    "employee_added": "Add employee",
    "employee_held": "Hold person",
    "ending_held": "Hold end",
    "skipped": "Leave out",
    "failed": "Fails",
}
GRADES: Mapping[str, str] = {"surely": "Surely", "probably": "Probably", "perhaps": "Perhaps"}
HOLD_DECISIONS: Mapping[str, str] = {
    "created": "added as an employee",
    "linked": "made one with an employee",
    "skipped": "left out",
    "released": "assignment ended",
    "dropped": "kept as it is",
}
UNDO_ACTIONS: Mapping[str, str] = {"update": "Put back", "remove": "Removed", "create": "Brought back"}
PHASES: Mapping[str, str] = {
    "starting": "Starting.",
    "listing": "Reading your devices from Microsoft Intune.",
    "details": "Reading details of new devices.",
    "reconciling": "Comparing your devices with your allwhere assets.",
    "done": "Done.",
}
ASSET_STATUSES: Mapping[str, str] = {
    "allocated": "Allocated",
    "transferred": "Transferred",
    "in_inventory": "In inventory",
    "pending_allocation": "Pending allocation",
    "processing": "Processing",
    "locked": "Locked",
    "retired": "Retired",
    "disposed": "Disposed",
    "lost": "Lost",
}
_FIELDS: Mapping[str, str] = {
    "serial_number": "Serial number",
    "asset_type": "Type",
    "assignee_id": "Assignee",
    "assignee": "Assignee",
    "color": "Colour",
    "display_size": "Display size",
    "imei": "IMEI",
    "memory_gb": "Memory (GB)",
    "storage_gb": "Storage (GB)",
    "os_version": "OS version",
    "model": "Model in Intune",
    "model_name": "Model",
    "release_date": "Released",
    "storage_type": "Storage type",
    "intune_device_id": "Intune device id",
    "azure_ad_device_id": "Entra device id",
    "activation_lock_bypass_code": "Activation-lock bypass code",
}


_NOT_THE_CUSTOMERS: Mapping[Cause, str] = {
    Cause.OUR_CREDENTIAL: "Something is wrong with allwhere's own access to Microsoft. It concerns every customer.",
    Cause.THROTTLED: "Microsoft asked allwhere to slow down, so the sync did not finish.",
    Cause.OUTAGE: "Microsoft could not be reached, so nothing was synced.",
    Cause.DEADLINE: "Microsoft did not answer everything in time, so the sync did not finish.",
    Cause.LIST_INCOMPLETE: "Microsoft's list of your devices was not whole, so nothing was synced from it.",
    Cause.TOO_MANY_DEVICES: "Your tenant has more devices than allwhere reads of one tenant, so nothing was synced.",
    Cause.UNEXPECTED: "Microsoft gave an answer that allwhere does not know yet.",
}


def cause_of(name: str | None) -> Cause | None:
    """The cause of this stored name, None for none and for causes that are not Microsoft's."""
    return next((cause for cause in Cause if cause.value == name), None)


def trouble(cause: str | None, sentence: str | None) -> str:
    """What went wrong, for a customer's admins: what only an operator can mend is told without his instructions.

    Args:
        cause: the stored name of a cause.
        sentence: the stored sentence.
    """
    known = cause_of(cause)
    plain = _NOT_THE_CUSTOMERS.get(known) if known else None
    return plain or sentence or "The last sync failed. No asset was harmed: what was synced before stays."


def directory_roles(roles: Iterable[str]) -> str:
    """Microsoft directory roles by their names, as in "Global Administrator"."""
    return ", ".join(role.replace("_", " ").title() for role in roles)


def field_name(field: str) -> str:
    """What an asset's field is called."""
    return _FIELDS.get(field) or field.replace("_", " ").capitalize()


def value(field: str, stored: object) -> str:
    """A field's value; "nothing" for none."""
    return shown(field, stored) or "nothing"


def shown(field: str, stored: object) -> str:
    """A field's value; "" for none."""
    if stored is None:
        return ""
    known = {"status": ASSET_STATUSES, "asset_type": DEVICE_TYPES}.get(field, {})
    return known.get(str(stored), str(stored))


def outcome_reason(outcome: str, reason: str | None) -> str:
    """Why a device was not synced; a failure's reason is a sentence already. "" for synced devices."""
    if outcome == "synced" or not reason:
        return ""
    return SKIPPED[reason].name if reason in SKIPPED else reason


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 device``, ``2 devices``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def number(value: int) -> str:
    """A count with thousands separated by a narrow space."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
