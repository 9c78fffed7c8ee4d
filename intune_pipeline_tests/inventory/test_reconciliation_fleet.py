"""What other connectors get wrong, measured on a fleet of 10,000 devices and 300 re-enrolment twins, in both list orders.

Every function in ``ROWS`` is a row of the comparison with other connectors.
"""

import functools
import random
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.reconciliation import Counts
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import Tenant, device, migrated_engine

PERSONAL, DESKTOPS, JUNK, TWINS, LAPTOPS = 680, 530, 100, 300, 8_690
JUNK_SERIALS = ("To be filled by O.E.M.", "0", "System Serial Number", "Default string", "00000000")
GIVEN = ("Anna", "Bob", "Cleo", "Dora", "Emil", "Fritz", "Greta", "Hugo", "Ines", "Jonas")
FAMILY = tuple(f"{a}{b}son" for a in ("And", "Ber", "Car", "Dan", "Eri", "Fre") for b in "aeiouy")
PEOPLE = [(given, family) for given in GIVEN for family in FAMILY]


def email(number: int) -> str:
    given, family = PEOPLE[number % len(PEOPLE)]
    return f"{given}.{family}@acme.example".lower()


@functools.cache
def fleet() -> tuple[ManagedDevice, ...]:
    made = [
        device(f"p{n}", managedDeviceOwnerType="personal", userDisplayName="Secret Person") for n in range(PERSONAL)
    ]
    made += [device(f"t{n}", model="OptiPlex 7010", user=email(n)) for n in range(DESKTOPS)]
    made += [device(f"j{n}", JUNK_SERIALS[n % len(JUNK_SERIALS)], email(n)) for n in range(JUNK)]
    made += [
        device(f"l{n}", f"LAP-{n:05}", email(n), osVersion="11.0", lastSyncDateTime="2026-03-01T00:00:00Z")
        for n in range(LAPTOPS)
    ]
    made += [
        device(f"w{n}", f"LAP-{n:05}", email(n + 1), osVersion="stale", lastSyncDateTime="2026-01-05T00:00:00Z")
        for n in range(TWINS)
    ]
    return tuple(made)


@dataclass
class Synced:
    """The fleet after its syncs."""

    tenant: Tenant
    fleet: list[ManagedDevice]
    foreseen: dict[str, dict[str, Any]]
    planned: Counts
    first: Counts
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    second: Counts
    written: list[list[dict[str, Any]]]


WRITES = """
    select 'assets' as name, count(*), sum(xmin::text::bigint) as versions from assets union all
    select 'employees', count(*), sum(xmin::text::bigint) from employees union all
    select 'employee_emails', count(*), sum(xmin::text::bigint) from employee_emails union all
    select 'asset_changes', count(*), sum(xmin::text::bigint) from asset_changes order by 1
"""


def synced_twice(engine: sa.Engine, listed: list[ManagedDevice]) -> Synced:
    """Sync the fleet, and the day after once more, in the other order."""
    tenant = Tenant.connected(engine, "large")
    curate(tenant)
    before = tenant.assets()
    made = tenant.plan(listed)
    foreseen = {change["serial_number"]: change for change in made.changes()}
    first = tenant.sync(listed)
    after, written = tenant.assets(), tenant.rows(WRITES)
    tenant.later(days=1)
    second = tenant.sync(reversed(listed))
    return Synced(tenant, listed, foreseen, made.counts, first, before, after, second, [written, tenant.rows(WRITES)])


def curate(tenant: Tenant) -> None:
    """4,650 assets that people entered, with statuses, holders, places and fields that Intune shows empty."""
    tenant.run("""
        insert into employees (account_id, first_name, last_name)
        select :account, 'Holder', 'Number ' || n from generate_series(1, 100) n
    """)
    tenant.run("""
        insert into assets (account_id, serial_number, status, condition, location, notes, name, asset_type, color, imei,
                            storage_type, display_size, assignee_id)
        select :account, 'lap-' || lpad(n::text, 5, '0'),
               (array['in_inventory', 'allocated', 'locked', 'retired', 'transferred', 'lost'])[1 + n % 6],
               'good', 'shelf ' || n, 'typed by hand', 'mine ' || n, 'spare laptop', 'silver', 'imei ' || n, 'SSD', '13.3',
               case when n % 3 = 0 then (select min(id) + n % 100 from employees where account_id = :account) end
        from generate_series(0, 4649) n
    """)


def every_device_is_accounted_for(synced: Synced) -> None:
    counts = synced.first
    assert counts.devices_listed == len(synced.fleet) == 10_300
    assert counts.devices_skipped == {
        "personal": PERSONAL, "desktop": DESKTOPS, "junk_serial": JUNK, "superseded": TWINS,
    }  # fmt: skip
    assert (counts.devices_synced, counts.devices_failed) == (LAPTOPS, 0)


def the_second_run_writes_nothing(synced: Synced) -> None:
    assert synced.written[0] == synced.written[1]
    assert (synced.second.assets_created, synced.second.assets_updated, synced.second.employees_created) == (0, 0, 0)
    assert synced.second.assets_unchanged == LAPTOPS


