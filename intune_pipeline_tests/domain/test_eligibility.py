"""Who is in and who is skipped: ownership, serials, twins, collisions, types; in any order, the same verdicts."""

import random
from collections import Counter
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.eligibility import (
    JudgedDevice,
    is_leaving,
    judge,
    newest_by_id,
    without_personal_details,
)
from intune_pipeline.domain.serials import is_junk_serial
from intune_pipeline.domain.vocabulary import SkipReason
from intune_pipeline.sandbox.fleets import generate_labelled_fleet

LISTED_AT = datetime(2026, 6, 1, tzinfo=UTC)
CLASSIFIER = Classifier()
LAPTOP = ("Dell Inc.", "Latitude 5540")
OTHER_LAPTOP = ("Dell Inc.", "XPS 13 9340")


def a_device(
    device_id: str = "d1",
    serial: str | None = "5CG1234XYZ",
    look: tuple[str, str] = LAPTOP,
    contact: float | None = 1,
    enrolled: float | None = 400,
    **changes: str | None,
) -> ManagedDevice:
    """A company laptop; ``contact`` and ``enrolled`` in days before the list."""
    device = managed_device(
        {
            "id": device_id,
            "managedDeviceOwnerType": "company",
            "serialNumber": serial,
            "operatingSystem": "Windows",
            "manufacturer": look[0],
            "model": look[1],
            "imei": "353456789012345",
            "deviceName": "Jane's laptop",
            "emailAddress": "jane.doe@acme.com",
            "userPrincipalName": "jane.doe@acme.com",
            "userDisplayName": "Jane Doe",
            "userId": "u1",
        }
    )
    return replace(
        device,
        last_contact_at=None if contact is None else LISTED_AT - timedelta(days=contact),
        enrolled_at=None if enrolled is None else LISTED_AT - timedelta(days=enrolled),
        **changes,
    )  # fmt: skip


def judged(*devices: ManagedDevice) -> list[JudgedDevice]:
    return judge(devices, CLASSIFIER, listed_at=LISTED_AT)


def reasons(*devices: ManagedDevice) -> list[str | None]:
    return [verdict.skip_reason for verdict in judged(*devices)]


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (a_device(), None),
        (a_device(ownership="personal"), SkipReason.PERSONAL),
        (a_device(ownership="personal", serial=None), SkipReason.PERSONAL),
        (a_device(ownership="unknown"), SkipReason.OWNERSHIP_UNKNOWN),
        (a_device(ownership="demo", serial="0"), SkipReason.OWNERSHIP_UNKNOWN),
        (a_device(ownership=None), SkipReason.OWNERSHIP_UNKNOWN),
        (a_device(serial=None), SkipReason.NO_SERIAL),
        (a_device(serial=" "), SkipReason.NO_SERIAL),
        (a_device(serial="To be filled by O.E.M."), SkipReason.JUNK_SERIAL),
        (a_device(serial="0", look=("Dell Inc.", "OptiPlex 7090")), SkipReason.JUNK_SERIAL),
        (a_device(look=("Dell Inc.", "OptiPlex 7090")), SkipReason.DESKTOP),
        (a_device(look=("VMware, Inc.", "VMware7,1")), SkipReason.UNKNOWN_TYPE),
        (a_device(look=("", "")), SkipReason.UNKNOWN_TYPE),
    ],
)
def test_the_first_reason_that_applies_skips_a_device(device: ManagedDevice, reason: str | None) -> None:
    assert reasons(device) == [reason]


@pytest.mark.parametrize(
    "serial",
    ["0", "00000000", "XXXXXXX", "AB1", "A.B.1", "System Serial Number", "system serial number", "SystemSerialNumber",
     "To be filled by O.E.M.", "To Be Filled By O.E.M", "Default string", "0123456789", "123456789", "None", "N/A",
     "Not Specified", "Unknown", "INVALID", "Chassis Serial Number", "............", "0000-0000-0000-0000", "- - - -",
     "null", "Not Applicable", "_____"],
)  # fmt: skip
def test_what_firmware_shows_for_no_serial_is_junk(serial: str) -> None:
    assert reasons(a_device(serial=serial)) == [SkipReason.JUNK_SERIAL]


