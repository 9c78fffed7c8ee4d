"""What operators deploy: every file loads in the program that reads it, as far as that program is here."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.scheduler import DagsterDaemonScheduler

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
YAML_FILES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.yaml"), *DEPLOY.rglob("*.yaml")])


def load(path: Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.mark.parametrize("path", YAML_FILES, ids=str)
def test_yaml_is_well_formed(path: Path) -> None:
    assert [document for document in yaml.safe_load_all((ROOT / path).read_text()) if document]


@pytest.fixture
def home(tmp_path: Path, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Makes a Dagster home with this configuration, on a database of its own."""

    def make(configuration: Path) -> Path:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", new_database())
        (tmp_path / "dagster.yaml").write_text((ROOT / configuration).read_text())
        return tmp_path

    return make


def test_dagster_reads_its_configuration(home: Callable[[Path], Path]) -> None:
    with DagsterInstance.from_config(str(home(Path("dagster.yaml")))) as instance:
        assert type(instance.event_log_storage).__name__ == "FewStatementsEventLog"
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds > 30 * 60
        assert not instance.telemetry_enabled
        assert instance.scheduler
        assert instance.scheduler.max_tick_retries == 30  # type: ignore[attr-defined]
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        queue = instance.get_concurrency_config().run_queue_config
        assert queue
        assert queue.max_concurrent_runs == 20
        assert queue.tag_concurrency_limits == [
            {"key": "dagster/partition", "limit": 1, "value": {"applyLimitPerUniqueValue": True}}
        ]


def test_the_celery_instance_differs_in_the_launcher_only(
    home: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dagster_celery", reason="the extra celery is not installed")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost:6379/0")
    monkeypatch.setenv("CELERY_BACKEND_URL", "redis://localhost:6379/1")
    with DagsterInstance.from_config(str(home(Path("deploy/celery/dagster.yaml")))) as instance:
        assert type(instance.run_launcher).__name__ == "CeleryRunLauncher"
        assert instance.run_launcher.supports_check_run_worker_health
    one, other = load(Path("dagster.yaml")), load(Path("deploy/celery/dagster.yaml"))
    other.pop("run_launcher")
    other["concurrency"]["runs"]["max_concurrent_runs"] = one["concurrency"]["runs"]["max_concurrent_runs"]
    assert one == other


