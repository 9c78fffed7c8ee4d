"""What Intune says of a device by field; what it does not say is not there, so that it overwrites nothing."""

from typing import Any

import pytest

from intune_pipeline.domain.assignments import listed_user
from intune_pipeline.domain.fields import FIELDS, DeviceDetails, Owner, Sealed, intune_values
from intune_pipeline_tests.syncing import device, judged

CODE = Sealed("token")


def values(details: DeviceDetails | None = None, **changed: Any) -> dict[str, Any]:
    (one,) = judged([device("d1", "SN-1", **changed)])
    return intune_values(one, details or DeviceDetails())


def test_every_field_that_is_known_is_said() -> None:
    said = values(
        DeviceDetails(memory_gb=16, bypass_code=CODE),
        manufacturer="Microsoft Corporation",
        model="Surface Pro 9",
        imei="352913119876543",
        azureADDeviceId="a1",
        totalStorageSpaceInBytes=255_000_000_000,
        osVersion="10.0.22631.5335",
    )
    assert said == {
        "display_size": "13",
        "imei": "352913119876543",
        "make": "Microsoft Corporation",
        "model": "Surface Pro 9",
        "model_name": "Surface Pro 9",
        "memory_gb": 16,
        "storage_gb": 256,
        "storage_type": "SSD",
        "operating_system": "Windows",
        "os_version": "10.0.22631.5335",
        "release_date": "2022-10-25",
        "intune_device_id": "d1",
        "azure_ad_device_id": "a1",
        "activation_lock_bypass_code": CODE,
        "asset_type": "tablet",
    }
    assert said.keys() == {field.name for field in FIELDS if field.is_said}
    assert repr(CODE) == "(sealed)"


@pytest.mark.parametrize("nothing", [None, "", "Unknown", "N/A", "To be filled by O.E.M."])
def test_what_is_empty_is_not_said(nothing: str | None) -> None:
    names = ("manufacturer", "model", "osVersion", "azureADDeviceId", "imei", "totalStorageSpaceInBytes")
    said = values(operatingSystem="iOS", **dict.fromkeys(names, nothing))
    # An id may be anything that is not blank.
    said.pop("azure_ad_device_id", None)
    assert said == {"operating_system": "iOS", "intune_device_id": "d1", "asset_type": "mobile"}


def test_one_devices_values_never_change_anothers_of_its_kind() -> None:
    values().clear()
    assert values()["make"] == "Dell Inc."


def test_nothing_is_said_of_what_only_people_know() -> None:
    assert not [field.name for field in FIELDS if field.owner in {Owner.PERSON, Owner.GUARDED} and field.is_said]


def test_a_user_without_address_is_remembered_as_nobody() -> None:
    assert listed_user(device("d1", "SN-1", "Kim.Oh@acme.example")) == "kim.oh@acme.example"
    assert listed_user(device("d1", "SN-1")) == ""
