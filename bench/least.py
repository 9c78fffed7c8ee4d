"""What an unchanged sync cannot do without: its start, five frames stored, an outcome of each device, the state read.

Nothing is fetched, cleaned, judged, compared or planned here. What is stored is what the first sync left; the functions
that store and read it are the product's.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Engine

from bench import stage, syncs
from bench.report import Table
from intune_pipeline.garbage_collector import frozen
from intune_pipeline.inventory import database, frames
from intune_pipeline.inventory import reconciliation_statements as statements
from intune_pipeline.inventory.reconciliation import LONGEST_BATCH
from intune_pipeline.inventory.reconciliation_rows import as_json
from intune_pipeline.inventory.schema import FRAMES, device_outcomes
from intune_pipeline.inventory.state import load_state
from intune_pipeline.orchestration.sync.frame_conversion import frame_of, rows_of

ACCOUNT, SMALL = "fleet", "small"
#: A tenant of so many devices costs what a sync costs before its devices count.
FEW = 20


def measure(sizes: Sequence[int]) -> list[Table]:
    """An unchanged sync of each size beside its parts and its floor, all collecting garbage as rarely as a sync does."""
    rows = []
    for size in sizes:
        with stage.opened({ACCOUNT: size, SMALL: FEW}, INTUNE_DETAILS="off") as on:
            floor, whole, start = (_settled(on, run) for run in (_floor(on), _sync(on, ACCOUNT), _sync(on, SMALL)))
            parts = [_spent(on, part) for part in _parts(on)]
        least = start + sum(parts)
        rows.append([size, floor, start, *parts, least, f"{least / floor:.1f} ×", whole, f"{whole / floor:.1f} ×"])
        print(*rows[-1], flush=True)
    header = [
        "devices", "floor", f"sync of {FEW} devices", "five frames", "outcomes", "state read", "start and these", "/ floor",
        "unchanged sync", "/ floor",
    ]  # fmt: skip
    note = "CPU seconds of process and PostgreSQL together. The floor keeps its garbage collector from searching, as a sync does."
    return [Table("What an unchanged sync cannot do without", header, rows, [note])]


def _floor(on: stage.Stage) -> Callable[[], float]:
    return lambda: syncs.floor(on, ACCOUNT, "--collect-rarely").cpu


def _sync(on: stage.Stage, account: str) -> Callable[[], float]:
    return lambda: syncs.sync(on, account).cpu


def _settled(on: stage.Stage, run: Callable[[], float]) -> float:
    """The second time it is run: the first sync creates, and the sandbox makes its pages when they are first asked for."""
    run()
    on.tidy()
    return run()


def _parts(on: stage.Stage) -> Iterator[Callable[[], None]]:
    engine = database.create_engine(on.environment["ALLWHERE_DATABASE_URL"])
    with engine.connect() as db:
        connection_id, run_id = db.execute(_LAST_RUN, {"account": ACCOUNT}).one()
        stored = [frames.read(db, asset, ACCOUNT) for asset in FRAMES]
        known = db.execute(_OUTCOMES, {"connection_id": connection_id}).all()
    snapshots = {
        asset: frames.Snapshot(one.listing, frame_of(asset, rows_of(one.frame, list(one.frame.columns))))
        for asset, one in zip(FRAMES, stored, strict=True)
    }
    outcomes = [dict(zip(statements.OUTCOME_FIELDS, row, strict=True)) for row in known]
    given = {
        "connection_id": connection_id,
        "sync_run_id": run_id,
        "listed_at": snapshots["raw_intune_devices"].listing.listed_at,
    }
    yield lambda: _write_frames(engine, snapshots)
    yield lambda: _write_outcomes(engine, given, outcomes)
    yield lambda: _read_state(engine, connection_id)
    engine.dispose()


def _write_frames(engine: Engine, snapshots: dict[str, frames.Snapshot]) -> None:
    for asset, snapshot in snapshots.items():
        with engine.begin() as db:
            frames.write(db, asset, snapshot)


def _write_outcomes(engine: Engine, given: dict[str, object], outcomes: list[dict[str, object]]) -> None:
    with engine.connect() as db:
        for at in range(0, len(outcomes), LONGEST_BATCH):
            with db.begin():
                db.execute(statements.BY_INDEX_WITHOUT_WAITING)
                db.execute(statements.OUTCOMES, {**given, "rows": as_json(outcomes[at : at + LONGEST_BATCH])})


def _read_state(engine: Engine, connection_id: int) -> None:
    with engine.connect() as db:
        load_state(db, connection_id)


def _spent(on: stage.Stage, part: Callable[[], None]) -> float:
    """CPU seconds of this process and of PostgreSQL."""
    on.tidy()
    with frozen():
        server, process = on.spent()[1], time.process_time()
        part()
        process = time.process_time() - process
    return process + on.spent()[1] - server


_LAST_RUN = sa.text("""
    select c.id, max(r.id) from accounts a join connections c on c.account_id = a.id join sync_runs r on r.connection_id = c.id
    where a.slug = :account group by c.id
""")
_OUTCOMES = sa.select(*(device_outcomes.c[name] for name in statements.OUTCOME_FIELDS)).where(
    device_outcomes.c.connection_id == sa.bindparam("connection_id")
)
