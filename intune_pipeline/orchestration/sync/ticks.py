"""Ticks that failed for good: a whole night that nobody was asked to sync.

Belongs here: finding them in Dagster's records. Does not belong here: trying a tick again, which Dagster does
(``max_tick_retries`` in ``dagster.yaml``), and telling people (``alerts``).
"""

from datetime import UTC, datetime

import dagster as dg

from intune_pipeline.inventory.alerts import Trouble

TICK_LOST = "tick_lost"


def lost_ticks(instance: dg.DagsterInstance, schedule: str) -> list[Trouble]:
    """The last tick of a schedule, as a trouble of every tenant, if it failed and is not tried again.

    It is over with the next tick that succeeds.

    Args:
        instance: Dagster's database.
        schedule: the schedule's name.
    """
    retries = getattr(instance.scheduler, "max_tick_retries", 0)
    for state in instance.all_instigator_state():
        if state.instigator_name != schedule:
            continue
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
            if tick.is_failure and tick.failure_count > retries:
                return [_trouble(schedule, datetime.fromtimestamp(tick.timestamp, UTC), tick.failure_count)]
    return []


def _trouble(schedule: str, at: datetime, attempts: int) -> Trouble:
    message = (
        f"The tick of {schedule} of {at:%Y-%m-%d %H:%M} UTC failed {attempts} times and is not tried again: nobody was asked "
        "to sync. Its page in Dagster says why; launch the job for all partitions when that is mended."
    )
    return Trouble(TICK_LOST, None, None, message)
