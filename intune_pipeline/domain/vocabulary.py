"""Every status, type, reason, action and trigger of the product, each once.

Belongs here: the words that are stored, printed and shown, as they are stored. Does not belong here: sentences about them
(``portal.words``, ``microsoft.causes``) and rules that choose one. Schema constraints, choices of the command line, the
API's models and the pages derive from these; a new word is added here first.
"""

from enum import StrEnum


class DeviceType(StrEnum):
    """What a device is."""

    LAPTOP = "laptop"
    TABLET = "tablet"
    MOBILE = "mobile"
    DESKTOP = "desktop"
    UNKNOWN = "unknown"


class Ownership(StrEnum):
    """Graph: managedDeviceOwnerType."""

    COMPANY = "company"
    PERSONAL = "personal"
    UNKNOWN = "unknown"


class SkipReason(StrEnum):
    """Why a listed device is left out."""

    PERSONAL = "personal"
    OWNERSHIP_UNKNOWN = "ownership_unknown"
    NO_SERIAL = "no_serial"
    JUNK_SERIAL = "junk_serial"
    DESKTOP = "desktop"
    UNKNOWN_TYPE = "unknown_type"
    SUPERSEDED = "superseded"
    SERIAL_COLLISION = "serial_collision"
    UNDONE = "undone"


class FailureReason(StrEnum):
    """Why a listed device failed, where a word says it; other failures have a sentence."""

    UNREADABLE = "unreadable"


class Outcome(StrEnum):
    """What a sync made of a listed device."""

    SYNCED = "synced"
    SKIPPED = "skipped"
    FAILED = "failed"


class AssetAction(StrEnum):
    """What a plan does with the asset of a synced device."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"


class PersonAction(StrEnum):
    """What a plan does about a user of eligible devices."""

    MATCHED = "matched"
    CREATE = "create"
    HELD = "held"
    NONE = "none"


class EmployeeDecision(StrEnum):
    """What was decided about an employee a sync held back."""

    WAITING = "waiting"
    CREATED = "created"
    LINKED = "linked"
    SKIPPED = "skipped"


class EmployeeHoldKind(StrEnum):
    """Why an employee is held back until somebody decides."""

    LOOKALIKE = "lookalike"
    SHARED = "shared"


class LookalikeGrade(StrEnum):
    """How sure it is that two employees are one person, the surest first."""

    SURELY = "surely"
    PROBABLY = "probably"
    PERHAPS = "perhaps"


class LifecycleDecision(StrEnum):
    """What was decided about lifecycle ends a sync held back."""

    WAITING = "waiting"
    RELEASED = "released"
    DROPPED = "dropped"


class AssetStatus(StrEnum):
    """allwhere's statuses of an asset."""

    ALLOCATED = "allocated"
    TRANSFERRED = "transferred"
    IN_INVENTORY = "in_inventory"
    PENDING_ALLOCATION = "pending_allocation"
    PROCESSING = "processing"
    LOCKED = "locked"
    RETIRED = "retired"
    DISPOSED = "disposed"
    LOST = "lost"


class ChangedEntity(StrEnum):
    """What the change feed tells of."""

    ASSET = "asset"
    EMPLOYEE = "employee"


class ChangeKind(StrEnum):
    """What happened to an asset or employee."""

    CREATED = "created"
    UPDATED = "updated"
    ASSIGNED = "assigned"
    ENDED = "ended"
    MERGED = "merged"
    UNDONE = "undone"
    LOCKED = "locked"
    REMOVED = "removed"


class KeptKind(StrEnum):
    """Why a sync leaves a value as it is."""

    LOCKED = "locked"
    UNDONE = "undone"


class UndoneKind(StrEnum):
    """What an undo removes."""

    ASSET = "asset"
    EMPLOYEE = "employee"


class EmailKind(StrEnum):
    """Kinds of an employee's e-mail addresses; both match."""

    WORK = "work"
    PERSONAL = "personal"


class ConnectionStatus(StrEnum):
    """How an account's link to its tenant is doing."""

    PENDING = "pending"
    VERIFYING = "verifying"
    AWAITING_APPROVAL = "awaiting_approval"
    CONNECTED = "connected"
    NEEDS_CONSENT = "needs_consent"
    ERROR = "error"
    DISCONNECTED = "disconnected"


class RunStatus(StrEnum):
    """How a sync is doing."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RunPhase(StrEnum):
    """Where a running sync is."""

    STARTING = "starting"
    LISTING = "listing"
    DETAILS = "details"
    RECONCILING = "reconciling"
    DONE = "done"


class RequestStatus(StrEnum):
    """How a request for a sync is doing."""

    PENDING = "pending"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Trigger(StrEnum):
    """What started a sync."""

    INITIAL = "initial"
    SCHEDULE = "schedule"
    MANUAL = "manual"
    OPERATOR = "operator"
    UNDO = "undo"


class ConnectStep(StrEnum):
    """Where an attempt to connect is."""

    CONSENT = "consent"
    SIGN_IN = "sign_in"


class NeedKind(StrEnum):
    """What waits for a person of an account."""

    CONNECTION_BROKEN = "connection_broken"
    NOT_CONNECTED = "not_connected"
    PLAN_WAITING = "plan_waiting"
    LATE = "late"
    SYNC_FAILED = "sync_failed"
    LIFECYCLE_HOLD = "lifecycle_hold"
    EMPLOYEE_HOLD = "employee_hold"
    DRIFT = "drift"
    SERIAL_COLLISION = "serial_collision"
    UNKNOWN_MODELS = "unknown_models"
    OWNERSHIP_UNKNOWN = "ownership_unknown"
    DEVICES_FAILED = "devices_failed"
