"""What a run's log tells, and what it never tells."""

import re

import dagster as dg
import pytest

from intune_pipeline.orchestration import catalog
from intune_pipeline.orchestration.links import ADMIN_CENTRES, Links, links_of
from intune_pipeline.sandbox.tenants import DirectoryUser
from intune_pipeline.settings import LinkSettings
from intune_pipeline_tests.orchestration.conftest import World


def told(world: World, level: int) -> list[str]:
    """What the last run's steps logged at a level; Dagster's own events have one too."""
    logs = world.instance.all_logs(world.last.run_id)
    return [entry.user_message for entry in logs if entry.level == level and not entry.is_dagster_event]


def test_a_run_tells_what_it_read_decided_and_wrote(world: World) -> None:
    done = world.sync()
    assert done
    story = "\n".join(told(world, 20))
    assert f"Listed {done.devices_listed} devices in 1 page (" in story
    assert f"{done.devices_skipped} are skipped (" in story
    assert f"Plan: {done.assets_created} assets to create" in story
    assert f"{done.employees_created} employees to create" in story
    assert f"{done.assets_created} assets created, 0 updated" in story
    world.sync()
    assert f"{done.assets_created} unchanged" in "\n".join(told(world, 20))


def test_who_waits_for_a_decision_is_told_so_by_every_run(world: World) -> None:
    waits = re.compile(r"\d+ waits? for a decision, because [^,.]+ shared accounts?")
    reception = DirectoryUser(
        "5ba3ad5b-0000-4000-8000-000000000001", "Reception", "reception@acme.example", "reception@acme.example"
    )
    for device_id, record in world.tenant.devices.items():
        if record["managedDeviceOwnerType"] == "company" and record["operatingSystem"] in {"iOS", "macOS"}:
            world.tenant.set_primary_user(device_id, reception)
    world.sync()
    first = waits.findall("\n".join(told(world, 20)))
    assert first, "nobody looks like a shared account"
    world.sync()
    assert waits.findall("\n".join(told(world, 20))) == first
    world.execute("update employee_holds set decision = 'skipped'")
    world.sync()
    story = "\n".join(told(world, 20))
    assert not waits.findall(story)
    assert "left out, as a person decided" in story


def test_the_log_names_no_device_and_nobody(world: World) -> None:
    world.sync()
    said = "\n".join([*told(world, 20), *told(world, 30)]).lower()
    private = world.query("select serial_number, device_name from device_outcomes") + world.query(
        "select first_name || ' ' || last_name, email from employees join employee_emails on employee_id = employees.id"
    )
    assert private
    assert not [value for row in private for value in row if value and value.lower() in said]


def test_what_did_not_pass_is_a_warning(world: World, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INTUNE_UNKNOWN_SHARE_WARNING", "0")
    world.reload()
    world.sync()
    assert any("few_unknown_models" in warning for warning in told(world, 30))


def test_a_dry_run_says_so(world: World) -> None:
    world.sync(ops={"allwhere_assets": {"config": {"dry_run": True}}})
    assert "A dry run: nothing is written." in told(world, 20)


def test_a_sync_is_an_event_of_what_it_read_and_wrote(world: World) -> None:
    done = world.sync()
    assert done
    seen = world.instance.fetch_materializations(catalog.INTUNE, limit=1).records[0].asset_materialization
    assert seen
    assert seen.partition == "acme"
    assert seen.metadata["dagster/row_count"].value == done.devices_listed
    for table in ("assets", "employees"):
        [record] = world.instance.fetch_materializations(catalog.table_key(table), limit=5).records
        assert record.asset_materialization
        assert record.asset_materialization.partition == "acme"
    world.sync()
    assert len(world.instance.fetch_materializations(catalog.table_key("assets"), limit=5).records) == 1


def test_employees_show_how_the_tenant_writes_addresses(world: World) -> None:
    world.sync()
    shown = world.materialization("employees")["conventions"]
    assert "certain name" in shown
    assert "first.last" in shown


def test_the_preview_of_assets_tells_make_model_type_and_what_was_done(world: World) -> None:
    world.sync()
    preview = world.materialization("allwhere_assets")["preview"]
    header = preview.splitlines()[0]
    for column in ("manufacturer", "model_name", "device_type", "reason", "action", "rows"):
        assert column in header
    assert "create" in preview


def test_kept_lists_are_judged_again_without_asking_microsoft(world: World, sandbox) -> None:
    world.sync()
    world.execute("update pipeline.snapshots set listed_at = now() - interval '3 days'")
    sandbox.requests.clear()
    result = world.defs.resolve_job_def("rejudge_devices").execute_in_process(
        partition_key="acme", instance=world.instance, raise_on_error=False
    )
    assert result.success
    assert not list(sandbox.requests)
    assert "changed_since_last_sync" in world.materialization("classified_devices")
    assert len(world.query("select 1 from sync_runs")) == 1, "a judgement is no sync"


def test_links_lead_to_the_portal_and_to_the_cloud_s_admin_centres(world: World) -> None:
    links = links_of(LinkSettings.load(portal_url="https://portal.example.com/"))
    assert links.run(7)["portal_run"].value == "https://portal.example.com/integrations/intune/runs/7"
    assert "/devices?outcome=skipped" in str(links.devices(outcome="skipped")["portal_devices"].value)
    assert not links.intune_devices("tenant"), "a sandbox has no admin centre"
    for login, (intune, entra) in ADMIN_CENTRES.items():
        links = links_of(LinkSettings.load(microsoft_login_url=login))
        assert str(links.intune_devices("t")["intune_admin_centre"].value).startswith(f"{intune}/t/#view/")
        assert str(links.entra_users("t")["entra_admin_centre"].value).startswith(f"{entra}/t/#view/")
    assert Links().run(7) == {}


def test_links_are_the_portal_s_own_paths() -> None:
    from intune_pipeline.orchestration.links import PORTAL_HOME
    from intune_pipeline.portal.device_links import DEVICES
    from intune_pipeline.portal.run_pages import RUNS

    assert (f"{PORTAL_HOME}/devices", f"{PORTAL_HOME}/runs") == (DEVICES, RUNS)


def test_a_canceled_run_is_recorded_as_canceled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr("intune_pipeline.orchestration.sync.steps.list_devices", interrupted)
    done = world.sync()
    assert done
    assert (done.status, done.cause, done.error) == ("failed", "canceled", "The run was canceled.")
