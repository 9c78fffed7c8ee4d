"""Syncs, people's edits, locks, undos and undos of undos at random: what is undone is as before, and stays so.

A hypothesis state machine with a real database. Beside it a model remembers of every field who wrote it: a stack on which
a sync or a person puts a value, and from which an undo takes its run's value when that one still lies on top.
"""

from collections import defaultdict
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from intune_pipeline.inventory import kept_values, run_story
from intune_pipeline.inventory.undo import preview, undo
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import Tenant, device, migrated_engine

SERIALS = ("SN-1000", "SN-2000", "SN-3000")
USERS = ("jane.doe@acme.example", "bo.ek@acme.example")
FIELDS = ("os_version", "storage_gb", "assignee_id", "status", "notes")
PERSON = 0


class Undoing(RuleBasedStateMachine):
    """One account that syncs, edits and undoes."""

    engine: sa.Engine
    accounts = 0

    @initialize()
    def connect(self) -> None:
        Undoing.accounts += 1
        self.tenant = Tenant.connected(self.engine, f"u{Undoing.accounts}", mdm_assignee_updates=True)
        self.tenant.add_employee("Jane", "Doe", USERS[0])
        self.records: dict[str, dict[str, Any]] = {}
        self.written: dict[tuple[str, str], list[tuple[int, Any]]] = defaultdict(list)
        self.runs: list[int] = []
        self.locked: set[tuple[str, str]] = set()
        for serial in SERIALS[:2]:
            self.shows(serial, USERS[0], "10", 256)
        self.sync()

    @rule(
        serial=st.sampled_from(SERIALS),
        user=st.sampled_from(USERS),
        version=st.sampled_from(["10", "11", "12"]),
        storage=st.sampled_from([256, 512]),
    )
    def shows(self, serial: str, user: str, version: str, storage: int) -> None:
        self.records[serial] = {"user": user, "osVersion": version, "totalStorageSpaceInBytes": storage * 10**9}

    def devices(self) -> list[Any]:
        return [device(f"d-{serial}", serial, **record) for serial, record in self.records.items()]

    def values(self) -> dict[tuple[str, str], Any]:
        return {(serial, name): asset[name] for serial, asset in self.tenant.assets().items() for name in FIELDS}

    def note(self, writer: int, before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]) -> None:
        for key, value in after.items():
            if key not in before:
                self.written[key] = [(writer, value)]
            elif value != before[key]:
                self.written[key].append((writer, value))

    @rule()
    def sync(self) -> None:
        before = self.values()
        made = self.tenant.plan(self.devices())
        counts = self.tenant.sync(self.devices())
        run = self.last_run()
        after = self.values()
        assert counts == made.counts
        self.note(run, before, after)
        self.runs.append(run)
        assert all(after[key] == before[key] for key in self.locked & before.keys() & after.keys())
        with self.engine.connect() as db:
            story = run_story.of_run(db, run)
        assert sorted(story.changes, key=str) == sorted(made.changes(), key=str)
        actions = [change["action"] for change in story.changes]
        assert (actions.count("create"), actions.count("update")) == (counts.assets_created, counts.assets_updated)
        assert len(story.employees) == counts.employees_created
        self.tenant.sync(self.devices())
        assert self.values() == after

    @precondition(lambda self: self.tenant.assets())
    @rule(
        data=st.data(),
        edit=st.sampled_from([("os_version", "typed"), ("storage_gb", 1), ("notes", "typed"), ("assignee_id", None)]),
    )
    def somebody_edits(self, data: st.DataObject, edit: tuple[str, Any]) -> None:
        serial = data.draw(st.sampled_from(sorted(self.tenant.assets())))
        before = self.values()
        self.tenant.run(
            f"update assets set {edit[0]} = :value where account_id = :account and serial_number = :serial",  # noqa: S608 - a constant
            value=edit[1],
            serial=serial,
        )
        self.note(PERSON, before, self.values())

    @precondition(lambda self: self.tenant.assets())
    @rule(data=st.data(), field=st.sampled_from(["os_version", "assignee_id"]))
    def somebody_locks(self, data: st.DataObject, field: str) -> None:
        serial = data.draw(st.sampled_from(sorted(self.tenant.assets())))
        account = f"u{Undoing.accounts}"
        with self.engine.begin() as db:
            if (serial, field) in self.locked:
                kept_values.unlock(db, account, serial, field, actor="test")
                self.locked.discard((serial, field))
            else:
                kept_values.lock(db, account, serial, field, actor="test")
                self.locked.add((serial, field))

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def undo_and_perhaps_undo_that(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        before = self.values()
        expected = self.expected(run, before)
        planned = preview(self.engine, run)
        done = undo(self.engine, run, actor="test")
        undo_run = self.last_run()
        after = self.values()
        assert (planned.changes, planned.refused) == (done.changes, done.refused)
        assert after == expected
        counts = self.tenant.sync(self.devices())
        quiet = self.values()
        touched = {key for key in after if after[key] != before.get(key)}
        # Intune shows what it showed, so what was undone stays, wherever it had been written from this evidence.
        evidence = {key for key in touched if self.written[key] and before[key] == self.intune_says(*key)}
        assert all(quiet[key] == after[key] for key in evidence)
        assert not {serial for serial, _ in before.keys() - after.keys()} & {serial for serial, _ in quiet}
        assert counts.devices_listed == len(self.records)
        if quiet == after and data.draw(st.booleans()):
            again = undo(self.engine, undo_run, actor="test")
            assert self.values() == before, again
        else:
            self.forget(before, after)
            self.note(self.last_run(), after, quiet)
            self.runs = [one for one in self.runs if one != run]

    def expected(self, run: int, before: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
        """What the model says the undo leaves."""
        values = dict(before)
        for serial in {serial for serial, _ in before}:
            stacks = {name: self.written[serial, name] for name in FIELDS}
            if stacks["status"][0][0] == run:
                locked = any((serial, name) in self.locked for name in (*FIELDS, "os_version"))
                if all(len(stack) == 1 for stack in stacks.values()) and not locked and not self.is_touched(serial):
                    for name in FIELDS:
                        del values[serial, name]
                continue
            back = {name: stack[-2][1] for name, stack in stacks.items() if len(stack) > 1 and stack[-1][0] == run}
            wrote = {name for name, stack in stacks.items() if any(writer == run for writer, _ in stack)}
            if (pair := wrote & {"assignee_id", "status"}) and not pair <= back.keys():
                back = {name: value for name, value in back.items() if name not in pair}
            values |= {(serial, name): value for name, value in back.items()}
        return values

    def is_touched(self, serial: str) -> bool:
        """Whether the history holds any change of the asset that was not undone: also of fields the model ignores."""
        found = self.tenant.rows(
            "select 1 from asset_changes h join assets a on a.id = h.asset_id where a.account_id = :account "
            "and a.serial_number = :serial and h.sync_run_id is null",
            serial=serial,
        )
        return bool(found)

    def forget(self, before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]) -> None:
        for key, value in before.items():
            if key not in after:
                self.written.pop(key, None)
                self.locked.discard(key)
            elif after[key] != value:
                self.written[key].pop()

    def intune_says(self, serial: str, field: str) -> Any:
        record = self.records.get(serial)
        if record is None:
            return None
        if field == "os_version":
            return record["osVersion"]
        return record["totalStorageSpaceInBytes"] // 10**9 if field == "storage_gb" else None

    def last_run(self) -> int:
        found = self.tenant.rows("select max(id) as id from sync_runs where connection_id = :connection")
        return int(found[0]["id"])


def test_undoing_restores_whatever_happens(migrated_databases: Databases) -> None:
    with migrated_engine(migrated_databases) as engine:
        Undoing.engine = engine
        run_state_machine_as_test(
            Undoing,
            settings=hypothesis.settings(
                phases=[hypothesis.Phase.generate],
                max_examples=30,
                derandomize=True,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Undoing.accounts = 0
