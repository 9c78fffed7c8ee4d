"""The sandbox as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from intune_pipeline.sandbox.__main__ import main
from intune_pipeline_tests.sandbox.conftest import TrustingSession, app_token

ODD_RECORDS = [
    {"id": "a", "deviceName": "Anna", "serialNumber": "S1", "ownerType": "company", "_source": {"licence": "none"}},
    {"id": "a", "deviceName": "Anna", "serialNumber": "S2", "physicalMemoryInBytes": 17179869184},
    {"id": None, "deviceName": None, "deviceActionResults": {}},
    {"id": "b", "lastSyncDateTime": "2026-01-31T12:00:00.1234567Z", "userId": None},
]


class Settings:
    """What a started sandbox wrote down, in the shape the tests' MSAL helper wants."""

    def __init__(self, directory: Path) -> None:
        environment = json.loads((directory / "environment.json").read_text())
        self.client_id = environment["MICROSOFT_CLIENT_ID"]
        self.client_secret = environment["MICROSOFT_CLIENT_SECRET"]
        self.login_url = environment["MICROSOFT_LOGIN_URL"]
        self.graph_url = environment["MICROSOFT_GRAPH_URL"]
        self.ca_bundle = Path(environment["MICROSOFT_CA_BUNDLE"])
        self.tenants = {one["name"]: one for one in json.loads((directory / "tenants.json").read_text())}


@contextmanager
def process(directory: Path, *arguments: str) -> Iterator[Settings]:
    """A running sandbox, told to stop at the end; it must then have ended well."""
    for name in ("environment.json", "tenants.json"):
        (directory / name).unlink(missing_ok=True)
    command = [sys.executable, "-m", "intune_pipeline.sandbox", "--directory", str(directory), *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 30
        while not (directory / "environment.json").exists():
            assert running.poll() is None, running.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield Settings(directory)
    finally:
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=10)
    assert running.returncode == 0, output


def test_a_recorded_fleet_is_served_as_it_is_and_a_restart_keeps_the_trust(tmp_path: Path) -> None:
    recording = tmp_path / "odd.jsonl"
    recording.write_text("\n".join(json.dumps(record) for record in ODD_RECORDS) + "\n\n")
    trusted: list[bytes] = []
    for _ in range(2):
        with process(tmp_path, "--replay", str(recording), "--fault", "largest_page=3") as settings:
            trusted.append(settings.ca_bundle.read_bytes())
            with TrustingSession(settings.ca_bundle) as session:
                listed = every_device(settings, session, "replay")
    assert trusted[0] == trusted[1]
    assert sorted(map(str, (device.get("id") for device in listed))) == ["None", "a", "a", "b"]
    assert {device.get("serialNumber") for device in listed} == {"S1", "S2", None}
    assert not any("_source" in device or "ownerType" in device for device in listed)
    assert [device.get("physicalMemoryInBytes") for device in listed if device.get("serialNumber") == "S2"] == [0]


def test_three_companies_are_invented_with_the_switches_asked_for(tmp_path: Path) -> None:
    with process(tmp_path, "--devices", "100", "--tenant", "globex.app_disabled=true") as settings:
        assert {name: one["devices"] for name, one in settings.tenants.items()} == {
            "acme": 80,
            "globex": 15,
            "initech": 5,
        }
        with TrustingSession(settings.ca_bundle) as session:
            assert len(every_device(settings, session, "acme")) == 80
            disabled = app_token(settings, settings.tenants["globex"]["tenant_id"], session)
            assert disabled["error_codes"] == [7000112]
    assert (tmp_path / "environment.json").stat().st_mode & 0o077 == 0 or os.name == "nt"


def every_device(settings: Any, session: TrustingSession, name: str) -> list[dict[str, Any]]:
    token = app_token(settings, settings.tenants[name]["tenant_id"], session)["access_token"]
    address: str | None = f"{settings.graph_url}/v1.0/deviceManagement/managedDevices"
    devices = []
    while address:
        page = session.get(address, headers={"Authorization": f"Bearer {token}"}).json()
        devices += page["value"]
        address = page.get("@odata.nextLink")
    return devices


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "throttle_every"], "NAME=VALUE"),
        (["--fault", "typo=1"], "typo"),
        (["--tenant", "nobody.consented=false"], "There is no tenant 'nobody'"),
        (["--tenant", "acme.typo=1"], "typo"),
        (["--devices", "-1"], "--devices"),
        (["--replay", "missing.jsonl"], "missing.jsonl"),
    ],
)
def test_wrong_use_is_explained_in_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["--directory", str(tmp_path), "--devices", "1", *arguments])
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "environment.json").exists()


def test_a_recording_that_is_not_json_names_its_line(tmp_path: Path) -> None:
    recording = tmp_path / "bad.jsonl"
    recording.write_text('{"id": "a"}\n{"id": \n')
    result = CliRunner().invoke(main, ["--directory", str(tmp_path), "--replay", str(recording)])
    assert result.exit_code == 1
    assert "line 2" in result.output
