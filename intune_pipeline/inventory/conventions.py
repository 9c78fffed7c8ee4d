"""How a mail domain of an account writes its addresses, from what allwhere knows now.

Belongs here: gathering the evidence. Does not belong here: learning from it (``domain.people``).
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.people import learn
from intune_pipeline.domain.people.conventions import Convention, domain_of
from intune_pipeline.domain.serials import serial_key


def of_device(db: Connection, account: str, serial_number: str) -> tuple[str, Convention] | None:
    """The mail domain of a device's user with its convention, from the account's employees and the users of its last list.

    Args:
        db: a connection that sees the account.
        account: the account's slug.
        serial_number: the device's, in any spelling.

    Returns:
        None when Intune shows no user for the device.
    """
    user = db.scalar(_USER, {"account": account, "key": serial_key(serial_number)})
    if not user:
        return None
    domain = domain_of(user)
    given = {"account": account, "domain": f"@{domain}"}
    shown = {(row.user_display_name, row.email) for row in db.execute(_SHOWN, given)}
    named = [(row.first_name, row.last_name, row.email_key) for row in db.execute(_NAMED, given)]
    return domain, learn(shown, named).of(user)


_USER = sa.text("""
    select o.listed_user
    from device_outcomes o join connections c on c.id = o.connection_id join accounts a on a.id = c.account_id
    where a.slug = :account and o.serial_key = :key and o.listed_user like '%@%'
    order by (o.outcome = 'synced') desc, o.last_seen_at desc limit 1
""")
_SHOWN = sa.text("""
    select distinct user_display_name, lower(coalesce(user_email, user_principal_name)) as email
    from pipeline.classified_devices
    where partition_key = :account and skip_reason is null and user_display_name is not null
      and right(lower(coalesce(user_email, user_principal_name)), length(:domain)) = :domain
""")
_NAMED = sa.text("""
    select e.first_name, e.last_name, m.email_key
    from employees e join employee_emails m on m.employee_id = e.id join accounts a on a.id = e.account_id
    where a.slug = :account and right(m.email_key, length(:domain)) = :domain
    order by m.email_key
""")
