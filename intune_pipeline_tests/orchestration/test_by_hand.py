"""Assets materialized one by one, as an engineer does in the UI, and what is refused."""

import dagster as dg
import pytest

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.orchestration.conftest import World

CHAIN = ("raw_intune_devices", "classified_devices", "intune_device_details", "employees", "allwhere_assets")


def test_every_asset_can_be_materialized_alone_in_order(world: World) -> None:
    for asset in CHAIN:
        assert world.materialize(asset).status is dg.DagsterRunStatus.SUCCESS, asset
    assert world.query("select count(*) > 0 from assets") == [(True,)]
    assert world.query("select status, trigger, devices_listed > 0 from sync_runs") == [("succeeded", "operator", True)]


def test_an_asset_whose_inputs_were_never_made_says_which(world: World) -> None:
    world.materialize("classified_devices")
    [sentence] = world.failures()
    assert "raw_intune_devices" in sentence
    assert "first" in sentence


def test_a_single_asset_by_hand_is_no_sync(world: World) -> None:
    world.materialize("raw_intune_devices")
    assert world.query("select count(*) from sync_runs") == [(0,)]


def test_a_partition_nobody_is_connected_to_fails_in_one_sentence(world: World) -> None:
    world.execute("update connections set status = 'disconnected', disconnected_at = now()")
    assert world.sync() is None
    [sentence] = world.failures()
    assert sentence.startswith("acme was disconnected from Microsoft Intune on ")


def test_a_partition_added_by_hand_fails_in_one_sentence(world: World) -> None:
    world.account = type(world.account)(0, 0, "nobody", "")
    assert world.sync() is None
    [sentence] = world.failures()
    assert "nobody" in sentence


def test_inputs_of_another_tenant_are_refused(world: World) -> None:
    world.sync()
    world.execute("update connections set tenant_id = '00000000-1111-2222-3333-444444444444'")
    world.materialize("allwhere_assets")
    assert world.failures() == [
        "acme: classified_devices holds devices of another tenant than the connected one; materialize it again."
    ]


def test_inputs_older_than_a_day_are_refused(world: World) -> None:
    world.sync()
    world.execute("update pipeline.snapshots set listed_at = now() - interval '25 hours'")
    world.materialize("allwhere_assets")
    [sentence] = world.failures()
    assert "older than 24 hours" in sentence


def test_how_old_inputs_may_be_is_a_setting(world: World, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INTUNE_INPUT_MAX_AGE_HOURS", "48")
    world.reload()
    world.sync()
    world.execute("update pipeline.snapshots set listed_at = now() - interval '25 hours'")
    assert world.materialize("allwhere_assets").status is dg.DagsterRunStatus.SUCCESS


def test_inputs_of_different_lists_are_refused(world: World) -> None:
    world.sync()
    world.materialize("raw_intune_devices", "classified_devices")
    world.materialize("allwhere_assets")
    assert world.failures() == [
        "acme: classified_devices, intune_device_details and employees stem from different lists; materialize them again from the same one."
    ]


LISTED = CHAIN[:3]


def shown(world: World, action: str) -> list[str]:
    """E-mails of the people whom ``employees`` shows with an action."""
    return [
        email for (email,) in world.query("select email from pipeline.employees where action = :a order by 1", a=action)
    ]


def test_employees_are_hired_as_they_were_looked_at(world: World) -> None:
    """The frame is what the next asset works on: a name corrected in it is the name that is written."""
    world.materialize(*LISTED, "employees")
    [first, *_] = shown(world, "create")
    world.execute("update pipeline.employees set first_name = 'Ada', last_name = 'Lovelace' where email = :e", e=first)
    world.materialize("allwhere_assets")
    assert "changed_since" not in world.materialization("allwhere_assets")
    assert world.query(
        "select first_name, last_name from employees e join employee_emails m on m.employee_id = e.id "
        "where m.email_key = lower(:e)",
        e=first,
    ) == [("Ada", "Lovelace")]


def test_who_was_entered_meanwhile_is_not_hired_twice_and_that_is_said(world: World) -> None:
    world.materialize(*LISTED, "employees")
    first, second, *_ = created = shown(world, "create")
    for email in (first, second):
        world.execute(
            "with e as (insert into employees (account_id, first_name, last_name) "
            "select id, 'Ada', 'Lovelace' from accounts returning id, account_id) "
            "insert into employee_emails (employee_id, account_id, email, kind) select id, account_id, :e, 'work' from e",
            e=email,
        )
    world.materialize("allwhere_assets")
    [(count,)] = world.query("select count(*) from employees")
    assert count == len(created)
    said = world.materialization("allwhere_assets")["changed_since"]
    assert said.startswith("2 people are not treated as employees showed them")
    assert said.endswith("2 create → matched.")


def test_who_is_needed_by_no_asset_any_more_is_not_hired_and_that_is_said(world: World) -> None:
    world.materialize(*LISTED, "employees")
    world.execute(
        "insert into assets (account_id, serial_number) select a.id, r.serial_number from accounts a, "
        "(select distinct serial_number from pipeline.classified_devices where skip_reason is null) r"
    )
    created = len(shown(world, "create"))
    world.materialize("allwhere_assets")
    assert world.query("select count(*) from employees") == [(0,)]
    assert world.materialization("allwhere_assets")["changed_since"].endswith(f"{created} create → none.")


def test_details_are_written_as_they_were_looked_at(world: World) -> None:
    """What was refreshed after the look is for the next sync, and that is said."""
    world.materialize(*LISTED, "employees")
    [(device_id, memory)] = world.query(
        "select intune_device_id, memory_gb from pipeline.intune_device_details where memory_gb > 0 limit 1"
    )
    world.execute("update device_details set memory_gb = 999 where intune_device_id = :id", id=device_id)
    world.materialize("allwhere_assets")
    written = "select memory_gb from assets where intune_device_id = :id"
    assert world.query(written, id=device_id) == [(memory,)]
    assert "1 device has newer details" in world.materialization("allwhere_assets")["changed_since"]
    world.sync()
    assert world.query(written, id=device_id) == [(999,)]


def test_a_whole_run_does_what_it_showed(world: World, sandbox: SandboxCloud) -> None:
    """In one run nothing changed, and Microsoft is asked about each device's user once, though two assets want to know."""
    world.sync()
    world.execute("update connections set mdm_assignee_updates = true")
    synced_ids = "select intune_device_id from device_outcomes where outcome = 'synced' order by 1 limit 10"
    for number, (device_id,) in enumerate(world.query(synced_ids)):
        address = f"ada.lovelace{number}@acme.example"
        world.tenant.update(
            device_id,
            userId=f"new-user-{number}",
            emailAddress=address,
            userPrincipalName=address,
            userDisplayName="Ada Lovelace",
        )
    sandbox.requests.clear()
    synced = world.sync()
    assert synced
    assert synced.assignees_changed > 0
    assert "changed_since" not in world.materialization("allwhere_assets")
    asked = sum(one.items for one in sandbox.requests if one.path.endswith("$batch"))
    assert 10 <= asked < 20  # Asked by both assets it would be twice as many.
