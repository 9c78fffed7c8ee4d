"""What a lock or an undo keeps as it is, and when Intune's word ends it."""

from typing import Any

import pytest

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.kept import WHOLE_ASSET, KeptValue, keeping, outdated
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import (
    Asset,
    Change,
    DeviceDetails,
    DeviceStep,
    Evidence,
    Listing,
    Plan,
    Sealed,
    State,
)
from intune_pipeline.domain.reconciliation import plan as plan_of
from intune_pipeline.domain.vocabulary import KeptKind
from intune_pipeline_tests.syncing import NOW, counted, device, directory, employee, judged

JANE, BO = "jane.doe@acme.example", "bo.ek@acme.example"
LOCK, UNDONE = KeptValue(1, KeptKind.LOCKED), KeptValue(2, KeptKind.UNDONE, "10")
KNOWN = directory(employee(1, "Jane", "Doe", JANE, "jane@home.example"), employee(2, "Bo", "Ek", BO))
ON = Policy(mdm_assignee_updates=True)


def test_a_lock_keeps_whatever_intune_says_and_an_undo_while_it_says_the_same() -> None:
    kept = {"os_version": [UNDONE], "model": [LOCK]}
    assert keeping(kept, "os_version", ("9", "10")) is UNDONE
    assert keeping(kept, "os_version", ("11",)) is None
    assert keeping(kept, "model", ()) is LOCK
    assert keeping(kept, "make", ("10",)) is None


def test_an_undo_ends_when_intune_says_another_value_and_a_lock_never() -> None:
    kept = {"os_version": [UNDONE], "model": [LOCK]}
    assert outdated(kept, "os_version", ("11",)) == [2]
    assert outdated(kept, "os_version", ("9", "10")) == []
    assert outdated(kept, "os_version", ()) == [], "an empty value is no word"
    assert outdated(kept, "model", ("Latitude",)) == []
    assert outdated(kept, "make", ("Dell",)) == []


def planned(one: ManagedDevice, *assets: Asset, policy: Policy = ON, **state: Any) -> Plan:
    known = State(1, 1, {one.serial_key: one for one in assets}, KNOWN, **state)
    return plan_of(judged([one]), known, policy, Listing(NOW), Evidence({one.intune_device_id: None}))


def step(one: ManagedDevice, *assets: Asset, policy: Policy = ON, **state: Any) -> DeviceStep:
    (only,) = planned(one, *assets, policy=policy, **state).steps
    return only


def asset(serial: str, status: str = "allocated", assignee_id: int | None = None, **values: Any) -> Asset:
    """An asset that holds what the device says, but for ``values``."""
    made = plan_of(judged([device("d1", serial)]), State(1, 1), Policy(), Listing(NOW)).steps[0]
    said = {change.field: change.new for change in made.changes if not change.field.startswith(("status", "serial"))}
    empty = dict.fromkeys(("imei", "memory_gb", "color", "activation_lock_bypass_code", "display_size"))
    return Asset(10, serial, serial, status, assignee_id, {**empty, "release_date": None, **said, **values})


def changed(one: DeviceStep) -> dict[str, Any]:
    return {change.field: change.new for change in one.changes}


def test_a_locked_value_stays_and_the_others_change() -> None:
    held = asset("SN-1", os_version="9", make="Dull")
    one = step(device("d1", "SN-1"), held, kept={"SN-1": {"os_version": [LOCK]}})
    assert changed(one) == {"make": "Dell Inc."}
    assert [(kept.change, kept.by) for kept in one.kept] == [(Change("os_version", "9", "10.0.26100.1"), LOCK)]
    assert (one.action, one.released) == ("update", ())
    only = planned(device("d1", "SN-1"), asset("SN-1", os_version="9"), kept={"SN-1": {"os_version": [LOCK]}})
    assert counted(only.counts) == {
        "devices_listed": 1, "devices_synced": 1, "assets_unchanged": 1, "values_kept": 1,
    }  # fmt: skip


def test_an_undone_value_stays_until_intune_says_another() -> None:
    undone = {"SN-1": {"os_version": [UNDONE]}}
    same = step(device("d1", "SN-1", osVersion="10"), asset("SN-1", os_version="9"), kept=undone)
    assert (changed(same), same.released, same.action) == ({}, (), "unchanged")
    newer = step(device("d1", "SN-1", osVersion="11"), asset("SN-1", os_version="9"), kept=undone)
    assert (changed(newer), newer.released, newer.kept) == ({"os_version": "11"}, (2,), ())
    assert step(device("d1", "SN-1", osVersion=""), asset("SN-1", os_version="9"), kept=undone).released == ()


def test_a_number_is_compared_as_text() -> None:
    undone = {"SN-1": {"storage_gb": [KeptValue(2, KeptKind.UNDONE, "256")]}}
    same = step(device("d1", "SN-1"), asset("SN-1", storage_gb=128), kept=undone)
    assert (changed(same), same.released) == ({}, ())
    other = step(
        device("d1", "SN-1", totalStorageSpaceInBytes=512_000_000_000), asset("SN-1", storage_gb=128), kept=undone
    )
    assert (changed(other), other.released) == ({"storage_gb": 512}, (2,))


def test_a_lock_of_another_field_keeps_neither_status_nor_assignee() -> None:
    held = asset("SN-1", "transferred", 2, make="Dull", os_version="9")
    one = step(device("d1", "SN-1", JANE), held, kept={"SN-1": {"make": [LOCK]}})
    assert changed(one) == {"os_version": "10.0.26100.1", "assignee_id": 1, "status": "allocated"}
    both = step(device("d1", "SN-1", JANE), held, kept={"SN-1": {"make": [LOCK], "status": [LOCK]}})
    assert changed(both) == {"os_version": "10.0.26100.1"}
    assert [kept.change.field for kept in both.kept] == ["make", "status"]


