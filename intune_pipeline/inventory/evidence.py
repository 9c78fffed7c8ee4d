"""What Intune's last list says about one device, field by field as a sync would write it.

Belongs here: reading the device from the last run's frame, and its user. Does not belong here: what a field's value is made
of (``domain.fields``) and what allwhere has (``history``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from intune_pipeline.domain.catalogue import Classification
from intune_pipeline.domain.devices import DEVICE_FIELDS, ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.fields import DeviceDetails, Value, intune_values
from intune_pipeline.domain.vocabulary import DeviceType


@dataclass(frozen=True, slots=True)
class IntuneSays:
    """One device as Intune last listed it.

    Attributes:
        listed_at: when that list was read.
        values: what it says about the asset's fields, as a sync would write it; what it leaves empty is not there.
        has_bypass_code: whether Intune gave an activation-lock bypass code.
        user_name: whom Intune shows as the user; None for nobody, and for devices that are not synced.
        user_email: their address, else their user principal name.
        enrolled_at: when the device was enrolled.
    """

    listed_at: datetime
    values: Mapping[str, Value]
    has_bypass_code: bool
    user_name: str | None
    user_email: str | None
    enrolled_at: datetime | None


def intune_says(db: Connection, account: str, intune_device_id: str) -> IntuneSays | None:
    """What the last list says; None where it does not hold the device, or was lost with the database.

    Args:
        db: a connection that sees the account.
        account: the account's slug.
        intune_device_id: of the device.
    """
    given = {"account": account, "intune_device_id": intune_device_id}
    row = db.execute(_LISTED, given).mappings().one_or_none()
    if row is None:
        return None
    return IntuneSays(
        listed_at=row["listed_at"],
        values=intune_values(_judged(row), DeviceDetails(memory_gb=row["memory_gb"])),
        has_bypass_code=row["has_bypass_code"],
        user_name=row["user_display_name"],
        user_email=row["user_email"] or row["user_principal_name"],
        enrolled_at=row["enrolled_at"],
    )


def _judged(row: RowMapping) -> JudgedDevice:
    verdict = Classification(DeviceType(row["device_type"]), row["rule"], row["rule_reason"])
    return JudgedDevice(ManagedDevice(**{name: row[name] for name in DEVICE_FIELDS}), verdict, row["skip_reason"])


_LISTED = sa.text(f"""
    select s.listed_at, d.device_type, d.rule, d.rule_reason, d.skip_reason, {", ".join(f"d.{name}" for name in DEVICE_FIELDS)},
           t.memory_gb, t.bypass_code is not null as has_bypass_code
    from pipeline.classified_devices d
    join pipeline.snapshots s on s.partition_key = d.partition_key and s.asset = 'classified_devices'
    left join (accounts a join connections c on c.account_id = a.id) on a.slug = d.partition_key
    left join device_details t on t.connection_id = c.id and t.intune_device_id = d.intune_device_id
    where d.partition_key = :account and d.intune_device_id = :intune_device_id
    limit 1
""")  # noqa: S608 - names of the schema
