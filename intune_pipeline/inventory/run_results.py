"""What a sync left in the tables, read back for people to see.

Belongs here: a run's outcomes per device, and looking for codes that are not encrypted. Does not belong here: writing
assets and outcomes (``reconciliation``) and a serial's whole story (``history``).
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.inventory.schema import device_outcomes

_EXPOSED = sa.text(
    """
    select (select count(*) from assets
            where account_id = :account_id and activation_lock_bypass_code !~ '^(gAAAA|v1[.])')
         + (select count(*) from device_details d join connections c on c.id = d.connection_id
            where c.account_id = :account_id and d.bypass_code !~ '^(gAAAA|v1[.])')
         + (select count(*) from asset_changes h join assets a on a.id = h.asset_id
            where a.account_id = :account_id and h.field = 'activation_lock_bypass_code'
              and coalesce(h.old_value, h.new_value) is not null)
    """
)


def outcomes_of(db: Connection, connection_id: int, sync_run_id: int) -> Sequence[tuple[object, ...]]:
    """Id, serial number, asset, outcome and reason of every device of one run."""
    columns = ("intune_device_id", "serial_number", "asset_id", "outcome", "reason")
    query = sa.select(*(device_outcomes.c[name] for name in columns)).where(
        device_outcomes.c.connection_id == connection_id, device_outcomes.c.sync_run_id == sync_run_id
    )
    return [tuple(row) for row in db.execute(query)]


def exposed_codes(db: Connection, account_id: int) -> int:
    """How many bypass codes of an account lie somewhere without encryption; anything but 0 is an incident."""
    return int(db.scalar(_EXPOSED, {"account_id": account_id}) or 0)
