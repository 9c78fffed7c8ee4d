"""The command line in this process, against a fresh database, a fresh Dagster and a sandbox Microsoft."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from intune_pipeline.cli.main import main
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant

OURS = ("MICROSOFT_", "INTUNE_", "AUTH0_", "PORTAL_", "ALLWHERE_", "DAGSTER_", "BYPASS_")


@dataclass(frozen=True)
class Answer:
    """What a command gave."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with none of the product's variables but a Dagster home of the test's own."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return monkeypatch


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """``command("sync", "acme")`` runs the command line and returns what it printed and how it ended."""

    def run(*arguments: str) -> Answer:
        environment.setattr(sys, "argv", ["intune-pipeline", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def stores(environment: pytest.MonkeyPatch, database: str, dagster_database: str) -> None:
    """An empty database of allwhere and one of Dagster, both migrated."""
    environment.setenv("ALLWHERE_DATABASE_URL", database)
    environment.setenv("DAGSTER_POSTGRES_URL", dagster_database)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxCloud]:
    """A running sandbox with the tenants acme and globex, which no test changes."""
    tenants = [SandboxTenant(name, generate_fleet(5, 120, domain=f"{name}.example")) for name in ("acme", "globex")]
    with SandboxCloud(tenants).running() as running:
        yield running


@pytest.fixture
def cloud(environment: pytest.MonkeyPatch, sandbox: SandboxCloud) -> SandboxCloud:
    """The sandbox, and settings that point at it."""
    for name, value in sandbox.environment().items():
        environment.setenv(name, value)
    return sandbox
