"""What the project consists of: a guard against drift in what others build on."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from intune_pipeline.domain import catalog
from intune_pipeline.inventory.schema import FRAMES
from intune_pipeline.orchestration import source
from intune_pipeline.orchestration.metadata import column_schema
from intune_pipeline.settings import SettingsError


def _columns(spec: dg.AssetSpec) -> list[str]:
    schema = spec.metadata.get("dagster/column_schema")
    return [column.name for column in schema.columns] if schema else []


def test_the_assets_are_what_they_were(defs: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    """Names, group and partitions are pinned; everything else changes only on purpose (``--snapshot-update``)."""
    specs = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
    assert snapshot == [
        {
            "key": spec.key.to_user_string(),
            "depends_on": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "group": spec.group_name,
            "owners": list(spec.owners),
            "kinds": sorted(spec.kinds),
            "partitions": spec.partitions_def.name if spec.partitions_def else None,
            "code_version": bool(spec.code_version),
            "table": spec.metadata.get("dagster/table_name"),
            "columns": _columns(spec),
            "freshness": str(spec.freshness_policy) if spec.freshness_policy else None,
            "description": spec.description,
        }
        for spec in specs
    ]


@pytest.mark.parametrize("asset", sorted(FRAMES))
def test_code_references_name_the_functions_that_compute_and_the_step_that_calls_them(
    defs: dg.Definitions, asset: str
) -> None:
    [spec] = [spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey(asset)]
    *computing, step = spec.metadata["dagster/code_references"].code_references
    for reference, function in [*((one, one.label.rpartition(".")[2]) for one in computing), (step, asset)]:
        file = Path(reference.file_path)
        assert f"def {function}(" in "\n".join(file.read_text().splitlines()[reference.line_number - 1 :][:16])
    assert computing
    assert not any("orchestration/assets" in one.file_path for one in computing)
    assert Path(step.file_path).name == "assets.py"


def test_the_checks_are_what_they_were(defs: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    specs = defs.resolve_all_job_defs()[0].asset_layer.asset_graph
    nodes = sorted(specs.asset_check_keys, key=lambda key: (key.asset_key, key.name))
    assert snapshot == [
        (
            key.asset_key.to_user_string(),
            key.name,
            specs.get(key).blocking,
            specs.get(key).partitions_def.name if specs.get(key).partitions_def else None,
            specs.get(key).description,
        )
        for key in nodes
    ]


def test_schedules_and_sensors_are_what_they_were(defs: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    repository = defs.get_repository_def()
    schedules = [
        (one.name, one.cron_schedule, one.execution_timezone, one.job_name, one.default_status.value, one.description)
        for one in sorted(repository.schedule_defs, key=lambda one: one.name)
    ]
    sensors = [
        (
            one.name,
            one.sensor_type.value,
            one.minimum_interval_seconds,
            sorted(target.job_name for target in one.targets),
            one.default_status.value,
            one.description,
        )
        for one in sorted(repository.sensor_defs, key=lambda one: one.name)
    ]
    assert snapshot == {"schedules": schedules, "sensors": sensors}


def test_jobs_schedules_and_sensors_have_their_names(defs: dg.Definitions) -> None:
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == {
        "intune_plan",
        "intune_sync",
        "maintenance",
        "rejudge_devices",
    }
    repository = defs.get_repository_def()
    assert {schedule.name for schedule in repository.schedule_defs} == {"daily_intune_sync", "daily_maintenance"}
    assert {sensor.name for sensor in repository.sensor_defs} >= {
        "manual_sync_requests",
        "plan_requests",
        "ended_runs",
        "troubles",
    }
    for sensor in repository.sensor_defs:
        if sensor.name in {"manual_sync_requests", "plan_requests", "ended_runs", "troubles"}:
            assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_job_runs_its_five_steps_in_one_process_and_no_more(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("intune_sync")
    assert sorted(node.name for node in job.nodes) == [
        "allwhere_assets", "classified_devices", "employees", "intune_device_details", "raw_intune_devices",
    ]  # fmt: skip
    assert job.executor_def.name == "in_process"


@pytest.mark.parametrize("asset", sorted(FRAMES))
def test_every_column_is_described(asset: str) -> None:
    columns = column_schema(FRAMES[asset]).columns
    assert columns
    assert all(column.description and column.type for column in columns)


def test_a_malformed_setting_is_named_when_definitions_load(monkeypatch: pytest.MonkeyPatch) -> None:
    from intune_pipeline.orchestration.definitions import build_defs

    monkeypatch.setenv("INTUNE_SYNC_HOUR", "25")
    with pytest.raises(SettingsError, match="INTUNE_SYNC_HOUR"):
        build_defs()


@pytest.mark.parametrize("external", ["microsoft/intune_managed_devices", "allwhere/assets", "allwhere/employees"])
def test_what_is_around_the_chain_is_shown_and_never_run(defs: dg.Definitions, external: str) -> None:
    graph = defs.resolve_asset_graph()
    key = dg.AssetKey.from_user_string(external)
    assert key in graph.external_asset_keys
    [spec] = [spec for spec in defs.resolve_all_asset_specs() if spec.key == key]
    assert all(column.description for column in spec.metadata["dagster/column_schema"].columns)


def test_the_classification_has_the_version_of_its_catalogue(tmp_path: Path) -> None:
    assert source.catalogue_version() == source.version_of(Path(catalog.__file__).parent)
    for name in ("a.toml", "b.csv", "notes.txt"):
        (tmp_path / name).write_text("one")
    before = source.version_of(tmp_path)
    (tmp_path / "notes.txt").write_text("two")
    assert source.version_of(tmp_path) == before
    (tmp_path / "a.toml").write_text("two")
    assert source.version_of(tmp_path) != before


def test_nothing_is_warned_of_when_they_are_loaded() -> None:
    """Every command that syncs loads them, and its output is for people."""
    load = "from intune_pipeline.orchestration.definitions import build_defs; build_defs().get_repository_def()"
    loaded = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    assert "Warning" not in loaded.stderr
