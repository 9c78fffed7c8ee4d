"""Whole runs of ``intune_sync``: from Microsoft's list to allwhere's assets, and what people see of it."""

from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from intune_pipeline.inventory.database import create_engine
from intune_pipeline.inventory.sync_locks import locked
from intune_pipeline.orchestration import resources
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.orchestration.conftest import FLEET_SIZE, World

WRITTEN = ("assets", "employees", "employee_emails", "asset_changes")


def contents(world: World) -> dict[str, list[str]]:
    """Every row of the tables a sync writes assets and people to."""
    return {table: sorted(str(row) for row in world.query(f"select * from {table}")) for table in WRITTEN}  # noqa: S608


def test_a_run_syncs_a_tenant_and_its_numbers_add_up_everywhere(world: World) -> None:
    synced = world.sync()
    assert synced
    assert world.last.succeeded, world.last.error
    assert (synced.status, synced.trigger, synced.phase) == ("succeeded", "operator", "done")
    assert synced.devices_listed == FLEET_SIZE
    assert synced.devices_listed == synced.devices_synced + synced.devices_skipped + synced.devices_failed
    assert synced.devices_skipped == sum(synced.skipped_by_reason.values())
    assert synced.assets_created == synced.devices_synced > 0
    assert synced.devices_failed == 0
    assert synced.requests > 0
    shown = world.materialization("allwhere_assets")
    for name in ("devices_listed", "devices_synced", "devices_failed", "assets_created", "employees_created"):
        assert shown[name] == getattr(synced, name), name
    assert {f"skipped/{reason}": count for reason, count in synced.skipped_by_reason.items()}.items() <= shown.items()
    assert world.materialization("raw_intune_devices")["devices_listed"] == FLEET_SIZE


def test_a_second_run_writes_nothing(world: World) -> None:
    world.sync()
    before = contents(world)
    synced = world.sync()
    assert synced
    assert (synced.assets_created, synced.assets_updated, synced.employees_created) == (0, 0, 0)
    assert synced.assets_unchanged == synced.devices_synced
    assert contents(world) == before


def test_every_check_of_a_healthy_tenant_is_evaluated_and_none_blocks(world: World) -> None:
    world.sync()
    found = world.checks()
    assert set(found) == {
        "list_accounted_for", "list_complete", "list_not_shrunk", "counts_add_up", "one_device_per_serial",
        "few_unknown_models", "few_junk_serials", "no_lookalikes", "outcomes_add_up", "one_asset_per_serial",
        "no_device_failed", "no_plaintext_secrets",
    }  # fmt: skip
    assert all(found[name] for name in found if not name.startswith("few_"))


def test_checks_are_evaluated_by_tenant(world: World) -> None:
    """A tenant's history stays its own: another tenant's run changes nothing in it."""
    world.sync()
    records = world.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("classified_devices"), "few_unknown_models"), limit=5, partition_filter=None
    )
    assert [record.partition for record in records] == ["acme"]


def test_removed_consent_fails_the_run_in_one_sentence_and_the_connection_says_so(world: World) -> None:
    world.sync()
    before = contents(world)
    world.tenant.consented = False
    synced = world.sync("schedule")
    assert synced
    assert (synced.status, synced.cause) == ("failed", "consent_missing")
    [sentence] = world.failures()
    assert sentence == synced.error
    assert "consent" in sentence
    assert contents(world) == before
    assert world.query("select status, status_cause from connections") == [("needs_consent", "consent_missing")]
    run = world.instance.get_run_by_id(world.last.run_id)
    assert run
    assert run.tags["dagster/retry_on_asset_or_op_failure"] == "false"

    world.tenant.consented = True
    synced = world.sync()
    assert synced
    assert synced.status == "succeeded"
    assert world.query("select status, status_cause, status_message from connections") == [("connected", None, None)]


def test_a_list_that_breaks_off_syncs_nothing(world: World, sandbox: SandboxCloud) -> None:
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 1, "no_value"
    synced = world.sync()
    assert synced
    assert (synced.status, synced.cause) == ("failed", "list_incomplete")
    assert world.query("select count(*) from assets") == [(0,)]
    assert not world.instance.fetch_materializations(dg.AssetKey("raw_intune_devices"), limit=1).records


def test_a_shrunken_list_is_synced_with_a_warning(world: World) -> None:
    world.execute("update connections set lifecycle_max_devices = 5")
    world.sync()
    for device_id in list(world.tenant.devices)[:20]:
        world.tenant.remove(device_id)
    synced = world.sync()
    assert synced
    assert (synced.status, synced.devices_listed) == ("succeeded", FLEET_SIZE - 20)
    assert not world.checks()["list_not_shrunk"]


def test_a_capped_list_counts_as_incomplete(world: World) -> None:
    synced = world.sync(ops={"raw_intune_devices": {"config": {"max_devices": 10}}})
    assert synced
    assert (synced.status, synced.devices_listed, synced.list_complete) == ("succeeded", 10, False)
    assert not world.checks()["list_complete"]


