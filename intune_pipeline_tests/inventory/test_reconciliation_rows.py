"""What stands in the tables after a plan was applied: whole rows, so that no column is left to chance."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.assignments import PrimaryUser
from intune_pipeline.domain.reconciliation import Counts, Plan
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory import holds, kept_values
from intune_pipeline.inventory.reconciliation import apply
from intune_pipeline_tests.syncing import Tenant, device

JANE = "jane.doe@acme.example"
CLOCK = {"created_at", "updated_at", "changed_at", "first_seen_at", "decided_at"}


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


def of(rows: list[dict[str, Any]], *left_out: str) -> list[dict[str, Any]]:
    """The rows without ids and the database's own clock."""
    return [{name: value for name, value in row.items() if name not in {"id", *CLOCK, *left_out}} for row in rows]


def test_an_outcome_tells_all_that_is_known_of_the_device(tenant: Tenant) -> None:
    """Among devices that stay as they are, one that is new: each stands for its own asset."""
    macbook = {"operatingSystem": "macOS", "manufacturer": "Apple", "model": "Mac15,3"}
    kept = [device("d1", "SN-1"), device("d2", "SN-2", JANE, **macbook), device("d3", "0")]
    tenant.sync(kept)
    tenant.later(days=1)
    tenant.sync([*kept, device("d4", "SN-4")])

    outcomes = tenant.outcomes()
    assert {key: row["asset_id"] for key, row in outcomes.items()} == {
        "d1": tenant.asset("SN-1")["id"],
        "d2": tenant.asset("SN-2")["id"],
        "d3": None,
        "d4": tenant.asset("SN-4")["id"],
    }
    [known] = of([outcomes["d2"]], "asset_id", "first_synced_at", "last_synced_at")
    assert known == {
        "connection_id": tenant.connection_id,
        "intune_device_id": "d2",
        "serial_number": "SN-2",
        "serial_key": tenant.asset("SN-2")["serial_key"],
        "outcome": "synced",
        "reason": None,
        "device_type": "laptop",
        "rule": "apple:laptop-identifier",
        "rule_reason": "this Mac identifier is a MacBook",
        "manufacturer": "Apple",
        "model": "Mac15,3",
        "model_name": "MacBook Pro (14-inch, Nov 2023)",
        "operating_system": "macOS",
        "device_name": "PC-d2",
        "last_contact_at": datetime(2026, 3, 1, 9, tzinfo=UTC),
        "sync_run_id": 2,
        "last_seen_at": tenant.now,
        "absent_lists": 0,
        "absent_since": None,
        "listed_user": JANE,
        "listed_user_since": datetime(2026, 3, 2, 4, tzinfo=UTC),
        "candidate_user": None,
        "candidate_syncs": 0,
        "ended_at": None,
    }


def test_the_name_people_read_is_that_of_the_makers_model_with_this_system(tenant: Tenant) -> None:
    galaxy = {"manufacturer": "samsung", "model": "SM-S911B"}
    tenant.sync(
        [
            device("d1", operatingSystem="Android", **galaxy),
            device("d2", operatingSystem="Windows", **galaxy),
            device("d3", operatingSystem="Android", manufacturer="", model="SM-S911B"),
            device("d4", operatingSystem="", **galaxy),
            device("d5", operatingSystem="", manufacturer="", model=""),
        ]
    )
    assert {key: row["model_name"] for key, row in tenant.outcomes().items()} == {
        "d1": "Galaxy S23",
        "d2": "SM-S911B",
        "d3": "SM-S911B",
        "d4": "Galaxy S23",
        "d5": None,
    }


def test_a_failed_device_is_noted_with_its_run(tenant: Tenant) -> None:
    made = tenant.plan([device("d1"), device("d2")])
    tenant.run("alter table assets add constraint refused check (serial_number <> 'SN-d2')")
    run = tenant.open_run()
    apply(tenant.engine, made, run)
    tenant.run("alter table assets drop constraint refused")
    assert tenant.rows("select sync_run_id, intune_device_id, serial_number, reason from failed_devices") == [
        {
            "sync_run_id": run,
            "intune_device_id": "d2",
            "serial_number": "SN-d2",
            "reason": "The database refused the device's values (CheckViolation); the next sync tries again.",
        }
    ]


