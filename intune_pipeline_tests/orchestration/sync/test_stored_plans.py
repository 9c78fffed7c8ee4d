"""Plans that are looked at first: asked for, approved, and done exactly so or not at all."""

from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from intune_pipeline.domain.vocabulary import OwnCause, PlanLineKind, PlanStatus
from intune_pipeline.inventory import plan_lists, plans, retention, sync_locks, sync_requests
from intune_pipeline.inventory.connections import AwaitingApprovalError
from intune_pipeline.inventory.plans import NotApprovableError, StoredPlan, UnknownPlanError
from intune_pipeline.orchestration.jobs import intune_plan
from intune_pipeline.orchestration.partitions import PLAN_TAG
from intune_pipeline.orchestration.sensors import plan_requests
from intune_pipeline_tests.orchestration.conftest import DEBOUNCE, World

ADMIN = "ada@acme.example"


@pytest.fixture
def waiting(world: World) -> World:
    """A connection whose admin chose to see a plan first."""
    world.execute("update connections set plan_first = true, status = 'awaiting_approval'")
    return world


def connection_id(world: World) -> int:
    return int(world.query("select id from connections")[0].id)


def ask(world: World) -> UUID:
    with world.engine.begin() as db:
        return plans.request(db, connection_id(world), requested_by=ADMIN)


def look(world: World) -> list[dg.RunRequest]:
    """One tick of the sensor."""
    context = dg.build_sensor_context(instance=world.instance, resources={"database": world.engine})
    ticked = plan_requests(context)
    assert isinstance(ticked, dg.SensorResult | dg.SkipReason)
    return list(ticked.run_requests or []) if isinstance(ticked, dg.SensorResult) else []


def make(world: World, plan_id: UUID) -> StoredPlan:
    """What the daemon does with a plan that was asked for."""
    (asked,) = look(world)
    world.instance.add_dynamic_partitions("tenants", [world.account.slug])
    world.defs.resolve_job_def("intune_plan").execute_in_process(
        partition_key=str(asked.partition_key), tags=dict(asked.tags), instance=world.instance, raise_on_error=False
    )
    return stored(world, plan_id)


def made(world: World) -> StoredPlan:
    return make(world, ask(world))


def stored(world: World, plan_id: UUID) -> StoredPlan:
    with world.engine.connect() as db:
        return plans.get(db, plan_id, world.account.slug)


def approve(world: World, plan: StoredPlan) -> UUID:
    with world.engine.begin() as db:
        return plans.approve(db, plan, actor=ADMIN)


def test_the_lists_of_a_plan_add_up_to_its_counts(world: World) -> None:
    plan = made(world)
    assert plan.status == PlanStatus.READY
    with world.engine.connect() as db:
        found = plan_lists.page(db, plan, plan_lists.Query(page_size=1000))
    counts = plan.counts
    assert found.counts[PlanLineKind.CREATED] == counts["assets_created"] > 0
    assert found.counts[PlanLineKind.EMPLOYEE_ADDED] == counts["employees_created"] > 0
    skipped = {reason: count for reason, count in counts["devices_skipped"].items() if reason != "personal"}
    assert found.counts[PlanLineKind.SKIPPED] == sum(skipped.values())
    assert found.total == len(found.lines) == sum(found.counts.values())
    assert counts == {name: value for name, value in world.planned().items() if name in counts}


def test_nothing_is_synced_before_somebody_approved(waiting: World) -> None:
    assert waiting.sync() is None
    (sentence,) = waiting.failures()
    assert "approve" in sentence
    with waiting.engine.begin() as db, pytest.raises(AwaitingApprovalError):
        sync_requests.request(db, connection_id(waiting), requested_by=ADMIN, debounce=DEBOUNCE)
    assert waiting.query("select count(*) from assets") == [(0,)]


