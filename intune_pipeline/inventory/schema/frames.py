"""Frames between Dagster assets, in schema ``pipeline``."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from intune_pipeline.inventory.schema.base import metadata, now

PIPELINE = "pipeline"


def _frame(name: str, comment: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("partition_key", Text, nullable=False, index=True, comment="the account's slug"),
        *columns,
        schema=PIPELINE,
        comment=comment,
        prefixes=["UNLOGGED"],
    )


def _text(name: str, comment: str) -> Column[Any]:
    return Column(name, Text, comment=comment)


snapshots = Table(
    "snapshots",
    metadata,
    Column("asset", Text, primary_key=True, comment="the Dagster asset"),
    Column("partition_key", Text, primary_key=True, comment="the account's slug"),
    Column("tenant_id", Text, nullable=False, comment="the Entra tenant that was listed"),
    Column("run_id", Text, nullable=False, comment="Dagster run that wrote the frame"),
    Column("listing_id", Text, nullable=False, comment="the listing all frames of one run stem from"),
    Column("listed_at", DateTime(timezone=True), nullable=False, comment="when the listing began"),
    Column("complete", Boolean, nullable=False, comment="false for a capped list, which proves no absence"),
    Column("devices_listed", Integer, nullable=False, comment="devices in the list, personal ones included"),
    Column("personal", Integer, nullable=False, comment="personal devices, counted and dropped"),
    Column(
        "unreadable",
        Integer,
        nullable=False,
        server_default="0",
        comment="entries of the list without an id, counted as failed",
    ),
    Column("rows", Integer, nullable=False, comment="rows of the frame; another number means that it was lost"),
    now("written_at", "when the frame was stored"),
    schema=PIPELINE,
    comment="what a stored frame stems from",
    # Like the frames: after a crash of the server both are empty, never one without the other.
    prefixes=["UNLOGGED"],
)

#: What a column of a device holds, by its name in frames, with the property of Graph's managedDevice it is read from: the one
#: place that says it, for the frames and for what Dagster shows of Intune.
DEVICE_COLUMNS: Mapping[str, tuple[str, str]] = {
    "intune_device_id": ("id", "Intune's id of the device record; a device that is enrolled anew gets another one"),
    "ownership": ("managedDeviceOwnerType", "company, or unknown with everything personal left out"),
    "serial_number": (
        "serialNumber",
        "the maker's serial number, by which assets are found; may be a placeholder here",
    ),
    "operating_system": ("operatingSystem", "Windows, macOS, iOS, iPadOS, Android …, in Intune's words"),
    "os_version": ("osVersion", "version of the operating system"),
    "manufacturer": ("manufacturer", "the maker, in the device's own words"),
    "model": ("model", "the model in the device's own words: a name, an order code or a machine type"),
    "imei": ("imei", "IMEI of phones and of tablets with mobile data"),
    "azure_ad_device_id": ("azureADDeviceId", "Entra's id of the device"),
    "device_name": ("deviceName", "what its owner or a policy calls it"),
    "management_agent": ("managementAgent", "how Intune manages it: mdm, configurationManagerClientMdm …"),
    "management_state": ("managementState", "managed, or on the way out: retirePending, wipePending …"),
    "user_id": ("userId", "Entra's id of the user the list shows"),
    "user_email": ("emailAddress", "that user's e-mail address"),
    "user_principal_name": ("userPrincipalName", "that user's sign-in name"),
    "user_display_name": ("userDisplayName", "that user's name in one piece"),
    "storage_bytes": ("totalStorageSpaceInBytes", "size of its storage in bytes; null when Intune says 0"),
    "enrolled_at": ("enrolledDateTime", "when it was enrolled"),
    "last_contact_at": ("lastSyncDateTime", "when it last spoke with Intune"),
}
_KINDS: Mapping[str, TypeEngine[Any]] = {
    "storage_bytes": BigInteger(),
    "enrolled_at": DateTime(timezone=True),
    "last_contact_at": DateTime(timezone=True),
}


def _device_column(name: str) -> Column[Any]:
    return Column(name, _KINDS.get(name, Text()), comment=DEVICE_COLUMNS[name][1])


def _device_columns() -> list[Column[Any]]:
    return [_device_column(name) for name in DEVICE_COLUMNS]


raw_intune_devices = _frame(
    "raw_intune_devices", "devices as listed by Intune, cleaned; personal devices dropped", *_device_columns()
)
classified_devices = _frame(
    "classified_devices",
    "devices with their type, the rule that decided and whether they are eligible",
    *_device_columns(),
    _text("device_type", "laptop, tablet, mobile, desktop or unknown"),
    _text("rule", "id of the rule that decided the type"),
    _text("rule_reason", "the rule's reason, in words"),
    Column("users_are_rooms", Boolean, comment="whether its user is a room, a desk or a wall and never an employee"),
    _text("skip_reason", "why the device is left out; null for eligible devices"),
)
intune_device_details = _frame(
    "intune_device_details",
    "what single requests told of the eligible devices; the bypass code itself lies encrypted in device_details",
    _device_column("intune_device_id"),
    Column("memory_gb", Integer, comment="memory in GiB; Graph tells it of Windows devices only"),
    Column("has_bypass_code", Boolean, comment="whether a bypass code is stored"),
    _text("freshness", "fetched now, kept from before, failed or not needed"),
)
employees_frame = _frame(
    "employees",
    "plan: the users of eligible devices and the employee each stands for or becomes",
    _text("email", "the address that identifies the user"),
    _text("first_name", "the employee's, else as split from the display name; null when it cannot be split safely"),
    _text("last_name", "the employee's, else as split; null likewise"),
    Column("devices", Integer, comment="eligible devices of this user"),
    Column("employee_id", BigInteger, comment="matched employee, null when none"),
    _text("action", "what is planned: matched, create, held or none"),
    Column("lookalike_id", BigInteger, comment="employee of the same name without a work e-mail"),
)
allwhere_assets = _frame(
    "allwhere_assets",
    "report: what the sync did for each device",
    _device_column("intune_device_id"),
    _device_column("serial_number"),
    Column("asset_id", BigInteger, comment="the asset, null for skipped devices"),
    _text("outcome", "synced, skipped or failed"),
    _text("reason", "skip reason or failure"),
    _text("action", "create, update, unchanged or held; null for skipped devices"),
)
FRAMES = {
    table.name: table
    for table in (raw_intune_devices, classified_devices, intune_device_details, employees_frame, allwhere_assets)
}
