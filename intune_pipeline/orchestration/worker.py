"""How a process of Dagster that works on runs behaves on its machine.

Belongs here: priorities and Python's collector, set once when the definitions are loaded. Does not belong here: what is
done in a run (``assets``), and the collector during one (``resources``).
"""

import gc
import multiprocessing
import os

NICENESS = 19
#: A run makes objects by the hundred thousand, hardly one of them garbage; Python's own number is 700.
NEW_OBJECTS_BEFORE_A_SEARCH = 100_000


def settle() -> None:
    """Search new objects for garbage seldom, and give way when this process was started for a run.

    What is imported now all stays, and searching it is a tenth of a small run. Dagster's default launcher starts runs
    as processes of Python's ``multiprocessing``; they work for minutes on what the daemon hands out in milliseconds and the
    UI is asked by people, on the same cores.
    """
    gc.set_threshold(NEW_OBJECTS_BEFORE_A_SEARCH)
    if multiprocessing.parent_process() is not None:
        os.nice(NICENESS)
