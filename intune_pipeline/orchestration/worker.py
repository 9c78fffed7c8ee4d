"""How a process of Dagster that works on runs behaves on its machine.

Belongs here: priorities and Python's collector, set once when the definitions are loaded. Does not belong here: what is
done in a run (``assets``), and the collector during one (``resources``).
"""

import gc
import multiprocessing
import sys
from pathlib import Path

#: The command of ``low_priority``, installed beside Python's own.
LOW_PRIORITY_PYTHON = "intune-pipeline-python"
#: A run makes objects by the hundred thousand, hardly one of them garbage; Python's own number is 700.
NEW_OBJECTS_BEFORE_A_SEARCH = 100_000


def settle() -> None:
    """Search new objects for garbage seldom, and let the runs that this process starts give way.

    What is imported now all stays, and searching it is a tenth of a small run. Dagster's default launcher starts runs
    as processes of Python's ``multiprocessing``; they work for minutes on what the daemon hands out in milliseconds and the
    UI is asked by people, on the same cores. They give way from their first moment, for half of a small run is imports.
    """
    gc.set_threshold(NEW_OBJECTS_BEFORE_A_SEARCH)
    command = Path(sys.executable).with_name(LOW_PRIORITY_PYTHON)
    if command.exists():
        multiprocessing.set_executable(str(command))