@pytest.mark.parametrize(
    "serial", ["AB12", "5CG1234XYZ", "PF-3X.12", "0000-0014-0657-8375", "C02DX0J7MD6Q", "1112", "NONE1"]
)
def test_a_real_serial_is_not_junk(serial: str) -> None:
    assert not is_junk_serial(serial)


def test_what_a_record_does_not_say_is_classified_as_empty() -> None:
    nothing = replace(a_device(), operating_system=None, manufacturer=None, model=None)
    (verdict,) = judged(nothing)
    assert verdict.classification == CLASSIFIER.classify("", "", "")
    assert judged(a_device(look=("", "")))[0].classification == CLASSIFIER.classify("Windows", "", "")


def test_nothing_personal_is_kept_of_devices_that_are_not_the_companys() -> None:
    for ownership in ("personal", "unknown", None):
        (verdict,) = judged(a_device(ownership=ownership))
        assert verdict.device == without_personal_details(a_device(ownership=ownership))
    kept = without_personal_details(a_device())
    assert {field.name for field in fields(kept) if getattr(kept, field.name) is None} >= {
        "imei", "device_name", "user_id", "user_email", "user_principal_name", "user_display_name",
    }  # fmt: skip
    assert (kept.intune_device_id, kept.serial_number, kept.model) == ("d1", "5CG1234XYZ", "Latitude 5540")


def test_of_twins_the_newest_contact_wins() -> None:
    stale, newest, never = a_device("d1", contact=3), a_device("d2", contact=2), a_device("d3", contact=None)
    assert reasons(stale, newest, never) == [SkipReason.SUPERSEDED, None, SkipReason.SUPERSEDED]
    assert reasons(newest, never, stale) == [None, SkipReason.SUPERSEDED, SkipReason.SUPERSEDED]


def test_twins_are_found_whatever_the_case_and_spaces_of_their_serials() -> None:
    assert reasons(a_device("d1", "5cg1234 xyz", contact=3), a_device("d2", " 5CG1234XYZ")) == [
        SkipReason.SUPERSEDED,
        None,
    ]


def test_twins_of_equal_contact_are_told_apart() -> None:
    assert reasons(a_device("d1", enrolled=20), a_device("d2", enrolled=30)) == [None, SkipReason.SUPERSEDED]
    assert reasons(a_device("d1", enrolled=20), a_device("d2", enrolled=None)) == [None, SkipReason.SUPERSEDED]
    assert reasons(a_device("d1"), a_device("d2")) == [SkipReason.SUPERSEDED, None]
    leaving = a_device("d2", enrolled=20, management_state="retirePending")
    assert reasons(a_device("d1"), leaving) == [None, SkipReason.SUPERSEDED]


def test_the_winner_of_twins_is_judged_by_its_type() -> None:
    desktop = ("Dell Inc.", "OptiPlex 7090")
    assert reasons(a_device("d1", look=desktop), a_device("d2", look=desktop, contact=2)) == [
        SkipReason.DESKTOP,
        SkipReason.SUPERSEDED,
    ]


def test_records_of_other_owners_are_no_twins() -> None:
    newer = a_device("d1", contact=0, ownership="personal")
    assert reasons(newer, a_device("d2")) == [SkipReason.PERSONAL, None]


