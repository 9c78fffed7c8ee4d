"""Odd input stops nothing: one strange device costs at most itself, and the numbers still add up."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from intune_pipeline.domain.devices import managed_device, text
from intune_pipeline.domain.vocabulary import Outcome, SkipReason
from intune_pipeline.inventory import details
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.graph import DeviceDetail
from intune_pipeline.orchestration.sync.device_details import answer_of
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.orchestration.conftest import KEY, World
from intune_pipeline_tests.syncing import Tenant

LISTED = "2026-03-01T09:00:00Z"
FIELDS = (
    "managedDeviceOwnerType", "serialNumber", "operatingSystem", "osVersion", "manufacturer", "model", "imei",
    "azureADDeviceId", "totalStorageSpaceInBytes", "deviceName", "managementAgent", "managementState",
    "enrolledDateTime", "lastSyncDateTime", "userId", "emailAddress", "userPrincipalName", "userDisplayName",
)  # fmt: skip
DETAIL_FIELDS = ("physicalMemoryInBytes", "activationLockBypassCode")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=40)
    | st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=300, max_size=900)
    | st.sampled_from(["\x00", "\ud83d", "a\x00b", "\u202e", "9" * 400, "1e400", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                       2**63 - 1, -(2**63), 2**64, 10**15, 10**15 + 1, 64 * 2**40, 1e308])
)  # fmt: skip
JSON_VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
ODD_FIELDS = st.dictionaries(st.sampled_from(FIELDS + DETAIL_FIELDS), JSON_VALUES, min_size=1, max_size=4)


def a_record(number: int, **odd: Any) -> dict[str, Any]:
    """A company's laptop, with whatever is odd about it."""
    return {
        "id": f"device-{number}",
        "managedDeviceOwnerType": "company",
        "serialNumber": f"5CG{number:04}QX",
        "operatingSystem": "Windows",
        "osVersion": "10.0.26100.1",
        "manufacturer": "Dell Inc.",
        "model": "Latitude 5440",
        "totalStorageSpaceInBytes": 256_000_000_000,
        "deviceName": f"PC-{number:04}",
        "lastSyncDateTime": LISTED,
        "enrolledDateTime": "2025-01-01T09:00:00Z",
        "emailAddress": f"jane.doe{number}@acme.example",
        "userPrincipalName": f"jane.doe{number}@acme.example",
        "userId": f"user-{number}",
        "userDisplayName": "Jane Doe",
        **odd,
    }


@pytest.fixture
def vault() -> Vault:
    return Vault([SecretStr(KEY)])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(odd=st.lists(ODD_FIELDS, min_size=1, max_size=12))
def test_no_json_value_in_any_field_fails_a_sync(engine: sa.Engine, vault: Vault, odd: list[dict[str, Any]]) -> None:
    """Whatever a record and a detail hold: every device has one outcome, the plan is the result, and twice is once."""
    records = [a_record(number, **fields) for number, fields in enumerate(odd)]
    tenant = Tenant.connected(engine, f"t{uuid.uuid4().hex[:12]}")
    serials = {record["id"]: text(record.get("serialNumber")) for record in records}
    answers = [answer_of((record["id"], DeviceDetail(record)), serials) for record in records]
    with engine.begin() as db:
        details.store(db, tenant.connection_id, answers, vault)
    devices = [managed_device(record, listed_at=tenant.now) for record in records]
    planned = tenant.plan(devices)
    done = tenant.sync(devices)
    assert done == planned.counts
    assert done.devices_failed == 0
    assert done.devices_listed == len(odd) == done.devices_synced + done.devices_skipped.total()
    for step in planned.steps:
        if step.outcome == Outcome.SYNCED:
            asset = tenant.asset(str(step.judged.device.serial_number))
            assert {
                c.field: asset[c.field] for c in step.changes if c.field in {"model", "make", "storage_gb", "memory_gb"}
            } == {c.field: c.new for c in step.changes if c.field in {"model", "make", "storage_gb", "memory_gb"}}
    again = tenant.sync(devices)
    assert (again.assets_created, again.assets_updated) == (0, 0)


HOSTILE: dict[str, list[Any]] = {
    "osVersion": ["0.0.0.0", "N/A", 5, ["10"], {"a": 1}, "\u0000", "x" * 100_000],  # noqa: S104
    "imei": ["0", "000000000000000", "NO_IMEI", 10**18, "Not available", True],
    "azureADDeviceId": ["00000000-0000-0000-0000-000000000000", 7, "\u0007", "g" * 5_000],
    "totalStorageSpaceInBytes": [2**63 - 1, -1, 1e300, "9223372036854775807", "many", [], True],
    "physicalMemoryInBytes": [2**63 - 1, -5, 1.5, "17179869184", "x", {}],
    "activationLockBypassCode": ["\u0000", 5, "c" * 20_000],
    "enrolledDateTime": ["9999-12-31T23:59:59Z", "soon", 5, None],
    "lastSyncDateTime": ["2199-01-01T00:00:00Z", "0001-01-01T00:00:00Z", False],
    "manufacturer": ["Dell Inc.\u0000", "Dell Inc. " + "\u5c71" * 900],
    "model": ["Latitude\u0000 5440", "Latitude 5440\u202e", "Latitude 5440 " + "\u5c71" * 900],
    "managementState": [5, "\u0001", "z" * 3_000],
    "userId": [17, ["a"], "u" * 10_000],
    "emailAddress": ["@", "\u0000@\u0000", 5, "a" * 9_000 + "@acme.example", {"address": "x"}],
    "userPrincipalName": ["no address", [], "\ufeff"],
    "userDisplayName": ["\u202eeoD enaJ", "\u0000", 5, "J " * 5_000, "<script>alert(1)</script>"],
}
UNREADABLE: list[Any] = [None, "", "  ", "\u0000", "Unknown", 1.5, [], "x" * 600]
FLEET = 1_000


