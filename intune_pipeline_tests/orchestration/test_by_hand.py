"""Assets materialized one by one, as an engineer does in the UI, and what is refused."""

import dagster as dg
import pytest

from intune_pipeline_tests.orchestration.conftest import World

CHAIN = ("raw_intune_devices", "classified_devices", "intune_device_details", "employees", "allwhere_assets")


def test_every_asset_can_be_materialized_alone_in_order(world: World) -> None:
    for asset in CHAIN:
        assert world.materialize(asset).status is dg.DagsterRunStatus.SUCCESS, asset
    assert world.query("select count(*) > 0 from assets") == [(True,)]
    assert world.query("select status, trigger, devices_listed > 0 from sync_runs") == [("succeeded", "operator", True)]


def test_an_asset_whose_inputs_were_never_made_says_which(world: World) -> None:
    world.materialize("classified_devices")
    [sentence] = world.failures()
    assert "raw_intune_devices" in sentence
    assert "first" in sentence


def test_a_single_asset_by_hand_is_no_sync(world: World) -> None:
    world.materialize("raw_intune_devices")
    assert world.query("select count(*) from sync_runs") == [(0,)]


def test_a_partition_nobody_is_connected_to_fails_in_one_sentence(world: World) -> None:
    world.execute("update connections set status = 'disconnected', disconnected_at = now()")
    assert world.sync() is None
    [sentence] = world.failures()
    assert sentence.startswith("acme was disconnected from Microsoft Intune on ")


def test_a_partition_added_by_hand_fails_in_one_sentence(world: World) -> None:
    world.account = type(world.account)(0, 0, "nobody", "")
    assert world.sync() is None
    [sentence] = world.failures()
    assert "nobody" in sentence


def test_inputs_of_another_tenant_are_refused(world: World) -> None:
    world.sync()
    world.execute("update connections set tenant_id = '00000000-1111-2222-3333-444444444444'")
    world.materialize("allwhere_assets")
    assert world.failures() == [
        "acme: classified_devices holds devices of another tenant than the connected one; materialize it again."
    ]


def test_inputs_older_than_a_day_are_refused(world: World) -> None:
    world.sync()
    world.execute("update pipeline.snapshots set listed_at = now() - interval '25 hours'")
    world.materialize("allwhere_assets")
    [sentence] = world.failures()
    assert "older than 24 hours" in sentence


def test_how_old_inputs_may_be_is_a_setting(world: World, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INTUNE_INPUT_MAX_AGE_HOURS", "48")
    world.sync()
    world.execute("update pipeline.snapshots set listed_at = now() - interval '25 hours'")
    assert world.materialize("allwhere_assets").status is dg.DagsterRunStatus.SUCCESS


def test_inputs_of_different_lists_are_refused(world: World) -> None:
    world.sync()
    world.materialize("raw_intune_devices", "classified_devices")
    world.materialize("allwhere_assets")
    assert world.failures() == [
        "acme: classified_devices and employees stem from different lists; materialize them again from the same one."
    ]
