"""What a tick does while allwhere's database is not migrated: one sentence instead of a trace every few seconds.

Belongs here: telling that from every other failure. Does not belong here: migrating, which operators do.
"""

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as sa
from sqlalchemy import Engine

from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.database import pending

T = TypeVar("T")

SENTENCE = "allwhere's database is not up to date, so nothing is looked at; run: intune-pipeline db upgrade"


def skipping_until_upgraded(tick: Callable[..., T]) -> Callable[..., T | dg.SkipReason]:
    """A sensor's function that skips, saying what to do, where tables or columns are missing for want of a migration.

    Nothing is asked before something fails: ticks come every second.
    """

    @functools.wraps(tick)
    def wrapper(*args: Any, database: Engine, **kwargs: Any) -> T | dg.SkipReason:
        try:
            return tick(*args, database=database, **kwargs)
        except sa.exc.ProgrammingError:
            if _is_behind(database):
                return dg.SkipReason(SENTENCE)
            raise

    return wrapper


def _is_behind(database: Engine) -> bool:
    with suppress(PipelineError, sa.exc.SQLAlchemyError):
        return bool(pending(database))
    return False