def test_a_secret_is_no_evidence() -> None:
    undone = {"SN-1": {"activation_lock_bypass_code": [UNDONE]}}
    details = {"d1": DeviceDetails(None, Sealed("gAAAA-token"))}
    one = step(device("d1", "SN-1"), asset("SN-1"), kept=undone, details=details)
    assert (list(changed(one)), one.released) == (["activation_lock_bypass_code"], ())


@pytest.mark.parametrize("status", ["allocated", "transferred"])
@pytest.mark.parametrize("field", ["assignee_id", "status"])
def test_a_locked_assignee_or_status_keeps_both(status: str, field: str) -> None:
    one = step(device("d1", "SN-1", JANE), asset("SN-1", status, 2), kept={"SN-1": {field: [LOCK]}})
    is_changed = field == "status" and status == "allocated"
    assert changed(one) == ({"assignee_id": 1} if is_changed else {})
    assert {kept.change.field for kept in one.kept} == (set() if is_changed else {field})


@pytest.mark.parametrize("evidence", [JANE, "jane@home.example"])
def test_an_undone_assignee_stays_while_intune_shows_the_same_user(evidence: str) -> None:
    undone = {"SN-1": {"assignee_id": [KeptValue(3, KeptKind.UNDONE, evidence)]}}
    same = step(device("d1", "SN-1", JANE), asset("SN-1", assignee_id=2), kept=undone)
    assert changed(same) == {}
    assert [kept.change.new for kept in same.kept] == [1]
    other = step(device("d1", "SN-1", BO), asset("SN-1"), kept=undone)
    assert (changed(other), other.released) == ({"assignee_id": 2}, (3,))
    nobody = step(device("d1", "SN-1"), asset("SN-1"), kept=undone)
    assert (changed(nobody), nobody.released) == ({}, ())


def test_an_undone_hiring_stays_while_intune_shows_the_same_user() -> None:
    kim = "kim.oh@acme.example"
    undone = {"SN-1": {"assignee_id": [KeptValue(3, KeptKind.UNDONE, kim)]}}
    made = planned(device("d1", "SN-1", kim), asset("SN-1"), kept=undone)
    assert (changed(made.steps[0]), made.steps[0].released) == ({}, ())
    assert [(person.person.email, person.action) for person in made.people] == [(kim, "none")]
    assert not made.redecided
    again = planned(device("d1", "SN-1", kim), asset("SN-1"))
    assert [person.action for person in again.people] == ["create"]


@pytest.mark.parametrize(("status", "action"), [("allocated", "create"), ("transferred", "none")])
def test_nobody_is_hired_for_an_asset_whose_status_is_locked(status: str, action: str) -> None:
    made = planned(
        device("d1", "SN-1", "kim.oh@acme.example"), asset("SN-1", status), kept={"SN-1": {"status": [LOCK]}}
    )
    assert [person.action for person in made.people] == [action]
    assert not made.redecided


def test_nobody_is_hired_for_a_transferred_asset_whose_allocation_was_undone() -> None:
    undone = {"SN-1": {"status": [KeptValue(3, KeptKind.UNDONE, "allocated")]}}
    made = planned(device("d1", "SN-1", "kim.oh@acme.example"), asset("SN-1", "transferred"), kept=undone)
    assert ([person.action for person in made.people], changed(made.steps[0])) == (["none"], {})
    assert not made.redecided


def test_an_undone_asset_is_not_created_again_for_the_same_device() -> None:
    kept = {"SN-1": {WHOLE_ASSET: [KeptValue(4, KeptKind.UNDONE, "d1")]}}
    made = planned(device("d1", "SN-1", "kim.oh@acme.example"), kept=kept)
    assert made.steps == (DeviceStep(judged([device("d1", "SN-1", "kim.oh@acme.example")])[0], "skipped", "undone"),)
    assert made.people == made.decided == ()
    assert counted(made.counts) == {"devices_listed": 1, "devices_skipped": {"undone": 1}}


def test_an_undone_asset_is_created_for_another_device_and_no_longer_kept() -> None:
    kept = {"SN-1": {WHOLE_ASSET: [KeptValue(4, KeptKind.UNDONE, "d1")]}}
    one = step(device("d2", "SN-1", "kim.oh@acme.example"), kept=kept)
    assert (one.action, one.released) == ("create", (4,))
    assert one.new_employee is not None
    assert step(device("d2", "SN-2"), kept=kept).released == ()


def test_an_existing_asset_is_updated_whatever_became_of_an_earlier_one() -> None:
    kept = {"SN-1": {WHOLE_ASSET: [KeptValue(4, KeptKind.UNDONE, "d1")]}}
    made = planned(device("d1", "SN-1", JANE), asset("SN-1", os_version="9"), kept=kept)
    assert changed(made.steps[0]) == {"os_version": "10.0.26100.1", "assignee_id": 1}
    assert [(person.person.email, person.action) for person in made.people] == [(JANE, "matched")]


def test_a_lock_of_a_field_keeps_nobody_from_becoming_an_employee_with_a_new_asset() -> None:
    made = planned(device("d1", "SN-1", "kim.oh@acme.example"), kept={"SN-1": {"os_version": [LOCK]}})
    assert [(person.person.email, person.action) for person in made.people] == [("kim.oh@acme.example", "create")]
    assert made.steps[0].new_employee is not None
    assert not made.redecided