def no_personal_device_and_no_desktop_is_let_in(synced: Synced) -> None:
    serials = {asset["serial_number"] for asset in synced.after.values()}
    kept_out = {one.serial_number for one in synced.fleet if one.intune_device_id[0] in "pt"}
    assert not serials & kept_out
    assert not any(device_id.startswith("p") for device_id in synced.tenant.outcomes())
    assert synced.tenant.rows("select 1 from employees where first_name = 'Secret'") == []


def no_stale_twin_wins(synced: Synced) -> None:
    twins = [synced.after[find(synced, n)] for n in range(TWINS)]
    assert {(asset["os_version"], asset["intune_device_id"][0]) for asset in twins} == {("11.0", "l")}
    assert [asset["intune_device_id"] for asset in twins] == [f"l{n}" for n in range(TWINS)]


def no_filled_field_is_blanked_by_an_empty_value(synced: Synced) -> None:
    for serial, old in synced.before.items():
        for name in ("color", "imei", "storage_type"):
            assert synced.after[serial][name] == old[name]


def no_curated_field_is_overwritten(synced: Synced) -> None:
    curated = (
        "status",
        "assignee_id",
        "asset_type",
        "condition",
        "location",
        "notes",
        "name",
        "serial_number",
        "created_at",
    )
    for serial, old in synced.before.items():
        assert {name: synced.after[serial][name] for name in curated} == {name: old[name] for name in curated}


def the_preview_equals_the_result_row_for_row(synced: Synced) -> None:
    assert synced.planned == synced.first
    happened = {}
    ignored = {"id", "account_id", "serial_key", "sync_run_id", "created_at", "updated_at"}
    for serial, row in synced.after.items():
        old = synced.before.get(serial, dict.fromkeys(row))
        changed = {name: [old[name], row[name]] for name in row if name not in ignored and old[name] != row[name]}
        if changed:
            happened[serial] = changed
    addresses = synced.tenant.rows("select employee_id, email from employee_emails where account_id = :account")
    emails = {row["employee_id"]: row["email"] for row in addresses}
    assert happened.keys() == synced.foreseen.keys()
    for serial, changed in happened.items():
        if serial not in synced.before:
            changed["assignee_id"] = [None, emails[changed["assignee_id"][1]]]
        assert changed == synced.foreseen[serial]["fields"]
        assert synced.foreseen[serial]["action"] == ("update" if serial in synced.before else "create")


def no_junk_serial_becomes_an_asset(synced: Synced) -> None:
    junk = {serial.upper().replace(" ", "") for serial in JUNK_SERIALS}
    assert not any(asset["serial_key"] in junk for asset in synced.after.values())


def one_employee_per_person(synced: Synced) -> None:
    count = synced.tenant.rows("select count(*) from employee_emails where account_id = :account")[0]["count"]
    assert count == len(PEOPLE)
    assert synced.first.employees_created == len(PEOPLE)


def a_list_cut_to_2000_changes_no_lifecycle(synced: Synced) -> None:
    """The last row: the switch is turned on, and the list stays short for days."""
    tenant = synced.tenant
    # Everybody here has many devices, so nobody becomes an assignee.
    tenant.set(mdm_assignee_updates=True, enrolment_manager_devices=1)
    tenant.intune.present = {one.intune_device_id for one in synced.fleet}
    statuses = tenant.rows("select id, status from assets where account_id = :account order by id")
    for _ in range(2):
        tenant.later(days=1)
        counts = tenant.sync(synced.fleet[:2000])
        assert (counts.lifecycle_transitions, counts.lifecycle_held) == (0, 0)
    # Even if Graph said of each of them that it does not exist:
    tenant.intune.present = set()
    tenant.later(days=1)
    held = tenant.sync(synced.fleet[:2000])
    assert held.lifecycle_transitions == 0
    assert held.lifecycle_held > 1000
    assert tenant.rows("select id, status from assets where account_id = :account order by id") == statuses


def find(synced: Synced, number: int) -> str:
    """The serial of a laptop as its asset has it: people wrote theirs in lower case."""
    serial = f"LAP-{number:05}"
    return serial.lower() if serial.lower() in synced.after else serial


ROWS = (
    every_device_is_accounted_for,
    the_second_run_writes_nothing,
    no_personal_device_and_no_desktop_is_let_in,
    no_stale_twin_wins,
    no_filled_field_is_blanked_by_an_empty_value,
    no_curated_field_is_overwritten,
    the_preview_equals_the_result_row_for_row,
    no_junk_serial_becomes_an_asset,
    one_employee_per_person,
    a_list_cut_to_2000_changes_no_lifecycle,
)


@pytest.mark.parametrize("order", ["as listed", "reversed"])
def test_every_row_of_the_comparison(
    order: str,
    subtests: pytest.Subtests,
    migrated_databases: Databases,
) -> None:
    listed = list(fleet())
    random.Random(5).shuffle(listed)
    if order == "reversed":
        listed.reverse()
    with migrated_engine(migrated_databases) as engine:
        synced = synced_twice(engine, listed)
        for row in ROWS:
            with subtests.test(msg=row.__name__):
                row(synced)
