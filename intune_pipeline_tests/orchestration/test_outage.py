"""A night whose hour finds allwhere's database away: it comes back, and every tenant is synced that night.

The real scheduler over the real code server, with the clock it is given; then the real daemon, queue and runs.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._scheduler.scheduler import launch_scheduled_runs

from intune_pipeline.cli.database import upgrade_dagster
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.conftest import ConnectedAccount

ROOT = Path(__file__).parents[2]
TENANTS = 3
PATIENCE = 150.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def instance(environment: pytest.MonkeyPatch, dagster_database: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster as ``dagster.yaml`` configures it, on a database of its own, which stays up."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    environment.setenv("DAGSTER_HOME", str(tmp_path))
    environment.setenv("DAGSTER_POSTGRES_URL", dagster_database)
    upgrade_dagster()
    with dg.DagsterInstance.get() as found:
        yield found


@pytest.fixture
def workspace(instance: dg.DagsterInstance) -> Iterator[IWorkspaceProcessContext]:
    """The code location in a process of its own, as the daemon sees it."""
    target = ModuleTarget("intune_pipeline.definitions", None, str(ROOT), "intune_pipeline")
    with create_test_daemon_workspace_context(target, instance) as found:
        yield found


@pytest.fixture
def switch(engine: sa.Engine, maintenance: sa.Engine) -> Callable[[bool], None]:
    """``switch(False)`` takes allwhere's database away, cutting every connection; ``switch(True)`` brings it back."""
    name = engine.url.database

    def allow(connections: bool) -> None:
        engine.dispose()
        with maintenance.connect() as db:
            db.execute(sa.text(f"alter database {name} allow_connections {connections}"))
            if not connections:
                query = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = :name"
                db.execute(sa.text(query), {"name": name})

    return allow


def look(workspace: IWorkspaceProcessContext, at: datetime) -> InstigatorTick | None:
    """What the scheduler does at this moment; returns the newest tick of the nightly schedule."""
    instance = workspace.instance
    retries = instance.scheduler.max_tick_retries  # type: ignore[union-attr]
    list(launch_scheduled_runs(workspace, logging.getLogger("scheduler"), at, {}, max_tick_retries=retries))
    [state] = [one for one in instance.all_instigator_state() if one.instigator_name == "daily_intune_sync"]
    return next(iter(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)), None)


def test_every_tenant_is_synced_in_a_night_whose_hour_finds_the_database_away(
    workspace: IWorkspaceProcessContext,
    engine: sa.Engine,
    sandbox: SandboxCloud,
    connect_account: Callable[..., ConnectedAccount],
    switch: Callable[[bool], None],
    tmp_path: Path,
) -> None:
    accounts = [connect_account(f"acme-{n}", sandbox.tenants[-1 - n].tenant_id).slug for n in range(TENANTS)]
    now = datetime.now(UTC)
    hour = now.replace(hour=5, minute=0, second=0, microsecond=0)
    hour += timedelta(days=hour <= now)
    assert look(workspace, hour - timedelta(minutes=5)) is None

    switch(False)
    for attempt in range(1, 4):
        tick = look(workspace, hour + timedelta(minutes=attempt))
        assert tick is not None
        assert (tick.status, tick.failure_count) == (TickStatus.FAILURE, attempt)
        assert "database" in str(tick.error).lower()
    switch(True)

    tick = look(workspace, hour + timedelta(minutes=4))
    assert tick is not None
    assert tick.status is TickStatus.SUCCESS
    assert tick.timestamp == hour.timestamp()
    assert len(tick.run_ids) == TENANTS

    with (tmp_path / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        assert synced_within(PATIENCE, engine, accounts) == set(accounts), (tmp_path / "daemon.log").read_text()
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def synced_within(seconds: float, engine: sa.Engine, accounts: list[str]) -> set[str]:
    """The accounts that a scheduled sync succeeded for, waiting for all of them."""
    query = sa.text(
        "select a.slug from sync_runs r join connections c on c.id = r.connection_id join accounts a on a.id = c.account_id "
        "where r.status = 'succeeded' and r.trigger = 'schedule'"
    )
    deadline = time.monotonic() + seconds
    while True:
        with engine.connect() as db:
            found = set(db.scalars(query))
        if found >= set(accounts) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
