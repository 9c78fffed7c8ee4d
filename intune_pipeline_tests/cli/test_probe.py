"""``probe`` and ``doctor`` say within a minute that the daemon is dead, and only a whole night is told the dead man's switch."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
import requests
from dagster._daemon.controller import DEFAULT_HEARTBEAT_INTERVAL_SECONDS

from intune_pipeline.cli import probe
from intune_pipeline.cli.processes import free_port
from intune_pipeline.orchestration.process.pulse import HEARTBEAT_MISSED, Finding, Sign
from intune_pipeline.settings import Settings, SettingsError

PATIENCE = 90.0
WHOLE = [Finding(name, Sign.GOOD, "well") for name in ("daemon", "nightly tick", "last night")]


@pytest.fixture
def switch() -> Iterator[tuple[str, list[str]]]:
    """A dead man's switch on loopback, and the paths it was asked for."""
    asked: list[str] = []

    class Switch(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Switch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/ping/hush", asked
    server.shutdown()
    server.server_close()


def finds(environment: pytest.MonkeyPatch, found: list[Finding]) -> None:
    environment.setattr(probe, "look", lambda *_: iter(found))


def test_a_whole_night_is_told_the_switch(stores, environment, command, switch):
    address, asked = switch
    environment.setenv("INTUNE_HEARTBEAT_URL", address)
    finds(environment, WHOLE)
    answer = command("probe")
    assert (answer.status, asked) == (0, ["/ping/hush"])
    assert answer.out.splitlines()[-1] == "✓ heartbeat: sent"
    assert "hush" not in answer.out


@pytest.mark.parametrize(
    ("name", "sign", "status"),
    [
        ("last night", Sign.NOT_YET, 0),
        ("nightly tick", Sign.NOT_YET, 0),
        ("daemon", Sign.NOT_YET, 1),
        ("queue", Sign.BAD, 1),
    ],
)
def test_anything_less_is_not(stores, environment, command, switch, name, sign, status):
    address, asked = switch
    environment.setenv("INTUNE_HEARTBEAT_URL", address)
    finds(environment, [*WHOLE, Finding(name, sign, "not so well")])
    assert (command("probe").status, asked) == (status, [])


def test_a_switch_that_cannot_be_reached_is_said_without_its_address(stores, environment, command):
    environment.setenv("INTUNE_HEARTBEAT_URL", "https://127.0.0.1:9/hush")
    finds(environment, WHOLE)
    answer = command("probe")
    assert "✗ heartbeat: not sent, ConnectionError" in answer.out
    assert answer.status == 0
    assert "hush" not in answer.out + answer.err


def test_an_address_without_encryption_is_refused(environment):
    environment.setenv("INTUNE_HEARTBEAT_URL", "http://hush.example/ping")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert "INTUNE_HEARTBEAT_URL must be an https:// address" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_database_that_is_away_fails_the_probe(stores, environment, command):
    environment.setenv("ALLWHERE_DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/allwhere")
    answer = command("probe")
    assert answer.status == 1
    assert answer.out.startswith("✗ database: ")
    assert "hush" not in answer.out


def line(answer, name):
    return next(one for one in answer.out.splitlines() if one[2:].startswith(f"{name}:"))


def a_minute_passes() -> None:
    """As far as Dagster's records of the daemon's heartbeats tell."""
    with dg.DagsterInstance.get() as instance:
        for beat in instance.get_daemon_heartbeats().values():
            instance.add_daemon_heartbeat(beat._replace(timestamp=beat.timestamp - 60))


def test_a_living_daemon_is_never_said_dead_and_a_dead_one_within_a_minute():
    assert timedelta(seconds=DEFAULT_HEARTBEAT_INTERVAL_SECONDS) < HEARTBEAT_MISSED < timedelta(minutes=1)


@pytest.mark.timeout(300)
def test_a_daemon_that_is_killed_is_said_dead_within_a_minute(stores, cloud, environment, command, tmp_path: Path):
    command("db", "upgrade")
    assert line(command("doctor"), "daemon").startswith("✓")
    assert command("probe").status == 1, "nothing runs yet, and a probe is there for what should run"
    with (tmp_path / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-m", "intune_pipeline.definitions"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while (answer := command("probe")).status and time.monotonic() < deadline:
            time.sleep(1)
        assert answer.status == 0, answer.out
        assert "last heartbeat" in line(answer, "daemon")
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        a_minute_passes()
        assert command("probe").status == 1
        doctor = command("doctor")
        assert line(doctor, "daemon").startswith("✗ daemon: no heartbeat for ")
        assert doctor.status == 1
    finally:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def test_the_fleets_metrics_are_served_beside_the_looks(stores, environment, command):
    refused = command("probe", "--every", "5", "--metrics-port", "9464")
    assert refused.status == 2
    assert "INTUNE_METRICS_TOKEN is not set" in refused.err
    token, port = "a-token-that-is-long-enough", free_port(9464)
    probing = subprocess.Popen(
        [sys.executable, "-m", "intune_pipeline.cli", "probe", "--every", "5", "--metrics-port", str(port)],
        env={**os.environ, "INTUNE_METRICS_TOKEN": token}, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert probing.stdout
        assert "daemon: has not run yet" in "".join(probing.stdout.readline() for _ in range(7))
        answer = requests.get(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        assert 'intune_works{what="daemon"} 0.0' in answer.text
        assert "intune_fleet_late 0.0" in answer.text
    finally:
        os.killpg(probing.pid, signal.SIGKILL)
        probing.wait()
