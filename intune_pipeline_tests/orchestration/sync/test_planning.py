"""``plan`` says what ``sync`` then does, and writes nothing."""

import pytest

from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.sync_runs import REPORTED, of_dagster_run, report
from intune_pipeline_tests.orchestration.conftest import World

TABLES = (
    "assets",
    "employees",
    "device_outcomes",
    "device_details",
    "sync_runs",
    "asset_changes",
    "pipeline.snapshots",
)


def rows(world: World) -> list[int]:
    return [world.query(f"select count(*) from {table}")[0][0] for table in TABLES]  # noqa: S608


def test_the_plan_equals_the_sync_that_follows(world: World) -> None:
    """Before the first sync, and after devices were changed, went and came back as personal ones."""
    for _ in range(2):
        before = rows(world)
        planned = world.planned()
        assert rows(world) == before
        world.sync()
        with world.engine.connect() as db:
            done = report(of_dagster_run(db, world.last.run_id))
        assert planned.pop("status") == "planned"
        changes = planned.pop("changes")
        assert planned.pop("look_alikes") == []
        assert planned.pop("shared_accounts") == []
        (convention,) = planned.pop("conventions").values()
        assert list(convention["forms"]) == ["first.last"]
        assert planned.pop("lifecycle_hold_reason") is None
        assert len([one for one in planned.pop("employees") if one["action"] == "create"]) == done["employees_created"]
        assert (planned.pop("skipped"), planned.pop("gone")) == (done["devices_skipped"], done["devices_gone"])
        assert planned == {name: done[name] for name in REPORTED if name != "status"}
        assert len(changes) == done["assets_created"] + done["assets_updated"]
        first, second, third = list(world.tenant.devices)[:3]
        world.tenant.update(first, model="Latitude 7440", manufacturer="Dell Inc.", operatingSystem="Windows")
        world.tenant.remove(second)
        world.tenant.update(third, managedDeviceOwnerType="personal")


def test_the_plan_names_who_would_be_there_twice(world: World) -> None:
    """An employee known by a personal e-mail only, whom Intune knows by the work e-mail."""
    world.tenant.add({
        **next(iter(world.tenant.devices.values())), "id": "look-alike", "serialNumber": "LOOK-ALIKE-1",
        "managedDeviceOwnerType": "company", "operatingSystem": "macOS", "manufacturer": "Apple", "model": "MacBook Pro",
        "emailAddress": "jane.roe@acme.example", "userPrincipalName": "jane.roe@acme.example",
        "userDisplayName": "Jane Roe",
    })  # fmt: skip
    with world.engine.begin() as db:
        employee_id = db.exec_driver_sql(
            "insert into employees (account_id, first_name, last_name) select id, 'Jane', 'Roe' from accounts returning id"
        ).scalar_one()
    (found,) = world.planned()["look_alikes"]
    assert found == {
        "email": "jane.roe@acme.example",
        "name": "Jane Roe",
        "looks_like_employee": employee_id,
        "action": "create",
        "grade": "probably",
        "reasons": ["the same name"],
    }


def test_a_planned_bypass_code_is_never_shown(world: World) -> None:
    for device_id in world.tenant.devices:
        world.tenant.update(device_id, activationLockBypassCode="CANARY-CODE")
    planned = str(world.planned())
    assert "activation_lock_bypass_code" in planned
    assert "CANARY" not in planned
    assert "gAAAA" not in planned


def test_a_tenant_that_says_no_cannot_be_planned(world: World) -> None:
    world.tenant.consented = False
    with pytest.raises(PipelineError, match="consent"):
        world.planned()
    assert world.query("select status from connections") == [("connected",)]
