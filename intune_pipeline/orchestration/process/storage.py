"""Dagster's own database, at the address the settings name.

Belongs here: the storage that ``dagster.yaml`` names, which is ``dagster-postgres``'s with these differences.

- Every Dagster process, however it was started, reads the address as the rest of the product does: any PostgreSQL scheme, the
  driver named, the embedded server when nothing is set.
- What does not change is asked for once, by a connection that is kept. ``dagster-postgres`` opens a connection per statement except in the webserver
  (dagster#33935, dagster#20325), and looks again and again which tables and columns there are (dagster#34058): seven eighths
  of PostgreSQL's time and a quarter of the statements in a small tenant's run. Columns are read by one small statement. That a partition exists, which Dagster asks
  fifty times in a run, is remembered for a second.
- What an instance opened is closed when Dagster disposes of it. A code server makes an instance for each tick of a sensor;
  connections that only Python's garbage collector closes would use up all that PostgreSQL has.
- Events that Dagster stores together are inserted together (``event_log``).
- Nobody waits for the disk: Dagster commits every event alone, a hundred times in a small run. A server that crashes forgets
  the last moments of Dagster's history, never allwhere's data; what was under way is found by ``sync.reaping``.

Does not belong here: what is stored.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final, Self

import psycopg2
import sqlalchemy as sa
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.dialects import plugins
from sqlalchemy.engine.interfaces import CreateEnginePlugin
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from intune_pipeline.local import dagster_url
from intune_pipeline.orchestration.process.event_log import FewStatementsEventLog
from intune_pipeline.settings import Settings

SECONDS_TRUSTED: Final = 1.0
SECONDS_A_PARTITION_IS_REMEMBERED: Final = 1.0
NO_STATEMENT_TIMEOUT: Final = 0
SECONDS_A_CONNECTION_LIVES: Final = 1800
CONNECTIONS_AT_ONCE: Final = 20
EVENTS_AT_ONCE: Final = "DAGSTER_EVENT_BATCH_SIZE"
MORE_THAN_A_RUN_PLANS: Final = "100"
#: One table of each part, what `dagster-postgres` would look for in three connections, each opened twice; and one that
#: Dagster asks the columns of.
MAIN_TABLES: Final = ("runs", "event_logs", "jobs", "asset_keys")
#: Questions about the schema, which only `intune-pipeline db upgrade` changes, while nothing runs.
ASKED_ONCE: Final = ("has_table", "has_instigators_table", "has_secondary_index_table")

_COLUMNS: Final = sa.text(
    "select named, attname from unnest(:tables) as named join pg_attribute on attrelid = to_regclass(named) "
    "where attnum > 0 and not attisdropped"
)
_engines: ContextVar[list[Engine] | None] = ContextVar("engines", default=None)


class PingAfterRest(CreateEnginePlugin):
    """Makes sure that a kept connection still lives before it is used, unless it was used a moment ago.

    Part of the address, so that it holds for every engine made from it, the webserver's own too: after a restart of
    PostgreSQL the first request works. A run's events come in quick succession and are not pinged one by one.
    """

    NAME: Final = "intune_pipeline_ping"

    def __init__(self, url: URL, kwargs: Mapping[str, Any]) -> None:
        """SQLAlchemy calls it for an address with ``plugin=intune_pipeline_ping``."""

    def update_url(self, url: URL) -> URL:
        """Nothing else of the address is ours."""
        return url

    def engine_created(self, engine: Engine) -> None:
        """Listen to the engine's connections, and note the engine for the storage that is being made."""
        event.listen(engine, "checkout", _ping_after_a_rest)
        event.listen(engine, "checkin", _note_use)
        if (engines := _engines.get()) is not None:
            engines.append(engine)


plugins.register(PingAfterRest.NAME, __name__, PingAfterRest.__name__)


class SettingsStorage(DagsterPostgresStorage):
    """``DAGSTER_POSTGRES_URL``, or the database ``dagster`` beside allwhere's."""

    @functools.cached_property
    def event_log_storage(self) -> FewStatementsEventLog:
        """Where events are written."""
        return FewStatementsEventLog(self.postgres_url, should_autocreate_tables=False)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing is configured in ``dagster.yaml``."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """Read the settings.

        Raises:
            SettingsError: a setting is malformed.
            DatabaseUnreachable: the server does not answer.
        """
        # Without it Dagster stores the events it plans for a run one by one; there is no setting in dagster.yaml.
        os.environ.setdefault(EVENTS_AT_ONCE, MORE_THAN_A_RUN_PLANS)
        storage = cls(address(dagster_url(Settings.load())), should_autocreate_tables=False, inst_data=inst_data)
        engines: list[Engine] = []
        noting = _engines.set(engines)
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(NO_STATEMENT_TIMEOUT, SECONDS_A_CONNECTION_LIVES, CONNECTIONS_AT_ONCE)
            for question in ASKED_ONCE:
                if hasattr(part, question):
                    setattr(part, question, functools.cache(getattr(part, question)))
        _engines.reset(noting)
        runs, events = storage.run_storage, storage.event_log_storage
        events.has_dynamic_partition = _remembered(events.has_dynamic_partition)  # type: ignore[method-assign,assignment]
        if set(columns := _columns(events.index_connection)) != set(MAIN_TABLES):
            cls(storage.postgres_url)
            columns = _columns(events.index_connection)
        # Asked by Dagster in each run; it would reflect the whole table each time, types and domains too.
        runs.has_run_stats_index_cols = lambda: {"start_time", "end_time"} <= columns["runs"]  # type: ignore[attr-defined]
        runs.has_backfill_id_column = lambda: "backfill_id" in columns["runs"]  # type: ignore[attr-defined]
        events.has_asset_key_col = columns["asset_keys"].__contains__  # type: ignore[method-assign,assignment]
        # What an instance calls when it is disposed of; dagster-postgres does nothing there.
        storage.run_storage.dispose = functools.partial(_close, engines)  # type: ignore[method-assign]
        return storage


def address(url: str) -> str:
    """An address of Dagster's database with what its connections need: no wait for the disk, a ping after a rest."""
    parsed = make_url(url)
    options = f"{parsed.query.get('options', '')} -c synchronous_commit=off".strip()
    wanted = parsed.update_query_dict({"options": options, "plugin": PingAfterRest.NAME})
    return wanted.render_as_string(hide_password=False)


def _columns(connect: Callable[[], AbstractContextManager[Connection]]) -> dict[str, set[str]]:
    """The columns of those of the main tables that are there."""
    found: dict[str, set[str]] = {}
    with connect() as db:
        for table, column in db.execute(_COLUMNS, {"tables": list(MAIN_TABLES)}):
            found.setdefault(table, set()).add(column)
    return found


def _close(engines: Iterable[Engine]) -> None:
    for engine in engines:
        engine.dispose()


def _remembered(has_partition: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    """The same question, asked again only after a moment where the answer was yes."""
    seen: dict[tuple[str, str], float] = {}

    def has_dynamic_partition(partitions_def_name: str, partition_key: str) -> bool:
        asked, now = (partitions_def_name, partition_key), time.monotonic()
        if now - seen.get(asked, -SECONDS_A_PARTITION_IS_REMEMBERED) < SECONDS_A_PARTITION_IS_REMEMBERED:
            return True
        exists = has_partition(*asked)
        if exists:
            seen[asked] = now
        return exists

    return has_dynamic_partition


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_after_a_rest(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
    """Ping a connection that was kept for a while.

    Raises:
        DisconnectionError: it does not answer; the pool then opens another one.
    """
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < SECONDS_TRUSTED:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except psycopg2.Error:
        raise DisconnectionError from None
