"""What the database refuses while a plan is written: tried again, or said of the one device that it concerns."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from intune_pipeline.domain.reconciliation import Plan
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory.reconciliation import ChangedMeanwhileError, RunClosedError, _Run
from intune_pipeline_tests.syncing import Tenant, device


@pytest.fixture
def tenant(engine: sa.Engine) -> Tenant:
    return Tenant.connected(engine, "acme")


@pytest.fixture
def impatient(database: str) -> Iterator[Tenant]:
    """A tenant whose syncs wait a twentieth of a second for a lock."""
    engine = databases.create_engine(database)

    @sa.event.listens_for(engine, "connect")
    def hurry(connection: sa.PoolProxiedConnection, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set lock_timeout = '50ms'")
        connection.commit()

    yield Tenant.connected(engine, "acme")
    engine.dispose()


@pytest.fixture
def refuse(tenant: Tenant) -> Iterator[Callable[..., None]]:
    """``refuse("assets")`` makes the database refuse what is written about SN-d7 to this table, ``refuse()`` ends that."""

    def refuse(*tables: str, error: str = "check_violation") -> None:
        for table in ("assets", "device_outcomes"):
            tenant.run(f"drop trigger if exists refuse on {table}")
            if table in tables:
                tenant.run(f"""
                    create or replace function refuse() returns trigger language plpgsql as
                        $$ begin if new.serial_number = 'SN-d7' then raise {error}; end if; return new; end $$;
                    create trigger refuse before insert or update on {table} for each row execute function refuse();
                """)

    yield refuse
    refuse()
    tenant.run("drop function if exists refuse")


def test_one_device_that_cannot_be_written_fails_alone(tenant: Tenant, refuse: Callable[..., None]) -> None:
    refuse("assets")
    fleet = [device(f"d{n}") for n in range(60)]
    with capture_logs() as logged:
        counts = tenant.sync(fleet)

    assert (counts.devices_synced, counts.devices_failed) == (59, 1)
    assert set(tenant.assets()) == {f"SN-d{n}" for n in range(60) if n != 7}
    failed = tenant.outcomes()["d7"]
    assert (failed["outcome"], failed["asset_id"], failed["first_synced_at"]) == ("failed", None, None)
    assert failed["reason"] == "The database refused the device's values (CheckViolation); the next sync tries again."
    assert [row["reason"] for row in tenant.rows("select * from failed_devices")] == [failed["reason"]]
    assert tenant.rows("select devices_reconciled from sync_runs") == [{"devices_reconciled": 60}]
    assert logged == [
        {
            "event": "device could not be written",
            "log_level": "warning",
            "intune_device_id": "d7",
            "error": "CheckViolation",
        }
    ]

    refuse()
    assert tenant.sync(fleet).assets_created == 1


def test_a_value_that_cannot_even_be_sent_fails_its_device_alone(tenant: Tenant) -> None:
    half_a_character = replace(device("d2"), model="\ud800")
    counts = tenant.sync([device("d1"), half_a_character, device("d3")])

    assert (counts.devices_synced, counts.devices_failed) == (2, 1)
    assert set(tenant.assets()) == {"SN-d1", "SN-d3"}


def test_a_device_that_fails_later_keeps_its_asset_and_when_it_was_synced(
    tenant: Tenant, refuse: Callable[..., None]
) -> None:
    tenant.sync([device("d7")])
    synced = tenant.outcomes()["d7"]
    refuse("assets")
    counts = tenant.sync([device("d7", osVersion="11")])
    failed = tenant.outcomes()["d7"]
    assert counts.devices_failed == 1
    assert (failed["asset_id"], failed["last_synced_at"]) == (synced["asset_id"], synced["last_synced_at"])


def test_a_device_that_fails_keeps_the_user_who_was_seen_instead_of_its_assignee(
    tenant: Tenant, refuse: Callable[..., None]
) -> None:
    tenant.set(mdm_assignee_updates=True, assignee_confirmations=3)
    tenant.add_asset("SN-d7", status="allocated")
    tenant.sync([device("d7", user="jane.doe@acme.example")])
    refuse("assets")
    assert tenant.sync([device("d7", user="jane.doe@acme.example", osVersion="11")]).devices_failed == 1
    seen = tenant.outcomes()["d7"]
    assert (seen["candidate_user"], seen["candidate_syncs"]) == ("jane.doe@acme.example", 1)


def test_a_device_whose_failure_cannot_be_stored_either_is_counted_and_the_others_are_synced(
    tenant: Tenant, refuse: Callable[..., None]
) -> None:
    refuse("device_outcomes")
    counts = tenant.sync([device(f"d{n}") for n in range(60)])
    assert (counts.devices_synced, counts.devices_failed) == (59, 1)
    assert "d7" not in tenant.outcomes()
    assert "SN-d7" not in tenant.assets()


def test_an_asset_somebody_else_keeps_locked_fails_its_device_with_that_reason(impatient: Tenant) -> None:
    fleet = [device(f"d{n}") for n in range(3)]
    impatient.sync(fleet)

    with impatient.engine.connect() as somebody:
        somebody.execute(sa.text("select from assets where serial_number = 'SN-d1' for update"))
        counts = impatient.sync([device(f"d{n}", osVersion="11") for n in range(3)])

    assert (counts.devices_synced, counts.devices_failed) == (2, 1)
    assert {key: row["reason"] for key, row in impatient.outcomes().items()} == {
        "d0": None,
        "d1": "Somebody else kept the asset locked for too long; the next sync tries again.",
        "d2": None,
    }


def test_an_ending_that_cannot_be_written_waits_for_the_next_sync(tenant: Tenant, refuse: Callable[..., None]) -> None:
    tenant.set(mdm_assignee_updates=True, lifecycle_max_share=1)
    tenant.sync([device("d1"), device("d7")])
    tenant.later(days=1)
    tenant.sync([device("d1")])
    refuse("assets")
    tenant.later(days=1)
    with capture_logs() as logged:
        assert tenant.sync([device("d1")]).lifecycle_transitions == 0
    assert logged == [
        {"event": "ending could not be written", "log_level": "warning", "intune_device_ids": ("d7",)},
    ]
    refuse()
    assert tenant.sync([device("d1")]).lifecycle_transitions == 1


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many devices' outcomes were about to be written, attempt by attempt."""
    write = _Run._note_outcomes
    sizes: list[int] = []

    def counted(self: _Run, db: sa.Connection, steps: list[object], *given: object) -> None:
        sizes.append(len(steps))
        write(self, db, steps, *given)

    monkeypatch.setattr(_Run, "_note_outcomes", counted)
    return sizes


