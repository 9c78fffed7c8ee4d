"""A sandbox Microsoft, a fresh database and an ephemeral Dagster: what a real run needs, and how a test starts one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import dagster as dg
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from dagster import DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from intune_pipeline.domain.reconciliation import Plan
from intune_pipeline.inventory import sync_requests, sync_runs
from intune_pipeline.inventory.sync_runs import SyncRun, of_dagster_run
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration.definitions import build_defs
from intune_pipeline.orchestration.resources import limits_of, microsoft_resource
from intune_pipeline.orchestration.sensors import manual_sync_requests
from intune_pipeline.orchestration.sync.alerts import notifier_of
from intune_pipeline.orchestration.sync.launch import FinishedRun, run_sync
from intune_pipeline.orchestration.sync.mails import mailer_of
from intune_pipeline.orchestration.sync.planning import as_dict, plan_account
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.settings import MailSettings, Settings
from intune_pipeline_tests.conftest import ConnectedAccount

KEY = Fernet.generate_key().decode()


FLEET_SIZE = 60
DEBOUNCE = timedelta(minutes=30)
#: Runs of a daemon have one, those of the command line have none and are never started over.
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("intune_pipeline"), "__repository__"), "intune_sync"
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxCloud]:
    """A running Microsoft cloud with more tenants than there are tests, all with equal fleets."""
    tenants = [SandboxTenant(f"tenant-{number}", domain=f"t{number}.example") for number in range(400)]
    with SandboxCloud(tenants).running() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def unused_tenants(sandbox: SandboxCloud) -> Iterator[SandboxTenant]:
    """Tenants no test has touched yet."""
    return iter(sandbox.tenants)


@pytest.fixture
def tenant(unused_tenants: Iterator[SandboxTenant]) -> SandboxTenant:
    """A tenant with `FLEET_SIZE` devices."""
    found = next(unused_tenants)
    for record in generate_fleet(seed=7, size=FLEET_SIZE):
        found.add(record)
    return found


@pytest.fixture(scope="session")
def defs() -> dg.Definitions:
    """The project's definitions, with the settings' defaults."""
    return build_defs()


@pytest.fixture(scope="session")
def dagster_in_memory() -> Iterator[dg.DagsterInstance]:
    """Shared, since Dagster reads all its migrations for each new one."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def instance(dagster_in_memory: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """Dagster, in memory and empty."""
    yield dagster_in_memory
    dagster_in_memory.wipe()


@pytest.fixture(scope="module")
def dagster_on_disk() -> Iterator[dg.DagsterInstance]:
    """Shared for the same reason; while it is there, it is also the one that the environment names."""
    with dg.instance_for_test() as on_disk:
        yield on_disk


@pytest.fixture
def instance_on_disk(dagster_on_disk: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """Dagster, on a disk and empty."""
    yield dagster_on_disk
    dagster_on_disk.wipe()
    assert dagster_on_disk.schedule_storage
    dagster_on_disk.schedule_storage.wipe()


@dataclass
class World:
    """One connected account with its tenant at Microsoft, and Dagster to sync it."""

    engine: sa.Engine
    instance: dg.DagsterInstance
    defs: dg.Definitions
    account: ConnectedAccount
    tenant: SandboxTenant
    last: FinishedRun = field(init=False, repr=False)

    def sync(self, trigger: str = "operator", **run_config: Any) -> SyncRun | None:
        """Run ``intune_sync``; returns its line in the sync log. The run itself is ``last``."""
        self.last = run_sync(
            self.account.slug, trigger=trigger, run_config=run_config, instance=self.instance, defs=self.defs
        )
        return self.sync_run(self.last.run_id)

    def reload(self) -> None:
        """Read the settings again, as a new process does."""
        self.defs = build_defs()

    def planned(self, account: str | None = None) -> dict[str, Any]:
        """What ``plan`` says."""
        return as_dict(self.plan(account))

    def plan(self, account: str | None = None) -> Plan:
        """The same as a value."""
        settings = Settings.load()
        return plan_account(
            self.engine,
            account or self.account.slug,
            open_client=microsoft_resource(settings).open_client,
            vault=Vault(settings.bypass_code_keys),
            details_refresh=limits_of(settings).details_refresh,
        )

    def sync_run(self, dagster_run_id: str) -> SyncRun | None:
        with self.engine.connect() as db:
            return of_dagster_run(db, dagster_run_id)

    def materialize(self, *assets: str, tags: dict[str, str] | None = None, **run_config: Any) -> dg.DagsterRun:
        """Materialize assets by hand, as the UI does; returns the finished run."""
        self.instance.add_dynamic_partitions("tenants", [self.account.slug])
        result = self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            partition_key=self.account.slug,
            instance=self.instance,
            run_config=run_config,
            tags=tags,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            raise_on_error=False,
        )
        run = self.instance.get_run_by_id(result.run_id)
        assert run
        self.last = FinishedRun(run.run_id, result.success, None)
        return run

    def materialization(self, asset: str) -> dict[str, Any]:
        """Metadata of the last materialization, as plain values."""
        record = self.instance.fetch_materializations(dg.AssetKey(asset), limit=1).records[0]
        assert record.asset_materialization
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def failures(self) -> list[str]:
        """Sentences of the failed steps of the last run."""
        events = self.instance.all_logs(self.last.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        return [event.get_dagster_event().step_failure_data.user_failure_data.description or "" for event in events]

    def checks(self) -> dict[str, bool]:
        """Outcome of every check of the last run."""
        events = self.instance.all_logs(self.last.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found = [event.get_dagster_event().asset_check_evaluation_data for event in events]
        return {one.check_name: one.passed for one in found}

    def query(self, sql: str, **values: Any) -> list[Any]:
        with self.engine.connect() as db:
            return list(db.execute(sa.text(sql), values))

    @contextmanager
    def refusing(self, table: str, rows: str) -> Iterator[None]:
        """The database refuses such rows of a table, given as an SQL condition, while the block lasts."""
        self.execute(f"alter table {table} add constraint house_rule check (not ({rows}))")
        try:
            yield
        finally:
            self.execute(f"alter table {table} drop constraint house_rule")

    def execute(self, sql: str, **values: Any) -> None:
        with self.engine.begin() as db:
            db.execute(sa.text(sql), values)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxCloud, database: str) -> pytest.MonkeyPatch:
    """The settings of a pipeline that syncs the sandbox into a fresh database."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALLWHERE_DATABASE_URL", database)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    monkeypatch.setenv("BYPASS_CODE_KEYS", KEY)
    monkeypatch.delenv("INTUNE_DETAILS", raising=False)
    return monkeypatch


