"""Undoing a run: every value it wrote goes back, unless somebody changed it since; and the next sync leaves it so."""

import pytest
import sqlalchemy as sa

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import kept_values, sync_runs
from intune_pipeline.inventory.undo import preview, undo
from intune_pipeline_tests.syncing import Tenant, counted, device

CURATED = ("assets", "employees", "employee_emails")


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


def curated(tenant: Tenant) -> dict[str, list[str]]:
    """Every curated row, but for the time of its last change and the secret an undo does not restore."""
    hidden = {"updated_at", "activation_lock_bypass_code"}
    return {
        name: sorted(
            repr({key: value for key, value in row.items() if key not in hidden})
            for row in tenant.rows(f"select * from {name} where account_id = :account")  # noqa: S608 - constants
        )
        for name in CURATED
    }


def last_run(tenant: Tenant) -> int:
    return tenant.rows("select max(id) as id from sync_runs where connection_id = :connection")[0]["id"]


def undone(tenant: Tenant, run_id: int | None = None):
    return undo(tenant.engine, run_id or last_run(tenant), actor="operator:test")


def fleet(version: str = "10.0.1"):
    return [device(f"d{n}", f"SN-{n}", f"{user(n)}@acme.example", osVersion=version) for n in range(120)]


def user(number: int) -> str:
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")
    return f"ann.berg{letters}"


def test_what_a_first_sync_created_goes_and_the_next_sync_does_not_create_it_again(tenant: Tenant) -> None:
    tenant.add_asset("SN-0", status="in_inventory", notes="typed")
    before = curated(tenant)
    tenant.sync(fleet())
    assert len(tenant.assets()) == 120
    run = last_run(tenant)
    planned = preview(tenant.engine, run)
    done = undone(tenant, run)
    assert (done.changes, done.employees, done.refused) == (planned.changes, planned.employees, planned.refused)
    assert curated(tenant) == before
    assert done.refused == []
    counts = tenant.sync(fleet())
    assert curated(tenant) == before
    assert counts.devices_skipped["undone"] == 119
    assert counts.values_kept > 0
    assert counts.assets_updated == 0


def test_what_intune_says_anew_is_written_again(tenant: Tenant) -> None:
    tenant.sync(fleet("10.0.1"))
    tenant.sync(fleet("10.0.2"))
    undone(tenant)
    assert tenant.asset("SN-1")["os_version"] == "10.0.1"
    assert counted(tenant.sync(fleet("10.0.2")))["values_kept"] == 120
    assert tenant.asset("SN-1")["os_version"] == "10.0.1"
    assert tenant.sync(fleet("10.0.3")).assets_updated == 120
    assert tenant.asset("SN-1")["os_version"] == "10.0.3"
    assert tenant.rows("select * from kept_values") == []


def test_what_a_person_changed_since_stays(tenant: Tenant) -> None:
    tenant.sync(fleet("10.0.1"))
    tenant.sync(fleet("10.0.2"))
    tenant.run("update assets set os_version = 'typed' where serial_number = 'SN-1'")
    tenant.run("update assets set os_version = 'typed' where serial_number = 'SN-2'")
    tenant.run("update assets set os_version = '10.0.2' where serial_number = 'SN-2'")
    done = undone(tenant)
    assert {(one.what, one.field, one.reason) for one in done.refused} == {
        ("SN-1", "os_version", "changed by a person since"),
        ("SN-2", "os_version", "changed by a person since"),
    }
    found = {serial: row["os_version"] for serial, row in tenant.assets().items()}
    assert (found["SN-1"], found["SN-2"], found["SN-3"]) == ("typed", "10.0.2", "10.0.1")


def test_created_assets_and_employees_that_somebody_uses_stay(tenant: Tenant) -> None:
    tenant.sync(fleet())
    run = last_run(tenant)
    holder = tenant.asset("SN-5")["assignee_id"]
    tenant.add_asset("OWN", status="allocated", assignee_id=holder)
    tenant.run("update assets set notes = 'scratched' where serial_number = 'SN-7'")
    done = undone(tenant, run)
    assert set(tenant.assets()) == {"OWN", "SN-7"}
    assert {one.what for one in done.refused} == {
        "SN-7",
        f"employee {holder}",
        f"employee {tenant.asset('SN-7')['assignee_id']}",
    }
    assert len(tenant.rows("select id from employees where account_id = :account")) == 2


