"""A tenant that tests reconcile without Dagster and Microsoft: devices in, a real sync against a real database out.

Belongs here: building devices, one sync from judging to the closed run. Does not belong here: what must come of it.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import ManagedDevice, managed_device
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.domain.people import Employee, EmployeeDirectory
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Counts, Evidence, Listing, Plan, PrimaryUser, needed_evidence, plan
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory import schema, sync_runs
from intune_pipeline.inventory.reconciliation import apply
from intune_pipeline.inventory.reconciliation_totals import run_columns
from intune_pipeline.inventory.state import load_state
from intune_pipeline_tests.conftest import Databases

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CLASSIFIER = Classifier()


def device(device_id: str, serial: str | None = None, user: str | None = None, **record: Any) -> ManagedDevice:
    """A company's laptop as Intune lists it; ``user`` is an address whose local part is first.last."""
    name = " ".join(part.title() for part in user.partition("@")[0].split(".")) if user else ""
    listed = {
        "id": device_id,
        "managedDeviceOwnerType": "company",
        "serialNumber": serial or f"SN-{device_id}",
        "operatingSystem": "Windows",
        "osVersion": "10.0.26100.1",
        "manufacturer": "Dell Inc.",
        "model": "Latitude 5440",
        "totalStorageSpaceInBytes": 256_000_000_000,
        "azureADDeviceId": f"aad-{device_id}",
        "deviceName": f"PC-{device_id}",
        "lastSyncDateTime": "2026-03-01T09:00:00Z",
        "enrolledDateTime": "2025-01-01T09:00:00Z",
        "userId": f"id-of-{user}" if user else "",
        "emailAddress": user or "",
        "userPrincipalName": user or "",
        "userDisplayName": name,
    }
    return managed_device({**listed, **record})


def judged(devices: Iterable[ManagedDevice], listed_at: datetime = NOW) -> list[JudgedDevice]:
    """The devices as the pipeline judges them."""
    return judge(devices, CLASSIFIER, listed_at=listed_at)


def employee(employee_id: int, first_name: str, last_name: str, *emails: str, kind: str = "work") -> Employee:
    return Employee(employee_id, first_name, last_name, tuple((email, kind) for email in emails))


def directory(*employees: Employee) -> EmployeeDirectory:
    return EmployeeDirectory(employees)


@dataclass
class Intune:
    """What Graph would answer when asked about single devices.

    Attributes:
        primary_users: by device id; a device that is not in it confirms the list's user.
        silent: devices Graph does not answer about.
        present: devices that exist although they are not listed.
    """

    primary_users: dict[str, PrimaryUser | None] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def evidence(self, made_for: Sequence[JudgedDevice], users: Iterable[str], existence: Iterable[str]) -> Evidence:
        users, existence = list(users), list(existence)
        self.asked += [*users, *existence]
        listed = {one.device.intune_device_id: one.device for one in made_for}
        answers: dict[str, PrimaryUser | None] = {}
        for device_id in users:
            if device_id not in self.silent:
                of_list = PrimaryUser(str(listed[device_id].user_id), listed[device_id].user_email)
                answers[device_id] = self.primary_users.get(device_id, of_list)
        known = self.present | self.silent | listed.keys()
        return Evidence(answers, {one for one in existence if one not in known})


