"""The portal's words: what each stored value is called, and what a person does about it.

Belongs here: names and sentences. Does not belong here: causes of Microsoft's refusals, whose sentences are in
``microsoft.causes``, and when something is shown (``health``, pages).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intune_pipeline.domain.skipped import SKIPPED
from intune_pipeline.domain.vocabulary import (
    AssetStatus,
    Contact,
    Decided,
    DeliveryStatus,
    DeviceType,
    EmployeeDecision,
    LifecycleDecision,
    LookalikeGrade,
    Outcome,
    PlanLineKind,
    Presence,
    RunChange,
    RunPhase,
    RunStatus,
    Trigger,
    UndoAction,
    WebhookStatus,
)
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
OUTCOMES: Mapping[str, str] = {Outcome.SYNCED: "Synced", Outcome.SKIPPED: "Skipped", Outcome.FAILED: "Failed"}
DEVICE_TYPES: Mapping[str, str] = {
    DeviceType.LAPTOP: "Laptop",
    DeviceType.TABLET: "Tablet",
    DeviceType.MOBILE: "Mobile",
    DeviceType.DESKTOP: "Desktop",
    DeviceType.UNKNOWN: "Unknown",
}
PRESENCES: Mapping[str, str] = {Presence.IN_INTUNE: "Yes", Presence.GONE: "No, gone"}
CONTACTS: Mapping[str, str] = {
    Contact.DAY: "In the last 24 hours",
    Contact.WEEK: "1 to 7 days ago",
    Contact.MONTH: "8 to 30 days ago",
    Contact.QUARTER: "31 to 90 days ago",
    Contact.LONGER: "Over 90 days ago",
    Contact.NEVER: "Never",
}
DECIDED: Mapping[str, str] = {
    Decided.MODEL_TAUGHT: "Type taught by you",
    Decided.FIELD_LOCKED: "A field is locked",
    Decided.UNDONE: "Undone, kept back",
    Decided.ASSIGNEE_CHOSEN: "Assignee chosen in allwhere",
}
TRIGGERS: Mapping[str, str] = {
    Trigger.INITIAL: "First sync",
    Trigger.SCHEDULE: "Daily sync",
    Trigger.MANUAL: "Sync Now",
    Trigger.OPERATOR: "Started by allwhere",
    Trigger.UNDO: "Undo",
}
WEBHOOK_STATUSES: Mapping[str, str] = {
    WebhookStatus.ON: "On",
    WebhookStatus.PAUSED: "Paused",
    WebhookStatus.SWITCHED_OFF: "Switched off",
}
WEBHOOK_TONES: Mapping[str, str] = {
    WebhookStatus.ON: "good",
    WebhookStatus.PAUSED: "wait",
    WebhookStatus.SWITCHED_OFF: "bad",
}
DELIVERY_STATUSES: Mapping[str, str] = {
    DeliveryStatus.WAITING: "Waiting",
    DeliveryStatus.ACCEPTED: "Accepted",
    DeliveryStatus.REFUSED: "Refused",
}
RUN_STATUSES: Mapping[str, str] = {
    RunStatus.RUNNING: "Running",
    RunStatus.SUCCEEDED: "Succeeded",
    RunStatus.FAILED: "Failed",
}
RUN_CHANGES: Mapping[str, str] = {
    RunChange.CREATED: "Created",
    RunChange.UPDATED: "Updated",
    RunChange.REMOVED: "Removed",
    RunChange.EMPLOYEE_ADDED: "Employee added",
    RunChange.EMPLOYEE_REMOVED: "Employee removed",
    RunChange.FAILED: "Failed",
}
PLAN_LINES: Mapping[str, str] = {
    PlanLineKind.CREATED: "Assets created",
    PlanLineKind.UPDATED: "Assets updated",
    PlanLineKind.ENDED: "Assets ended",
    PlanLineKind.EMPLOYEE_ADDED: "Employees added",
    PlanLineKind.EMPLOYEE_HELD: "People held for a decision",
    PlanLineKind.ENDING_HELD: "Ends held for a decision",
    PlanLineKind.SKIPPED: "Devices left out",
    PlanLineKind.FAILED: "Devices that fail",
}
PLAN_LINE: Mapping[str, str] = {
    PlanLineKind.CREATED: "Create",
    PlanLineKind.UPDATED: "Update",
    PlanLineKind.ENDED: "End",
    PlanLineKind.EMPLOYEE_ADDED: "Add employee",
    PlanLineKind.EMPLOYEE_HELD: "Hold person",
    PlanLineKind.ENDING_HELD: "Hold end",
    PlanLineKind.SKIPPED: "Leave out",
    PlanLineKind.FAILED: "Fails",
}
GRADES: Mapping[str, str] = {
    LookalikeGrade.SURELY: "Surely",
    LookalikeGrade.PROBABLY: "Probably",
    LookalikeGrade.PERHAPS: "Perhaps",
}
HOLD_DECISIONS: Mapping[str, str] = {
    EmployeeDecision.CREATED: "added as an employee",
    EmployeeDecision.LINKED: "made one with an employee",
    EmployeeDecision.SKIPPED: "left out",
    LifecycleDecision.RELEASED: "assignment ended",
    LifecycleDecision.DROPPED: "kept as it is",
}
UNDO_ACTIONS: Mapping[str, str] = {
    UndoAction.UPDATE: "Put back",
    UndoAction.REMOVE: "Removed",
    UndoAction.CREATE: "Brought back",
}
PHASES: Mapping[str, str] = {
    RunPhase.STARTING: "Starting.",
    RunPhase.LISTING: "Reading your devices from Microsoft Intune.",
    RunPhase.DETAILS: "Reading details of new devices.",
    RunPhase.RECONCILING: "Comparing your devices with your allwhere assets.",
    RunPhase.DONE: "Done.",
}
ASSET_STATUSES: Mapping[str, str] = {
    AssetStatus.ALLOCATED: "Allocated",
    AssetStatus.TRANSFERRED: "Transferred",
    AssetStatus.IN_INVENTORY: "In inventory",
    AssetStatus.PENDING_ALLOCATION: "Pending allocation",
    AssetStatus.PROCESSING: "Processing",
    AssetStatus.LOCKED: "Locked",
    AssetStatus.RETIRED: "Retired",
    AssetStatus.DISPOSED: "Disposed",
    AssetStatus.LOST: "Lost",
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
    """What went wrong, for a customer's admins: what only an operator can mend is told without their instructions.

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
    if outcome == Outcome.SYNCED or not reason:
        return ""
    return SKIPPED[reason].name if reason in SKIPPED else reason


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 device``, ``2 devices``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def number(value: int) -> str:
    """A count with thousands separated by a narrow space."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
