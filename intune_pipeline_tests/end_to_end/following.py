"""The change feed under fire: accounts sync and people edit while a reader that crashes at random keeps copies in step.

Belongs here: the writers, the reader, the comparison; a test runs it for a moment, ``python -m bench.feed chaos`` for ten minutes.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import requests
import sqlalchemy as sa

from examples.follow_changes import everything, follow
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory import duplicates, kept_values
from intune_pipeline.inventory.undo import undo
from intune_pipeline.portal.app import create_app
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.server import listen, serving
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings
from intune_pipeline_tests.syncing import Tenant, device

PEOPLE = 12


class CrashError(Exception):
    """The reader's process is killed here."""


class CrashingSession(requests.Session):
    """An HTTP client that dies now and then: before it asks, or with the answer in its hands."""

    def __init__(self, rng: random.Random, share: float) -> None:
        super().__init__()
        self.rng, self.share = rng, share

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if self.rng.random() < self.share / 2:
            raise CrashError
        answer = super().send(request, **how)
        if self.rng.random() < self.share / 2:
            raise CrashError
        return answer


@dataclass
class Life:
    """What happens in one account, deed by deed, drawn at random.

    Attributes:
        slug: the account's.
        tenant: the account, connected.
        rng: what decides.
        devices: how many devices Intune lists at most.
        deeds: how many of each kind were done.
    """

    slug: str
    tenant: Tenant
    rng: random.Random
    devices: int = 60
    deeds: dict[str, int] = field(default_factory=dict)

    def sync(self) -> None:
        """A sync, or the undo of one."""
        self._try(self.rng.choices([self._sync, self._undo], [8, 1])[0])

    def edit(self) -> None:
        """What a person does in allwhere."""
        deeds = [self._note, self._assign, self._remove, self._rename, self._lock, self._merge]
        self._try(self.rng.choices(deeds, [8, 4, 1, 3, 1, 1])[0])

    def _try(self, deed: Callable[[], None]) -> None:
        """A deed that another one makes impossible is rolled back, which readers must not notice."""
        name = deed.__name__.strip("_")
        try:
            deed()
        except (PipelineError, sa.exc.DBAPIError) as error:
            name = f"{name} refused ({type(error).__name__})"
        self.deeds[name] = self.deeds.get(name, 0) + 1

    def _sync(self) -> None:
        self.tenant.later(hours=1)
        listed = self.rng.sample(range(self.devices), self.rng.randint(self.devices // 2, self.devices))
        self.tenant.sync(
            [
                device(
                    f"d{n}",
                    f"SN-{n}",
                    f"p{self.rng.randrange(PEOPLE)}.of@acme.example",
                    osVersion=str(self.rng.randrange(4)),
                )
                for n in listed
            ]
        )

    def _note(self) -> None:
        self.tenant.run(
            "update assets set notes = :notes where id = :id", notes=str(self.rng.random()), id=self._asset()
        )

    def _assign(self) -> None:
        self.tenant.run(
            "update assets set assignee_id = :holder, status = 'allocated' where id = :id",
            holder=self._employee(),
            id=self._asset(),
        )

    def _remove(self) -> None:
        with self.tenant.engine.begin() as db:
            asset = {"id": self._asset()}
            db.execute(sa.text("update device_outcomes set asset_id = null where asset_id = :id"), asset)
            db.execute(sa.text("delete from assets where id = :id"), asset)

    def _rename(self) -> None:
        name, holder = f"N{self.rng.randrange(1000)}", self._employee()
        self.tenant.run("update employees set first_name = :name where id = :id", name=name, id=holder)

    def _lock(self) -> None:
        serials = [
            row["serial_number"]
            for row in self.tenant.rows("select serial_number from assets where account_id = :account")
        ]
        for change in (kept_values.lock, kept_values.unlock) if serials else ():
            with self.tenant.engine.begin() as db:
                change(db, self.slug, serials[0], "os_version", actor="chaos")

    def _undo(self) -> None:
        query = (
            "select max(r.id) as id from sync_runs r where r.connection_id = :connection and r.status = 'succeeded' "
            "and r.trigger <> 'undo' and not exists (select from sync_runs u where u.undoes_run_id = r.id)"
        )
        if run := self.tenant.rows(query)[0]["id"]:
            undo(self.tenant.engine, run, actor="chaos")

    def _merge(self) -> None:
        one, other = self._employee(), self._employee()
        if one and other and one != other:
            with self.tenant.engine.begin() as db:
                duplicates.merge(db, self.slug, one, other, actor="chaos")

    def _asset(self) -> int | None:
        return self._any("select id from assets where account_id = :account")

    def _employee(self) -> int | None:
        return self._any("select id from employees where account_id = :account")

    def _any(self, query: str) -> int | None:
        ids = [row["id"] for row in self.tenant.rows(query)]
        return self.rng.choice(ids) if ids else None


@dataclass
class Reader:
    """A consumer of one account's feed that is killed at random and started over.

    Attributes:
        api: the API's address.
        token: of the account.
        path: its copy.
        crashes: how often it died.
    """

    api: str
    token: str
    path: Path
    rng: random.Random
    share: float = 0.2
    crashes: int = 0

    def read(self) -> bool:
        """Follow the feed until it is at its end or dies; whether it lived."""
        with self.session(self.share) as session:
            try:
                follow(session, self.api, self.path)
            except CrashError:
                self.crashes += 1
                return False
        return True

    def copy(self) -> dict[str, Any]:
        """Assets and employees it ended with."""
        kept = orjson.loads(self.path.read_bytes())
        return {entity: kept[entity] for entity in ("asset", "employee")}

    def truth(self) -> dict[str, Any]:
        """The same by a list of everything."""
        with self.session(0) as session:
            listed = everything(session, self.api)
        return {entity: listed[entity] for entity in ("asset", "employee")}

    def difference(self) -> str:
        """What the copy has too much, lacks, or has otherwise."""
        copy, truth = self.copy(), self.truth()
        different = {
            entity: [key for key in copy[entity] | truth[entity] if copy[entity].get(key) != truth[entity].get(key)]
            for entity in copy
        }
        return f"{self.path.name}: {different}"

    def session(self, share: float) -> CrashingSession:
        """A client of the API that dies in so many of its requests."""
        session = CrashingSession(self.rng, share)
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.token}"
        return session


def run(lives: Sequence[Life], readers: Sequence[Reader], seconds: float) -> None:
    """Let every account sync in one thread, be edited in another and be read in a third, for so long.

    Raises:
        Exception: whatever a thread died of.
    """
    ends = time.monotonic() + seconds
    died: list[Exception] = []

    def repeat(deed: Callable[[], object], pause: float) -> None:
        try:
            while time.monotonic() < ends and not died:
                deed()
                time.sleep(pause)
        except Exception as error:  # noqa: BLE001 - told to the caller below
            died.append(error)

    work = [(life.sync, 0.2) for life in lives] + [(life.edit, 0.01) for life in lives]
    threads = [
        threading.Thread(target=repeat, args=one) for one in (*work, *((reader.read, 0.1) for reader in readers))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if died:
        raise died[0]


def in_step(reader: Reader, patience: float = 30) -> bool:
    """Whether the reader's copy becomes the inventory once everybody is still."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if reader.read() and reader.copy() == reader.truth():
            return True
        time.sleep(0.2)
    return False


@contextlib.contextmanager
def opened(
    engine: sa.Engine, portal_engine: sa.Engine, directory: Path, accounts: int, rng: random.Random
) -> Iterator[tuple[list[Life], list[Reader]]]:
    """So many connected accounts, a portal that serves their API on loopback, and a reader of each."""
    names = [f"t{number}" for number in range(accounts)]
    with SandboxCloud([SandboxTenant(name) for name in names]).running() as sandbox:
        listening = listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {name.lower(): value for name, value in sandbox.environment().items()}
        portal = PortalSettings(portal_url=address, portal_session_secret="s" * 40, **environment)
        app = create_app(Settings(), portal, MicrosoftSettings(**environment), portal_engine)
        lives = [
            Life(name, Tenant.connected(engine, name, mdm_assignee_updates=True), random.Random(rng.random()))
            for name in names
        ]
        readers = [
            Reader(
                f"{address}/api/v1",
                sandbox.sign_in_token(f"{name}-primary", seconds=7200),
                directory / f"{name}.json",
                random.Random(rng.random()),
            )
            for name in names
        ]
        with serving([(listening, app, None)]):
            yield lives, readers
