"""Measures the change feed: ``python -m bench.feed {read,cost,chaos}``.

- ``read``: 100,000 changes through the API, in pages of 1,000: seconds, and the portal's memory along the way.
- ``cost``: reconciling 10,000 devices with and without the triggers that write events, in turns.
- ``chaos``: twenty accounts sync and are edited for ten minutes while readers crash at random; exits with 1 when a copy is not
  exactly the inventory in the end.

It starts an embedded PostgreSQL of its own, with its usual settings.
"""

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import sqlalchemy as sa

from bench import reconciliation
from intune_pipeline.domain.policy import Policy
from intune_pipeline.domain.reconciliation import Listing, plan
from intune_pipeline.inventory import database, embedded_postgres, sync_runs
from intune_pipeline.inventory.reconciliation import apply
from intune_pipeline.inventory.roles import DEFAULT_PREFIX, Acting, Role
from intune_pipeline.inventory.state import load_state
from intune_pipeline_tests.end_to_end.following import in_step, opened, run

TRIGGERS = {
    "assets": ["note_new_assets", "note_removed_assets"],
    "asset_changes": ["note_asset_changes"],
    "employees": ["note_new_employees", "note_changed_employees", "note_removed_employees"],
    "employee_emails": ["note_new_addresses", "note_changed_addresses", "note_removed_addresses"],
    "sync_runs": ["note_ended_sync", "note_sync_that_ended_at_once"],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.feed", description=__doc__)
    parser.add_argument("what", choices=["read", "cost", "chaos"])
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with server() as found:
        if options.what == "read":
            read(found, options.changes)
        elif options.what == "cost":
            cost(found, options.devices, options.rounds)
        else:
            sys.exit(chaos(found, options.accounts, options.seconds, options.seed))


@contextlib.contextmanager
def server() -> Iterator[embedded_postgres.EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        started = embedded_postgres.start(Path(directory) / "pg")
        try:
            yield started
        finally:
            started.release()


@contextlib.contextmanager
def engines(found: embedded_postgres.EmbeddedPostgres, name: str) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    """A migrated database, as its owner and as the portal."""
    url = database.create_if_missing(found.url("postgres"), name)
    owner = database.create_engine(url)
    database.create_roles(owner, DEFAULT_PREFIX, {})
    database.upgrade(owner)
    portal = database.create_engine(url, acting=Acting(Role.PORTAL))
    yield owner, portal
    owner.dispose()
    portal.dispose()


def read(found: embedded_postgres.EmbeddedPostgres, changes: int) -> None:
    """Follow the feed of one account from its beginning, in the portal's own process."""
    with (
        engines(found, "read") as (owner, portal),
        tempfile.TemporaryDirectory() as directory,
        opened(owner, portal, Path(directory), 1, random.Random(1)) as (lives, readers),
    ):
        assets = changes // 10
        life = lives[0]
        life.tenant.run(
            "insert into assets (account_id, serial_number, make, model, status) "
            "select :account, 'SN-' || n, 'Dell Inc.', 'Latitude 5440', 'allocated' from generate_series(1, :assets) n",
            assets=assets,
        )
        for number in range(9):
            life.tenant.run("update assets set notes = :notes", notes=str(number))
        client, cursor, count, page_times = readers[0].session(0), None, 0, []
        process = psutil.Process()
        memory = []
        began, cpu = time.perf_counter(), time.process_time()
        while True:
            at = time.perf_counter()
            page = client.get(f"{readers[0].api}/changes", params={"cursor": cursor}).json()
            page_times.append(time.perf_counter() - at)
            memory.append(process.memory_info().rss / 2**20)
            cursor, count = page["cursor"], count + len(page["changes"])
            if not page["more"]:
                break
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        slowest = max(page_times)
        print(
            f"{count:,} changes in {took:.1f} s ({cpu:.1f} s of CPU time for portal and reader), {count / took:,.0f} a second; the slowest page {slowest * 1000:.0f} ms; "
            f"resident MiB at a tenth, half and the end: {memory[len(memory) // 10]:.0f}, {memory[len(memory) // 2]:.0f}, "
            f"{memory[-1]:.0f}"
        )


def cost(found: embedded_postgres.EmbeddedPostgres, devices: int, rounds: int) -> None:
    """First, unchanged and 1 % changed, with and without events, in turns; medians."""
    taken: dict[tuple[str, bool], list[float]] = {}
    fleet = reconciliation.fleet(devices)
    changed = [
        replace(one, device=replace(one.device, os_version="99.9")) if number % 100 == 0 else one
        for number, one in enumerate(fleet)
    ]
    for round_ in range(rounds):
        for events in (True, False) if round_ % 2 else (False, True):
            with engines(found, f"cost_{round_}_{events}".lower()) as (owner, _):
                if not events:
                    with owner.begin() as db:
                        for table, names in TRIGGERS.items():
                            for name in names:
                                db.execute(sa.text(f"alter table {table} disable trigger {name}"))
                connection_id = reconciliation.connected(owner)
                listed = {"first": fleet, "unchanged": fleet, "1 % changed": changed}
                for name, judged in listed.items():
                    taken.setdefault((name, events), []).append(_sync(owner, connection_id, judged))
    for name in ("first", "unchanged", "1 % changed"):
        with_events, without = (statistics.median(taken[name, events]) for events in (True, False))
        print(
            f"{name}: {with_events:.3f} s with events, {without:.3f} s without: {with_events / without - 1:+.1%} "
            f"(medians of {rounds} in turns)"
        )


def _sync(engine: sa.Engine, connection_id: int, judged: list[reconciliation.JudgedDevice]) -> float:
    with engine.begin() as db:
        run_id = sync_runs.open_run(db, connection_id, "operator", None)
    began = time.perf_counter()
    with engine.connect() as db:
        state = load_state(db, connection_id)
    apply(
        engine, plan(judged, state, Policy(), Listing(datetime.now(UTC))), run_id, finish=reconciliation.closing(run_id)
    )
    return time.perf_counter() - began


def chaos(found: embedded_postgres.EmbeddedPostgres, accounts: int, seconds: float, seed: int) -> int:
    """Returns 1 when a copy is not the inventory."""
    with (
        engines(found, "chaos") as (owner, portal),
        tempfile.TemporaryDirectory() as directory,
        opened(owner, portal, Path(directory), accounts, random.Random(seed)) as (lives, readers),
    ):
        run(lives, readers, seconds)
        wrong = [reader for reader in readers if not in_step(reader, 120)]
        deeds: Counter[str] = Counter()
        for life in lives:
            deeds.update(life.deeds)
        with owner.connect() as db:
            events = db.scalar(sa.text("select count(*) from change_events"))
        print(f"{accounts} accounts, {seconds:.0f} s, seed {seed}: {dict(deeds)}; {events:,} events")
        print(f"readers crashed {sum(reader.crashes for reader in readers):,} times; copies that differ: {len(wrong)}")
        for reader in wrong:
            print(reader.difference())
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
