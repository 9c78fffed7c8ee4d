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


class System(StrEnum):
    """What a device's operating system is called in lists and filters, however its version is written."""

    WINDOWS = "Windows"
    MACOS = "macOS"
    IPADOS = "iPadOS"
    IOS = "iOS"
    ANDROID = "Android"
    LINUX = "Linux"
    CHROMEOS = "ChromeOS"
    OTHER = "Other"


class Presence(StrEnum):
    """Whether the last complete list of Intune held a device."""

    IN_INTUNE = "in_intune"
    GONE = "gone"


class Decided(StrEnum):
    """What a person has decided about a device."""

    MODEL_TAUGHT = "model_taught"
    FIELD_LOCKED = "field_locked"
    UNDONE = "undone"
    ASSIGNEE_CHOSEN = "assignee_chosen"


class Contact(StrEnum):
    """How long ago a device last spoke to Intune."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    LONGER = "longer"
    NEVER = "never"


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


class DetailState(StrEnum):
    """Where the details of a device come from in one sync."""

    FETCHED = "fetched"
    KEPT = "kept"
    """Known from an earlier sync."""
    FAILED = "failed"
    NOT_NEEDED = "not needed"


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


class EmployeeAnswer(StrEnum):
    """What a person can decide about a held employee."""

    CREATE = "create"
    LINK = "link"
    SKIP = "skip"


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


class HoldKind(StrEnum):
    """What a decision about held work is about."""

    EMPLOYEES = "employees"
    LIFECYCLE = "lifecycle"


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
    """What events are about. The change feed tells of assets and employees, webhooks of syncs too."""

    ASSET = "asset"
    EMPLOYEE = "employee"
    SYNC = "sync"


class ChangeKind(StrEnum):
    """What happened to an asset, an employee or a sync."""

    CREATED = "created"
    UPDATED = "updated"
    ASSIGNED = "assigned"
    ENDED = "ended"
    MERGED = "merged"
    UNDONE = "undone"
    LOCKED = "locked"
    REMOVED = "removed"
    FINISHED = "finished"
    FAILED = "failed"


class WebhookEvent(StrEnum):
    """What a webhook tells of."""

    SYNC_FINISHED = "sync.finished"
    SYNC_FAILED = "sync.failed"
    ASSET_CHANGED = "asset.changed"
    EMPLOYEE_CREATED = "employee.created"
    NEEDS_CHANGED = "needs.changed"
    TEST = "webhook.test"
    """Sent by the test button only."""


class WebhookStatus(StrEnum):
    """Whether a webhook is sent to."""

    ON = "on"
    PAUSED = "paused"
    """By a person."""
    SWITCHED_OFF = "switched_off"
    """By itself: the receiver accepted nothing for a day, or answered that it is gone."""


class DeliveryStatus(StrEnum):
    """What became of a webhook's message."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """A test or a replay that failed; it is tried once."""


class KeptKind(StrEnum):
    """Why a sync leaves a value as it is."""

    LOCKED = "locked"
    UNDONE = "undone"


class UndoneKind(StrEnum):
    """What an undo removes."""

    ASSET = "asset"
    EMPLOYEE = "employee"


class UndoAction(StrEnum):
    """What an undo does with an asset or an employee."""

    UPDATE = "update"
    REMOVE = "remove"
    CREATE = "create"


class RunChange(StrEnum):
    """What a run did to one thing, as its page lists it."""

    CREATED = "created"
    UPDATED = "updated"
    REMOVED = "removed"
    EMPLOYEE_ADDED = "employee_added"
    EMPLOYEE_REMOVED = "employee_removed"
    FAILED = "failed"


class PlanStatus(StrEnum):
    """How a stored plan is doing."""

    REQUESTED = "requested"
    PLANNING = "planning"
    READY = "ready"
    APPROVED = "approved"
    APPLIED = "applied"
    CHANGED = "changed"
    """It was approved, and a sync would have done something else; nothing was written, another plan stands in its place."""
    FAILED = "failed"


class PlanLineKind(StrEnum):
    """What a plan says about one asset, person or device."""

    CREATED = "created"
    UPDATED = "updated"
    ENDED = "ended"
    EMPLOYEE_ADDED = "employee_added"
    EMPLOYEE_HELD = "employee_held"
    ENDING_HELD = "ending_held"
    SKIPPED = "skipped"
    FAILED = "failed"


class EmailKind(StrEnum):
    """Kinds of an employee's e-mail addresses; both match."""

    WORK = "work"
    PERSONAL = "personal"