def test_a_tenant_with_every_hostile_record_syncs_all_but_the_unreadable(
    world: World, unused_tenants: Any, connect_account: Callable[..., ConnectedAccount]
) -> None:
    odd = [{field: value} for field, values in HOSTILE.items() for value in values]
    hostile: SandboxTenant = next(unused_tenants)
    calm: SandboxTenant = next(unused_tenants)
    for number in range(FLEET):
        # Details are asked for Windows only, and Microsoft's limit of requests would be most of the time.
        kind = {} if number < len(odd) else {"operatingSystem": "Android", "manufacturer": "Google", "model": "Pixel 9"}
        calm.add(a_record(number, **kind))
        unreadable = UNREADABLE[number - len(odd)] if len(odd) <= number < len(odd) + len(UNREADABLE) else "device"
        record = a_record(number, **(odd[number] if number < len(odd) else kind))
        hostile.add(record if unreadable == "device" else {**record, "id": unreadable})

    def synced(slug: str, tenant: SandboxTenant) -> tuple[Any, float, dict[str, Any]]:
        connect_account(slug, tenant.tenant_id)
        planned = world.planned(slug)
        began = time.monotonic()
        world.account = ConnectedAccount(0, 0, slug, tenant.tenant_id)
        run = world.sync()
        assert world.last.succeeded, world.last.error
        return run, time.monotonic() - began, planned

    calm_run, calm_seconds, _ = synced("calm", calm)
    run, seconds, planned = synced("hostile", hostile)
    assert calm_run.devices_synced == FLEET
    assert (run.devices_listed, run.devices_synced) == (FLEET, FLEET - len(UNREADABLE))
    assert (run.devices_failed, run.devices_unreadable) == (len(UNREADABLE), len(UNREADABLE))
    assert run.skipped_by_reason == {}
    assert {
        name: planned[name] for name in ("devices_listed", "devices_synced", "devices_failed", "assets_created")
    } == {name: getattr(run, name) for name in ("devices_listed", "devices_synced", "devices_failed", "assets_created")}
    found = world.checks()
    assert not found["list_complete"]
    assert not found["no_device_failed"]
    assert all(
        found[name] for name in ("list_accounted_for", "counts_add_up", "outcomes_add_up", "one_asset_per_serial")
    )
    # Generous: other tests run beside this one.
    assert seconds < 2 * calm_seconds + 5


def test_two_machines_with_a_placeholder_nobody_knows_never_become_one_asset(world: World) -> None:
    for number, hours in ((1, 2), (2, 9)):
        contact = datetime.now(UTC) - timedelta(hours=hours)
        world.tenant.add(
            a_record(number, serialNumber="NEVERHEARDOF", lastSyncDateTime=f"{contact:%Y-%m-%dT%H:%M:%SZ}")
        )
    world.sync()
    outcomes = world.query("select outcome, reason from device_outcomes where serial_key = 'NEVERHEARDOF'")
    assert [tuple(row) for row in outcomes] == [(Outcome.SKIPPED, SkipReason.SERIAL_COLLISION)] * 2
    assert world.query("select 1 from assets where serial_key = 'NEVERHEARDOF'") == []


@pytest.mark.parametrize(
    ("field", "column", "good", "nothing"),
    [
        ("imei", "imei", "352913119876543", ["0", "000000000000000", "Not available", "Unavailable", "NO_IMEI"]),
        ("model", "model", "Latitude 5440", ["N/A", "-", "To be filled by O.E.M.", "System Product Name"]),
        ("manufacturer", "make", "Dell Inc.", ["N/A", "System manufacturer", "Not available"]),
        ("osVersion", "os_version", "10.0.26100.1", ["0.0.0.0", "N/A"]),  # noqa: S104
        ("totalStorageSpaceInBytes", "storage_gb", 256_000_000_000, [2**63 - 1, 0]),
    ],
)
def test_a_placeholder_overwrites_no_value(
    engine: sa.Engine, field: str, column: str, good: object, nothing: list[object]
) -> None:
    tenant = Tenant.connected(engine, "acme")
    tenant.sync([managed_device(a_record(1, operatingSystem="iOS", **{field: good}))])
    before = tenant.asset("5CG0001QX")
    assert before[column]
    for value in nothing:
        tenant.sync([managed_device(a_record(1, operatingSystem="iOS", **{field: value}))])
        assert tenant.asset("5CG0001QX") == before, value


def test_a_contact_from_the_future_does_not_win_a_serial(world: World) -> None:
    for device_id, version, at in (("old", "1.0", "2031-01-01T00:00:00Z"), ("new", "2.0", LISTED)):
        world.tenant.add(a_record(1, id=device_id, osVersion=version, lastSyncDateTime=at))
    world.sync()
    assert world.query("select os_version from assets where serial_key = '5CG0001QX'") == [("2.0",)]
