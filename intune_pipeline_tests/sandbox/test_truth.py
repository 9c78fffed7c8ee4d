"""The truth the generator tells about its devices is what the product's own rules find in the list Graph would show."""

from datetime import UTC, datetime

import pytest

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import managed_device
from intune_pipeline.domain.eligibility import judge
from intune_pipeline.sandbox import managed_devices
from intune_pipeline.sandbox.fleets import generate_labelled_fleet


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_device_is_judged_as_it_was_meant(seed: int) -> None:
    fleet = {device.record["id"]: device for device in generate_labelled_fleet(seed, 2000)}
    listed = [managed_device(managed_devices.listed(device.record)) for device in fleet.values()]
    judged = judge(listed, Classifier(), listed_at=datetime.now(UTC))
    misjudged = {
        (device.record["manufacturer"], device.record["model"], device.kind, found)
        for one in judged
        if (found := one.skip_reason or one.classification.device_type)
        != (device := fleet[one.device.intune_device_id]).kind
    }
    assert misjudged == set()