def test_an_approved_plan_is_done_exactly(waiting: World) -> None:
    plan = made(waiting)
    request_id = approve(waiting, plan)
    run = waiting.sync("initial")
    assert run is not None
    assert (run.status, run.assets_created) == ("succeeded", plan.counts["assets_created"])
    after = stored(waiting, plan.id)
    assert (after.status, after.sync_run_id, after.approved_by) == (PlanStatus.APPLIED, run.id, ADMIN)
    assert waiting.query("select status, plan_first from connections") == [("connected", False)]
    with waiting.engine.connect() as db:
        request = sync_requests.get(db, request_id)
    assert request is not None
    assert (request.status, request.trigger) == ("succeeded", "initial")
    assert waiting.sync() is not None


def test_a_plan_that_holds_no_more_is_not_done_and_says_what_changed(waiting: World) -> None:
    plan = made(waiting)
    approve(waiting, plan)
    with waiting.engine.connect() as db:
        created = plan_lists.page(db, plan, plan_lists.Query(kind=PlanLineKind.CREATED)).lines
    serials = {record["serialNumber"]: device_id for device_id, record in waiting.tenant.devices.items()}
    gone, other = created[0].name, created[1].name
    waiting.tenant.remove(serials[gone])
    waiting.tenant.update(serials[other], osVersion="99.9")
    run = waiting.sync("initial")
    assert run is not None
    assert (run.status, run.cause) == ("failed", OwnCause.PLAN_CHANGED)
    assert waiting.query("select count(*) from assets") == [(0,)]
    assert stored(waiting, plan.id).status == PlanStatus.CHANGED

    with waiting.engine.connect() as db:
        following = plans.newest(db, waiting.account.slug)
        assert following is not None
        told = {one.name: one for one in plan_lists.changed_since(db, following, 10)}
    assert (following.status, following.follows_id) == (PlanStatus.READY, plan.id)
    assert following.differences == len(told)
    assert told[gone].after is None
    assert told[other].after is not None
    assert told[other].after.fields["os_version"] == [None, "99.9"]
    approve(waiting, following)
    done = waiting.sync("initial")
    assert done is not None
    assert done.status == "succeeded"
    assert done.assets_created == following.counts["assets_created"]


def test_words_of_skipped_devices_are_no_change(waiting: World) -> None:
    plan = made(waiting)
    approve(waiting, plan)
    waiting.tenant.add(
        {**next(iter(waiting.tenant.devices.values())), "id": "new-desktop", "serialNumber": "DESK-1", "model": "iMac",
         "operatingSystem": "macOS", "manufacturer": "Apple", "managedDeviceOwnerType": "company"}
    )  # fmt: skip
    run = waiting.sync("initial")
    assert run is not None
    assert run.status == "succeeded"


def test_a_plan_can_be_asked_for_at_any_time_and_approved(world: World) -> None:
    world.sync()
    device_id = next(
        key for key, record in world.tenant.devices.items()
        if world.query("select 1 from assets where intune_device_id = :id", id=record["id"])
    )  # fmt: skip
    world.tenant.update(device_id, osVersion="77.7")
    plan = made(world)
    assert plan.counts["assets_updated"] == 1
    approve(world, plan)
    assert world.query("select trigger from sync_requests order by requested_at desc limit 1") == [("manual",)]
    run = world.sync("manual")
    assert run is not None
    assert (run.status, run.assets_updated) == ("succeeded", 1)
    assert stored(world, plan.id).status == PlanStatus.APPLIED


def test_only_the_newest_plan_is_approved_and_once(waiting: World) -> None:
    older, newer = made(waiting), made(waiting)
    with pytest.raises(NotApprovableError, match="newer"):
        approve(waiting, older)
    approve(waiting, newer)
    with pytest.raises(NotApprovableError, match="already"):
        approve(waiting, newer)