@pytest.mark.parametrize("nonsense", [0, -5])
def test_a_senseless_cap_is_refused_with_a_sentence(world: World, nonsense: int) -> None:
    world.sync(ops={"raw_intune_devices": {"config": {"max_devices": nonsense}}})
    [sentence] = world.failures()
    assert sentence.startswith(f"max_devices is {nonsense}; it must be at least 1")


def test_a_dry_run_shows_the_plan_and_writes_nothing(world: World) -> None:
    dry = world.sync(ops={"allwhere_assets": {"config": {"dry_run": True}}})
    assert world.last.succeeded, world.last.error
    assert dry is None
    assert not any(contents(world).values())
    assert world.query("select count(*) from sync_runs") == [(0,)]
    assert not {"outcomes_add_up", "no_device_failed"} & set(world.checks())
    seen = world.instance.fetch_observations(dg.AssetKey("allwhere_assets"), limit=1).records[0].asset_observation
    assert seen
    synced = world.sync()
    assert synced
    assert seen.metadata["assets_created"].value == synced.assets_created
    assert "|" in str(seen.metadata["changes"].value)


def test_devices_that_become_personal_are_forgotten(world: World) -> None:
    world.sync()
    [(device_id, serial)] = world.query(
        "select intune_device_id, serial_number from device_outcomes where outcome = 'synced' limit 1"
    )
    world.tenant.update(device_id, managedDeviceOwnerType="personal")
    synced = world.sync()
    assert synced
    assert synced.status == "succeeded"
    for table in ("device_outcomes", "device_details", "pipeline.raw_intune_devices"):
        rows = world.query(f"select * from {table} where intune_device_id = :id", id=device_id)  # noqa: S608
        assert rows == [], table
    assert world.query("select count(*) from assets where serial_number = :serial", serial=serial) == [(1,)]


def test_one_devices_failure_fails_nothing_else(world: World) -> None:
    """A constraint of the customer's own refuses one device's asset."""
    serial = next(
        record["serialNumber"]
        for record in world.tenant.devices.values()
        if record["managedDeviceOwnerType"] == "company" and record["model"].startswith("iPhone")
    )
    with world.refusing("assets", f"serial_number = '{serial}'"):
        synced = world.sync()
    assert synced
    assert (synced.status, synced.devices_failed) == ("succeeded", 1)
    assert synced.devices_listed == synced.devices_synced + synced.devices_skipped + synced.devices_failed
    assert not world.checks()["no_device_failed"]


def test_switched_off_details_are_said_and_not_asked_for(
    world: World, environment: pytest.MonkeyPatch, sandbox: SandboxCloud
) -> None:
    environment.setenv("INTUNE_DETAILS", "off")
    world.reload()
    synced = world.sync()
    assert synced
    assert synced.requests == 1
    assert "INTUNE_DETAILS is off" in world.materialization("intune_device_details")["left_out"]


def test_without_keys_no_bypass_code_is_collected_and_that_is_said(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("BYPASS_CODE_KEYS")
    world.sync()
    assert "BYPASS_CODE_KEYS is not set" in world.materialization("intune_device_details")["left_out"]
    assert world.query("select count(*) from device_details where bypass_code is not null") == [(0,)]


def test_details_are_asked_for_once_a_week(world: World) -> None:
    first, second = world.sync(), world.sync()
    assert first
    assert second
    assert second.requests == 1
    world.execute("update device_details set refreshed_at = now() - interval '8 days'")
    third = world.sync()
    assert third
    assert third.requests == first.requests
    assert third.assets_updated == 0


def test_details_are_asked_for_while_the_list_is_still_being_read(world: World, sandbox: SandboxCloud) -> None:
    sandbox.faults.largest_page, sandbox.faults.slow_seconds, sandbox.faults.batch_seconds = 12, 0.2, 0.0
    sandbox.requests.clear()
    assert world.sync()
    asked = [one.path.rpartition("/")[2] for one in sandbox.requests]
    assert asked.index("$batch") < len(asked) - 1 - asked[::-1].index("managedDevices")
    fetched = world.materialization("intune_device_details")["details/fetched"]
    items = sum(one.items for one in sandbox.requests if one.path.endswith("$batch"))
    twins = world.query("select count(*) from device_outcomes where reason in ('superseded', 'serial_collision')")
    assert 0 < fetched <= items <= fetched + twins[0][0]


def test_a_run_that_is_refused_by_the_lock_says_who_holds_it(world: World) -> None:
    with locked(world.engine, world.account.connection_id):
        assert world.sync() is None
    assert "sync" in world.failures()[0].lower()
    assert world.query("select count(*) from sync_runs") == [(0,)]


def test_a_run_reaches_allwhere_through_one_engine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(url: str, name: str, **options: Any) -> sa.Engine:
        made.append(name)
        return create_engine(url, name, **options)

    monkeypatch.setattr(resources, "create_engine", counted)
    world.sync()
    assert made == [f"intune-pipeline {world.last.run_id}"]
