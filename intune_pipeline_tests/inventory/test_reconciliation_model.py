"""Whatever happens, the invariants hold: fleets, twins, people's edits, switches, cut lists and killed runs at random.

A hypothesis state machine with a real database. After every sync it compares all tables with what Intune showed, what
people wrote and what the plan said; after every killed sync it checks that only whole batches are there.
"""

from datetime import datetime
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from intune_pipeline.domain.assignments import listed_user
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.fields import INTUNE_FIELDS, DeviceDetails, intune_values
from intune_pipeline.domain.reconciliation import Counts, Plan
from intune_pipeline.domain.serials import serial_key
from intune_pipeline.inventory import reconciliation, schema
from intune_pipeline.inventory.state import forget_devices
from intune_pipeline_tests.conftest import Databases
from intune_pipeline_tests.syncing import Tenant, device, judged, migrated_engine

SERIALS = ("SN-1000", "sn-2000", "SN 3000", "Default string")
USERS = ("", "jane.doe@acme.example", "Bo.Ek@acme.example", "ann.lee@acme.example", "kiosk@acme.example")
MODELS = (
    ("Dell Inc.", "Latitude 5440"),
    ("Dell Inc.", "Latitude 5440"),
    ("LENOVO", "20XWS00A00"),
    ("Dell Inc.", "OptiPlex 7010"),
    ("Who", "Knows"),
)
STATUSES = ("allocated", "transferred", "in_inventory", "locked", "retired")
CURATED = ("serial_number", "name", "condition", "location", "notes", "created_at", "account_id", "id")
MOVABLE = ("allocated", "transferred")
IGNORED = {"assigned_by_person_at", "updated_at", "created_at", "sync_run_id", "account_id", "id", "serial_key"}


HOURS = st.sampled_from([[1], [25], [1, 1, 25], [25, 25], [25, 25, 25]])
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(STATUSES),
        "assignee_id": st.sampled_from([None, "bo"]),
        "asset_type": st.sampled_from([None, "spare"]),
        "os_version": st.just("typed"),
        "color": st.just("red"),
        "name": st.just("mine"),
        "condition": st.just("worn"),
        "location": st.just("Oslo"),
    },
)


STANDS = "a person chose the assignee, and Intune's user is the same as then"


class KilledError(Exception):
    """The run's process was killed after a batch."""