def test_an_undo_can_be_undone(tenant: Tenant) -> None:
    tenant.add_asset("SN-0", status="in_inventory", notes="typed")
    tenant.sync(fleet())
    after_sync = curated(tenant)
    undone(tenant)
    undo_id = last_run(tenant)
    again = undone(tenant, undo_id)
    assert again.refused == []
    assert curated(tenant) == after_sync
    assert tenant.rows("select * from kept_values") == []
    assert counted(tenant.sync(fleet()))["assets_unchanged"] == 120
    assert curated(tenant) == after_sync


def test_an_undo_is_a_run_of_its_own_and_no_sync(tenant: Tenant) -> None:
    tenant.sync(fleet())
    good = last_run(tenant)
    undone(tenant)
    [run] = tenant.rows("select * from sync_runs where trigger = 'undo'")
    assert (run["status"], run["undoes_run_id"], run["started_by"]) == ("succeeded", good, "operator:test")
    assert (run["assets_removed"], run["employees_removed"], run["devices_listed"]) == (120, 120, 0)
    with tenant.engine.connect() as db:
        last = sync_runs.last_good(db, "acme")
    assert last is not None
    assert last.id == good


def test_an_interrupted_undo_is_whole_batches_and_goes_on(tenant: Tenant) -> None:
    class KilledError(BaseException):
        pass

    tenant.sync(fleet())
    run = last_run(tenant)
    left = [3]

    def kill() -> None:
        left[0] -= 1
        if not left[0]:
            raise KilledError

    with pytest.raises(KilledError):
        undo(tenant.engine, run, actor="operator:test", before_batch=kill)
    assert len(tenant.assets()) == 20
    assert tenant.rows("select status from sync_runs where trigger = 'undo'") == [{"status": "failed"}]
    undone(tenant, run)
    assert curated(tenant) == {"assets": [], "employees": [], "employee_emails": []}


def test_an_ended_device_gets_its_holder_back(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, lifecycle_max_share=1.0, lifecycle_max_devices=500)
    devices = fleet()
    tenant.sync(devices)
    before = tenant.asset("SN-0")
    for _ in range(3):
        tenant.later(hours=24)
        tenant.sync(devices[1:])
    ended = tenant.asset("SN-0")
    assert (ended["status"], ended["assignee_id"]) == ("transferred", None)
    ending_run = tenant.rows("select sync_run_id from asset_changes where field = 'status'")[0]["sync_run_id"]
    undone(tenant, ending_run)
    back = tenant.asset("SN-0")
    assert (back["status"], back["assignee_id"]) == ("allocated", before["assignee_id"])
    tenant.later(hours=24)
    tenant.sync(devices[1:])
    assert tenant.asset("SN-0") == back


def test_a_running_run_and_an_unknown_one_are_refused(tenant: Tenant) -> None:
    running = tenant.open_run()
    with pytest.raises(WrongUseError, match="still running"):
        undone(tenant, running)
    with pytest.raises(WrongUseError, match="There is no run 4711"):
        undone(tenant, 4711)


def test_a_locked_field_stays_until_it_is_unlocked(tenant: Tenant) -> None:
    tenant.sync(fleet("10.0.1"))
    with tenant.engine.begin() as db:
        assert kept_values.lock(db, "acme", "sn-3", "os_version", actor="portal:ann")
        assert not kept_values.lock(db, "acme", "SN-3", "os_version", actor="portal:ann")
    counts = tenant.sync(fleet("10.0.2"))
    assert (counts.assets_updated, counts.values_kept) == (119, 1)
    assert tenant.asset("SN-3")["os_version"] == "10.0.1"
    [kept] = tenant.rows("select kind, intune_value from kept_values")
    assert kept == {"kind": "locked", "intune_value": "10.0.2"}
    with tenant.engine.begin() as db:
        kept_values.unlock(db, "acme", "SN-3", "os_version", actor="portal:ann")
    assert tenant.sync(fleet("10.0.2")).assets_updated == 1
    actions = [row["action"] for row in tenant.rows("select action from audit_log order by id")]
    assert actions == ["lock", "unlock"]
    with tenant.engine.begin() as db, pytest.raises(WrongUseError, match="No sync writes"):
        kept_values.lock(db, "acme", "SN-3", "notes", actor="portal:ann")
