"""Dagster's event log, written with fewer statements.

Belongs here: how many statements and transactions events take. Dagster plans seventeen for a small run before it begins, and
writes them with fifty-one statements. Does not belong here: what is written, which stays what ``dagster-postgres`` writes, and
connections (``storage``).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from dagster import EventLogEntry
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import Connection

_ID: Final = SqlEventLogStorageTable.c.id
_shared: ContextVar[Connection | None] = ContextVar("shared_connection", default=None)


class FewStatementsEventLog(PostgresEventLogStorage):
    """``dagster-postgres``'s event log, which inserts events that come together by one statement.

    Nobody is notified of an event: ``dagster-postgres`` does that for versions of Dagster that listened.
    """

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and then what follows from it for its asset or check."""
        with self.run_connection(event.run_id) as db:
            stored = db.scalars(self.prepare_insert_event(event).returning(_ID)).one()
        self._follow([(event, stored)])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that come together, such as those Dagster plans when it creates a run, with what follows from them.

        All or nothing: Dagster stores each alone when this fails.
        """
        with self._shared_transaction() as db:
            stored = db.scalars(self.prepare_insert_event_batch(events).returning(_ID)).all()
            self._follow(list(zip(events, stored, strict=True)))

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """The connection of the transaction that this thread is in, or another one."""
        if shared := _shared.get():
            yield shared
        else:
            with super().index_connection() as db:
                yield db

    @contextmanager
    def _shared_transaction(self) -> Iterator[Connection]:
        """A transaction that Dagster's own methods take part in."""
        with self.index_transaction() as db:
            token = _shared.set(db)
            try:
                yield db
            finally:
                _shared.reset(token)

    def _follow(self, stored: Sequence[tuple[EventLogEntry, int]]) -> None:
        of_checks = [one for one in stored if one[0].dagster_event_type in ASSET_CHECK_EVENTS]
        of_assets = [one for one in stored if one[0].dagster_event_type in ASSET_EVENTS and _has_asset(one[0])]
        if not of_checks and not of_assets:
            return
        with self._shared_transaction():
            for event, event_id in of_checks:
                self.store_asset_check_event(event, event_id)
            if of_assets:
                self.store_asset_event_tags(*map(list, zip(*of_assets, strict=True)))
            # Last, because other tenants' runs write to the same few rows and wait. In the order they came in: Dagster sorts
            # by asset, so that two runs never wait for each other.
            for event, event_id in of_assets:
                self.store_asset_event(event, event_id)


def _has_asset(event: EventLogEntry) -> bool:
    return event.get_dagster_event().asset_key is not None