def test_a_plan_is_not_approved_beside_a_sync_that_is_asked_for(world: World) -> None:
    plan = made(world)
    with world.engine.begin() as db:
        sync_requests.request(db, connection_id(world), requested_by=ADMIN, debounce=DEBOUNCE)
    with pytest.raises(NotApprovableError, match="asked for or running"):
        approve(world, plan)
    assert stored(world, plan.id).status == PlanStatus.READY


def test_a_plan_is_asked_for_once_and_becomes_one_run(world: World) -> None:
    assert ask(world) == ask(world)
    (asked,) = look(world)
    assert asked.run_key in {one.run_key for one in look(world)}


def test_a_plan_whose_run_ended_without_a_word_has_failed(world: World) -> None:
    plan_id = ask(world)
    tags = {PLAN_TAG: str(plan_id)}
    world.instance.create_run_for_job(intune_plan, status=dg.DagsterRunStatus.FAILURE, tags=tags)
    assert look(world) == []
    assert stored(world, plan_id).status == PlanStatus.FAILED
    assert ask(world) != plan_id


def test_a_tenant_that_refuses_is_said_and_a_plan_that_is_made_again_waits_again(waiting: World) -> None:
    waiting.tenant.consented = False
    failed = made(waiting)
    assert failed.status == PlanStatus.FAILED
    assert "consent" in (failed.error or "")
    assert waiting.query("select status from connections") == [("needs_consent",)]
    assert waiting.sync() is None
    waiting.tenant.consented = True
    assert made(waiting).status == PlanStatus.READY
    assert waiting.query("select status from connections") == [("awaiting_approval",)]


def test_a_plan_waits_for_a_running_sync(world: World) -> None:
    with sync_locks.locked(world.engine, connection_id(world)):
        assert made(world).status == PlanStatus.FAILED


def test_a_plan_is_kept_for_a_day(world: World) -> None:
    plan = made(world)
    world.execute("update plans set made_at = now() - interval '25 hours'")
    with world.engine.begin() as db:
        with pytest.raises(UnknownPlanError):
            plans.get(db, plan.id)
        assert retention.forget_old(db, retention.Retention())["plans"] == 1
    assert world.query("select count(*) from plan_lines") == [(0,)]


def test_assignees_are_named_by_their_address(world: World) -> None:
    """Those who are employees already as those who are still to be created."""
    world.execute("update connections set mdm_assignee_updates = true")
    world.sync()
    world.execute("delete from device_outcomes")
    world.execute("delete from asset_changes")
    world.execute("delete from held_assignments")
    world.execute("delete from assets")
    plan = made(world)
    with world.engine.connect() as db:
        lines = plan_lists.page(db, plan, plan_lists.Query(kind=PlanLineKind.CREATED, page_size=1000)).lines
        csv = list(plan_lists.csv_lines(db, plan, plan_lists.Query()))
    assigned: list[Any] = [line.fields["assignee_id"][1] for line in lines if "assignee_id" in line.fields]
    assert assigned
    assert all("@" in one for one in assigned)
    assert len(csv) > len(lines)


def test_search_finds_serials_people_and_reasons(world: World) -> None:
    plan = made(world)
    with world.engine.connect() as db:
        every = plan_lists.page(db, plan, plan_lists.Query(page_size=1000)).lines
        line = next(one for one in every if one.kind == PlanLineKind.CREATED)
        spelt = f" {line.name[:3]} {line.name[3:]}".lower()
        found = plan_lists.page(db, plan, plan_lists.Query(spelt))
        assert line.name in [one.name for one in found.lines]
        assert plan_lists.page(db, plan, plan_lists.Query("desktop")).counts.keys() == {PlanLineKind.SKIPPED}
        assert plan_lists.page(db, plan, plan_lists.Query("100% certainly not there_")).total == 0


def test_a_stored_plan_tells_other_accounts_nothing(world: World) -> None:
    plan = made(world)
    with world.engine.connect() as db, pytest.raises(UnknownPlanError):
        plans.get(db, plan.id, "another-account")
