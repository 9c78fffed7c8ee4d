"""The portal's JSON API: the same things as the pages, with the same permissions.

Belongs here: routes and their schemas. Does not belong here: what the pages share with it (``status_pages``,
``device_pages``, ``settings_pages``). Connecting is not among them: it needs a browser, bound to one session, that goes
to Microsoft and back.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field, create_model

from intune_pipeline.domain.counts import MEANINGS
from intune_pipeline.domain.vocabulary import (
    AskedOutcome,
    AssetStatus,
    ConnectionStatus,
    Outcome,
    Role,
    RunPhase,
    RunStatus,
    Trigger,
)
from intune_pipeline.inventory import connections, device_list, invitations, sync_requests, sync_runs
from intune_pipeline.portal import limits
from intune_pipeline.portal.access import Admin, TokenAdmin, TokenPrimaryAdmin, TokenRecentPrimaryAdmin
from intune_pipeline.portal.api_schema import (
    COMMON,
    CONFLICT,
    MAX_PAGE_SIZE,
    NOT_FOUND,
    PAGE_SIZE,
    TOO_OFTEN,
    Input,
    Output,
    ThePortal,
)
from intune_pipeline.portal.device_list_pages import Queried, csv_of
from intune_pipeline.portal.device_pages import story_of
from intune_pipeline.portal.errors import NotHereError, TooOftenError
from intune_pipeline.portal.inputs import FilledText, RevealReason
from intune_pipeline.portal.portal import PortalContext
from intune_pipeline.portal.reveal_pages import revealed
from intune_pipeline.portal.settings_pages import connected
from intune_pipeline.portal.status_pages import RUNS_SHOWN, status_of

DESCRIPTION = (
    "Microsoft Intune in allwhere: health of the connection, syncs, devices and why they are in the inventory as they "
    "are, what waits for a person, what each run did, decisions, rules of the account, the feed of changes, and the audit "
    "log. Everything is about the account of the token's "
    "organisation. Errors are application/problem+json (RFC 9457)."
)


router = APIRouter(prefix="/api/v1", responses=COMMON)


class Me(Output):
    """Who the token stands for."""

    subject: str
    account: str
    account_name: str
    role: Role


class NextStep(Output):
    """The one thing to do next."""

    label: str
    href: str | None


class Health(Output):
    """How the connection is doing."""

    tone: Literal["good", "wait", "bad"]
    title: str
    sentence: str
    next_step: NextStep


class Reason(Output):
    """Devices not synced for one reason."""

    name: str
    remedy: str
    devices: int


class Counts(Output):
    """Devices in Intune now, as the overview counts them."""

    synced: int
    unsynced: int
    reasons: list[Reason]


class Connection(Output):
    """The link to Microsoft Intune and how it is doing."""

    status: str
    tenant_id: str | None
    tenant_domain: str = Field(description="of whoever proved the tenant; empty when it is not known")
    tenant_to_confirm: str | None = Field(
        description="an invited administrator consented for it, and nobody confirmed yet"
    )
    proven_by: str | None = Field(description="the Microsoft administrator who signed in to link the tenant")
    proven_by_roles: list[str]
    proven_at: datetime | None
    administrator_link_expires_at: datetime | None = Field(description="of an open link for a Microsoft administrator")
    connected_at: datetime | None
    mdm_assignee_updates: bool
    hold_lookalike_employees: bool
    health: Health
    counts: Counts
    last_sync_at: datetime | None
    next_scheduled_sync_at: datetime | None
    sync_possible_at: datetime | None = Field(description="null when Sync Now is possible at once")
    decisions_waiting: int


class Settings(Input):
    """Settings to change; those left out stay."""

    mdm_assignee_updates: bool | None = None
    hold_lookalike_employees: bool | None = None


_Counts = create_model(
    "_Counts", __base__=Output, **{name: (int, Field(description=means)) for name, means in MEANINGS.items()}
)  # type: ignore[call-overload]


class Sync(_Counts):
    """One sync, with its counts."""

    id: int
    trigger: Trigger
    status: RunStatus
    phase: RunPhase
    started_at: datetime
    finished_at: datetime | None
    devices_skipped: int
    skipped_by_reason: dict[str, int]
    devices_read: int
    devices_classified: int
    devices_reconciled: int
    cause: str | None
    error: str | None


class SyncAsked(Output):
    """A sync was asked for, or one under way was joined."""

    outcome: Literal[AskedOutcome.ACCEPTED, AskedOutcome.JOINED]


class Device(Output):
    """A device ever seen, and what became of it."""

    intune_device_id: str
    serial_number: str | None
    device_name: str | None
    manufacturer: str | None
    model_name: str | None
    model: str | None
    operating_system: str | None
    device_type: str | None
    outcome: Outcome
    reason: str | None
    is_gone: bool = Field(description="whether the last complete list of Intune did not hold it")
    user: str | None = Field(description="e-mail of the user Intune shows")
    assignee: str | None = Field(description="name of the employee the asset is assigned to")
    asset_status: AssetStatus | None
    release_date: str | None = Field(description="a year or a date")
    last_contact_at: datetime | None
    first_synced_at: datetime | None
    last_synced_at: datetime | None
    last_seen_at: datetime


class Devices(Output):
    """One page of devices."""

    total: int
    page: int
    page_size: int
    devices: list[Device]


class RevealRequest(Input):
    """Which code, and why."""

    serial_number: FilledText
    reason: RevealReason


class BypassCode(Output):
    """A bypass code; that it was revealed, to whom and why is in the audit log."""

    serial_number: str
    bypass_code: str


@router.get("/me")
def me(admin: TokenAdmin) -> Me:
    """Who the token stands for."""
    role = admin.person.role
    assert role is not None  # noqa: S101 - who has none was not admitted
    return Me(subject=admin.person.subject, account=admin.account.slug, account_name=admin.account.name, role=role)


@router.get("/connection", responses=NOT_FOUND)
def connection(portal: ThePortal, admin: TokenAdmin) -> Connection:
    """The link to Microsoft Intune and how it is doing."""
    return _connection(portal, admin)


@router.patch("/connection", responses=CONFLICT | NOT_FOUND)
def change_settings(portal: ThePortal, admin: TokenPrimaryAdmin, settings: Settings) -> Connection:
    """Change settings; they take effect at the next sync. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        given = settings.model_dump(exclude_none=True)
        connections.change_settings(db, admin.account.slug, given, actor=admin.label)
    return _connection(portal, admin)


