"""``fleet``: reported on every tick, right however often single tenants sync, its numbers plotted."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from intune_pipeline.inventory.fleet import FleetLine, fleet
from intune_pipeline.orchestration.fleet import TROUBLED_ROWS, report
from intune_pipeline.orchestration.sensors import troubles
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.orchestration.conftest import World, tick

LATE_AFTER = timedelta(hours=26)


@pytest.fixture
def instance(instance_on_disk: dg.DagsterInstance) -> dg.DagsterInstance:
    """Dagster on a disk: the one in memory keeps no ticks."""
    return instance_on_disk


def reported(world: World) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
    """What a look of the sensor reports: the asset's metadata, and its check."""
    materialization, evaluation = tick(world, troubles).asset_events
    assert materialization.asset_key == evaluation.asset_key == dg.AssetKey("fleet")
    return {name: value.value for name, value in materialization.metadata.items()}, evaluation


def test_a_late_tenant_stays_late_while_another_one_syncs(world: World, connect_account: Any) -> None:
    late: ConnectedAccount = connect_account("globex")
    world.execute(
        "update connections set connected_at = now() - interval '30 hours' where id = :id", id=late.connection_id
    )
    for _ in range(3):
        synced = world.sync("manual")
        assert synced
        numbers, evaluation = reported(world)
        assert not evaluation.passed
        assert evaluation.description == "1 tenant is not synced for 26 hours: globex."
        assert (numbers["tenants"], numbers["tenants/connected"], numbers["late"]) == (2, 2, 1)
        assert (numbers["devices"], numbers["synced"]) == (synced.devices_listed, synced.devices_synced)
        assert numbers["tenants/error"] == 0
        assert "[globex](/assets/allwhere_assets?view=partitions&partition=globex)" in numbers["troubled"]
        assert "acme" not in numbers["troubled"]


def test_the_table_of_troubles_is_narrow_enough_to_be_seen_whole_and_comes_first(world: World) -> None:
    numbers, _ = reported(world)
    assert numbers["troubled"] == "No tenant is late or in trouble."
    assert next(iter(numbers)) == "troubled"
    world.tenant.conditional_access = True
    world.sync()
    world.execute("update connections set connected_at = now() - interval '30 hours', status = 'connected'")
    numbers, _ = reported(world)
    header, _, row = numbers["troubled"].splitlines()
    assert header == "| tenant | trouble | last run |"
    link = "[acme](/assets/allwhere_assets?view=partitions&partition=acme)"
    assert row == f"| {link} | late, never synced, conditional access | [run](/runs/{world.last.run_id}) |"


def test_assets_written_from_yesterdays_list_are_as_late_as_it(world: World) -> None:
    """Not the run's end counts but when its list was read."""
    world.materialize("raw_intune_devices", "classified_devices", "intune_device_details", "employees")
    world.execute("update pipeline.snapshots set listed_at = listed_at - interval '20 hours'")
    world.materialize("allwhere_assets")
    assert world.last.succeeded
    with world.engine.connect() as db:
        [line] = fleet(db, late_after=timedelta(hours=19))
    assert line.late
    assert line.age_hours == 20.0


def test_every_number_is_reported_every_time_so_that_it_plots(world: World) -> None:
    before, _ = reported(world)
    world.sync()
    after, evaluation = reported(world)
    assert evaluation.passed
    assert before.keys() == after.keys()
    assert {type(value) for name, value in after.items() if name != "troubled"} <= {int, float}
    assert after["seconds/median"] > 0
    assert after["graph/requests"] > 0


def test_a_long_table_is_cut_and_says_so() -> None:
    lines = [
        FleetLine(
            f"tenant-{number:03}", number, "connected", None, True, None, None, None, None, None, None, None, None, None, 0, 0,
            None, None, f"run-{number}",
        )
        for number in range(192)
    ]  # fmt: skip
    materialization, evaluation = report(lines, LATE_AFTER)
    assert isinstance(materialization, dg.AssetMaterialization)
    table = str(materialization.metadata["troubled"].value)
    assert table.count("/assets/allwhere_assets?") == TROUBLED_ROWS
    assert "142 more: intune-pipeline fleet --trouble" in table
    assert "[run](/runs/run-0)" in table
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert str(evaluation.description).startswith("192 tenants are not synced for 26 hours: tenant-000, ")


def test_the_check_can_be_run_by_hand(world: World) -> None:
    job = world.defs.resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(dg.AssetKey("fleet"), "every_tenant_synced_lately")
    result = job.get_subset(asset_check_selection={key}, asset_selection=set()).execute_in_process(
        instance=world.instance
    )
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.passed
