"""Why Microsoft said no: the causes, and what each means for the connection and for people.

Belongs here: the causes and the error that carries one. Does not belong here: recognising them (`error_answers`), retrying
(`patience`), asking (`graph`, `tokens`). No cause ever changes an asset.
"""

from enum import Enum, StrEnum
from typing import Self

from intune_pipeline.domain.vocabulary import ConnectionStatus
from intune_pipeline.errors import PipelineError


class Severity(StrEnum):
    """How urgent it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Audience(StrEnum):
    """Who can do something about it."""

    CUSTOMER_ADMIN = "customer_admin"
    OPERATOR = "operator"


class Cause(Enum):
    """One reason for a failure at Microsoft. The value is its stored name.

    Attributes:
        severity: how urgent it is; critical wakes the operator because every tenant is affected.
        retry: whether asking again soon can help.
        connection_status: the value ``connections.status`` takes, None when it stays as it is.
        audience: who can act.
        sentence: what happened and what to do, for the audience; names no person and no secret.
    """

    severity: Severity
    retry: bool
    connection_status: ConnectionStatus | None
    audience: Audience
    sentence: str

    def __new__(
        cls,
        value: str,
        severity: Severity,
        retry: bool,  # noqa: FBT001 - a column of the table below
        connection_status: ConnectionStatus | None,
        audience: Audience,
        sentence: str,
    ) -> Self:
        """Make one row of the table."""
        member = object.__new__(cls)
        member._value_ = value
        member.severity = severity
        member.retry = retry
        member.connection_status = connection_status
        member.audience = audience
        member.sentence = sentence
        return member

    CONSENT_MISSING = (
        "consent_missing",
        Severity.ERROR,
        False,
        ConnectionStatus.NEEDS_CONSENT,
        Audience.CUSTOMER_ADMIN,
        (
            "Microsoft Entra has no consent for allwhere in this tenant, because it was never given or was removed: a Global "
            "Administrator or Privileged Role Administrator connects Intune again."
        ),
    )
    APP_DISABLED = (
        "app_disabled",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "The allwhere application, or Microsoft Graph itself, is disabled in this tenant: an administrator opens Enterprise "
            "applications in Microsoft Entra and sets “Enabled for users to sign in” to Yes for both."
        ),
    )
    ASSIGNMENT_REQUIRED = (
        "assignment_required",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "This tenant lets only those use the application who are assigned to it: an administrator opens Enterprise "
            "applications in Microsoft Entra, chooses allwhere and sets “Assignment required?” to No."
        ),
    )
    PERMISSION_REMOVED = (
        "permission_removed",
        Severity.ERROR,
        False,
        ConnectionStatus.NEEDS_CONSENT,
        Audience.CUSTOMER_ADMIN,
        (
            "allwhere lacks the permission DeviceManagementManagedDevices.Read.All in this tenant: a Global Administrator or "
            "Privileged Role Administrator connects Intune again."
        ),
    )
    TENANT_UNKNOWN = (
        "tenant_unknown",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "Microsoft Entra knows no tenant with this id, which may be mistyped, deleted or of another national cloud: compare "
            "it with the tenant id on the overview page of Microsoft Entra."
        ),
    )
    TENANT_BLOCKED = (
        "tenant_blocked",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "Microsoft has blocked this tenant, for being inactive or for another reason: an administrator asks Microsoft's "
            "support to open it again."
        ),
    )
    NO_INTUNE_LICENCE = (
        "no_intune_licence",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "Microsoft answers that this tenant has no Intune: an administrator checks that an Intune licence is active and that "
            "mobile device management is set up."
        ),
    )
    CONDITIONAL_ACCESS = (
        "conditional_access",
        Severity.ERROR,
        False,
        ConnectionStatus.ERROR,
        Audience.CUSTOMER_ADMIN,
        (
            "A Conditional Access policy or a tenant restriction blocks allwhere: an administrator finds it in the service "
            "principal sign-in logs of Microsoft Entra and excludes allwhere from it."
        ),
    )
    OUR_CREDENTIAL = (
        "our_credential",
        Severity.CRITICAL,
        False,
        None,
        Audience.OPERATOR,
        (
            "Microsoft Entra refuses allwhere's own credential, which stops every tenant: the operator replaces the secret, "
            "certificate or federated token, and no customer has to do anything."
        ),
    )
    THROTTLED = (
        "throttled",
        Severity.WARNING,
        True,
        None,
        Audience.OPERATOR,
        (
            "Microsoft asked allwhere to slow down for longer than this run may last: the next run tries again, and if this "
            "happens daily, look for other tools that read the same tenant."
        ),
    )
    OUTAGE = (
        "outage",
        Severity.WARNING,
        True,
        None,
        Audience.OPERATOR,
        (
            "Microsoft could not be reached or answered with server errors only: the next run tries again, and if this goes on, "
            "look at status.cloud.microsoft and at the network in between."
        ),
    )
    DEADLINE = (
        "deadline",
        Severity.WARNING,
        False,
        None,
        Audience.OPERATOR,
        (
            "The run's time (INTUNE_RUN_DEADLINE_MINUTES) was up before everything was asked: the next run tries again, and if "
            "this happens daily, look at why Microsoft is slow or allow more time."
        ),
    )
    LIST_INCOMPLETE = (
        "list_incomplete",
        Severity.ERROR,
        False,
        None,
        Audience.OPERATOR,
        (
            "Microsoft's list of devices was not whole, so nothing was synced from it: the next run tries again, and if this "
            "goes on, report the request id to Microsoft."
        ),
    )
    TOO_MANY_DEVICES = (
        "too_many_devices",
        Severity.ERROR,
        False,
        None,
        Audience.OPERATOR,
        (
            "This tenant has more devices than allwhere reads of one tenant, so nothing was synced from its list: the operator "
            "sees that the number is right and raises INTUNE_MAX_DEVICES."
        ),
    )
    NOT_FOUND = (
        "not_found",
        Severity.INFO,
        False,
        None,
        Audience.OPERATOR,
        "Intune no longer has this record, and nothing is to be done.",
    )
    UNEXPECTED = (
        "unexpected",
        Severity.ERROR,
        False,
        None,
        Audience.OPERATOR,
        "Microsoft gave an answer that allwhere does not know: the operator looks it up by its request id.",
    )


class MicrosoftError(PipelineError):
    """Microsoft did not give what was asked for.

    ``str()`` is one sentence that is safe to show and to log: it holds no text of Microsoft's answer, which may
    name people or devices.

    Attributes:
        cause: what it means.
        tenant_id: the tenant that was asked about.
        status: the HTTP status, None when there was no answer.
        code: Microsoft's own short code, for example ``AADSTS700016`` or ``TooManyRequests``; "" when there is none.
        request_id: what Microsoft's support asks for; "" when Microsoft sent none.
        retry_after: seconds Microsoft asks to wait, None when it did not say.
        unread: whether Graph did what was asked, but its answer is not read for its size or shape.
        sentence: the cause's sentence.
    """

    def __init__(
        self,
        cause: Cause,
        *,
        tenant_id: str,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        note: str = "",
        unread: bool = False,
    ) -> None:
        self.cause = cause
        self.tenant_id = tenant_id
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.note = note
        self.unread = unread
        super().__init__(str(self))

    @property
    def sentence(self) -> str:
        """What happened and what to do, without ids."""
        return self.cause.sentence

    def __str__(self) -> str:
        known = {
            "tenant": self.tenant_id,
            "status": self.status,
            "code": self.code,
            "request id": self.request_id,
            "": self.note,
        }
        details = ", ".join(f"{name} {value}".strip() for name, value in known.items() if value)
        return f"{self.sentence.removesuffix('.')} ({details})."
