"""The generator invents fleets that are deterministic, sound, and as odd as real ones."""

import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.sandbox import catalog, managed_devices
from intune_pipeline.sandbox.fleets import (
    KIND_SHARES,
    FleetDevice,
    generate_fleet,
    generate_labelled_fleet,
)

SIZE = 4000


@pytest.fixture(scope="module")
def fleet() -> list[FleetDevice]:
    return generate_labelled_fleet(3, SIZE)


def records_of(fleet: list[FleetDevice], kind: str) -> list[managed_devices.Record]:
    return [device.record for device in fleet if device.kind == kind]


@given(seed=st.integers(0, 2**32), size=st.integers(0, 40))
def test_a_seed_and_a_size_decide_the_whole_fleet(seed: int, size: int) -> None:
    fleet = generate_fleet(seed, size)
    assert fleet == generate_fleet(seed, size)
    assert len({record["id"] for record in fleet}) == len(fleet) == size
    assert all(set(record) == managed_devices.PROPERTIES for record in fleet)


def test_different_seeds_share_no_device() -> None:
    first, second = ({record["id"] for record in generate_fleet(seed, 100)} for seed in (1, 2))
    assert not first & second


def test_every_kind_comes_in_its_share(fleet: list[FleetDevice]) -> None:
    counted = Counter(device.kind for device in fleet)
    assert counted.keys() == KIND_SHARES.keys()
    for kind, share in KIND_SHARES.items():
        # a collision makes two of its kind, at the cost of a laptop
        expected = share * SIZE * (2 if kind == "serial_collision" else 1)
        assert 0.5 * expected < counted[kind] < 1.5 * expected


def test_a_twin_is_older_than_the_record_that_replaced_it(fleet: list[FleetDevice]) -> None:
    eligible = {device.record["serialNumber"]: device.record for device in fleet if device.kind == "laptop"}
    for twin in records_of(fleet, "superseded"):
        successor = eligible[twin["serialNumber"].strip().upper()]
        assert twin["lastSyncDateTime"] < successor["lastSyncDateTime"]
        assert twin["model"] == successor["model"]


def test_colliding_records_are_of_different_makers_and_both_active(fleet: list[FleetDevice]) -> None:
    by_serial = defaultdict(list)
    for record in records_of(fleet, "serial_collision"):
        by_serial[record["serialNumber"]].append(record)
    assert by_serial
    for one, other in by_serial.values():
        assert one["manufacturer"] != other["manufacturer"]
        assert max(one["enrolledDateTime"], other["enrolledDateTime"]) < min(
            one["lastSyncDateTime"], other["lastSyncDateTime"]
        )


def test_serials_are_shared_by_twins_and_collisions_only(fleet: list[FleetDevice]) -> None:
    apart = [
        device.record["serialNumber"]
        for device in fleet
        if device.kind not in {"superseded", "serial_collision", "junk_serial", "no_serial"}
    ]
    assert len(set(apart)) == len(apart)


@pytest.mark.parametrize(
    ("oddity", "shown_by"),
    [
        ("a Lenovo machine type", lambda one: re.fullmatch(r"20XW\w{6}", one["model"])),
        ("a Mac by its identifier", lambda one: one["model"].startswith("Mac1")),
        ("a personal device", lambda one: one["managedDeviceOwnerType"] == "personal"),
        ("unknown ownership", lambda one: one["managedDeviceOwnerType"] == "unknown"),
        ("a null serial", lambda one: one["serialNumber"] is None),
        ("a junk serial", lambda one: one["serialNumber"] == "To be filled by O.E.M."),
        ("a serial in lower case", lambda one: (one["serialNumber"] or "").strip().islower()),
        ("nobody's device", lambda one: one["userId"] is None),
        ("a room", lambda one: one["userDisplayName"] == "Meeting Room Berlin"),
        ("a name with a comma", lambda one: "," in (one["userDisplayName"] or "")),
        ("a single name", lambda one: one["userDisplayName"] in catalog.FIRST_NAMES),
        ("a prefixed Android principal", lambda one: re.match("[0-9a-f]{32}", one["userPrincipalName"] or "")),
        ("an e-mail in mixed case", lambda one: (one["emailAddress"] or "").split("@")[0].istitle()),
        ("an empty e-mail", lambda one: one["emailAddress"] == "" and one["userPrincipalName"]),
        ("a device of Jamf's", lambda one: one["managementAgent"] == "jamf" and one["totalStorageSpaceInBytes"] == 0),
        ("a device of ConfigMgr's", lambda one: one["managementAgent"] == "configurationManagerClient"),
        ("an Exchange-only device", lambda one: one["managementAgent"] == "eas"),
        ("a device about to leave", lambda one: one["managementState"] == "retirePending"),
        ("a retirement that failed", lambda one: one["managementState"] == "retireFailed"),
        ("a device never seen", lambda one: one["lastSyncDateTime"] == managed_devices.NEVER),
        ("an all-zero directory id", lambda one: one["azureADDeviceId"] == managed_devices.ZERO_GUID),
        ("a boolean in words", lambda one: one["isEncrypted"] == "True"),
        ("a binary size", lambda one: one["totalStorageSpaceInBytes"] == 128 * 2**30),
        ("a marketed size", lambda one: 0.98 < one["totalStorageSpaceInBytes"] / 512e9 < 1),
        ("a bypass code", lambda one: re.fullmatch(r"\w{5}-\w{5}(-\w{4}){4}", one["activationLockBypassCode"] or "")),
    ],
)
def test_a_fleet_has_every_oddity(fleet: list[FleetDevice], oddity: str, shown_by) -> None:
    assert any(shown_by(device.record) for device in fleet), f"no device shows {oddity}"


def test_dates_have_seven_fraction_digits_and_lie_in_order(fleet: list[FleetDevice]) -> None:
    for record in (device.record for device in fleet):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", record["enrolledDateTime"])
        assert record["lastSyncDateTime"] == managed_devices.NEVER or (
            record["enrolledDateTime"] < record["lastSyncDateTime"]
        )


def test_imeis_carry_a_right_check_digit(fleet: list[FleetDevice]) -> None:
    for imei in (device.record["imei"] for device in fleet if device.record["imei"]):
        digits = [int(one) * (1 + position % 2) for position, one in enumerate(imei)]
        assert len(digits) == 15
        assert sum(sum(divmod(one, 10)) for one in digits) % 10 == 0


def test_everybody_lives_in_an_example_domain() -> None:
    for record in generate_fleet(5, 500, domain="globex.example"):
        for address in (record["userPrincipalName"], record["emailAddress"]):
            assert not address or address.lower().endswith("@globex.example")