def test_junk_serials_make_no_twins() -> None:
    assert reasons(a_device("d1", "INVALID"), a_device("d2", "INVALID")) == [
        SkipReason.JUNK_SERIAL,
        SkipReason.JUNK_SERIAL,
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LAPTOP, OTHER_LAPTOP),
        (LAPTOP, ("HP", "Latitude 5540")),
        (LAPTOP, ("HP", "")),
        (("LENOVO", "20XWS00A00"), ("LENOVO", "21LS0012GE")),
        (("", "Latitude 5540"), ("HP", "EliteBook 840 G8")),
        (("", "Latitude 5540"), ("", "EliteBook 840 G8")),
    ],
)
def test_two_active_machines_with_one_serial_are_a_collision(one: tuple[str, str], other: tuple[str, str]) -> None:
    older = a_device("d3", look=one, contact=40)
    assert reasons(a_device("d1", look=one), a_device("d2", look=other, contact=29), older) == [
        SkipReason.SERIAL_COLLISION, SkipReason.SERIAL_COLLISION, SkipReason.SUPERSEDED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Dell Inc.", "Latitude 5540"), ("DELL", "latitude  5540")),
        (("Dell Inc.", "Latitude 5540"), ("Dell", "Dell Latitude 5540")),
        (("HP", "EliteBook 840 G8"), ("Hewlett-Packard", "HP EliteBook 840 G8")),
        (("Microsoft Corporation", "Surface Laptop 5"), ("Microsoft", "Surface_Laptop_5")),
        (("Dell Inc.", "Latitude 5540"), ("", "")),
        (("Dell Inc.", "Latitude 5540"), ("Dell Inc.", "Unknown")),
        (("Dell Inc.", "Latitude 5540"), ("", "Latitude 5540")),
        (("Apple", "MacBook Pro"), ("Apple Inc.", "MacBookPro18,3")),
        (("LENOVO", "20XWS00A00"), ("Lenovo", "ThinkPad X1 Carbon Gen 9")),
    ],
)
def test_one_machine_shown_in_two_ways_is_no_collision(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert reasons(a_device("d1", look=one), a_device("d2", look=other, contact=2)) == [None, SkipReason.SUPERSEDED]
    assert reasons(a_device("d1", look=other), a_device("d2", look=one, contact=2))[1] == SkipReason.SUPERSEDED


def test_a_machine_that_is_no_longer_active_makes_way() -> None:
    for contact in (32, None):
        assert reasons(a_device("d1"), a_device("d2", look=OTHER_LAPTOP, contact=contact)) == [
            None,
            SkipReason.SUPERSEDED,
        ]


def test_a_recorded_fleet_is_judged_as_it_was_when_it_was_recorded() -> None:
    two_machines = (a_device("d1", contact=350), a_device("d2", look=OTHER_LAPTOP, contact=351))
    assert reasons(*two_machines) == [SkipReason.SERIAL_COLLISION] * 2
    assert reasons(*two_machines, a_device("d3", serial="5CG9999XYZ")) == [None, SkipReason.SUPERSEDED, None]


def test_a_re_enrolment_that_shows_another_model_is_no_collision() -> None:
    before = a_device("d1", look=LAPTOP, contact=10)
    assert reasons(before, a_device("d2", look=OTHER_LAPTOP, enrolled=10)) == [SkipReason.SUPERSEDED, None]
    assert reasons(before, a_device("d2", look=OTHER_LAPTOP, enrolled=11)) == [SkipReason.SERIAL_COLLISION] * 2
    assert reasons(before, a_device("d2", look=OTHER_LAPTOP, enrolled=None)) == [SkipReason.SERIAL_COLLISION] * 2
    assert (
        reasons(before, a_device("d2", look=("HP", "EliteBook 840 G8"), enrolled=10))
        == [SkipReason.SERIAL_COLLISION] * 2
    )


def test_a_machine_on_its_way_out_makes_way_for_a_newer_one_only() -> None:
    leaving = a_device("d1", look=LAPTOP, contact=5, management_state="wipePending")
    assert reasons(leaving, a_device("d2", look=OTHER_LAPTOP, contact=1)) == [SkipReason.SUPERSEDED, None]
    assert reasons(leaving, a_device("d2", look=OTHER_LAPTOP, contact=9)) == [SkipReason.SERIAL_COLLISION] * 2
    staying = replace(leaving, management_state="wipeFailed")
    assert reasons(staying, a_device("d2", look=OTHER_LAPTOP, contact=1)) == [SkipReason.SERIAL_COLLISION] * 2


def of(
    user: str, device_id: str, *, contact: float, enrolled: float | None = 400, **changes: str | None
) -> ManagedDevice:
    """A laptop of somebody; all of them show one maker, model and serial."""
    address = f"{user}@acme.com"
    shown = {"user_id": f"id-{user}", "user_principal_name": address, "user_email": address, **changes}
    return replace(a_device(device_id, contact=contact, enrolled=enrolled), **shown)


def test_one_serial_in_use_by_two_people_at_once_is_a_collision() -> None:
    for hours in (0, 0.5, 8, 24):
        jane, joe = of("jane", "d1", contact=1), of("joe", "d2", contact=1 + hours / 24)
        assert reasons(jane, joe) == [SkipReason.SERIAL_COLLISION] * 2
        assert reasons(joe, jane) == [SkipReason.SERIAL_COLLISION] * 2
    stale = of("jim", "d3", contact=40)
    assert reasons(jane, stale, joe) == [
        SkipReason.SERIAL_COLLISION,
        SkipReason.SUPERSEDED,
        SkipReason.SERIAL_COLLISION,
    ]


def test_a_machine_that_changed_hands_is_no_collision() -> None:
    before = of("jane", "d1", contact=1.1)
    assert reasons(before, of("joe", "d2", contact=1, enrolled=1.05)) == [SkipReason.SUPERSEDED, None]
    assert reasons(before, of("joe", "d2", contact=1, enrolled=1.1)) == [SkipReason.SUPERSEDED, None]
    assert reasons(before, of("joe", "d2", contact=1, enrolled=1.2)) == [SkipReason.SERIAL_COLLISION] * 2
    assert reasons(before, of("joe", "d2", contact=1, enrolled=None)) == [SkipReason.SERIAL_COLLISION] * 2
    assert reasons(of("jane", "d1", contact=3), of("joe", "d2", contact=1)) == [SkipReason.SUPERSEDED, None]
    leaving = of("jane", "d1", contact=1.1, management_state="wipePending")
    assert reasons(leaving, of("joe", "d2", contact=1)) == [SkipReason.SUPERSEDED, None]


def test_one_persons_records_are_no_collision() -> None:
    twice = (of("jane", "d1", contact=1), of("jane", "d2", contact=1.1))
    assert reasons(*twice) == [None, SkipReason.SUPERSEDED]
    renamed = of("jane", "d2", contact=1.1, user_principal_name="jane.doe@acme.com", user_email="jane.doe@acme.com")
    assert reasons(twice[0], renamed) == [None, SkipReason.SUPERSEDED]
    nobody = of("jane", "d2", contact=1.1, user_id=None, user_principal_name=None, user_email=None)
    assert reasons(twice[0], nobody) == [None, SkipReason.SUPERSEDED]


def test_a_placeholder_nobody_knows_joins_no_machines() -> None:
    fleet = [of(f"user{number}", f"d{number}", contact=1 + number / 1_000) for number in range(1_000)]
    assert set(reasons(*fleet)) == {SkipReason.SERIAL_COLLISION}


@pytest.mark.parametrize("state", ["retirePending", "retireIssued", "wipeIssued", "deletePending", "WipePending"])
def test_a_device_being_retired_wiped_or_deleted_is_leaving(state: str) -> None:
    assert is_leaving(a_device(management_state=state))


@pytest.mark.parametrize(
    "state", [None, "managed", "retireFailed", "wipeCanceled", "deleteFailed", "unhealthy", "discovered"]
)
def test_any_other_device_stays(state: str | None) -> None:
    assert not is_leaving(a_device(management_state=state))


DEVICES = st.lists(
    st.builds(
        a_device,
        device_id=st.sampled_from([f"d{number}" for number in range(8)]),
        serial=st.sampled_from(["5CG1234XYZ", "5cg1234 xyz", "PF3XABCD", "0", "", None]),
        look=st.sampled_from([LAPTOP, OTHER_LAPTOP, ("HP", "EliteBook 840"), ("", ""), ("Dell", "OptiPlex 7090")]),
        contact=st.sampled_from([None, 1, 2, 40]),
        enrolled=st.sampled_from([None, 1.5, 400]),
        ownership=st.sampled_from(["company", "company", "company", "personal", None]),
        management_state=st.sampled_from([None, "managed", "retirePending"]),
    ),
    max_size=12,
)


@given(DEVICES, st.randoms(use_true_random=False))
def test_verdicts_do_not_depend_on_the_order_of_the_list(devices: list[ManagedDevice], random: random.Random) -> None:
    shuffled = list(devices)
    random.shuffle(shuffled)
    assert newest_by_id(shuffled) == newest_by_id(devices)
    assert Counter(judged(*shuffled)) == Counter(judged(*devices))
    once = newest_by_id(devices)
    random.shuffle(once)
    assert {verdict.device.intune_device_id: verdict for verdict in judged(*once)} == {
        verdict.device.intune_device_id: verdict for verdict in judged(*newest_by_id(devices))
    }


@given(DEVICES)
def test_every_device_gets_one_verdict_and_every_serial_at_most_one_asset(devices: list[ManagedDevice]) -> None:
    verdicts = judged(*devices)
    assert [verdict.device.intune_device_id for verdict in verdicts] == [device.intune_device_id for device in devices]
    assert {verdict.skip_reason for verdict in verdicts} <= {None, *SkipReason}
    eligible = Counter(verdict.device.serial_key for verdict in verdicts if verdict.skip_reason is None)
    assert all(count == 1 for count in eligible.values())
    for verdict in verdicts:
        if verdict.skip_reason is None:
            assert verdict.device.ownership == "company"
            assert verdict.classification.device_type in {"laptop", "tablet", "mobile"}


@given(DEVICES)
def test_a_collision_leaves_no_winner(devices: list[ManagedDevice]) -> None:
    verdicts = judged(*devices)
    contested = {
        verdict.device.serial_key for verdict in verdicts if verdict.skip_reason == SkipReason.SERIAL_COLLISION
    }
    for verdict in verdicts:
        if verdict.device.serial_key in contested and verdict.device.ownership == "company":
            assert verdict.skip_reason in {SkipReason.SERIAL_COLLISION, SkipReason.SUPERSEDED}


@given(DEVICES)
def test_one_record_per_id_remains_and_it_is_the_newest(devices: list[ManagedDevice]) -> None:
    remaining = newest_by_id(devices)
    assert newest_by_id(remaining) == remaining
    assert [device.intune_device_id for device in remaining] == sorted({device.intune_device_id for device in devices})
    contacts = {
        (device.intune_device_id, device.last_contact_at) for device in devices if device.last_contact_at is not None
    }
    for device in remaining:
        newest = max((at for device_id, at in contacts if device_id == device.intune_device_id), default=None)
        assert device.last_contact_at == newest


def test_many_records_of_one_unlisted_placeholder_serial_are_judged_in_one_pass() -> None:
    devices = [a_device(f"d{number:05}", "SHAREDSERIAL", enrolled=None) for number in range(5_000)]
    assert Counter(reasons(*devices)) == {None: 1, SkipReason.SUPERSEDED: 4_999}


def test_an_invented_fleet_is_judged_as_its_truth_says() -> None:
    as_of = datetime(2026, 6, 1, tzinfo=UTC)
    fleet = generate_labelled_fleet(7, 3_000, as_of=as_of)
    verdicts = judge([managed_device(device.record) for device in fleet], CLASSIFIER, listed_at=as_of)
    told = [verdict.skip_reason or verdict.classification.device_type for verdict in verdicts]
    assert [
        (verdict.device, device.kind, verdict)
        for device, verdict, kind in zip(fleet, verdicts, told, strict=True)
        if device.kind != kind
    ] == []
