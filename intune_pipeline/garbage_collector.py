"""Python's garbage collector, kept from searching what stays.

Belongs here: how seldom it looks, and what it never looks at. Does not belong here: which processes ask for that.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Imports make half a million objects, hardly one of them garbage; Python's own numbers are 700, 10 and 10. Not higher: a
#: code server lives for long, and what Dagster opens for a sensor's tick, connections too, is closed when it is collected.
NEW_OBJECTS_BEFORE_A_SEARCH = 100_000
#: Of a command that ends with its work: more than all it imports.
NEW_OBJECTS_OF_A_COMMAND = 2_000_000
SEARCHES_BEFORE_AN_OLDER = 10
MIDDLE_GENERATION = 1

#: An entry for each run that ended in this process.
_runs: list[bool] = []


def collect_rarely(new_objects: int = NEW_OBJECTS_BEFORE_A_SEARCH) -> None:
    """Search seldom in this process, and not once more when it ends; to be called before anything large is imported.

    What is imported all stays: searching it as often as Python does by default takes a fifth of a command's start and a
    tenth of a small run, and searching it at the end as long again.

    Args:
        new_objects: How many a process has made when it searches among them.
    """
    gc.set_threshold(new_objects, SEARCHES_BEFORE_AN_OLDER, SEARCHES_BEFORE_AN_OLDER)
    atexit.register(gc.freeze)


@contextmanager
def frozen() -> Iterator[None]:
    """Never search while the block runs, nor ever what was there before the first such block of this process.

    What is imported when the first run begins stays, what a run makes is deleted without the collector, and a process usually
    ends with its run: searching took almost half of a small run's CPU time and a tenth of a large one's. Where another run
    follows in the same process, what the one before left is collected first, and at times what outlived a search.
    """
    if not _runs:
        gc.freeze()
    elif len(_runs) % SEARCHES_BEFORE_AN_OLDER:
        gc.collect(MIDDLE_GENERATION)
    else:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _runs.append(True)
