"""A sync through answers as no honest server gives them: one strange device costs itself, a page that cannot be read the sync."""

import pytest

from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.spoiling import Hostility
from intune_pipeline_tests.orchestration.conftest import FLEET_SIZE, World


@pytest.mark.parametrize("how", ["half_emoji", "stray_byte", "not_a_number"])
def test_what_a_lenient_reader_reads_is_synced_like_a_calm_list(
    world: World, sandbox: SandboxCloud, how: Hostility
) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 1, how
    sandbox.faults.spoilt_devices = dict.fromkeys(list(world.tenant.devices)[:3], how)
    synced = world.sync()
    assert synced
    assert (synced.status, synced.devices_listed, synced.devices_failed) == ("succeeded", FLEET_SIZE, 0)
    assert world.query("select count(*) from device_details where failure is not null") == [(0,)]


def test_a_detail_that_cannot_be_read_costs_no_other_devices_detail(world: World, sandbox: SandboxCloud) -> None:
    world.sync()
    [(device_id,)] = world.query("select intune_device_id from device_details order by 1 limit 1")
    world.execute("update device_details set refreshed_at = now() - interval '8 days'")
    sandbox.faults.spoilt_devices = {device_id: "nested"}
    synced = world.sync()
    assert synced
    assert (synced.status, synced.devices_failed) == ("succeeded", 0)
    assert world.query("select intune_device_id from device_details where failure is not null") == [(device_id,)]


@pytest.mark.parametrize("how", ["endless", "nested", "bomb"])
def test_a_list_that_cannot_be_read_to_its_end_writes_nothing_and_says_why(
    world: World, sandbox: SandboxCloud, how: Hostility
) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 1, how
    synced = world.sync()
    assert synced
    assert (synced.status, synced.cause) == ("failed", Cause.LIST_INCOMPLETE.value)
    [sentence] = world.failures()
    assert sentence == synced.error
    assert world.query("select count(*) from assets") == [(0,)]


def test_a_tenant_with_more_devices_than_allowed_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTUNE_MAX_DEVICES", str(FLEET_SIZE - 1))
    world.reload()
    synced = world.sync()
    assert synced
    assert (synced.status, synced.cause) == ("failed", Cause.TOO_MANY_DEVICES.value)
    monkeypatch.setenv("INTUNE_MAX_DEVICES", str(FLEET_SIZE))
    world.reload()
    synced = world.sync()
    assert synced
    assert synced.status == "succeeded"
