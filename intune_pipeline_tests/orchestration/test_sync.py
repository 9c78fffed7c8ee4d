"""Whole runs of ``intune_sync``: from Microsoft's list to allwhere's assets, and what people see of it."""

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
