"""Frames between Dagster assets, in schema ``pipeline``."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text

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


def _time(name: str, comment: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), comment=comment)


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

_DEVICE = (
    ("intune_device_id", "Intune's id of the device record"),
    ("ownership", "company, or unknown with everything personal left out"),
    ("serial_number", "as shown"),
    ("operating_system", "as shown"),
    ("os_version", "as shown"),
    ("manufacturer", "as shown"),
    ("model", "as shown"),
    ("imei", "as shown"),
    ("azure_ad_device_id", "Entra's id of the device"),
    ("device_name", "as shown"),
    ("management_agent", "as shown"),
    ("management_state", "as shown"),
    ("user_id", "Entra id of the user the list shows"),
    ("user_email", "emailAddress"),
    ("user_principal_name", "userPrincipalName"),
    ("user_display_name", "userDisplayName"),
)


def _device_columns() -> list[Column[Any]]:
    return [
        *(_text(name, comment) for name, comment in _DEVICE),
        Column("storage_bytes", BigInteger, comment="totalStorageSpaceInBytes"),
        _time("enrolled_at", "enrolledDateTime"),
        _time("last_contact_at", "lastSyncDateTime"),
    ]


raw_intune_devices = _frame(
    "raw_intune_devices", "devices as listed by Intune, cleaned; personal devices dropped", *_device_columns()
)
classified_devices = _frame(
    "classified_devices",
    "devices with their type, the rule that decided and whether they are eligible",
    *_device_columns(),
    _text("device_type", "laptop, tablet, mobile, desktop, unknown"),
    _text("rule", "id of the rule that decided the type"),
    _text("rule_reason", "why, in words"),
    Column("users_are_rooms", Boolean, comment="whether its user is a room, a desk or a wall and never an employee"),
    _text("skip_reason", "null for eligible devices"),
)
intune_device_details = _frame(
    "intune_device_details",
    "what single requests told of the eligible devices; the bypass code itself lies encrypted in device_details",
    _text("intune_device_id", "Intune's id of the device record"),
    Column("memory_gb", Integer, comment="GiB, Windows only"),
    Column("has_bypass_code", Boolean, comment="whether a bypass code is stored"),
    _text("freshness", "fetched now, kept, failed or not needed"),
)
employees_frame = _frame(
    "employees",
    "the users of eligible devices and the employee each stands for",
    _text("email", "the address that identifies the user"),
    _text("first_name", "the employee's, else as split from the display name; null when it cannot be split safely"),
    _text("last_name", "likewise"),
    Column("devices", Integer, comment="eligible devices of this user"),
    Column("employee_id", BigInteger, comment="matched employee, null when none"),
    _text("action", "matched, create, held or none"),
    Column("lookalike_id", BigInteger, comment="employee of the same name without a work e-mail"),
)
allwhere_assets = _frame(
    "allwhere_assets",
    "what the sync did for each device",
    _text("intune_device_id", "Intune's id of the device record"),
    _text("serial_number", "as shown"),
    Column("asset_id", BigInteger, comment="the asset, null for skipped devices"),
    _text("outcome", "synced, skipped or failed"),
    _text("reason", "skip reason or failure"),
    _text("action", "create, update, unchanged or held; null for skipped devices"),
)
FRAMES = {
    table.name: table
    for table in (raw_intune_devices, classified_devices, intune_device_details, employees_frame, allwhere_assets)
}
