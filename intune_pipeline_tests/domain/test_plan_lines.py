"""A plan as people look at it, and how two plans differ."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from intune_pipeline.domain.devices import ManagedDevice
from intune_pipeline.domain.fields import FILLED_FIELDS, INTUNE_FIELDS
from intune_pipeline.domain.plan_lines import Difference, PlanLine, differences, lines_of
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Asset, DeviceMemory, Evidence, Listing, Plan, State, plan
from intune_pipeline.domain.vocabulary import LookalikeGrade, PlanLineKind
from intune_pipeline_tests.syncing import NOW, device, directory, employee, judged

KIM = "kim.oh@acme.example"
HOME = directory(
    employee(3, "Kim", "Oh", "kim@home.example", kind="personal"), employee(1, "Jane", "Doe", "j@d.example")
)
ON = Policy(mdm_assignee_updates=True)
GONE = "the device is gone from Intune: absent from the list for long, and unknown when asked for"


def asset(number: int, serial: str | None = None, assignee_id: int | None = None) -> Asset:
    values = dict.fromkeys((*INTUNE_FIELDS, *FILLED_FIELDS))
    return Asset(number, serial or f"SN-{number}", f"SN-{number}", "allocated", assignee_id, values)


def planned(
    *devices: ManagedDevice, assets: tuple[Asset, ...] = (), policy: Policy = ON, gone: int = 0, share: float = 1.0
) -> Plan:
    """The plan for these devices; devices 1 to ``gone`` are no longer in Intune."""
    memory = {
        f"d{n}": DeviceMemory(f"d{n}", f"SN-{n}", True, absent_lists=2, absent_since=NOW - timedelta(days=9))
        for n in range(1, gone + 1)
    }
    known = State(1, 1, {one.serial_key: one for one in assets}, HOME, memory)
    return plan(
        judged(devices),
        known,
        replace(policy, lifecycle_max_share=share),
        Listing(NOW),
        Evidence(gone=frozenset(memory)),
    )


def test_an_asset_is_told_with_model_fields_and_why() -> None:
    shield = replace(ON, hold_lookalike_employees=True)
    new, changed = device("d1", "SN-1", KIM), device("d2", "SN-2")
    made = planned(new, changed, assets=(asset(2),), policy=shield)
    first, second, _ = lines_of(made)
    assert (first.kind, first.name, first.model) == (PlanLineKind.CREATED, "SN-1", "Dell Inc. Latitude 5440")
    assert first.note == "the user's employee waits for a decision: an employee could be the same person"
    assert first.fields["os_version"] == [None, "10.0.26100.1"]
    assert (second.kind, second.name, second.note) == (PlanLineKind.UPDATED, "SN-2", "")
    assert second.fields["make"] == [None, "Dell Inc."]
    assert first.is_asset
    assert second.is_asset


def test_a_model_is_told_as_people_know_it() -> None:
    known = device("d1", "SN-1", manufacturer="LENOVO", model="21BR004XUS")
    phone = device("d2", "SN-2", operatingSystem="Android", manufacturer="samsung", model="SM-S921B")
    nameless = device("d3", "SN-3", operatingSystem="iOS", manufacturer=None, model=None)
    assert [line.model for line in lines_of(planned(known, phone, nameless))] == [
        "LENOVO ThinkPad T14s Gen 3 (Intel) · 21BR004XUS",
        "samsung Galaxy S24 · SM-S921B",
        "",
    ]


def test_an_ending_is_told_under_the_assets_own_serial_with_its_reason() -> None:
    made = planned(assets=(asset(1, " sn-1 ", 3),), gone=2)
    fields: dict[str, list[Any]] = {"status": ["allocated", "transferred"], "assignee_id": [3, None]}
    assert lines_of(made) == [PlanLine(PlanLineKind.ENDED, " sn-1 ", fields, note=GONE)]
    assert lines_of(made)[0].is_asset


def test_a_held_ending_says_why_the_device_would_end() -> None:
    made = planned(assets=(asset(1), asset(2)), gone=2, share=0.0)
    assert made.hold_reason == "2 of 2 synced devices would end at once; up to 0% may."
    fields: dict[str, list[Any]] = {"status": ["allocated", "transferred"]}
    assert lines_of(made) == [PlanLine(PlanLineKind.ENDING_HELD, f"SN-{n}", fields, note=GONE) for n in (1, 2)]


def test_an_asset_that_a_person_took_care_of_is_not_told_to_end() -> None:
    retired, kept = replace(asset(1), status="retired"), asset(2)
    told = lines_of(planned(assets=(retired, kept), gone=3))
    assert [line.name for line in told] == ["SN-2"]


def test_a_person_is_told_by_e_mail_with_name_and_whom_they_could_be() -> None:
    ann = device("d2", "SN-2", "ann.lee@acme.example")
    desk = device("d3", "SN-3", userDisplayName="Reception", emailAddress="reception@acme.example")
    known = device("d4", "SN-4", "j@d.example")
    for hold, kind in ((False, PlanLineKind.EMPLOYEE_ADDED), (True, PlanLineKind.EMPLOYEE_HELD)):
        made = planned(device("d1", "SN-1", KIM), ann, desk, known, policy=replace(ON, hold_lookalike_employees=hold))
        people = [line for line in lines_of(made) if not line.is_asset]
        (shared,) = made.shared_accounts
        assert people == [
            PlanLine(PlanLineKind.EMPLOYEE_ADDED, "ann.lee@acme.example", note="Ann Lee"),
            PlanLine(
                kind, KIM, note="Kim Oh", grade=LookalikeGrade.PROBABLY, reasons=("the same name",), lookalike_id=3
            ),
            PlanLine(PlanLineKind.EMPLOYEE_HELD, "reception@acme.example", note=f"Reception: {shared.shared_reason}"),
        ]


def test_what_is_left_out_is_told_with_its_reason_and_nothing_of_unknown_owners() -> None:
    desktop = device("d1", "SN-1", model="OptiPlex 7010")
    nameless = device("d2", " ", managedDeviceOwnerType="unknown")
    junk = device("d3", "0")
    made = planned(desktop, nameless, junk)
    assert lines_of(made) == [
        PlanLine(PlanLineKind.SKIPPED, "d2", note="ownership_unknown"),
        PlanLine(PlanLineKind.SKIPPED, "0", model="Dell Inc. Latitude 5440", note="junk_serial"),
        PlanLine(PlanLineKind.SKIPPED, "SN-1", model="Dell Inc. OptiPlex 7010", note="desktop"),
    ]
    (broken,) = judged([device("d1", "SN-1")])
    broken = replace(broken, device=replace(broken.device, storage_bytes="many"))
    (line,) = lines_of(plan([broken], State(1, 1), ON, Listing(NOW)))
    assert (line.kind, line.is_asset) == (PlanLineKind.FAILED, False)
    assert line.note.startswith("The device could not be read")


def line(kind: PlanLineKind, name: str, note: str = "", **fields: list[Any]) -> PlanLine:
    return PlanLine(kind, name, fields, note=note)


def test_two_plans_differ_in_what_would_be_written() -> None:
    created = line(PlanLineKind.CREATED, "SN-1", make=[None, "Dell"])
    updated = line(PlanLineKind.UPDATED, "SN-2", make=["a", "b"])
    later = line(PlanLineKind.UPDATED, "SN-2", make=["a", "c"])
    person = line(PlanLineKind.EMPLOYEE_ADDED, "SN-1")
    held = line(PlanLineKind.EMPLOYEE_HELD, "SN-1")
    assert differences([created, updated, person], [later, held]) == [
        Difference("SN-1", created, None),
        Difference("SN-2", updated, later),
        Difference("SN-1", person, held),
    ]
    assert differences([], [created]) == [Difference("SN-1", None, created)]


def test_words_and_devices_left_out_are_no_difference() -> None:
    before = [line(PlanLineKind.CREATED, "SN-1", "so", make=[None, "Dell"]), line(PlanLineKind.SKIPPED, "SN-2", "x")]
    stored = replace(before[0], note="other words", fields={"make": (None, "Dell")})
    assert differences(before, [stored, line(PlanLineKind.FAILED, "SN-2")]) == []
