"""A reader that crashes at random while accounts sync and people edit ends with exactly the inventory."""

import random
from pathlib import Path

import sqlalchemy as sa

from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory.roles import Acting, Role
from intune_pipeline_tests.end_to_end.following import in_step, opened, run

SECONDS = 6.0
ACCOUNTS = 3


def test_copies_end_as_the_inventory(database: str, engine: sa.Engine, tmp_path: Path) -> None:
    portal_engine = databases.create_engine(database, acting=Acting(Role.PORTAL))
    try:
        with opened(engine, portal_engine, tmp_path, ACCOUNTS, random.Random(20260720)) as (lives, readers):
            run(lives, readers, SECONDS)
            for life, reader in zip(lives, readers, strict=True):
                assert in_step(reader), reader.difference()
                assert {int(one) for one in reader.copy()["asset"]} == {
                    one["id"] for one in life.tenant.assets().values()
                }
        assert sum(reader.crashes for reader in readers) > 5
        done = {name for life in lives for name in life.deeds}
        assert {"sync", "note", "assign", "remove", "rename"} <= done, done
    finally:
        portal_engine.dispose()
