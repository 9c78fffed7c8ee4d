"""A run opened: what it did, row by row, in the words of the plan before it."""

import io

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import run_story
from intune_pipeline.inventory.run_story import RunStory
from intune_pipeline.inventory.undo import undo
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme", mdm_assignee_updates=True)


def story(tenant: Tenant) -> RunStory:
    with tenant.engine.connect() as db:
        run_id = db.scalar(sa.text("select max(id) from sync_runs"))
        return run_story.of_run(db, int(run_id or 0))


def by_serial(changes):
    return sorted(changes, key=lambda change: change["serial_number"])


def test_a_run_says_what_the_plan_said(tenant: Tenant) -> None:
    holder = tenant.add_employee("Bob", "Falk", "bob.falk@acme.example")
    tenant.add_asset("SN-1", status="allocated", assignee_id=holder, os_version="1")
    devices = [
        device("d1", "SN-1", "cleo.lund@acme.example"),
        device("d2", "SN-2", "bob.falk@acme.example"),
        device("d3", "SN-3", "ann.berg@acme.example"),
        device("d4", "0", "ann.berg@acme.example"),
    ]
    planned = tenant.plan(devices)
    tenant.sync(devices)
    told = story(tenant)
    assert by_serial(told.changes) == by_serial(planned.changes())
    assert told.skipped == {"junk_serial": 1}
    assert [one["email"] for one in told.employees] == ["ann.berg@acme.example", "cleo.lund@acme.example"]
    run = told.run
    assert (run.assets_created, run.assets_updated, run.employees_created, run.assignees_changed) == (2, 1, 2, 1)


def test_a_new_asset_is_told_as_it_was_then(tenant: Tenant) -> None:
    devices = [device("d1", "SN-1", "ann.berg@acme.example", osVersion="1")]
    planned = tenant.plan(devices).changes()
    tenant.sync(devices)
    first = story(tenant)
    tenant.sync([device("d1", "SN-1", "ann.berg@acme.example", osVersion="2")])
    tenant.run("update assets set status = 'lost', storage_gb = 1")
    with tenant.engine.connect() as db:
        assert run_story.of_run(db, first.run.id).changes == first.changes == planned
    assert story(tenant).changes == [
        {"serial_number": "SN-1", "action": "update", "fields": {"os_version": ["1", "2"]}}
    ]


def test_devices_gone_from_intune_and_those_that_failed_are_told(tenant: Tenant) -> None:
    devices = [device(f"d{n}", f"SN-{n}") for n in range(10)]
    tenant.sync(devices)
    tenant.sync(devices[:7])
    told = story(tenant)
    assert told.gone == told.run.devices_gone == 3
    with tenant.engine.begin() as db:
        db.execute(sa.text("alter table assets add constraint refused check (os_version <> '13') not valid"))
    tenant.sync([device("d0", "SN-0", osVersion="13"), *devices[1:]])
    with tenant.engine.begin() as db:
        # The database is used again by other tests.
        db.execute(sa.text("alter table assets drop constraint refused"))
    told = story(tenant)
    assert [one["serial_number"] for one in told.failed] == ["SN-0"]
    assert told.run.devices_failed == len(told.failed)


def test_an_undo_is_told_like_a_sync(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", osVersion="1")])
    tenant.sync([device("d1", "SN-1", osVersion="2")])
    undo(tenant.engine, story(tenant).run.id, actor="operator:test")
    told = story(tenant)
    assert told.changes == [{"serial_number": "SN-1", "action": "update", "fields": {"os_version": ["2", "1"]}}]
    assert (told.run.trigger, told.as_dict()["started_by"]) == ("undo", "operator:test")


def test_csv_has_a_row_per_thing(tenant: Tenant) -> None:
    tenant.sync([device("d1", "SN-1", "ann.berg@acme.example"), device("d2", "0")])
    file = io.StringIO()
    told = story(tenant)
    run_story.write_csv(told, file)
    lines = file.getvalue().splitlines()
    assert lines[0] == "action,what,field,before,after"
    assert len(lines) == 1 + len(list(told.rows()))
    assert "skipped,junk_serial,devices,,1" in lines