@pytest.fixture
def world(
    environment: pytest.MonkeyPatch,
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    sandbox: SandboxCloud,
    tenant: SandboxTenant,
    connect_account: Callable[..., ConnectedAccount],
) -> Iterator[World]:
    """The account ``acme``, connected to a tenant."""
    account = connect_account("acme", tenant.tenant_id)
    yield World(engine, instance, defs, account, tenant)
    sandbox.faults.reset()


def ask(world: World, trigger: Any = "manual") -> UUID:
    with world.engine.begin() as db:
        answer = sync_requests.request(
            db, world.account.connection_id, requested_by="ada", debounce=DEBOUNCE, trigger=trigger
        )
    assert answer.request_id
    return answer.request_id


def state_of(world: World, request_id: UUID) -> tuple[str, str | None]:
    [row] = world.query("select status, error from sync_requests where id = :id", id=request_id)
    return tuple(row)


def tick(world: World, sensor: dg.SensorDefinition = manual_sync_requests) -> Any:
    settings = Settings.load()
    resources = {
        "database": world.engine,
        "limits": limits_of(settings),
        "mailer": mailer_of(MailSettings.load()),
        "notifier": notifier_of(settings.intune_alert_urls),
    }
    wanted = {name: resources[name] for name in sensor.required_resource_keys}
    context = dg.build_sensor_context(instance=world.instance, definitions=world.defs, resources=wanted)
    return sensor(context)


def launch(
    world: World, request: dg.RunRequest, status: DagsterRunStatus = DagsterRunStatus.NOT_STARTED
) -> dg.DagsterRun:
    """What the daemon does with a run request: a run exists, and waits."""
    job = world.defs.resolve_job_def("intune_sync")
    tags = {**request.tags, "dagster/run_key": request.run_key, "dagster/partition": request.partition_key}
    return world.instance.create_run_for_job(job, tags=tags, status=status, remote_job_origin=ORIGIN)


@pytest.fixture
def queued(world: World) -> tuple[UUID, dg.DagsterRun]:
    """A request with its run, and the sync that run has begun."""
    request_id = ask(world)
    [request] = tick(world).run_requests
    run = launch(world, request, DagsterRunStatus.STARTED)
    with world.engine.begin() as db:
        sync_run_id = sync_runs.open_run(db, world.account.connection_id, "manual", run.run_id)
        sync_requests.mark_started(db, [request_id], sync_run_id)
    return request_id, run
