"""A plan applied to a real database: what is written, and what is not."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.assignments import PrimaryUser
from intune_pipeline.domain.reconciliation import Counts, Plan
from intune_pipeline.inventory.reconciliation import RunClosedError, apply
from intune_pipeline.inventory.state import forget_devices, load_state
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.syncing import Tenant, counted, device


@pytest.fixture
def tenant(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> Tenant:
    account = connect_account()
    return Tenant(engine, account.connection_id, account.account_id)


WRITTEN = """
    select (select coalesce(sum(xmin::text::bigint), 0) from assets) as assets,
           (select coalesce(sum(xmin::text::bigint), 0) from employees) as employees,
           (select coalesce(sum(xmin::text::bigint), 0) from employee_emails) as emails,
           (select count(*) from asset_changes) as changes
"""


def test_a_new_device_becomes_an_allocated_asset_with_its_user_as_a_new_employee(tenant: Tenant) -> None:
    counts = tenant.sync([device("d1", "sn 1001", "jane.doe@acme.example")])

    asset = tenant.asset("sn 1001")
    assert (asset["status"], asset["asset_type"], asset["make"], asset["storage_gb"]) == (
        "allocated", "laptop", "Dell Inc.", 256,
    )  # fmt: skip
    employee = tenant.rows(
        "select e.*, m.email, m.kind from employees e join employee_emails m on m.employee_id = e.id"
    )
    assert [(e["first_name"], e["last_name"], e["email"], e["kind"]) for e in employee] == [
        ("Jane", "Doe", "jane.doe@acme.example", "work")
    ]
    assert asset["assignee_id"] == employee[0]["id"]
    assert tenant.history("sn 1001") == []
    assert counted(counts) == {
        "devices_listed": 1, "devices_synced": 1, "assets_created": 1, "employees_created": 1,
    }  # fmt: skip


def test_the_plan_says_what_the_sync_then_does(tenant: Tenant) -> None:
    tenant.add_asset("SN-d1", status="locked", os_version="9", notes="mine")
    fleet = [
        device("d1"),
        device("d2", user="jane.doe@acme.example"),
        device("d3", "0"),
        device("d4", operatingSystem="tvOS"),
    ]
    made = tenant.plan(fleet)

    assert tenant.sync(fleet) == made.counts
    changed = {change["serial_number"]: change for change in made.changes()}
    assert changed["SN-d1"]["fields"]["os_version"] == ["9", "10.0.26100.1"]
    assert changed["SN-d2"]["fields"]["assignee_id"] == [None, "jane.doe@acme.example"]
    for serial, change in changed.items():
        asset = tenant.asset(serial)
        for name, (_, new) in change["fields"].items():
            assert name == "assignee_id" or asset[name] == new


def test_an_unchanged_sync_writes_no_asset_employee_or_history(tenant: Tenant) -> None:
    fleet = [device(f"d{n}", user=f"jane.doe{n % 7}@acme.example") for n in range(120)]
    tenant.sync(fleet)
    before, outcomes = tenant.rows(WRITTEN), tenant.outcomes()

    tenant.later(days=1)
    counts = tenant.sync(reversed(fleet))

    assert tenant.rows(WRITTEN) == before
    assert counts.assets_unchanged == counts.devices_synced == 120
    assert all(row["last_synced_at"] > outcomes[key]["last_synced_at"] for key, row in tenant.outcomes().items())
    assert all(row["first_synced_at"] == outcomes[key]["first_synced_at"] for key, row in tenant.outcomes().items())


def test_assets_from_before_facts_were_known_are_filled_once_with_history(tenant: Tenant) -> None:
    """What the first sync after the upgrade does: values people entered are overridden by facts, never to their absence."""
    shown = {"manufacturer": "Apple", "operatingSystem": "macOS"}
    fleet = [device("d1", model="Mac15,3", **shown), device("d2", model="MacBook Pro", **shown)]
    tenant.sync(fleet)
    tenant.run("update assets set model_name = null, release_date = null, storage_type = null, display_size = '15'")
    tenant.run("delete from asset_changes")

    tenant.later(days=1)
    counts = tenant.sync(fleet)

    assert (counts.assets_updated, counts.assets_unchanged) == (2, 0)
    assert sorted(tenant.history("SN-d1")) == [
        ("display_size", "15", "14"),
        ("model_name", None, "MacBook Pro (14-inch, Nov 2023)"),
        ("release_date", None, "2023"),
        ("storage_type", None, "SSD"),
    ]
    assert tenant.history("SN-d2") == [("model_name", None, "MacBook Pro")]
    assert tenant.outcomes()["d1"]["model_name"] == "MacBook Pro (14-inch, Nov 2023)"
    before = tenant.rows(WRITTEN)
    tenant.later(days=1)
    assert tenant.sync(fleet).assets_unchanged == 2
    assert tenant.rows(WRITTEN) == before


def test_curated_fields_stay_and_owned_fields_follow_intune(tenant: Tenant) -> None:
    holder = tenant.add_employee("Ann", "Lee", "ann@acme.example")
    tenant.add_asset(
        "sn-D1", asset_type="spare", name="Ann's", status="in_inventory", condition="good", location="Oslo", notes="n",
        assignee_id=holder, color="silver", storage_type="SSD", make="Old", imei="1", memory_gb=16,
    )  # fmt: skip
    before = tenant.asset("sn-D1")

    counts = tenant.sync([device("d1", " SN-d1 ", "jane.doe@acme.example", imei="")])

    after = tenant.asset("sn-D1")
    kept = (
        "asset_type",
        "name",
        "status",
        "condition",
        "location",
        "notes",
        "assignee_id",
        "color",
        "storage_type",
        "imei",
    )
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["make"], after["model"], after["intune_device_id"]) == ("Dell Inc.", "Latitude 5440", "d1")
    assert after["updated_at"] > before["updated_at"]
    assert ("make", "Old", "Dell Inc.") in tenant.history("sn-D1")
    assert counts.employees_created == 0
    assert len(tenant.rows("select * from employees")) == 1


def test_one_employee_for_many_devices_of_a_person(tenant: Tenant) -> None:
    fleet = [device(f"d{n:03}", user="Jane.Doe@acme.example" if n % 2 else "jane.doe@ACME.example") for n in range(130)]
    assert tenant.sync(fleet).employees_created == 1
    assert {asset["assignee_id"] for asset in tenant.assets().values()} == {
        tenant.rows("select id from employees")[0]["id"]
    }


def test_an_employee_who_appears_while_the_sync_runs_is_found_not_doubled(tenant: Tenant) -> None:
    def somebody_enters_jane(_: Plan) -> None:
        tenant.add_employee("Janet", "Doe", "JANE.DOE@acme.example", kind="personal")

    fleet = [device("d1", user="jane.doe@acme.example"), device("d2", user="bo.ek@acme.example")]
    counts = tenant.sync(fleet, before_apply=somebody_enters_jane)
    jane, bo = tenant.rows("select * from employees order by first_name desc")
    assert (jane["first_name"], bo["first_name"]) == ("Janet", "Bo")
    assert tenant.asset("SN-d1")["assignee_id"] == jane["id"]
    assert tenant.asset("SN-d2")["assignee_id"] == bo["id"]
    assert counts.employees_created == 1


def test_an_asset_somebody_creates_or_edits_while_the_sync_runs_is_decided_again(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    tenant.add_asset("SN-d1", status="allocated")

    def people_are_quick(_: Plan) -> None:
        tenant.run("update assets set status = 'locked', os_version = 'typed' where serial_number = 'SN-d1'")
        tenant.add_asset("sn-d2", status="in_inventory", notes="mine")

    fleet = [device("d1", user="jane.doe@acme.example"), device("d2", user="jane.doe@acme.example")]
    counts = tenant.sync(fleet, before_apply=people_are_quick)

    assert (tenant.asset("SN-d1")["status"], tenant.asset("SN-d1")["assignee_id"]) == ("locked", None)
    assert ("os_version", "typed", "10.0.26100.1") in tenant.history("SN-d1")
    assert (tenant.asset("sn-d2")["status"], tenant.asset("sn-d2")["notes"]) == ("in_inventory", "mine")
    assert (counts.assets_created, counts.assets_updated, counts.employees_created) == (0, 2, 0)


def test_progress_is_written_with_every_batch_and_the_run_closed_with_the_last(tenant: Tenant) -> None:
    seen: list[tuple[int, str, int]] = []

    def look(counts: Counts) -> None:
        (run,) = tenant.rows("select * from sync_runs")
        seen.append((run["devices_reconciled"], run["status"], counts.devices_synced))

    tenant.sync([device(f"d{n}") for n in range(101)], before_batch=look)
    assert seen == [(0, "running", 0), (50, "running", 50), (100, "running", 100)]
    assert tenant.rows("select devices_reconciled, status from sync_runs") == [
        {"devices_reconciled": 101, "status": "succeeded"}
    ]


def test_devices_that_stay_as_they_are_fill_no_batch(tenant: Tenant) -> None:
    fleet = [device(f"d{n:03}") for n in range(120)]
    tenant.sync(fleet)
    seen: list[int] = []
    tenant.sync(
        [*fleet, *(device(f"e{n:03}") for n in range(60))],
        before_batch=lambda counts: seen.append(counts.devices_synced),
    )
    assert seen == [0, 170]


def test_a_run_that_was_closed_meanwhile_writes_no_further(tenant: Tenant) -> None:
    def somebody_closes_it(counts: Counts) -> None:
        if counts.devices_synced:
            tenant.run("update sync_runs set status = 'failed', finished_at = now()")

    with pytest.raises(RunClosedError):
        tenant.sync([device(f"d{n}") for n in range(101)], before_batch=somebody_closes_it)
    assert len(tenant.assets()) == 50


def test_an_empty_list_closes_its_run(tenant: Tenant) -> None:
    assert counted(tenant.sync([])) == {}
    assert tenant.rows("select status from sync_runs") == [{"status": "succeeded"}]


def test_skipped_devices_have_an_outcome_with_a_reason_and_personal_ones_have_none(tenant: Tenant) -> None:
    fleet = [
        device("d1", "SAME1", lastSyncDateTime="2026-03-01T00:00:00Z"),
        device("d2", "same1", lastSyncDateTime="2026-02-01T00:00:00Z"),
        device("d3", managedDeviceOwnerType="personal"),
        device("d4", managedDeviceOwnerType="unknown"),
        device("d5", "To be filled by O.E.M."),
    ]
    counts = tenant.sync(fleet)
    assert {key: (row["outcome"], row["reason"]) for key, row in tenant.outcomes().items()} == {
        "d1": ("synced", None),
        "d2": ("skipped", "superseded"),
        "d4": ("skipped", "ownership_unknown"),
        "d5": ("skipped", "junk_serial"),
    }
    assert counts.devices_listed == counts.devices_synced + counts.devices_failed + counts.devices_skipped.total()
    assert counts.devices_skipped["personal"] == 1


def test_a_collision_leaves_the_asset_and_shows_both_records(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    before = tenant.asset("SN-1")
    both = [device("d1", "SN-1", osVersion="11"), device("d2", "SN-1", manufacturer="LENOVO", model="20XWS00A00")]
    counts = tenant.sync(both)
    assert tenant.asset("SN-1") == before
    assert counts.devices_skipped == {"serial_collision": 2}
    assert {(row["manufacturer"], row["reason"]) for row in tenant.outcomes().values()} == {
        ("Dell Inc.", "serial_collision"), ("LENOVO", "serial_collision"),
    }  # fmt: skip


def test_a_device_that_became_personal_is_forgotten_and_its_asset_stays(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    tenant.sync([device("d1"), device("d2")])
    with tenant.engine.begin() as db:
        assert forget_devices(db, tenant.connection_id, ["d1", "never-seen"]) == 1
    for _ in range(3):
        tenant.later(days=1)
        tenant.sync([device("d2")])
    assert set(tenant.outcomes()) == {"d2"}
    assert tenant.asset("SN-d1")["status"] == "allocated"


def test_a_bypass_code_is_written_sealed_and_its_history_has_no_value(tenant: Tenant) -> None:
    tenant.sync([device("d1")])
    token = "gAAAAA-not-really-but-shaped-like-it"
    tenant.run(
        "insert into device_details (connection_id, intune_device_id, memory_gb, bypass_code) "
        "values (:connection, 'd1', 32, :token)",
        token=token,
    )
    made = tenant.plan([device("d1")])
    assert token not in repr(made.steps) + str(made.changes())
    assert made.changes()[0]["fields"] == {
        "memory_gb": [None, 32],
        "activation_lock_bypass_code": [None, "(sealed)"],
    }
    tenant.sync([device("d1")])
    assert tenant.asset("SN-d1")["activation_lock_bypass_code"] == token
    assert ("activation_lock_bypass_code", None, None) in tenant.history("SN-d1")
    assert tenant.sync([device("d1")]).assets_unchanged == 1


def test_an_assignee_changes_with_history_when_the_switch_is_on(tenant: Tenant) -> None:
    ann = tenant.add_employee("Ann", "Lee", "ann.lee@acme.example")
    tenant.add_asset("SN-d1", status="transferred", assignee_id=ann)
    fleet = [device("d1", user="jane.doe@acme.example")]
    assert tenant.sync(fleet).assignees_changed == 0

    tenant.set(mdm_assignee_updates=True)
    counts = tenant.sync(fleet)
    jane = tenant.rows("select employee_id from employee_emails where email = 'jane.doe@acme.example'")[0][
        "employee_id"
    ]
    assert (tenant.asset("SN-d1")["assignee_id"], tenant.asset("SN-d1")["status"]) == (jane, "allocated")
    assert (counts.assignees_changed, counts.employees_created) == (1, 1)
    assert ("assignee_id", str(ann), str(jane)) in tenant.history("SN-d1")
    assert ("status", "transferred", "allocated") in tenant.history("SN-d1")


def test_a_user_must_be_seen_in_consecutive_syncs_and_a_killed_run_counts_for_nothing(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, assignee_confirmations=2)
    tenant.add_asset("SN-d1", status="allocated")
    fleet = [device("d1", user="jane.doe@acme.example"), *(device(f"e{n}") for n in range(60))]

    class Killed(Exception):  # noqa: N818
        pass

    def kill(counts: Counts) -> None:
        if counts.devices_synced:
            raise Killed

    with pytest.raises(Killed):
        tenant.sync(fleet, before_batch=kill)
    assert tenant.sync(fleet).assignees_changed == 0
    assert tenant.sync(fleet).assignees_changed == 1
    assert tenant.outcomes()["d1"]["candidate_user"] is None


def test_another_primary_user_known_by_email_wins(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    bo = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    tenant.add_asset("SN-d1", status="allocated")
    tenant.intune.primary_users["d1"] = PrimaryUser("id-of-bo", "bo.ek@acme.example")
    tenant.sync([device("d1", user="jane.doe@acme.example")])
    assert tenant.asset("SN-d1")["assignee_id"] == bo


def test_what_is_applied_is_remembered_by_account_only(
    tenant: Tenant, connect_account: Callable[..., ConnectedAccount]
) -> None:
    other_account = connect_account("globex")
    other = Tenant(tenant.engine, other_account.connection_id, other_account.account_id)
    tenant.sync([device("d1", "SN-1", "jane.doe@acme.example")])
    other.sync([device("d1", "SN-1", "jane.doe@acme.example", osVersion="11")])
    assert tenant.asset("SN-1")["os_version"] != other.asset("SN-1")["os_version"]
    assert len(tenant.rows("select * from employees where account_id = :account")) == 1
    with tenant.engine.connect() as db, pytest.raises(LookupError):
        load_state(db, 0)


def test_the_last_transaction_holds_whatever_the_caller_writes_or_nothing(tenant: Tenant) -> None:
    made = tenant.plan([device(f"d{n}") for n in range(60)])
    run = tenant.open_run()

    class Refused(Exception):  # noqa: N818
        pass

    def refuse(db: sa.Connection, counts: Counts) -> None:
        raise Refused

    with pytest.raises(Refused):
        apply(tenant.engine, made, run, finish=refuse)
    assert len(tenant.assets()) == 50
