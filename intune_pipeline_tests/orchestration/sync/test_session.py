"""A run's session with its database: it waits for one that does not answer when the run begins."""

from threading import Timer

import sqlalchemy as sa

from intune_pipeline_tests.orchestration.conftest import World


def test_a_run_that_begins_while_the_database_is_away_waits_for_it(world: World, maintenance: sa.Engine) -> None:
    name = world.engine.url.database

    def allow(connections: bool) -> None:
        with maintenance.connect() as db:
            db.execute(sa.text(f"alter database {name} allow_connections {connections}"))
            db.execute(
                sa.text("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = :name"),
                {"name": name},
            )

    world.engine.dispose()
    allow(connections=False)
    back = Timer(2, allow, kwargs={"connections": True})
    back.start()
    try:
        synced = world.sync()
    finally:
        back.join()
    assert synced
    assert synced.status == "succeeded"
