"""The plan: who owns a field, what an empty value may do, what is created, what is counted."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.fields import FIELDS, FILLED_FIELDS, INTUNE_FIELDS, Owner, Sealed
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import (
    Asset,
    DeviceDetails,
    Listing,
    Plan,
    State,
    needed_evidence,
    plan,
)
from intune_pipeline.inventory import schema
from intune_pipeline_tests.syncing import NOW, counted, device, directory, employee, judged

EMPTY = dict.fromkeys((*INTUNE_FIELDS, *FILLED_FIELDS))


def asset(serial: str, **columns: Any) -> Asset:
    own = {name: columns.pop(name, default) for name, default in {"status": "allocated", "assignee_id": None}.items()}
    return Asset(1, serial, serial.upper(), own["status"], own["assignee_id"], EMPTY | columns)


def state(*assets: Asset, **given: Any) -> State:
    return State(1, 1, {one.serial_key: one for one in assets}, **given)


def planned(*devices: ManagedDevice, state: State = State(1, 1), policy: Policy = Policy(), **listing: Any) -> Plan:  # noqa: B008
    return plan(judged(devices), state, policy, Listing(NOW, **listing))


def fields(made: Plan) -> dict[str, Any]:
    """New values of the only asset that changes."""
    (change,) = made.changes()
    return {name: new for name, (_, new) in change["fields"].items()}


def test_every_column_of_assets_has_one_owner() -> None:
    kept_by_the_database = {"id", "account_id", "serial_key", "sync_run_id", "created_at", "updated_at"} | {
        "assigned_by_person_at"
    }
    assert {field.name for field in FIELDS} | kept_by_the_database == {column.name for column in schema.assets.columns}
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    assert {f.name for f in FIELDS if f.owner is Owner.INTUNE} == {
        "color", "display_size", "imei", "make", "memory_gb", "model", "model_name", "operating_system", "os_version",
        "release_date", "storage_gb", "storage_type", "intune_device_id", "azure_ad_device_id", "activation_lock_bypass_code",
    }  # fmt: skip


def test_a_new_asset_holds_what_intune_says_and_nothing_it_does_not_say() -> None:
    made = planned(
        device("d1", " sn 1001 ", model="MacBook Pro (14-inch, 2021)", manufacturer="Apple", operatingSystem="macOS")
    )
    assert fields(made) == {
        "serial_number": "sn 1001",
        "status": "allocated",
        "display_size": "14",
        "make": "Apple",
        "model": "MacBook Pro",
        "model_name": "MacBook Pro (14-inch, 2021)",
        "storage_gb": 256,
        "storage_type": "SSD",
        "operating_system": "macOS",
        "os_version": "10.0.26100.1",
        "release_date": "2021",
        "intune_device_id": "d1",
        "azure_ad_device_id": "aad-d1",
        "asset_type": "laptop",
    }


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("imei", {"imei": ""}),
        ("imei", {"imei": "   "}),
        ("make", {"manufacturer": None, "operatingSystem": "iOS"}),
        ("make", {"manufacturer": "Unknown", "operatingSystem": "iOS"}),
        ("os_version", {"osVersion": " unknown "}),
        ("storage_gb", {"totalStorageSpaceInBytes": 0}),
        ("azure_ad_device_id", {"azureADDeviceId": "00000000-0000-0000-0000-000000000000"}),
        ("memory_gb", {}),
        ("color", {}),
        ("display_size", {"model": "Latitude"}),
        ("release_date", {"model": "Latitude"}),
        ("storage_type", {"model": "Latitude"}),
        ("model_name", {"model": " ", "operatingSystem": "iOS"}),
    ],
)
def test_an_empty_value_of_intune_overwrites_nothing(name: str, record: dict[str, Any]) -> None:
    kept = asset("SN-1", **{name: 7 if name.endswith("_gb") else "seven"})
    made = planned(device("d1", "SN-1", **record), state=state(kept))
    assert name not in fields(made)


def test_a_value_of_intune_overwrites_and_says_old_and_new() -> None:
    made = planned(device("d1", "SN-1", osVersion="11"), state=state(asset("SN-1", os_version="10")))
    assert made.changes()[0]["fields"]["os_version"] == ["10", "11"]


def test_a_fact_overrides_what_a_person_entered_and_no_fact_leaves_it() -> None:
    entered = {"display_size": "15", "release_date": "2019", "storage_type": "HDD", "model_name": "my laptop"}
    macbook = planned(
        device("d1", "SN-1", manufacturer="Apple", operatingSystem="macOS", model="Mac15,3"),
        state=state(asset("SN-1", **entered)),
    )
    assert {name: fields(macbook)[name] for name in entered} == {
        "display_size": "14", "release_date": "2023", "storage_type": "SSD",
        "model_name": "MacBook Pro (14-inch, Nov 2023)",
    }  # fmt: skip
    unknown = planned(
        device("d1", "SN-1", manufacturer="Apple", operatingSystem="macOS", model="MacBook Pro"),
        state=state(asset("SN-1", **entered)),
    )
    assert set(fields(unknown)) & set(entered) == {"model_name"}


def test_an_existing_asset_keeps_its_type_and_gets_one_when_it_has_none() -> None:
    assert "asset_type" not in fields(planned(device("d1", "SN-1"), state=state(asset("SN-1", asset_type="spare"))))
    assert fields(planned(device("d1", "SN-1"), state=state(asset("SN-1", asset_type=""))))["asset_type"] == "laptop"


def test_details_are_written_when_they_are_known_and_never_shown_when_they_are_secret() -> None:
    details = {"d1": DeviceDetails(32, Sealed("gAAAA-token"))}
    made = planned(device("d1", "SN-1"), state=state(asset("SN-1")).with_details(details))
    assert fields(made)["memory_gb"] == 32
    assert fields(made)["activation_lock_bypass_code"] == "(sealed)"
    assert "gAAAA-token" not in repr(made.steps) + str(made.changes())


def test_newer_details_that_are_empty_leave_what_is_known() -> None:
    known = state(details={"d1": DeviceDetails(32, Sealed("gAAAA-token"))})
    assert known.with_details({"d1": DeviceDetails()}).details == known.details
    assert known.with_details({"d1": DeviceDetails(64)}).details["d1"] == DeviceDetails(64, Sealed("gAAAA-token"))


def test_the_same_sealed_code_changes_nothing() -> None:
    known = planned(device("d1", "SN-1")).steps[0]
    values = {c.field: c.new for c in known.changes if c.field in EMPTY}
    same = asset("SN-1", **values, activation_lock_bypass_code=Sealed("gAAAA-token"))
    details = {"d1": DeviceDetails(None, Sealed("gAAAA-token"))}
    assert planned(device("d1", "SN-1"), state=state(same, details=details)).changes() == []


@pytest.mark.parametrize("policy", [Policy(), Policy(mdm_assignee_updates=True)])
def test_locked_and_terminal_assets_get_facts_but_neither_status_nor_assignee(policy: Policy) -> None:
    for status in ("in_inventory", "pending_allocation", "processing", "locked", "retired", "disposed", "lost"):
        made = planned(
            device("d1", "SN-1", "jane.doe@acme.example"), state=state(asset("SN-1", status=status)), policy=policy
        )
        assert not {"status", "assignee_id"} & fields(made).keys()
        assert made.counts.employees_created == 0


def test_a_person_is_created_once_for_all_new_devices_and_never_for_an_existing_asset() -> None:
    jane = "jane.doe@acme.example"
    made = planned(
        device("d1", user=jane), device("d2", user=jane), device("d3", "SN-3", "bo.ek@acme.example"),
        state=state(asset("SN-3")),
    )  # fmt: skip
    assert made.counts.employees_created == 1
    assert [(step.person.email, step.action, step.devices) for step in made.people] == [
        ("bo.ek@acme.example", "none", 1),
        (jane, "create", 2),
    ]


def test_a_user_without_a_safe_name_gets_no_employee_but_his_device_an_asset() -> None:
    made = planned(device("d1", user="room@acme.example", userDisplayName="Meeting Room 4"))
    assert fields(made)["status"] == "allocated"
    assert "assignee_id" not in fields(made)


def test_an_existing_employee_is_found_by_work_or_personal_email_in_any_case() -> None:
    for kind in ("work", "personal"):
        known = directory(employee(7, "J", "D", "jane.doe@acme.example", kind=kind))
        made = planned(device("d1", user="Jane.Doe@ACME.example"), state=state(directory=known))
        assert fields(made)["assignee_id"] == 7


def test_counts_add_up_and_personal_devices_are_counted_but_not_in_the_plan() -> None:
    made = planned(
        device("d1"), device("d2", "0"), device("d3", operatingSystem="tvOS"), device("d4", managedDeviceOwnerType="personal"),
        device("d5", model="OptiPlex 7010"), personal=3,
    )  # fmt: skip
    assert counted(made.counts) == {
        "devices_listed": 8,
        "devices_synced": 1,
        "devices_skipped": {"personal": 4, "junk_serial": 1, "unknown_type": 1, "desktop": 1},
        "assets_created": 1,
    }
    assert "d4" not in {step.judged.device.intune_device_id for step in made.steps}


def test_lookalikes_are_listed_whether_or_not_they_are_held() -> None:
    home = directory(employee(7, "Jane", "Doe", "jane@home.example", kind="personal"))
    for hold, action in ((False, "create"), (True, "held")):
        policy = Policy(hold_lookalike_employees=hold)
        made = planned(device("d1", user="jane.doe@acme.example"), state=state(directory=home), policy=policy)
        assert [(one.action, one.lookalike_id) for one in made.lookalikes] == [(action, 7)]
        assert made.counts.employees_created == (not hold)
        assert made.counts.lookalikes_held == hold
        assert made.counts.assets_created == 1


def test_two_eligible_devices_of_one_serial_are_refused() -> None:
    one, two = judged([device("d1", "SN-1"), device("d2", "SN-2")])
    twin = JudgedDevice(replace(two.device, serial_number="sn-1"), two.classification, None)
    with pytest.raises(ValueError, match="same serial"):
        plan([one, twin], State(1, 1), Policy(), Listing(NOW))


def test_a_device_that_breaks_a_rule_fails_alone() -> None:
    broken = judged([device("d1"), device("d2")])
    unreadable = replace(broken[0], device=replace(broken[0].device, storage_bytes="many"))
    made = plan([unreadable, broken[1]], State(1, 1), Policy(), Listing(NOW))
    assert (made.counts.devices_failed, made.counts.devices_synced) == (1, 1)
    assert made.steps[0].reason is not None
    assert "report" in made.steps[0].reason


def test_no_question_is_asked_while_the_switch_is_off() -> None:
    fleet = judged([device("d1", "SN-1", "jane.doe@acme.example")])
    needed = needed_evidence(fleet, state(asset("SN-1")), Policy(), Listing(NOW))
    assert needed == type(needed)((), ())


USERS = st.sampled_from([None, "jane.doe@acme.example", "JANE.DOE@acme.example", "bo.ek@acme.example"])
CHOICES = {
    "managedDeviceOwnerType": st.sampled_from(["company", "personal", "unknown"]),
    "model": st.sampled_from(["Latitude 5440", "OptiPlex 7010", "Mystery 1", ""]),
    "manufacturer": st.sampled_from(["Dell Inc.", "LENOVO", "Unknown"]),
    "osVersion": st.sampled_from(["10", "11", "", "Unknown"]),
    "imei": st.sampled_from(["", "490154203237518"]),
    "lastSyncDateTime": st.sampled_from(["2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "0001-01-01T00:00:00Z"]),
}
RECORDS = st.fixed_dictionaries({}, optional=CHOICES)
FLEETS = st.lists(st.tuples(st.integers(0, 6), USERS, RECORDS), max_size=12).map(
    lambda rows: [device(f"d{n}", f"SN-{serial}", user, **record) for n, (serial, user, record) in enumerate(rows)]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(FLEETS, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_devices_never_matters_and_counts_add_up(
    fleet: list[ManagedDevice], order: random.Random, switch: bool
) -> None:
    known = state(asset("SN-0"), directory=directory(employee(7, "Bo", "Ek", "bo.ek@acme.example")))
    policy = Policy(mdm_assignee_updates=switch)
    shuffled = list(fleet)
    order.shuffle(shuffled)
    made, again = (planned(*devices, state=known, policy=policy) for devices in (fleet, shuffled))
    assert made.steps == again.steps
    assert made.counts == again.counts
    assert made.counts.devices_listed == len(fleet)
    assert len(fleet) == made.counts.devices_synced + made.counts.devices_failed + made.counts.devices_skipped.total()
