"""Bypass codes and people: encrypted or not at all, in success and in failure, in every place Dagster writes to."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from pydantic import SecretStr

from intune_pipeline.domain import reconciliation
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.orchestration.sync.failures import StepFailure, explained
from intune_pipeline_tests.orchestration.conftest import KEY, World

CANARY = "CANARY-9QX7-BYPASS"


@pytest.fixture
def canary(world: World) -> str:
    """The id of an eligible iPhone whose bypass code is the canary."""
    device_id = next(
        record["id"]
        for record in world.tenant.devices.values()
        if record["managedDeviceOwnerType"] == "company" and record["operatingSystem"] in {"iOS", "iPadOS"}
    )
    world.tenant.update(device_id, activationLockBypassCode=CANARY)
    return str(device_id)


def everything_dagster_wrote(world: World) -> str:
    return "\n".join(str(entry) for entry in world.instance.all_logs(world.last.run_id))


def everything_in_the_database(world: World) -> Iterable[str]:
    tables = world.query(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('public', 'pipeline') and table_type = 'BASE TABLE'"
    )
    for (table,) in tables:
        yield from (str(row) for row in world.query(f"select * from {table}"))  # noqa: S608


def test_a_bypass_code_is_stored_encrypted_and_nowhere_else(
    world: World, canary: str, capfd: pytest.CaptureFixture[str]
) -> None:
    world.sync()
    [(stored,)] = world.query("select bypass_code from device_details where intune_device_id = :id", id=canary)
    [(serial_key,)] = world.query("select serial_key from device_outcomes where intune_device_id = :id", id=canary)
    with world.engine.begin() as db:
        seal = Vault([SecretStr(KEY)]).of_account(db, world.account.account_id)
    assert seal.open(stored, serial_key) == CANARY
    printed = capfd.readouterr()
    assert CANARY not in everything_dagster_wrote(world)
    assert CANARY not in printed.out + printed.err
    assert all(CANARY not in row for row in everything_in_the_database(world))


def test_an_unchanged_code_keeps_its_ciphertext(world: World, canary: str) -> None:
    world.sync()
    asset = "select * from assets where intune_device_id = :id"
    before = world.query(asset, id=canary)
    world.execute("update device_details set refreshed_at = now() - interval '8 days'")
    world.sync()
    assert world.query(asset, id=canary) == before


def test_a_crash_in_the_middle_shows_no_code_and_nobody(
    world: World, canary: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception whose text holds a code and a person, as a database's error text would."""

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"Key (email)=(somebody@t.example) holds {CANARY}")

    monkeypatch.setattr(reconciliation, "plan", crash)
    synced = world.sync()
    assert synced
    assert (synced.status, synced.cause) == ("failed", "failed")
    [sentence] = world.failures()
    assert sentence.startswith("allwhere_assets stopped at an unexpected RuntimeError in planning.py")
    printed = capfd.readouterr()
    for place in (everything_dagster_wrote(world), printed.out, printed.err, str(synced)):
        assert CANARY not in place
        assert "somebody@" not in place


def test_a_frame_with_a_secret_column_is_refused(world: World) -> None:
    @dg.asset(
        name="raw_intune_devices",
        partitions_def=dg.DynamicPartitionsDefinition(name="tenants"),
        required_resource_keys={"session"},
    )
    def leaking(context: dg.AssetExecutionContext) -> Any:
        from intune_pipeline.inventory import frames

        [stored] = world.instance.fetch_materializations(dg.AssetKey("classified_devices"), limit=1).records
        assert stored
        with world.engine.connect() as db:
            snapshot = frames.read(db, "raw_intune_devices", "acme")
        frame = snapshot.frame.assign(activation_lock_bypass_code=CANARY)
        return frames.Snapshot(snapshot.listing, frame)

    world.sync()
    result = dg.materialize(
        [leaking],
        partition_key="acme",
        instance=world.instance,
        resources=dict(world.defs.resources or {}),
        raise_on_error=False,
    )
    [failure] = result.get_step_failure_events()
    described = failure.step_failure_data.user_failure_data
    assert described
    assert "activation_lock_bypass_code" in str(described.description)
    assert CANARY not in str(result.all_events)


def test_previews_show_rows_and_nobody(world: World) -> None:
    world.sync()
    models = " ".join(record["model"].lower() for record in world.tenant.devices.values())
    people = [
        str(record[name]).lower()
        for record in world.tenant.devices.values()
        for name in ("userDisplayName", "userPrincipalName", "emailAddress", "deviceName", "serialNumber", "imei")
        if record.get(name) and len(str(record[name])) > 3 and str(record[name]).lower() not in models
    ]
    for asset in ("raw_intune_devices", "classified_devices", "employees", "allwhere_assets"):
        shown = world.materialization(asset)
        assert shown["preview"].count("\n") > 2, asset
        text = str(shown).lower()
        assert not [person for person in people if person in text], asset


def test_unexpected_errors_keep_their_place_and_lose_their_text() -> None:
    @explained
    def lookup() -> int:
        return {"a": 1}["secret@example.com"]

    with pytest.raises(StepFailure) as caught:
        lookup()
    assert "KeyError" in str(caught.value.description)
    assert "secret@" not in str(caught.value.description) + str(caught.value.metadata)
    assert caught.value.__suppress_context__
    places = caught.value.metadata["places"].value
    assert isinstance(places, list)
    assert str(places[-1]).startswith(f"{Path(__file__).name}:")


def test_an_unexpected_database_error_names_our_place_and_postgresql_s_code(world: World) -> None:
    world.execute("alter table device_outcomes rename column outcome to another")
    try:
        world.sync()
    finally:
        world.execute("alter table device_outcomes rename column another to outcome")
    [sentence] = world.failures()
    assert re.search(r"unexpected ProgrammingError \(SQLSTATE 42703\) in \w+\.py:\d+ \w+\.", sentence), sentence
    assert "default.py" not in sentence, "that is SQLAlchemy's"


def test_a_preview_cannot_break_out_of_its_table() -> None:
    from intune_pipeline.orchestration.metadata import preview

    shown = preview(pd.DataFrame({"model": ["a|b\nc", None], "user_email": ["x@y", "z@y"]})).value
    assert shown == "| model | rows |\n| --- | --- |\n| `a¦b c` | 1 |\n|  | 1 |"
