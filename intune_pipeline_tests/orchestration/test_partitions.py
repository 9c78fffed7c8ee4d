"""Dagster's partitions follow the database both ways, and a database that is not migrated makes no noise."""

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RETRY_NUMBER_TAG, ROOT_RUN_ID_TAG

from intune_pipeline.inventory.database import VERSION_TABLE
from intune_pipeline.orchestration import sensors
from intune_pipeline.orchestration.partitions import changes, trigger_of
from intune_pipeline.orchestration.sync.upgrades import SENTENCE
from intune_pipeline_tests.orchestration.conftest import ORIGIN, World, tick


def requested(result: dg.SensorResult) -> dict[str, list[str]]:
    return {type(one).__name__: sorted(one.partition_keys) for one in result.dynamic_partitions_requests or []}


def test_connecting_adds_the_partition_and_a_key_of_no_account_goes(world: World) -> None:
    world.instance.add_dynamic_partitions("tenants", ["typo"])
    assert requested(tick(world, sensors.tenant_partitions)) == {
        "AddDynamicPartitionsRequest": ["acme"],
        "DeleteDynamicPartitionsRequest": ["typo"],
    }


def test_a_run_started_again_by_hand_is_an_operators_and_one_started_over_stays_what_it_was() -> None:
    first = {"intune/trigger": "initial"}
    again = {**first, PARENT_RUN_ID_TAG: "b8e7c2c0", ROOT_RUN_ID_TAG: "b8e7c2c0"}
    assert trigger_of({}) == "operator"
    assert trigger_of(first) == "initial"
    assert trigger_of(again) == "operator"
    assert trigger_of({**again, RETRY_NUMBER_TAG: "1"}) == "initial"


def test_when_both_agree_nothing_is_asked(world: World) -> None:
    world.instance.add_dynamic_partitions("tenants", ["acme"])
    assert isinstance(tick(world, sensors.tenant_partitions), dg.SkipReason)


def test_a_key_whose_run_works_stays_until_it_has_ended(world: World) -> None:
    world.instance.add_dynamic_partitions("tenants", ["acme", "typo"])
    run = world.instance.create_run_for_job(
        world.defs.resolve_job_def("intune_sync"),
        tags={"dagster/partition": "typo"},
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=ORIGIN,
    )
    assert requested(tick(world, sensors.tenant_partitions)) == {}
    world.instance.report_run_canceled(run)
    assert requested(tick(world, sensors.tenant_partitions)) == {"DeleteDynamicPartitionsRequest": ["typo"]}


def test_the_history_of_a_disconnected_account_keeps_its_key(world: World) -> None:
    world.instance.add_dynamic_partitions("tenants", ["acme"])
    world.execute("update connections set status = 'disconnected', tenant_id = null")
    result = tick(world, sensors.tenant_partitions)
    assert requested(result) == {}


def test_an_empty_database_deletes_nothing() -> None:
    assert changes({"acme", "typo"}, set(), set(), set()) == ([], [])


def test_without_a_migration_every_sensor_says_what_to_run(world: World) -> None:
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    # Without INTUNE_MAIL_URL nobody has e-mails, and nothing is looked at.
    looking = [sensor for sensor in sensors.SENSORS if sensor.name != "customer_mails"]
    with world.engine.begin() as db:
        newest = db.scalar(sa.select(version.c.version_num))
        db.execute(sa.text("alter table accounts rename to accounts_of_an_older_version"))
        db.execute(sa.update(version).values(version_num="0014"))
    try:
        with dg.instance_for_test() as world.instance:
            said = {sensor.name: tick(world, sensor) for sensor in looking}
    finally:
        with world.engine.begin() as db:
            db.execute(sa.text("alter table accounts_of_an_older_version rename to accounts"))
            db.execute(sa.update(version).values(version_num=newest))
    assert {name: one.skip_message for name, one in said.items()} == {sensor.name: SENTENCE for sensor in looking}
