"""What waits for a person of an account, read from the tables of real syncs."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import NeedKind
from intune_pipeline.inventory import connections, needs
from intune_pipeline_tests.syncing import Tenant, device

LATE = timedelta(hours=26)


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


def waiting(tenant: Tenant, late_after: timedelta = LATE) -> dict[NeedKind, int]:
    with tenant.engine.connect() as db:
        return {need.kind: need.count for need in needs.of_account(db, "acme", late_after=late_after)}


def test_a_good_sync_of_known_devices_needs_nobody(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    assert waiting(tenant) == {}


def test_devices_that_only_people_can_settle_are_counted_as_of_the_last_good_sync(tenant: Tenant) -> None:
    tenant.sync(
        [
            device("d1", "SN-1", model="Frobnicator 9", manufacturer="Nobody Knows"),
            device("d2", "SN-2", model="Frobnicator 9", manufacturer="Nobody Knows"),
            device("d3", "SN-3", managedDeviceOwnerType="unknown"),
            device("d4", "SAME", manufacturer="Dell Inc."),
            device("d5", "SAME", manufacturer="Lenovo", model="20XWS00A00"),
        ]
    )
    assert waiting(tenant) == {
        NeedKind.UNKNOWN_MODELS: 2,
        NeedKind.OWNERSHIP_UNKNOWN: 1,
        NeedKind.SERIAL_COLLISION: 2,
    }
    tenant.sync([device("d9", "SN-9")])
    assert waiting(tenant) == {}


def test_a_broken_connection_and_one_account_never_shows_another(tenant: Tenant) -> None:
    other = Tenant.connected(tenant.engine, "globex")
    other.sync([device("d1", "SN-1", managedDeviceOwnerType="unknown")])
    with tenant.engine.begin() as db:
        connections.set_status(db, tenant.connection_id, "needs_consent", "consent_missing", "Consent was removed.")
    assert waiting(tenant) == {NeedKind.CONNECTION_BROKEN: 1}
    with tenant.engine.connect() as db:
        found = needs.every(db, late_after=LATE)
    assert {account: [need.kind for need in listed] for account, listed in found.items()} == {
        "acme": [NeedKind.CONNECTION_BROKEN],
        "globex": [NeedKind.OWNERSHIP_UNKNOWN],
    }


def test_a_fleet_that_melts_away_is_told(tenant: Tenant) -> None:
    for day in range(30, 0, -1):
        tenant.run(
            """
            insert into sync_runs (connection_id, trigger, status, started_at, finished_at, list_complete, devices_listed,
                                   devices_synced)
            values (:connection, 'schedule', 'succeeded', now() - :day * interval '1 day', now() - :day * interval '1 day',
                    true, :devices, :devices)
            """,
            day=day,
            devices=1000 if day > 6 else round(1000 * 0.98 ** (7 - day)),
        )
    assert waiting(tenant, timedelta(days=9)) == {NeedKind.DRIFT: 1}
