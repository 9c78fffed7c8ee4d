"""Old runs go, each tenant's last good one stays; frames of disconnected tenants go."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import sqlalchemy as sa
from dagster import DagsterRunStatus

from intune_pipeline.orchestration.process.retention import old_runs
from intune_pipeline_tests.conftest import ConnectedAccount
from intune_pipeline_tests.orchestration.conftest import World


def finished(
    instance: dg.DagsterInstance, tenant: str | None, status: DagsterRunStatus, job: str = "intune_sync"
) -> str:
    tags = {"dagster/partition": tenant} if tenant else {}
    run = dg.DagsterRun(job, tags=tags, status=status)
    return instance.run_storage.add_run(run).run_id


def test_all_old_runs_go_but_each_tenants_last_good_one(instance: dg.DagsterInstance) -> None:
    older = finished(instance, "acme", DagsterRunStatus.SUCCESS)
    last_good = finished(instance, "acme", DagsterRunStatus.SUCCESS)
    failed = finished(instance, "acme", DagsterRunStatus.FAILURE)
    by_hand = finished(instance, "acme", DagsterRunStatus.SUCCESS, "__ASSET_JOB")
    of_another = finished(instance, "globex", DagsterRunStatus.SUCCESS)
    tidying = [finished(instance, None, DagsterRunStatus.SUCCESS, "maintenance") for _ in range(2)]
    working = finished(instance, "acme", DagsterRunStatus.STARTED)
    gone, kept = old_runs(instance, ended_before=datetime.now(UTC) + timedelta(hours=1))
    assert set(gone) == {older, failed, tidying[0]}
    assert kept == {last_good, by_hand, of_another, tidying[1]}
    assert working not in {*gone, *kept}


def test_young_runs_stay_and_make_old_ones_superfluous(instance: dg.DagsterInstance) -> None:
    old = finished(instance, "acme", DagsterRunStatus.SUCCESS)
    limit = datetime.now(UTC)
    finished(instance, "acme", DagsterRunStatus.SUCCESS)
    assert old_runs(instance, ended_before=limit)[0] == [old]


def test_the_job_keeps_what_a_partitions_status_hangs_on(
    world: World, connect_account: Callable[..., ConnectedAccount]
) -> None:
    world.sync()
    world.sync()
    left = connect_account("left", status="disconnected", disconnected_at=sa.func.now())
    world.execute(
        "insert into pipeline.snapshots (asset, partition_key, tenant_id, run_id, listing_id, listed_at, complete, "
        "devices_listed, personal, rows) values ('employees', :slug, '', '', '', now(), true, 0, 0, 0)",
        slug=left.slug,
    )
    job = world.defs.resolve_job_def("maintenance")
    result = job.execute_in_process(instance=world.instance)
    assert result.success
    runs = world.instance.get_runs(dg.RunsFilter(job_name="intune_sync"))
    assert len(runs) == 2, "runs younger than 30 days stay"
    assert world.query("select distinct partition_key from pipeline.snapshots") == [("acme",)]