def test_history_tells_field_old_value_new_value_run_and_why(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    ann = tenant.add_employee("Ann", "Lee", "ann.lee@acme.example")
    bo = tenant.add_employee("Bo", "Ek", "bo.ek@acme.example")
    asset = tenant.add_asset("SN-1", status="transferred", assignee_id=ann, storage_gb=128)
    other = tenant.add_asset("SN-2", status="locked", notes="mine", os_version="9")
    tenant.run("delete from asset_changes")
    tenant.sync([device("d1", "SN-1", "bo.ek@acme.example"), device("d2", "SN-2")])

    rows = tenant.rows("select * from asset_changes where field = any(:fields) order by asset_id, field",
                       fields=["assignee_id", "status", "storage_gb", "os_version"])  # fmt: skip
    shared = {"sync_run_id": 1, "actor": None}
    told = [{name: row[name] for name in ("asset_id", "field", "old_value", "new_value", "reason")} for row in rows]
    assert all(row.items() >= shared.items() for row in rows)
    reason = told[0]["reason"]
    assert "bo.ek@acme.example" not in reason
    assert told == [
        {
            "asset_id": asset,
            "field": "assignee_id",
            "old_value": str(ann),
            "new_value": str(bo),
            "reason": reason,
        },
        {"asset_id": asset, "field": "os_version", "old_value": None, "new_value": "10.0.26100.1", "reason": None},
        {
            "asset_id": asset,
            "field": "status",
            "old_value": "transferred",
            "new_value": "allocated",
            "reason": "a transferred asset got an assignee",
        },
        {"asset_id": asset, "field": "storage_gb", "old_value": "128", "new_value": "256", "reason": None},
        {"asset_id": other, "field": "os_version", "old_value": "9", "new_value": "10.0.26100.1", "reason": None},
        {"asset_id": other, "field": "storage_gb", "old_value": None, "new_value": "256", "reason": None},
    ]
    assert (tenant.asset("SN-2")["status"], tenant.asset("SN-2")["notes"]) == ("locked", "mine")


def test_held_people_are_written_down_with_all_that_a_decision_needs(tenant: Tenant) -> None:
    tenant.set(hold_lookalike_employees=True)
    lookalike = tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    counts = tenant.sync(
        [
            device("d1", user=JANE),
            device("d2", user="reception@acme.example", userDisplayName="Reception Desk"),
            device("d3", user="kiosk@acme.example", userDisplayName="Kiosk"),
        ]
    )

    assert counts.lookalikes_held == 3
    held = of(tenant.rows("select * from employee_holds order by email"), "email_key")
    undecided = {
        "decision": "waiting",
        "decided_by": None,
        "decision_id": None,
        "adds_address": False,
    }
    assert held == [
        {
            "connection_id": tenant.connection_id,
            "email": JANE,
            "first_name": "Jane",
            "last_name": "Doe",
            "display_name": "Jane Doe",
            "lookalike_id": lookalike,
            "kind": "lookalike",
            "reason": "the same name, the employee's address fits the name",
            "grade": "probably",
            **undecided,
        },
        {
            "connection_id": tenant.connection_id,
            "email": "kiosk@acme.example",
            "first_name": None,
            "last_name": None,
            "display_name": "Kiosk",
            "lookalike_id": None,
            "kind": "shared",
            "reason": "looks like a shared account: “Kiosk” is a word for a shared device",
            "grade": None,
            **undecided,
        },
        {
            "connection_id": tenant.connection_id,
            "email": "reception@acme.example",
            "first_name": "Reception",
            "last_name": "Desk",
            "display_name": "Reception Desk",
            "lookalike_id": None,
            "kind": "shared",
            "reason": "looks like a shared account: “Reception” is a word for a desk or a reception",
            "grade": None,
            **undecided,
        },
    ]
    waiting = """select h.email, a.serial_number from held_assignments w
                 join employee_holds h on h.id = w.employee_hold_id join assets a on a.id = w.asset_id order by 1"""
    assert [(row["email"], row["serial_number"]) for row in tenant.rows(waiting)] == [
        (JANE, "SN-d1"),
        ("kiosk@acme.example", "SN-d3"),
        ("reception@acme.example", "SN-d2"),
    ]


def test_a_new_asset_waits_until_somebody_decides_whatever_is_synced_meanwhile(tenant: Tenant) -> None:
    tenant.set(hold_lookalike_employees=True)
    tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    tenant.sync([device("d1", user=JANE)])
    for version in ("11", "12"):
        tenant.sync([device("d1", user=JANE, osVersion=version)])
    assert tenant.rows("select asset_id from held_assignments") == [{"asset_id": tenant.asset("SN-d1")["id"]}]


def test_only_new_assets_wait_for_a_held_person(tenant: Tenant) -> None:
    tenant.set(hold_lookalike_employees=True, mdm_assignee_updates=True)
    tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    tenant.add_asset("SN-d1", status="allocated")
    tenant.sync([device("d1", user=JANE)])
    assert [row["email"] for row in tenant.rows("select email from employee_holds")] == [JANE]
    assert tenant.rows("select * from held_assignments") == []


def kept(tenant: Tenant) -> dict[str, str | None]:
    return {row["field"]: row["intune_value"] for row in tenant.rows("select field, intune_value from kept_values")}


def test_what_intune_says_beside_a_locked_value_is_kept_for_people_but_no_secret(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    ann = tenant.add_employee("Ann", "Lee", "ann.lee@acme.example")
    tenant.add_asset("SN-d1", status="allocated", assignee_id=ann)
    tenant.sync([device("d1")])
    with tenant.engine.begin() as db:
        for field in ("os_version", "imei", "assignee_id", "activation_lock_bypass_code"):
            kept_values.lock(db, "acme", "SN-d1", field, actor="ann")
    tenant.run(
        "insert into device_details (connection_id, intune_device_id, bypass_code) values (:connection, 'd1', 'gAAAA-x')"
    )
    before = tenant.asset("SN-d1")

    counts = tenant.sync([device("d1", user=JANE, osVersion="11", imei="356938035643809")])
    assert counts.values_kept == 4
    assert kept(tenant) == {
        "os_version": "11", "imei": "356938035643809", "assignee_id": JANE, "activation_lock_bypass_code": None,
    }  # fmt: skip
    assert tenant.asset("SN-d1") == before

    seen = tenant.rows("select xmin::text from kept_values order by id")
    tenant.sync([device("d1", user=JANE, osVersion="11", imei="356938035643809")])
    assert tenant.rows("select xmin::text from kept_values order by id") == seen, "what is no news is not written"


def test_what_was_undone_is_kept_no_longer_once_intune_says_something_else(tenant: Tenant) -> None:
    tenant.sync([device("d1"), device("d2")])
    tenant.run("""
        insert into kept_values (account_id, serial_key, field, kind, evidence, set_by)
        select account_id, serial_key, 'os_version', 'undone', '11', 'ann' from assets
    """)
    tenant.sync([device("d1", osVersion="11"), device("d2", osVersion="12")])
    assert {serial: asset["os_version"] for serial, asset in tenant.assets().items()} == {
        "SN-d1": "10.0.26100.1",
        "SN-d2": "12",
    }
    left = tenant.rows("select serial_key, field, intune_value from kept_values")
    assert left == [{"serial_key": tenant.asset("SN-d1")["serial_key"], "field": "os_version", "intune_value": "11"}]


def test_a_user_seen_instead_of_the_assignee_is_remembered_until_it_is_confirmed_or_the_device_is_gone(
    tenant: Tenant,
) -> None:
    tenant.set(mdm_assignee_updates=True, assignee_confirmations=3)
    for number in (1, 2):
        tenant.add_asset(f"SN-d{number}", status="allocated")

    def candidates() -> dict[str, tuple[str | None, int]]:
        return {key: (row["candidate_user"], row["candidate_syncs"]) for key, row in tenant.outcomes().items()}

    tenant.sync([device("d1", user=JANE), device("d2", user=JANE), device("d3", user=JANE)])
    assert candidates() == {"d1": (JANE, 1), "d2": (JANE, 1), "d3": (None, 0)}
    tenant.sync([device("d1", user=JANE), device("d3", user=JANE)])
    assert candidates() == {"d1": (JANE, 2), "d2": (None, 0), "d3": (None, 0)}
    tenant.sync([device("d1", user="bo.ek@acme.example")], complete=False)
    assert candidates() == {"d1": ("bo.ek@acme.example", 1), "d2": (None, 0), "d3": (None, 0)}
    tenant.sync([device("d1")])
    assert candidates()["d1"] == (None, 0)


def test_absences_are_remembered_with_the_first_list_that_lacked_the_device(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, absent_lists=9)
    tenant.sync([device("d1"), device("d2"), device("d3")])
    tenant.later(days=1)
    first = tenant.now
    tenant.sync([device("d1"), device("d3")])
    tenant.later(days=1)
    tenant.sync([device("d1")])
    absent = {key: (row["absent_lists"], row["absent_since"]) for key, row in tenant.outcomes().items()}
    assert absent == {"d1": (0, None), "d2": (2, first), "d3": (1, tenant.now)}


def test_every_record_of_a_serial_that_ends_is_noted_as_ended(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, lifecycle_max_share=1)
    tenant.sync([device("d1", "SN-1"), device("d3", "SN-3")])
    tenant.sync([device("d2", "SN-1"), device("d3", "SN-3")])
    for _ in range(3):
        tenant.later(days=1)
        tenant.sync([device("d3", "SN-3")])
    ended = {key: row["ended_at"] is not None for key, row in tenant.outcomes().items()}
    assert ended == {"d1": True, "d2": True, "d3": False}


def test_the_run_shows_what_was_counted_while_it_goes_on(tenant: Tenant) -> None:
    tenant.set(hold_lookalike_employees=True)
    tenant.add_employee("Jane", "Doe", "jane@home.example", kind="personal")
    tenant.add_asset("SN-d1", status="locked")
    fleet = [
        device("d1"),
        device("d2", user="bo.ek@acme.example"),
        device("d6", user="ann.lee@acme.example"),
        device("d3", user=JANE),
        device("d4", "0"),
        device("d5", managedDeviceOwnerType="personal"),
    ]
    made = tenant.plan(fleet)
    run = tenant.open_run()
    tenant.run("update sync_runs set progress_at = '2020-01-01'")
    done = apply(tenant.engine, made, run)

    assert done == made.counts
    [row] = tenant.rows("select * from sync_runs")
    counted = {name: value for name, value in row.items() if isinstance(value, int | dict) and value and name != "id"}
    assert counted == {
        "connection_id": tenant.connection_id,
        "devices_listed": 6,
        "devices_synced": 4,
        "devices_skipped": 2,
        "skipped_by_reason": {"junk_serial": 1, "personal": 1},
        "devices_reconciled": 6,
        "assets_created": 3,
        "assets_updated": 1,
        "employees_created": 2,
        "lookalikes_held": 1,
    }
    assert (row["status"], row["phase"]) == ("running", "reconciling")
    assert row["progress_at"].year > 2020


# -- lifecycle ends that wait ----------------------------------------------------------------------------------------

FLEET = [device(f"d{n}") for n in range(8)]


@pytest.fixture
def shrunk(tenant: Tenant) -> Tenant:
    """A tenant of whose eight devices five left at once; their ends wait."""
    tenant.set(mdm_assignee_updates=True)
    tenant.sync(FLEET)
    for _ in range(2):
        tenant.later(days=1)
        tenant.sync(FLEET[5:])
    return tenant


def lifecycle_holds(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.rows("select sync_run_id, intune_device_ids, reason, decision from lifecycle_holds order by id")


def test_a_hold_of_ends_tells_which_devices_and_why_and_the_next_sync_brings_it_up_to_date(shrunk: Tenant) -> None:
    [hold] = lifecycle_holds(shrunk)
    assert hold == {
        "sync_run_id": 3,
        "intune_device_ids": ["d0", "d1", "d2", "d3", "d4"],
        "reason": "5 of 8 synced devices would end at once; up to 10% may.",
        "decision": "waiting",
    }
    shrunk.later(days=1)
    shrunk.sync([FLEET[0], FLEET[2], *FLEET[5:]])
    [hold] = lifecycle_holds(shrunk)
    assert hold == {
        "sync_run_id": 4,
        "intune_device_ids": ["d1", "d3", "d4"],
        "reason": "3 of 8 synced devices would end at once; up to 10% may.",
        "decision": "waiting",
    }


def test_a_hold_whose_devices_are_all_back_is_deleted_and_those_of_others_stay(
    shrunk: Tenant, engine: sa.Engine
) -> None:
    other = Tenant.connected(engine, "globex")
    other.run("insert into lifecycle_holds (connection_id, intune_device_ids, reason) values (:connection, '[]', 'r')")
    shrunk.sync(FLEET)
    assert [row["reason"] for row in lifecycle_holds(shrunk)] == ["r"]


def test_a_hold_that_is_decided_while_its_devices_come_back_stays_decided(shrunk: Tenant) -> None:
    def somebody_decides(_: Plan) -> None:
        with shrunk.engine.begin() as db:
            holds.decide_lifecycle(db, "acme", "dropped", decided_by="ann")

    shrunk.sync(FLEET, before_apply=somebody_decides)
    assert [row["decision"] for row in lifecycle_holds(shrunk)] == ["dropped"]


def test_an_asset_somebody_changes_before_it_ends_is_decided_again(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True, lifecycle_max_share=1)
    tenant.sync([device("d1"), device("d2"), device("d3")])
    tenant.later(days=1)
    tenant.sync([device("d3")])
    tenant.later(days=1)

    def somebody_is_quick(_: Plan) -> None:
        tenant.run("update assets set status = 'locked' where serial_number = 'SN-d1'")
        tenant.run("update assets set os_version = 'typed' where serial_number = 'SN-d2'")

    counts = tenant.sync([device("d3")], before_apply=somebody_is_quick)
    assert {serial: asset["status"] for serial, asset in tenant.assets().items()} == {
        "SN-d1": "locked",
        "SN-d2": "transferred",
        "SN-d3": "allocated",
    }
    assert counts.lifecycle_transitions == 1
    assert {key: row["ended_at"] is not None for key, row in tenant.outcomes().items()} == {
        "d1": True,
        "d2": True,
        "d3": False,
    }


def test_the_decisions_a_sync_counts_on_carry_its_run_and_later_ones_do_not(shrunk: Tenant) -> None:
    def decide(*device_ids: str) -> None:
        with shrunk.engine.begin() as db:
            holds.decide_lifecycle(db, "acme", "dropped", decided_by="ann", device_ids=list(device_ids))

    decide("d0")
    decide("d1", "d2")
    shrunk.sync(FLEET[5:], before_apply=lambda _: decide("d3"))
    taken = shrunk.rows("select size, applied_run_id from hold_decisions order by id")
    assert taken == [
        {"size": 1, "applied_run_id": 4},
        {"size": 2, "applied_run_id": 4},
        {"size": 1, "applied_run_id": None},
    ]


# -- batches ---------------------------------------------------------------------------------------------------------


def test_only_the_last_batch_waits_for_the_disk_and_no_batch_reads_a_table_whole(
    new_database: Callable[..., str], migrated_template: str
) -> None:
    """A commit that waits makes those before it durable, too, so the others need not."""
    database = new_database(migrated_template)
    engine = databases.create_engine(database)
    tenant = Tenant.connected(engine, "acme")
    tenant.run(f"alter database {engine.url.database} set synchronous_commit = on")
    engine.dispose()
    tenant.run("create table settings_seen (synchronous_commit text, enable_seqscan text)")
    tenant.run("""
        create function see() returns trigger language plpgsql as $$ begin
            insert into settings_seen
            values (current_setting('synchronous_commit'), current_setting('enable_seqscan'));
            return null; end $$;
        create trigger see after insert on device_outcomes for each statement execute function see();
    """)
    tenant.sync([device(f"d{n:03}") for n in range(120)])
    assert [tuple(row.values()) for row in tenant.rows("select * from settings_seen")] == [
        ("off", "off"), ("off", "off"), ("on", "off"),
    ]  # fmt: skip


def test_what_later_syncs_count_on_is_written_with_the_last_batch(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    tenant.sync([device("gone"), device("d1", user=JANE)])
    tenant.later(days=1)
    seen: list[Mapping[str, Any]] = []

    def look(_: Counts) -> None:
        seen.append(tenant.outcomes()["gone"])

    tenant.sync([device("d1", user=JANE), *(device(f"e{n}") for n in range(60))], before_batch=look)
    assert [row["absent_lists"] for row in seen] == [0, 0]
    assert tenant.outcomes()["gone"]["absent_lists"] == 1


# -- users of Entra --------------------------------------------------------------------------------------------------


def test_users_and_the_employees_they_stand_for_are_remembered(tenant: Tenant) -> None:
    ann = tenant.add_employee("Ann", "Lee", "ann.lee@acme.example")
    shown = {"userId": "U-ANN", "userPrincipalName": "AL7@acme.example", "emailAddress": "ann.lee@acme.example"}
    tenant.sync([device("d1", userDisplayName="Ann Lee", **shown), device("d2", user=JANE)])
    [jane] = tenant.rows("select employee_id from employee_emails where email_key = :key", key=JANE)
    assert of(tenant.rows("select * from known_users order by user_id")) == [
        {
            "connection_id": tenant.connection_id,
            "user_id": f"id-of-{JANE}",
            "principal_name": JANE,
            "employee_id": jane["employee_id"],
        },
        {
            "connection_id": tenant.connection_id,
            "user_id": "u-ann",
            "principal_name": "al7@acme.example",
            "employee_id": ann,
        },
    ]


def test_a_new_address_is_recorded_as_what_this_sync_did(tenant: Tenant) -> None:
    old = {"userId": "U-1", "emailAddress": "jane.smith@acme.example", "userPrincipalName": "js@acme.example"}
    tenant.sync([device("d1", userDisplayName="Jane Smith", **old)])
    tenant.later(days=1)
    tenant.sync([device("d1", userDisplayName="Jane Doe", **{**old, "emailAddress": JANE})])
    [employee] = tenant.rows("select id from employees")
    [address] = tenant.rows("select * from employee_emails where email_key = :key", key=JANE)
    assert (address["employee_id"], address["kind"], address["account_id"]) == (
        employee["id"],
        "work",
        tenant.account_id,
    )
    recorded = tenant.rows("select account_id, actor, action, subject from audit_log")
    assert recorded == [
        {"account_id": tenant.account_id, "actor": "sync 2", "action": "address", "subject": JANE},
    ]


def test_a_primary_user_without_address_in_the_list_is_asked_for_and_becomes_the_assignee(tenant: Tenant) -> None:
    tenant.set(mdm_assignee_updates=True)
    tenant.add_asset("SN-d1", status="allocated")
    tenant.intune.primary_users["d1"] = PrimaryUser("id-of-bo", "bo.ek@acme.example", None, "Bo Ek")
    tenant.sync([device("d1", user=JANE)])
    people = tenant.rows("select first_name, last_name from employees")
    assert people == [{"first_name": "Bo", "last_name": "Ek"}]