class Tenant:
    """A connected account, synced as the pipeline syncs it."""

    def __init__(self, engine: sa.Engine, connection_id: int, account_id: int) -> None:
        self.engine = engine
        self.connection_id = connection_id
        self.account_id = account_id
        self.now = NOW
        self.intune = Intune()

    @classmethod
    def connected(cls, engine: sa.Engine, slug: str, **settings: object) -> "Tenant":
        """A new account with a connected tenant."""
        with engine.begin() as db:
            account_id = db.execute(
                sa.insert(schema.accounts).values(slug=slug).returning(schema.accounts.c.id)
            ).scalar_one()
            values = {"account_id": account_id, "tenant_id": str(uuid.uuid4()), "status": "connected", **settings}
            connection_id = db.execute(
                sa.insert(schema.connections).values(**values).returning(schema.connections.c.id)
            ).scalar_one()
        return cls(engine, connection_id, account_id)

    def later(self, **of: float) -> None:
        """Let time pass."""
        self.now += timedelta(**of)

    def policy(self) -> Policy:
        columns = [schema.connections.c[name] for name in Policy.__slots__]
        with self.engine.connect() as db:
            row = db.execute(sa.select(*columns).where(schema.connections.c.id == self.connection_id)).one()
        return Policy(*row)

    def set(self, **settings: object) -> None:
        """Change settings of the connection."""
        table = schema.connections
        with self.engine.begin() as db:
            db.execute(sa.update(table).where(table.c.id == self.connection_id).values(**settings))

    def plan(self, devices: Iterable[ManagedDevice], *, complete: bool = True) -> Plan:
        made_for = judged(devices, self.now)
        with self.engine.connect() as db:
            state = load_state(db, self.connection_id)
        listing = Listing(self.now, complete)
        policy = self.policy()
        needed = needed_evidence(made_for, state, policy, listing)
        evidence = self.intune.evidence(made_for, needed.primary_users, needed.existence)
        made = plan(made_for, state, policy, listing, evidence)
        assert not made.redecided, "what was decided about people just now still holds"
        return made

    def open_run(self) -> int:
        with self.engine.begin() as db:
            return sync_runs.open_run(db, self.connection_id, "manual", None)

    def sync(
        self,
        devices: Iterable[ManagedDevice],
        *,
        complete: bool = True,
        before_batch: Callable[[Counts], None] | None = None,
        before_apply: Callable[[Plan], None] | None = None,
    ) -> Counts:
        """One sync; the run is closed in the last batch's transaction."""
        run = self.open_run()
        made = self.plan(devices, complete=complete)
        if before_apply:
            before_apply(made)

        def finish(db: sa.Connection, counts: Counts) -> None:
            sync_runs.succeed(db, run, run_columns(counts))

        return apply(self.engine, made, run, before_batch=before_batch, finish=finish)

    def rows(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        with self.engine.connect() as db:
            found = db.execute(
                sa.text(sql), {"account": self.account_id, "connection": self.connection_id, **parameters}
            )
            return [dict(row) for row in found.mappings()]

    def run(self, sql: str, **parameters: object) -> None:
        """What a person or an import does with plain SQL."""
        with self.engine.begin() as db:
            db.execute(sa.text(sql), {"account": self.account_id, "connection": self.connection_id, **parameters})

    def wait_for_feed(self) -> None:
        """Until the feed tells all that is committed: it waits for open transactions of other tests' databases, too."""
        waits = """select (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint <= max(transaction_id) as waits
                   from change_events"""
        while self.rows(waits)[0]["waits"]:
            time.sleep(0.02)

    def assets(self) -> dict[str, dict[str, Any]]:
        """The account's assets by serial."""
        return {row["serial_number"]: row for row in self.rows("select * from assets where account_id = :account")}

    def asset(self, serial: str) -> dict[str, Any]:
        return self.assets()[serial]

    def add_asset(self, serial: str, **columns: object) -> int:
        with self.engine.begin() as db:
            return db.execute(
                sa.insert(schema.assets)
                .values(account_id=self.account_id, serial_number=serial, **columns)
                .returning(schema.assets.c.id)
            ).scalar_one()

    def add_employee(self, first_name: str, last_name: str, email: str, kind: str = "work") -> int:
        with self.engine.begin() as db:
            employee_id = db.execute(
                sa.insert(schema.employees)
                .values(account_id=self.account_id, first_name=first_name, last_name=last_name)
                .returning(schema.employees.c.id)
            ).scalar_one()
            db.execute(
                sa.insert(schema.employee_emails).values(
                    employee_id=employee_id, account_id=self.account_id, email=email, kind=kind
                )
            )
        return employee_id

    def outcomes(self) -> dict[str, dict[str, Any]]:
        found = self.rows("select * from device_outcomes where connection_id = :connection")
        return {row["intune_device_id"]: row for row in found}

    def history(self, serial: str) -> list[tuple[str, str | None, str | None]]:
        found = self.rows(
            "select field, old_value, new_value from asset_changes c join assets a on a.id = c.asset_id "
            "where a.account_id = :account and a.serial_number = :serial order by c.id",
            serial=serial,
        )
        return [(row["field"], row["old_value"], row["new_value"]) for row in found]


@contextlib.contextmanager
def migrated_engine(migrated: Databases) -> Iterator[sa.Engine]:
    """The product's engine on an empty database, for fixtures that live longer than a test."""
    with migrated.taken() as url:
        engine = databases.create_engine(url)
        yield engine
        engine.dispose()


def counted(counts: Counts) -> Mapping[str, Any]:
    """The counts that are not zero."""
    return {name: value for name, value in counts.as_dict().items() if value}
