"""OpenLineage: finished syncs told to a file and to a server, by tenant, and told again when the server was away."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from intune_pipeline.orchestration import lineage
from intune_pipeline.settings import SettingsError
from intune_pipeline_tests.orchestration.conftest import World

pytest.importorskip("dagster_openlineage", reason="the extra lineage is not installed")
CHAIN = ["raw_intune_devices", "classified_devices", "intune_device_details", "employees", "allwhere_assets"]


def look(world: World, cursor: str | None) -> dg.SensorEvaluationContext:
    """One tick; returns its context, which has the new cursor."""
    context = dg.build_sensor_context(
        instance=world.instance, cursor=cursor, repository_def=world.defs.get_repository_def()
    )
    lineage.lineage(context)
    return context


@pytest.fixture
def told(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file that lineage is written to."""
    sink = tmp_path / "lineage.ndjson"
    config = tmp_path / "openlineage.yml"
    config.write_text(f"transport: {{type: file, log_file_path: {sink}, append: true}}")
    environment.setenv("OPENLINEAGE_CONFIG", str(config))
    return sink


TABLES = {"allwhere/assets", "allwhere/employees"}


def events(sink: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.read_text().splitlines()] if sink.exists() else []


def test_a_sync_is_told_as_a_chain_of_datasets_in_the_tenants_namespace(world: World, told: Path) -> None:
    cursor = look(world, None).cursor
    world.sync()
    cursor = look(world, cursor).cursor
    found = events(told)
    assert {event["job"]["namespace"] for event in found} == {"intune/acme"}
    assert {event["run"]["runId"] for event in found} == {world.last.run_id}
    done = {one["job"]["name"]: one for one in found if one["eventType"] == "COMPLETE" and one.get("outputs")}
    assert [name for name in done if name in CHAIN] == CHAIN
    assert done.keys() - set(CHAIN) == {"microsoft/intune_managed_devices", *TABLES}
    inputs = {name: {dataset["name"] for dataset in event["inputs"]} for name, event in done.items()}
    assert inputs["raw_intune_devices"] == {"microsoft/intune_managed_devices"}
    assert inputs["classified_devices"] == {"raw_intune_devices"}
    assert inputs["allwhere_assets"] == {"classified_devices", "intune_device_details", "employees"}
    [dataset] = done["classified_devices"]["outputs"]
    assert "serial_number" in {column["name"] for column in dataset["facets"]["schema"]["fields"]}
    [checked] = [one for one in found if one["job"]["name"] == "allwhere_assets__checks"]
    assertions = checked["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert len(assertions) == 4
    assert [one["eventType"] for one in found if one["job"]["name"] == "intune_sync"] == ["START", "COMPLETE"]

    before = len(found)
    look(world, cursor)
    assert len(events(told)) == before


def test_a_failed_sync_is_told_with_its_sentence_and_nothing_personal(world: World, told: Path) -> None:
    cursor = look(world, None).cursor
    world.tenant.consented = False
    synced = world.sync()
    assert synced
    look(world, cursor)
    [failed] = [one for one in events(told) if one["eventType"] == "FAIL" and one["job"]["name"] == CHAIN[0]]
    assert failed["run"]["facets"]["errorMessage"]["message"] == synced.error
    people = {str(record.get("userDisplayName")) for record in world.tenant.devices.values()} - {"", "None"}
    text = told.read_text()
    assert people
    assert not [name for name in people if name in text]


@pytest.fixture
def server() -> Iterator[tuple[HTTPServer, list[dict[str, Any]]]]:
    """A lineage server on loopback, and what it took; answers 500 while ``broken`` is set."""
    taken: list[dict[str, Any]] = []

    class Lineage(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_broken = getattr(self.server, "broken", False)
            if not is_broken:
                taken.append(body)
            self.send_response(400 if is_broken else 201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    serving = HTTPServer(("127.0.0.1", 0), Lineage)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving, taken
    serving.shutdown()
    serving.server_close()


def test_what_the_server_does_not_take_is_told_at_the_next_look(
    world: World, environment: pytest.MonkeyPatch, server: tuple[HTTPServer, list[dict[str, Any]]]
) -> None:
    serving, taken = server
    environment.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{serving.server_port}")
    environment.setenv("OPENLINEAGE_NAMESPACE", "production")
    cursor = look(world, None).cursor
    world.sync()
    serving.broken = True  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="400"):
        look(world, cursor)
    assert taken == []
    serving.broken = False  # type: ignore[attr-defined]
    look(world, cursor)
    assert {event["job"]["namespace"] for event in taken} == {"production/acme"}
    assert [event["job"]["name"] for event in taken][-1].endswith("__checks")


def test_the_sensor_is_there_where_openlineage_is_configured_only(
    environment: pytest.MonkeyPatch,
) -> None:
    assert lineage.build_sensors() == []
    environment.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert [one.name for one in lineage.build_sensors()] == ["lineage"]
    environment.setattr(lineage, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'intune-pipeline\[lineage\]'"):
        lineage.build_sensors()