class Inventory(RuleBasedStateMachine):
    """One account, its Intune, and the people who work with it."""

    engine: sa.Engine
    accounts = 0

    @initialize(
        switch=st.booleans(),
        hold=st.booleans(),
        confirmations=st.sampled_from([1, 1, 2]),
        edits=st.tuples(EDITS, EDITS, EDITS),
    )
    def connect(self, switch: bool, hold: bool, confirmations: int, edits: tuple[dict[str, Any], ...]) -> None:
        Inventory.accounts += 1
        self.tenant = Tenant.connected(
            self.engine,
            f"a{Inventory.accounts}",
            mdm_assignee_updates=switch,
            hold_lookalike_employees=hold,
            assignee_confirmations=confirmations,
            lifecycle_max_share=1,
        )
        self.tenant.add_employee("Ann", "Lee", "ann@home.example", kind="personal")
        self.bo = self.tenant.add_employee("Bo", "Ek", "BO.EK@acme.example")
        self.records: dict[str, dict[str, Any]] = {}
        self.enrolled = 0
        self.shown: dict[str, tuple[str, datetime]] = {}
        self.chosen: dict[str, datetime] = {}
        for serial, user in zip(SERIALS, USERS, strict=False):
            self.enrol(serial, user, MODELS[0], "company")
        self.sync([1], backwards=False)
        for serial, edited in zip(SERIALS[:3], edits, strict=True):
            self._edit(serial, edited)

    # -- Intune ------------------------------------------------------------------------------------------------------

    @rule(
        serial=st.sampled_from(SERIALS),
        user=st.sampled_from(USERS),
        model=st.sampled_from(MODELS),
        owner=st.sampled_from(["company", "company", "company", "personal", "unknown"]),
    )
    def enrol(self, serial: str, user: str, model: tuple[str, str], owner: str) -> None:
        self.enrolled += 1
        device_id = f"d{self.enrolled}"
        listed = device(device_id, serial, user or None)
        self.records[device_id] = {
            "id": device_id,
            "serialNumber": serial,
            "managedDeviceOwnerType": owner,
            "manufacturer": model[0],
            "model": model[1],
            "operatingSystem": "Windows",
            "osVersion": "10",
            "userId": listed.user_id,
            "emailAddress": user,
            "userDisplayName": listed.user_display_name,
            "azureADDeviceId": f"aad-{device_id}",
            "enrolledDateTime": "2025-01-01T00:00:00Z",
            "lastSyncDateTime": f"2026-02-28T00:00:{self.enrolled % 60:02}Z",
        }

    @precondition(lambda self: self.records)
    @rule(
        data=st.data(),
        changes=st.fixed_dictionaries(
            {},
            optional={
                "osVersion": st.sampled_from(["", "Unknown", "10", "11"]),
                "imei": st.sampled_from(["", "490154203237518"]),
                "totalStorageSpaceInBytes": st.sampled_from([0, 256_000_000_000]),
                "emailAddress": st.sampled_from(USERS),
                "managedDeviceOwnerType": st.sampled_from(["company", "personal"]),
                "lastSyncDateTime": st.sampled_from(["2026-03-01T00:00:00Z", "2025-06-01T00:00:00Z"]),
            },
        ),
    )
    def check_in(self, data: st.DataObject, changes: dict[str, Any]) -> None:
        record = self.records[data.draw(st.sampled_from(sorted(self.records)))]
        if "emailAddress" in changes:
            shown = device("any", user=changes["emailAddress"] or None)
            changes |= {"userId": shown.user_id, "userDisplayName": shown.user_display_name}
        record.update(changes)

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def leave_intune(self, data: st.DataObject) -> None:
        del self.records[data.draw(st.sampled_from(sorted(self.records)))]

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def enrol_anew(self, data: st.DataObject) -> None:
        record = self.records.pop(data.draw(st.sampled_from(sorted(self.records))))
        self.enrolled += 1
        self.records[f"d{self.enrolled}"] = record | {"id": f"d{self.enrolled}"}

    # -- people ------------------------------------------------------------------------------------------------------

    @rule(serial=st.sampled_from(SERIALS[:3]), status=st.sampled_from(STATUSES))
    def somebody_enters_an_asset(self, serial: str, status: str) -> None:
        if serial not in self.tenant.assets():
            self.tenant.run(
                "insert into assets (account_id, serial_number, status, notes) values (:account, :serial, :status, 'typed') "
                "on conflict do nothing",
                serial=serial,
                status=status,
            )

    @precondition(lambda self: self.tenant.assets())
    @rule(data=st.data(), edits=EDITS)
    def somebody_edits_an_asset(self, data: st.DataObject, edits: dict[str, str | None]) -> None:
        self._edit(data.draw(st.sampled_from(sorted(self.tenant.assets()))), edits)

    def _edit(self, serial: str, edits: dict[str, str | None]) -> None:
        values = {name: self.bo if value == "bo" else value for name, value in edits.items()}
        table = schema.assets
        of_serial = (table.c.account_id == self.tenant.account_id) & (table.c.serial_number == serial)
        before = self.tenant.assets()[serial]["assignee_id"]
        self.tenant.later(minutes=1)
        with self.engine.begin() as db:
            db.execute(sa.update(table).where(of_serial).values(notes="edited", **values))
            if values.get("assignee_id", before) != before:
                # The trigger knows the database's time only, this story has its own.
                db.execute(sa.update(table).where(of_serial).values(assigned_by_person_at=self.tenant.now))
                self.chosen[serial_key(serial) or ""] = self.tenant.now

    @rule(decision=st.sampled_from(["created", "skipped"]))
    def somebody_decides(self, decision: str) -> None:
        self.tenant.run(
            "update employee_holds set decision = :decision where connection_id = :connection and decision = 'waiting'",
            decision=decision,
        )

    @rule()
    def somebody_flips_the_switch(self) -> None:
        self.tenant.run("update connections set mdm_assignee_updates = not mdm_assignee_updates where id = :connection")

    # -- syncs -------------------------------------------------------------------------------------------------------

    def listed(self) -> list[Any]:
        """What the pipeline hands on: personal devices are forgotten before anything is decided."""
        devices = [managed_device(record) for record in self.records.values()]
        personal = [one.intune_device_id for one in devices if one.ownership == "personal"]
        with self.engine.begin() as db:
            forget_devices(db, self.tenant.connection_id, personal)
        for device_id in personal:
            self.shown.pop(device_id, None)
        return devices

    @rule(hours=HOURS, backwards=st.booleans())
    def sync(self, hours: list[int], backwards: bool) -> None:
        for pause in hours:
            self.tenant.later(hours=pause)
            devices = self.listed()
            self._sync(devices[::-1] if backwards else devices, complete=True)

    @rule(hours=HOURS, data=st.data(), complete=st.booleans())
    def syncs_of_cut_lists(self, hours: list[int], data: st.DataObject, complete: bool) -> None:
        for pause in hours:
            self.tenant.later(hours=pause)
            devices = self.listed()
            counts = self._sync(devices[: data.draw(st.integers(0, len(devices)))], complete=complete)
            if not complete:
                assert counts.lifecycle_transitions == 0

    @rule(batches=st.integers(1, 5))
    def killed_sync(self, batches: int) -> None:
        self.tenant.later(minutes=1)
        devices = self.listed()
        before = self.tenant.assets()
        done: list[Counts] = []
        plans: list[Plan] = []

        def kill(counts: Counts) -> None:
            done.append(counts)
            if len(done) == batches:
                raise KilledError

        try:
            self.tenant.sync(devices, before_batch=kill, before_apply=plans.append)
        except KilledError:
            self._check_tables()
            after = self.tenant.assets()
            self._forget_what_may_have_been_seen(devices)
            self._forget_words_the_sync_followed(before, after)
            for change in plans[0].changes():
                serial = change["serial_number"]
                assert after.get(serial) == before.get(serial) or self._is_applied(change, after[serial])
        else:
            self._remember_shown(devices)
            self._forget_words_the_sync_followed(before, self.tenant.assets())

    def _sync(self, devices: list[Any], *, complete: bool) -> Counts:
        tenant = self.tenant
        tenant.intune.present = set(self.records)
        before, policy = tenant.assets(), tenant.policy()
        made = tenant.plan(devices, complete=complete)
        counts = tenant.sync(devices, complete=complete)
        after = tenant.assets()

        assert counts == made.counts
        self._check_plan(made, before, after)
        self._check_fields(devices, before, after)
        self._check_people_kept(before, after, switch=policy.mdm_assignee_updates, made=made)
        self._check_words(devices, made, before, after)
        self._remember_shown(devices)
        self._forget_words_the_sync_followed(before, after)
        self._check_tables()
        self._check_nothing_more_to_do(devices, complete=complete)
        return counts

    # -- invariants --------------------------------------------------------------------------------------------------

    def _is_applied(self, change: dict[str, Any], asset: dict[str, Any]) -> bool:
        return all(
            asset[name] == new or (name == "assignee_id" and asset[name] is not None and isinstance(new, str))
            for name, (_, new) in change["fields"].items()
        )

    def _check_plan(self, made: Plan, before: dict[str, Any], after: dict[str, Any]) -> None:
        foreseen = {change["serial_number"]: change for change in made.changes()}
        for serial, asset in after.items():
            old = before.get(serial, dict.fromkeys(asset))
            changed = {name for name in asset if name not in IGNORED and asset[name] != old[name]}
            assert changed == (foreseen[serial]["fields"].keys() if serial in foreseen else set())
            if serial in foreseen:
                assert self._is_applied(foreseen[serial], asset)
        assert before.keys() <= after.keys()

    def _check_fields(self, devices: list[Any], before: dict[str, Any], after: dict[str, Any]) -> None:
        by_key = {asset["serial_key"]: asset for asset in after.values()}
        old_by_key = {asset["serial_key"]: asset for asset in before.values()}
        said = {
            one.device.serial_key: intune_values(one, DeviceDetails())
            for one in judged(devices, self.tenant.now)
            if one.skip_reason is None
        }
        assert said.keys() <= by_key.keys()
        for key, asset in by_key.items():
            old = old_by_key.get(key, {})
            for name in INTUNE_FIELDS:
                assert asset[name] == said.get(key, {}).get(name, old.get(name))

    def _check_people_kept(self, before: dict[str, Any], after: dict[str, Any], *, switch: bool, made: Plan) -> None:
        # A machine that enrolled anew and was never listed since cannot be known to be there.
        known = self.tenant.outcomes().keys()
        present = {serial_key(record["serialNumber"]) for key, record in self.records.items() if key in known}
        settled = {step.asset.id for step in made.steps if step.settles and step.asset}
        for serial, old in before.items():
            new = after[serial]
            assert {name: new[name] for name in CURATED} == {name: old[name] for name in CURATED}
            assert new["asset_type"] == old["asset_type"] or not old["asset_type"]
            if (not switch and old["id"] not in settled) or old["status"] not in MOVABLE:
                assert (new["status"], new["assignee_id"]) == (old["status"], old["assignee_id"])
            if new["serial_key"] in present and old["status"] == "allocated":
                assert new["status"] == "allocated", "a device that is there has ended"
            if new["assignee_id"] is None and old["assignee_id"] is not None:
                assert (old["status"], new["status"]) == ("allocated", "transferred")

    def _check_words(self, devices: list[Any], made: Plan, before: dict[str, Any], after: dict[str, Any]) -> None:
        """A person's choice of assignee stands exactly as long as Intune shows the user it showed then."""
        is_same: dict[str | None, set[bool | None]] = {}
        for one in devices:
            is_same.setdefault(one.serial_key, set()).add(self._is_user_of_then(one))
        settled = {step.asset.id for step in made.steps if step.settles and step.asset}
        for serial, old in before.items():
            if (
                old["id"] not in settled
                and is_same.get(old["serial_key"]) == {True}
                and after[serial]["assignee_id"] != old["assignee_id"]
            ):
                assert (old["status"], after[serial]["status"]) == ("allocated", "transferred")
        for step in made.steps:
            if step.note == STANDS:
                assert False not in is_same[step.judged.device.serial_key], "a new user of Intune's was not followed"

    def _is_user_of_then(self, one: ManagedDevice) -> bool | None:
        """Whether Intune shows the user it showed when a person chose the assignee; None where that is not known."""
        if one.intune_device_id not in self.shown or one.serial_key not in self.chosen:
            return None
        user, since = self.shown[one.intune_device_id]
        return user == listed_user(one) and since <= self.chosen[one.serial_key]

    def _remember_shown(self, devices: list[Any]) -> None:
        for one in devices:
            if one.ownership != "personal" and self.shown.get(one.intune_device_id, (None,))[0] != listed_user(one):
                self.shown[one.intune_device_id] = (listed_user(one), self.tenant.now)

    def _forget_what_may_have_been_seen(self, devices: list[Any]) -> None:
        for one in devices:
            if self.shown.get(one.intune_device_id, (None,))[0] != listed_user(one):
                self.shown.pop(one.intune_device_id, None)

    def _forget_words_the_sync_followed(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        for serial, old in before.items():
            if after[serial]["assignee_id"] != old["assignee_id"]:
                self.chosen.pop(old["serial_key"], None)

    def _check_tables(self) -> None:
        tenant = self.tenant
        personal = [key for key, record in self.records.items() if record["managedDeviceOwnerType"] == "personal"]
        outcomes = tenant.outcomes()
        assert not set(personal) & outcomes.keys()
        assert not any(asset["asset_type"] == "desktop" for asset in tenant.assets().values())
        serials = [asset["serial_key"] for asset in tenant.assets().values()]
        assert len(serials) == len(set(serials))
        assert not set(serials) & {"0", "DEFAULTSTRING"}
        emails = tenant.rows("select lower(email) as email from employee_emails where account_id = :account")
        assert len(emails) == len({row["email"] for row in emails})
        for run in tenant.rows("select * from sync_runs where connection_id = :connection and status = 'succeeded'"):
            assert run["devices_listed"] == run["devices_synced"] + run["devices_skipped"] + run["devices_failed"]

    def _check_nothing_more_to_do(self, devices: list[Any], *, complete: bool) -> None:
        """A second run writes nothing, unless the first one only began to count to something."""
        made = self.tenant.plan(devices, complete=complete)
        if (
            any(step.candidate for step in made.steps)
            or made.endings
            or self.tenant.policy().assignee_confirmations > 1
        ):
            return
        assert made.changes() == []
        versions = self._versions()
        self.tenant.sync(devices, complete=complete)
        assert self._versions() == versions

    def _versions(self) -> list[dict[str, Any]]:
        return self.tenant.rows("""
            select 'asset' as what, id, xmin::text from assets where account_id = :account union all
            select 'employee', id, xmin::text from employees where account_id = :account union all
            select 'change', c.id, c.xmin::text from asset_changes c join assets a on a.id = c.asset_id
            where a.account_id = :account order by 1, 2
        """)


def test_the_invariants_hold_whatever_happens(
    migrated_databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciliation, "BATCH_SIZE", 2)
    monkeypatch.setattr(reconciliation, "LONGEST_BATCH", 3)
    with migrated_engine(migrated_databases) as engine:
        Inventory.engine = engine
        run_state_machine_as_test(
            Inventory,
            settings=hypothesis.settings(
                # Shrinking takes minutes where every step is a real sync; a failing seed is printed.
                phases=[hypothesis.Phase.generate],
                max_examples=40,
                derandomize=True,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )
