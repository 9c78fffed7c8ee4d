"""Dagster's own database, at the address the settings name.

Belongs here: the storage that ``dagster.yaml`` names. It is PostgreSQL's of ``dagster-postgres`` with three differences.
Every Dagster process, however it was started, reads the address as the rest of the product does: any PostgreSQL scheme,
the driver named, the embedded server when nothing is set. And what does not change is asked for once: ``dagster-postgres``
opens a connection per statement except in the webserver, and looks again and again which tables and columns there are, which
was seven eighths of PostgreSQL's time and a quarter of the statements in a small tenant's run. And nobody waits for the disk:
Dagster commits every event alone, a hundred times in a small run. A server that crashes forgets the last moments of Dagster's
history, never allwhere's data; what was under way is found by ``reaper``. Does not belong here: what is stored.
"""

import functools
import time
from collections.abc import Mapping
from typing import Any, Final, Self

import psycopg2
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from intune_pipeline.local import dagster_url
from intune_pipeline.settings import Settings

SECONDS_TRUSTED: Final = 1.0
#: Questions about the schema, which only `intune-pipeline db upgrade` changes, while nothing runs.
ASKED_ONCE: Final = ("has_table", "has_asset_key_col", "has_run_stats_index_cols", "has_backfill_id_column")


class SettingsStorage(DagsterPostgresStorage):
    """``DAGSTER_POSTGRES_URL``, or the database ``dagster`` beside allwhere's."""

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
        url = dagster_url(Settings.load())
        storage = cls(postgres_url=url, inst_data=inst_data)
        options = f"{make_url(url).query.get('options', '')} -c synchronous_commit=off"
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=2,
            max_overflow=20,
            pool_recycle=1800,
            connect_args={"options": options},
        )
        event.listen(engine, "checkout", _ping_after_a_rest)
        event.listen(engine, "checkin", _note_use)
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            # The webserver replaces the same attribute; there is no setting for it.
            part._engine = engine  # type: ignore[union-attr]  # noqa: SLF001
            for question in ASKED_ONCE:
                if hasattr(part, question):
                    setattr(part, question, functools.cache(getattr(part, question)))
        return storage


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_after_a_rest(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
    """Make sure that a connection still lives, unless it was used a moment ago: a run's events come in quick succession.

    Raises:
        DisconnectionError: it does not; the pool then opens another one.
    """
    if time.monotonic() - record.info.get("used_at", 0.0) < SECONDS_TRUSTED:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except psycopg2.Error:
        raise DisconnectionError from None
