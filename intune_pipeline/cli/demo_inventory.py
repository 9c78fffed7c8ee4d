"""What the demo's customers had in allwhere before they connected Intune: employees, and assets with curated fields.

Belongs here: that invented inventory, derived from the sandbox's fleets so that some of it matches. Does not belong here:
the fleets themselves (``sandbox``).
"""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import AssetStatus, EmailKind, Ownership

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from intune_pipeline.inventory.accounts import Account
    from intune_pipeline.sandbox.tenants import SandboxTenant

ACCOUNT_NAMES = {"acme": "Acme Corporation", "globex": "Globex", "initech": "Initech"}
#: Every n-th user of Intune is an employee already, every n-th device an asset.
EMPLOYEE_EVERY = 3
ASSET_EVERY = 8
#: The account whose employees are known by personal e-mails only: the danger the portal warns of.
PERSONAL_EMAILS = "globex"
LOCATIONS = ("Berlin, 3rd floor", "London", "Remote", "New York, reception")
STATUSES = (AssetStatus.ALLOCATED, AssetStatus.IN_INVENTORY, AssetStatus.TRANSFERRED, AssetStatus.PROCESSING)


def seed(db: "Connection", account: "Account", tenant: "SandboxTenant") -> None:
    """Insert employees and assets of one new account."""
    records = [record for record in tenant.devices.values() if record["managedDeviceOwnerType"] == Ownership.COMPANY]
    _seed_employees(db, account, records)
    _seed_assets(db, account.id, records)


def _seed_employees(db: "Connection", account: "Account", records: list[dict[str, Any]]) -> None:
    from intune_pipeline.domain.devices import managed_device
    from intune_pipeline.domain.people import people_of

    everybody = dict.fromkeys(people_of(map(managed_device, records)).values())
    people = [(*person.name, person) for person in everybody if person.name][::EMPLOYEE_EVERY]
    personal = account.slug == PERSONAL_EMAILS
    db.execute(
        sa.text("""
            with person as (
                select * from unnest(cast(:first as text[]), cast(:last as text[]), cast(:email as text[]))
                    as p(first_name, last_name, email)
            ), created as (
                insert into employees (account_id, first_name, last_name)
                select :account_id, first_name, last_name from person
                returning id, first_name, last_name
            )
            insert into employee_emails (employee_id, account_id, email, kind)
            select distinct on (lower(person.email)) created.id, :account_id, person.email, :kind
            from created join person using (first_name, last_name)
        """),
        {
            "account_id": account.id,
            "first": [first_name for first_name, _, _ in people],
            "last": [last_name for _, last_name, _ in people],
            "email": [
                f"{person.email_key.partition('@')[0]}@mail.example" if personal else person.email
                for _, _, person in people
            ],
            "kind": EmailKind.PERSONAL if personal else EmailKind.WORK,
        },
    )


def _seed_assets(db: "Connection", account_id: int, records: list[dict[str, Any]]) -> None:
    from intune_pipeline.domain.serials import is_junk_serial, serial_key

    serials = {
        key: record["serialNumber"]
        for record in records
        if (key := serial_key(record["serialNumber"])) and not is_junk_serial(key)
    }
    chosen = list(serials.values())[::ASSET_EVERY]
    db.execute(
        sa.text("""
            insert into assets (account_id, serial_number, name, status, condition, location, notes)
            select :account_id, serial_number, 'AW-' || lpad(n::text, 4, '0'),
                   (cast(:statuses as text[]))[1 + n % :status_number], 'good',
                   (cast(:locations as text[]))[1 + n % :location_number], 'entered by hand'
            from unnest(cast(:serials as text[])) with ordinality as s(serial_number, n)
        """),
        {
            "account_id": account_id,
            "serials": chosen,
            "statuses": list(STATUSES),
            "status_number": len(STATUSES),
            "locations": list(LOCATIONS),
            "location_number": len(LOCATIONS),
        },
    )
