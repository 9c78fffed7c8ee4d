"""Who is asked about, and when asking ends."""

from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.eligibility import judge
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.orchestration.sync.device_details import Asked, DetailReader, DetailsAhead
from intune_pipeline_tests.syncing import Tenant


def laptop(number: int) -> ManagedDevice:
    return managed_device(
        {
            "id": f"device-{number}",
            "managedDeviceOwnerType": "company",
            "serialNumber": f"PF4Z{number:04}",
            "operatingSystem": "Windows",
            "manufacturer": "Dell Inc.",
            "model": "Latitude 5440",
        }
    )


def unasked() -> GraphClient:
    pytest.fail("Graph was asked.")


def test_who_was_asked_about_in_vain_is_not_asked_about_again_in_the_same_run(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme")
    judged = judge([laptop(1)], Classifier(), listed_at=datetime.now(UTC))
    reader = DetailReader(engine, tenant.connection_id, unasked, Vault(()), timedelta(days=7))
    assert reader.ask(judged, failed={"device-1"}) == Asked()
    with pytest.raises(pytest.fail.Exception):
        reader.ask(judged)


def test_what_goes_wrong_while_asking_ahead_is_said_when_the_answers_are_needed(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme")

    def broken() -> GraphClient:
        raise ConnectionError("no network")

    ahead = DetailsAhead()
    ahead.begin(DetailReader(engine, tenant.connection_id, broken, Vault(()), timedelta(days=7)), "acme")
    ahead.add([laptop(1)])
    with pytest.raises(ConnectionError):
        ahead.finish()
    ahead.close()


def test_a_run_that_ends_early_asks_about_nobody_else(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme")
    began, may_end = Event(), Event()

    def slow() -> GraphClient:
        began.set()
        may_end.wait(10)
        raise ConnectionError("the run is over")

    ahead = DetailsAhead()
    ahead.begin(DetailReader(engine, tenant.connection_id, slow, Vault(()), timedelta(days=7)), "acme")
    ahead.add([laptop(1)])
    assert began.wait(10)
    ahead.add([laptop(2)])
    may_end.set()
    ahead.close()
    with pytest.raises(CancelledError):
        ahead.finish()


def test_nobody_is_asked_about_while_details_are_off() -> None:
    ahead = DetailsAhead()
    ahead.add([laptop(1)])
    assert ahead.finish() == Asked()
    ahead.close()
