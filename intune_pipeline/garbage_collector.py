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
SEARCHES_BEFORE_AN_OLDER = 10

_left_by_runs: list[bool] = []


def collect_rarely() -> None:
    """Search seldom in this process, and not once more when it ends; to be called before anything large is imported.

    What is imported all stays: searching it as often as Python does by default takes a fifth of a command's start and a
    tenth of a small run, and searching it at the end as long again.
    """
    gc.set_threshold(NEW_OBJECTS_BEFORE_A_SEARCH, SEARCHES_BEFORE_AN_OLDER, SEARCHES_BEFORE_AN_OLDER)
    atexit.register(gc.freeze)


@contextmanager
def frozen() -> Iterator[None]:
    """Never search what is there when the block begins, nor, when it has ended, what the block has left.

    What is imported when a run begins stays, and a process usually ends with its run: searching all that took almost half
    of a run's CPU time. Where another run follows in the same process, what the one before left is collected first.
    """
    if _left_by_runs:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.freeze()
        _left_by_runs.append(True)