@router.delete("/connection", status_code=204, responses=CONFLICT)
def disconnect(portal: ThePortal, admin: TokenRecentPrimaryAdmin) -> None:
    """Disconnect; assets, employees and history stay. Primary Admins only."""
    with portal.transaction(admin.account) as db:
        connected(db, admin.account.slug)
        connections.disconnect(db, admin.account.slug, actor=admin.label)


@router.get("/syncs")
def syncs(portal: ThePortal, admin: TokenAdmin, limit: Annotated[int, Query(ge=1, le=100)] = RUNS_SHOWN) -> list[Sync]:
    """The last syncs, newest first; a running one shows its progress."""
    with portal.transaction(admin.account) as db:
        return [Sync.model_validate(run) for run in sync_runs.last(db, admin.account.slug, limit)]


@router.post("/syncs", status_code=202, responses=CONFLICT | TOO_OFTEN)
def sync_now(portal: ThePortal, admin: TokenAdmin) -> SyncAsked:
    """Ask for a sync. One that is under way is joined; 30 minutes must lie between two that succeed."""
    limits.spend(portal, limits.SYNCS, admin.account)
    with portal.transaction(admin.account) as db:
        record = connected(db, admin.account.slug)
        asked = sync_requests.request(db, record.id, requested_by=admin.label, debounce=portal.debounce)
    if asked.outcome == AskedOutcome.TOO_EARLY:
        assert asked.possible_at is not None  # noqa: S101
        wait = max(1, round((asked.possible_at - portal.clock()).total_seconds()))
        raise TooOftenError(
            f"A sync was asked for a short while ago; ask again at {asked.possible_at:%H:%M} UTC.", wait
        )
    return SyncAsked(outcome=asked.outcome)


@router.get("/devices")
def devices(
    portal: ThePortal,
    admin: TokenAdmin,
    asked: Queried,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="devices in one answer")] = PAGE_SIZE,
) -> Devices:
    """Devices ever seen, found, filtered and sorted, a page at a time."""
    query = replace(asked, page_size=page_size)
    with portal.transaction(admin.account) as db:
        found = device_list.page(db, admin.account.slug, query)
    listed = [Device.model_validate(device) for device in found.devices]
    return Devices(total=found.total, page=query.page, page_size=query.page_size, devices=listed)


@router.get("/devices.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def devices_csv(portal: ThePortal, admin: TokenAdmin, query: Queried) -> Response:
    """All devices that are found, as CSV."""
    return csv_of(portal, admin, query)


@router.get("/device", responses=NOT_FOUND)
def device(portal: ThePortal, admin: TokenAdmin, serial_number: FilledText) -> dict[str, Any]:
    """Why one device is in the inventory as it is, or why it is not."""
    return story_of(portal, admin, serial_number).as_dict()


@router.post("/device/bypass-code", responses=NOT_FOUND | CONFLICT)
def reveal(portal: ThePortal, admin: TokenRecentPrimaryAdmin, asked: RevealRequest) -> BypassCode:
    """Reveal one activation-lock bypass code; audited. Primary Admins only."""
    code = revealed(portal, admin, asked.serial_number, asked.reason)
    return BypassCode(serial_number=asked.serial_number, bypass_code=code)


def _connection(portal: PortalContext, admin: Admin) -> Connection:
    with portal.transaction(admin.account) as db:
        status = status_of(db, portal, admin.account.slug)
        domain = connections.tenant_domain(db, admin.account.id)
        invitation = invitations.of_account(db, admin.account.id, portal.clock())
    if status is None:
        raise NotHereError("Microsoft Intune is not connected. Connect it in the portal.")
    record = status.connection
    return Connection(
        status=record.status,
        tenant_id=record.tenant_id,
        tenant_domain=domain,
        tenant_to_confirm=record.candidate_tenant_id
        if record.status == ConnectionStatus.AWAITING_CONFIRMATION
        else None,
        proven_by=record.proven_by_upn,
        proven_by_roles=list(record.proven_by_roles),
        proven_at=record.proven_at,
        administrator_link_expires_at=invitation.expires_at if invitation else None,
        connected_at=record.connected_at,
        mdm_assignee_updates=record.mdm_assignee_updates,
        hold_lookalike_employees=record.hold_lookalike_employees,
        health=Health.model_validate(status.health),
        counts=Counts.model_validate(status.counts),
        last_sync_at=status.last_finished,
        next_scheduled_sync_at=status.next_scheduled,
        sync_possible_at=status.possible_at,
        decisions_waiting=status.waiting,
    )