def test_kubernetes_queues_and_retries_as_one_machine_does() -> None:
    here, there = load(Path("dagster.yaml")), load(Path("deploy/kubernetes/values.yaml"))["dagsterDaemon"]
    queue = there["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == here["concurrency"]["runs"]["tag_concurrency_limits"]
    assert there["runRetries"] == {"enabled": True, "maxRetries": 2, "retryOnAssetOrOpFailure": False}
    scheduler = load(Path("deploy/kubernetes/values.yaml"))["scheduler"]["config"]["daemonScheduler"]
    assert scheduler["maxTickRetries"] == here["scheduler"]["config"]["max_tick_retries"]
    assert there["runMonitoring"]["maxRuntimeSeconds"] == here["run_monitoring"]["max_runtime_seconds"]


def test_every_machine_names_the_code_location_alike() -> None:
    """The state of schedules and sensors hangs on the location's name."""
    names = {
        load(Path("workspace.yaml"))["load_from"][0]["python_module"]["location_name"],
        load(Path("deploy/compose/workspace.yaml"))["load_from"][0]["grpc_server"]["location_name"],
        load(Path("deploy/kubernetes/values.yaml"))["dagsterWebserver"]["workspace"]["servers"][0]["name"],
    }
    assert names == {"intune_pipeline"}


def test_compose_publishes_nothing_but_the_reverse_proxy() -> None:
    services = load(Path("deploy/compose/compose.yaml"))["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"caddy"}
    assert "webserver" not in (DEPLOY / "compose" / "Caddyfile").read_text()
    assert services["oauth2-proxy"]["environment"]["OAUTH2_PROXY_UPSTREAMS"] == "http://webserver:3000"


def test_compose_asks_for_every_secret_it_uses_and_the_example_names_them_all() -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    used = {part.split("}")[0].split(":")[0] for part in text.split("${")[1:]}
    lines = (DEPLOY / "compose" / "environment.example").read_text().splitlines()
    assert used == {line.split("=")[0] for line in lines if line and not line.startswith("#")}


def test_files_the_image_copies_are_in_its_context() -> None:
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text()
    copies = [line.split()[1:] for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    sources = {
        source for words in copies for source in words[:-1] if not source.startswith("--") and "/opt" not in source
    }
    assert sources
    for source in sources:
        assert f"!{source}" in allowed, source
        if source != "README.md":
            assert (ROOT / source).exists(), source


def test_every_process_signs_in_to_postgresql_as_its_own_role() -> None:
    """None but the migrations has an administrator's address, and the portal none of Dagster's database."""
    services = load(Path("deploy/compose/compose.yaml"))["services"]
    users = {
        name: {
            variable: url.split("//")[1].split(":")[0]
            for variable, url in service["environment"].items()
            if "_URL" in variable and "@" in url
        }
        for name, service in services.items()
        if service.get("image", "").startswith("intune-pipeline")
    }
    both = {"ALLWHERE_DATABASE_URL": "intune_pipeline", "DAGSTER_POSTGRES_URL": "intune_dagster"}
    assert users == {
        "migrations": {"ALLWHERE_DATABASE_URL": "intune", "DAGSTER_POSTGRES_URL": "intune_dagster"},
        "code": both,
        "daemon": both,
        "probe": both,
        "webserver": {"DAGSTER_POSTGRES_URL": "intune_dagster"},
        "portal": {"ALLWHERE_DATABASE_URL": "intune_portal"},
    }
    assert load(Path("deploy/kubernetes/values.yaml"))["postgresql"]["postgresqlUsername"] == "intune_dagster"
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "portal.yaml").read_text())
    secrets = {
        document["kind"]: document["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
        for document in documents
        if "template" in document["spec"]
    }
    assert secrets == {"Job": "intune-migrations", "Deployment": "intune-portal"}


@pytest.mark.parametrize("configuration", ["dagster.yaml", "deploy/celery/dagster.yaml"])
def test_a_tick_that_fails_is_tried_again(home: Callable[[Path], Path], configuration: str) -> None:
    with DagsterInstance.from_config(str(home(Path(configuration)))) as instance:
        assert isinstance(instance.scheduler, DagsterDaemonScheduler)
        assert instance.scheduler.max_tick_retries == 30


def test_the_workflow_runs_what_a_person_runs_on_every_python_the_package_promises() -> None:
    [job] = load(Path(".github/workflows/test.yml"))["jobs"].values()
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert job["strategy"]["matrix"]["python"] == promised
    assert job["steps"][-1] == {"run": "make test"}


def test_the_daemon_is_looked_at_from_outside_everywhere() -> None:
    services = load(Path("deploy/compose/compose.yaml"))["services"]
    assert services["daemon"]["healthcheck"]["test"] == ["CMD", "intune-pipeline", "probe"]
    assert services["probe"]["command"][:2] == ["intune-pipeline", "probe"]
    [job] = yaml.safe_load_all((DEPLOY / "kubernetes" / "probe.yaml").read_text())
    assert job["kind"] == "CronJob"
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["intune-pipeline", "probe"]
    service = (DEPLOY / "systemd" / "intune-pipeline-probe.service").read_text()
    assert "ExecStart=/opt/intune-pipeline/.venv/bin/intune-pipeline probe\n" in service
    assert "Type=oneshot" in service
    assert "OnUnitActiveSec=30s" in (DEPLOY / "systemd" / "intune-pipeline-probe.timer").read_text()


def test_who_looks_knows_the_hour_of_the_nightly_tick() -> None:
    services = load(Path("deploy/compose/compose.yaml"))["services"]
    for name in ("code", "daemon", "probe"):
        assert {"INTUNE_SYNC_HOUR", "INTUNE_SYNC_TIME_ZONE"} <= set(services[name]["environment"]), name
