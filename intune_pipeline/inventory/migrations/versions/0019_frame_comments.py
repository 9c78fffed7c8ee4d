"""Frames' columns say what they hold: comments only.

Revision ID: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"

_TABLES = {
    "employees": "plan: the users of eligible devices and the employee each stands for or becomes",
    "allwhere_assets": "report: what the sync did for each device",
}
_DEVICE = {
    "intune_device_id": "Intune's id of the device record; a device that is enrolled anew gets another one",
    "serial_number": "the maker's serial number, by which assets are found; may be a placeholder here",
    "operating_system": "Windows, macOS, iOS, iPadOS, Android …, in Intune's words",
    "os_version": "version of the operating system",
    "manufacturer": "the maker, in the device's own words",
    "model": "the model in the device's own words: a name, an order code or a machine type",
    "imei": "IMEI of phones and of tablets with mobile data",
    "device_name": "what its owner or a policy calls it",
    "management_agent": "how Intune manages it: mdm, configurationManagerClientMdm …",
    "management_state": "managed, or on the way out: retirePending, wipePending …",
    "user_id": "Entra's id of the user the list shows",
    "user_email": "that user's e-mail address",
    "user_principal_name": "that user's sign-in name",
    "user_display_name": "that user's name in one piece",
    "storage_bytes": "size of its storage in bytes; null when Intune says 0",
    "enrolled_at": "when it was enrolled",
    "last_contact_at": "when it last spoke with Intune",
}
_COLUMNS = {
    "raw_intune_devices": _DEVICE,
    "classified_devices": {
        **_DEVICE,
        "device_type": "laptop, tablet, mobile, desktop or unknown",
        "rule_reason": "the rule's reason, in words",
        "skip_reason": "why the device is left out; null for eligible devices",
    },
    "intune_device_details": {
        "intune_device_id": _DEVICE["intune_device_id"],
        "memory_gb": "memory in GiB; Graph tells it of Windows devices only",
        "freshness": "fetched now, kept from before, failed or not needed",
    },
    "employees": {
        "last_name": "the employee's, else as split; null likewise",
        "action": "what is planned: matched, create, held or none",
    },
    "allwhere_assets": {
        "intune_device_id": _DEVICE["intune_device_id"],
        "serial_number": _DEVICE["serial_number"],
    },
}


def upgrade() -> None:
    """Write the comments; no row is touched."""
    for table, comment in _TABLES.items():
        op.create_table_comment(table, comment, schema="pipeline")
    for table, columns in _COLUMNS.items():
        for column, comment in columns.items():
            op.alter_column(table, column, comment=comment, schema="pipeline")