def raising(monkeypatch: pytest.MonkeyPatch, *errors: str) -> None:
    """Let the database raise these, one per transaction, before a run's progress is noted."""
    write = _Run._note_progress
    left = list(errors)

    def raises(self: _Run, db: sa.Connection, *given: object) -> None:
        if left:
            db.execute(sa.text(f"do $$ begin raise {left.pop(0)}; end $$"))
        write(self, db, *given)

    monkeypatch.setattr(_Run, "_note_progress", raises)


@pytest.mark.parametrize("error", ["deadlock_detected", "serialization_failure"])
def test_a_batch_that_lost_against_another_transaction_is_written_again_as_a_whole(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, attempts: list[int], error: str
) -> None:
    raising(monkeypatch, *[error] * 4)
    counts = tenant.sync([device("d9", "0"), *(device(f"d{n}", user="jane.doe@acme.example") for n in range(3))])
    assert (counts.devices_synced, counts.employees_created) == (3, 1)
    assert counts.devices_skipped == {"junk_serial": 1}
    assert attempts == [4] * 5


def test_a_batch_that_loses_five_times_fails_the_sync(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, attempts: list[int]
) -> None:
    raising(monkeypatch, *["deadlock_detected"] * 5)
    with pytest.raises(sa.exc.OperationalError, match="deadlock_detected"):
        tenant.sync([device("d1")])
    assert attempts == [1] * 5
    assert tenant.assets() == {}


def test_a_device_that_deadlocks_while_devices_are_written_one_by_one_is_tried_again(
    tenant: Tenant, refuse: Callable[..., None], monkeypatch: pytest.MonkeyPatch, attempts: list[int]
) -> None:
    write = _Run._update
    calls: list[int] = []

    def deadlocks_once(self: _Run, db: sa.Connection, *given: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            db.execute(sa.text("do $$ begin raise deadlock_detected; end $$"))
        write(self, db, *given)

    refuse("assets")
    monkeypatch.setattr(_Run, "_update", deadlocks_once)
    counts = tenant.sync([device(f"d{n}") for n in range(6, 9)])
    assert (counts.devices_synced, counts.devices_failed) == (2, 1)
    assert {key: row["outcome"] for key, row in tenant.outcomes().items()} == {
        "d6": "synced",
        "d7": "failed",
        "d8": "synced",
    }
    assert attempts == [1, 1, 1, 1, 1]


def test_what_is_refused_whatever_is_written_fails_the_sync(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, attempts: list[int]
) -> None:
    """Not a device's values, but the progress: written as a whole, then one by one, then given up."""
    raising(monkeypatch, *["check_violation"] * 9)
    with pytest.raises(sa.exc.IntegrityError):
        tenant.sync([device("d1"), device("d2")])
    assert attempts == [2, 1, 1]


def test_an_employee_who_is_neither_new_nor_found_fails_the_sync_after_five_attempts(
    new_database: Callable[..., str], migrated_template: str
) -> None:
    """Somebody deletes the address again and again at the very moment that the sync looks for it."""
    engine = databases.create_engine(new_database(migrated_template))
    tenant = Tenant.connected(engine, "acme")
    tenant.run("""
        create sequence vanished;
        create function vanish() returns trigger language plpgsql as
            $$ begin perform nextval('vanished'); return null; end $$;
        create trigger vanish before insert on employee_emails for each row execute function vanish();
    """)
    with pytest.raises(ChangedMeanwhileError, match="changed the same assets or employees 5 times"):
        tenant.sync([device("d1", user="jane.doe@acme.example")])
    assert tenant.rows("select last_value from vanished") == [{"last_value": 5}]
    assert tenant.assets() == {}
    engine.dispose()


def test_a_run_that_was_closed_meanwhile_writes_no_further(tenant: Tenant) -> None:
    def somebody_closes_it(plan: Plan) -> None:
        tenant.run("update sync_runs set status = 'failed', finished_at = now()")

    with pytest.raises(RunClosedError) as stopped:
        tenant.sync([device("d1")], before_apply=somebody_closes_it)
    assert str(stopped.value) == (
        "Sync run 1 was closed while it still wrote; it stops here, and the next sync goes on."
    )
    assert tenant.assets() == {}