class ConnectionStatus(StrEnum):
    """How an account's link to its tenant is doing."""

    PENDING = "pending"
    VERIFYING = "verifying"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    """An invited Microsoft administrator consented; a Primary Admin confirms the tenant."""
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


class OwnCause(StrEnum):
    """Why a sync failed where Microsoft is not the cause; Microsoft's causes are ``microsoft.causes``."""

    DIED = "died"
    """Its process ended without a word."""
    CANCELED = "canceled"
    """A person ended it."""
    PLAN_CHANGED = "plan_changed"
    """It would have done something else than the approved plan."""
    FAILED = "failed"
    """Anything else; the sentence says what."""


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


class AskedOutcome(StrEnum):
    """What asking for a sync came to."""

    ACCEPTED = "accepted"
    """A run will start."""
    JOINED = "joined"
    """A sync that is asked for or running answers this request too."""
    TOO_EARLY = "too_early"
    """The debounce of the last request is not over."""


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
    INVITED_SIGN_IN = "invited_sign_in"
    INVITED_CONSENT = "invited_consent"
    INVITED_PROOF = "invited_proof"
    """An invited administrator: signs in, consents, signs in again."""


class InvitationStatus(StrEnum):
    """What became of a link to a Microsoft administrator."""

    OPEN = "open"
    ANSWERED = "answered"
    """The administrator consented; a Primary Admin confirms the tenant."""
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class DirectoryRole(StrEnum):
    """A person's role in a Microsoft tenant, as far as it matters for consent."""

    GLOBAL_ADMINISTRATOR = "global_administrator"
    PRIVILEGED_ROLE_ADMINISTRATOR = "privileged_role_administrator"
    CLOUD_APPLICATION_ADMINISTRATOR = "cloud_application_administrator"


class OwnershipProblem(StrEnum):
    """Why a person who signed in at Microsoft may not link their tenant."""

    PERSONAL_ACCOUNT = "personal_account"
    GUEST = "guest"
    ROLES_NOT_TOLD = "roles_not_told"
    """The token has no ``wids``: the application does not ask for it, or the person has no role at all."""
    NO_ROLE = "no_role"
    WRONG_TENANT = "wrong_tenant"
    """They consented in one tenant and signed in at another."""
    ANOTHER_ADMINISTRATOR = "another_administrator"
    """An invited administrator signed in a second time as somebody else."""


class EndOfConnection(StrEnum):
    """Why a connection was ended by something else than Microsoft's answer or its own account."""

    OVERTAKEN = "overtaken"
    """Another account proved the same tenant first."""
    REFUSED = "refused"
    """The invited administrator, or the Primary Admin who was to confirm, said no."""
    MOVED = "moved"
    """An operator moved the tenant to another account."""


class Role(StrEnum):
    """What an admin is in allwhere, the strongest first."""

    PRIMARY_ADMIN = "primary_admin"
    SECONDARY_ADMIN = "secondary_admin"


class SecurityEvent(StrEnum):
    """What the security log tells of."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_MISCONFIGURED = "sign_in_misconfigured"
    SESSION_REFUSED = "session_refused"
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    ROLE_REFUSED = "role_refused"
    FORM_REFUSED = "form_refused"
    REQUEST_REFUSED = "request_refused"
    REVEAL_FAILED = "reveal_failed"
    CONNECT_FAILED = "connect_failed"
    """Microsoft ended a connecting for a reason that allwhere's operators look into."""
    LIMIT_HIT = "limit_hit"
    ORGANIZATION_BOUND = "organization_bound"
    WEBHOOK_REFUSED = "webhook_refused"
    """The address of a webhook is one that allwhere never sends to."""


class Digest(StrEnum):
    """How often an admin has an e-mail of what is not told at once."""

    DAILY = "daily"
    WEEKLY = "weekly"


class Check(StrEnum):
    """The checks of a sync that may warn. Those that stop it say so in its sentence."""

    LIST_COMPLETE = "list_complete"
    LIST_NOT_SHRUNK = "list_not_shrunk"
    FEW_UNKNOWN_MODELS = "few_unknown_models"
    FEW_JUNK_SERIALS = "few_junk_serials"
    NO_LOOKALIKES = "no_lookalikes"
    NO_DEVICE_FAILED = "no_device_failed"
    NO_PLAINTEXT_SECRETS = "no_plaintext_secrets"


class NeedKind(StrEnum):
    """What waits for a person of an account."""

    CONNECTION_BROKEN = "connection_broken"
    NOT_CONNECTED = "not_connected"
    TENANT_WAITING = "tenant_waiting"
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
    CHECK_WARNED = "check_warned"
    WEBHOOK_OFF = "webhook_off"
