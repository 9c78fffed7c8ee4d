"""Who is asked about, and when asking ends."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Timer

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.graph import DetailFailure, DeviceDetail, GraphClient
from intune_pipeline.orchestration.sync.device_details import Asked, DetailReader, DetailsAhead
from intune_pipeline_tests.syncing import Tenant


def laptop(number: int, *, serial: int | None = None) -> ManagedDevice:
    return managed_device(
        {
            "id": f"device-{number}",
            "managedDeviceOwnerType": "company",
            "serialNumber": f"PF4Z{serial or number:04}",
            "operatingSystem": "Windows",
            "manufacturer": "Dell Inc.",
            "model": "Latitude 5440",
        }
    )


def test_what_goes_wrong_while_asking_ahead_is_said_when_the_answers_are_needed(engine: sa.Engine) -> None:
    tenant = Tenant.connected(engine, "acme")

    def broken() -> GraphClient:
        raise ConnectionError("no network")

    reader = DetailReader(engine, tenant.connection_id, broken, Vault(()), timedelta(days=7))
    ahead = DetailsAhead()
    ahead.begin(reader, "acme")
    ahead.add([laptop(1)])
    with pytest.raises(ConnectionError):
        ahead.finish(reader, judged(laptop(1)))
    ahead.close()


def judged(*devices: ManagedDevice) -> list[JudgedDevice]:
    return judge(devices, Classifier(), listed_at=datetime.now(UTC))


class SlowGraph(GraphClient):
    """Answers about no device, and not before it may; each is asked about once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.began, self.may_answer = Event(), Event()

    def details(
        self,
        device_ids: Iterable[str],
        *,
        select: Sequence[str] = (),  # noqa: ARG002 - as the client is called
    ) -> Iterator[tuple[str, DeviceDetail | DetailFailure]]:
        for device_id in device_ids:
            if device_id in self.asked:
                continue
            self.asked.append(device_id)
            self.began.set()
            assert self.may_answer.wait(10)
            yield device_id, DetailFailure(Cause.OUTAGE, "")


def test_each_device_is_asked_about_once_whether_it_was_known_by_its_page_or_by_the_whole_list(
    engine: sa.Engine,
) -> None:
    tenant, graph = Tenant.connected(engine, "acme"), SlowGraph()
    graph.may_answer.set()
    reader = DetailReader(engine, tenant.connection_id, lambda: graph, Vault(()), timedelta(days=7))
    ahead = DetailsAhead()
    ahead.begin(reader, "acme")
    for page in ([laptop(1), laptop(2)], [], [laptop(3)]):
        ahead.add(page)
    whole = judged(laptop(1), laptop(2), laptop(3), laptop(4))
    everybody = {"device-1", "device-2", "device-3", "device-4"}
    assert ahead.finish(reader, whole) == Asked(failed=frozenset(everybody))
    assert sorted(graph.asked) == sorted(everybody)
    ahead.close()


def test_once_the_whole_list_is_judged_pages_are_not_asked_about_by_themselves(engine: sa.Engine) -> None:
    tenant, graph = Tenant.connected(engine, "acme"), SlowGraph()
    reader = DetailReader(engine, tenant.connection_id, lambda: graph, Vault(()), timedelta(days=7))
    ahead = DetailsAhead()
    ahead.begin(reader, "acme")
    ahead.add([laptop(1)])
    assert graph.began.wait(10)
    ahead.add([laptop(2)])
    Timer(0.1, graph.may_answer.set).start()
    assert ahead.finish(reader, judged(laptop(1), laptop(3))).failed == {"device-1", "device-3"}
    ahead.close()


def test_of_two_records_of_one_serial_on_two_pages_the_second_waits_for_the_whole_list(engine: sa.Engine) -> None:
    tenant, graph = Tenant.connected(engine, "acme"), SlowGraph()
    graph.may_answer.set()
    reader = DetailReader(engine, tenant.connection_id, lambda: graph, Vault(()), timedelta(days=7))
    ahead = DetailsAhead()
    ahead.begin(reader, "acme")
    for page in ([laptop(1)], [laptop(2, serial=1)], [laptop(3)]):
        ahead.add(page)
    for _ in range(500):
        if "device-3" in graph.asked:
            break
        time.sleep(0.02)
    assert graph.asked == ["device-1", "device-3"]
    ahead.finish(reader, judged(laptop(2, serial=1), laptop(3)))
    assert graph.asked == ["device-1", "device-3", "device-2"]
    ahead.close()


def test_a_run_that_ends_early_asks_about_nobody_else(engine: sa.Engine) -> None:
    tenant, graph = Tenant.connected(engine, "acme"), SlowGraph()
    ahead = DetailsAhead()
    ahead.begin(DetailReader(engine, tenant.connection_id, lambda: graph, Vault(()), timedelta(days=7)), "acme")
    ahead.add([laptop(1)])
    assert graph.began.wait(10)
    ahead.add([laptop(2)])
    Timer(0.1, graph.may_answer.set).start()
    ahead.close()
    assert graph.asked == ["device-1"]


def test_nobody_is_asked_about_while_details_are_off(engine: sa.Engine) -> None:
    tenant, graph = Tenant.connected(engine, "acme"), SlowGraph()
    reader = DetailReader(engine, tenant.connection_id, lambda: graph, Vault(()), None)
    ahead = DetailsAhead()
    ahead.begin(reader, "acme")
    ahead.add([laptop(1)])
    assert ahead.finish(reader, judged(laptop(1))) == Asked()
    ahead.close()
    assert graph.asked == []
