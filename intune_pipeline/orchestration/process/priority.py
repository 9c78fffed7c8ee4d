"""How much of its machine a run takes from the others there.

Belongs here: the operating system's priority of a process that Dagster's default launcher started for one run. Does not
belong here: Dagster's own queue, where the tag ``dagster/priority`` decides.
"""

import multiprocessing
import os
from collections.abc import Mapping
from typing import Final

from intune_pipeline.domain.vocabulary import Trigger
from intune_pipeline.orchestration.partitions import trigger_of

NICENESS: Final = 19


def lower_for_scheduled_run(tags: Mapping[str, str]) -> bool:
    """Lower this process's priority when it works on a scheduled run and on nothing else; returns whether it did.

    Nobody waits for the night's runs. The daemon, which hands runs out in milliseconds, the UI, and the runs that people asked
    for go first on the same cores. Warm workers and pods have their priority from what manages them, and a command on a
    terminal keeps its own: a priority, once lowered, stays.

    Args:
        tags: the run's.
    """
    is_launched = multiprocessing.parent_process() is not None
    if not is_launched or trigger_of(tags) != Trigger.SCHEDULE:
        return False
    os.nice(NICENESS - os.nice(0))
    return True
