"""How a process of Dagster that works on runs behaves on its machine.

Belongs here: its priority and Python's collector, set once when the definitions are loaded. Does not belong here: what is
done in a run (``assets``).
"""

import multiprocessing
import sys
from pathlib import Path

from intune_pipeline import garbage

#: The command of ``low_priority``, installed beside Python's own.
LOW_PRIORITY_PYTHON = "intune-pipeline-python"


def settle() -> None:
    """Leave garbage alone, and let the runs that this process starts give way.

    Dagster's default launcher starts runs as processes of Python's ``multiprocessing``; they work for minutes on what the daemon hands out in milliseconds and the
    UI is asked by people, on the same cores. They give way from their first moment, for half of a small run is imports.
    """
    garbage.leave_alone()
    command = Path(sys.executable).with_name(LOW_PRIORITY_PYTHON)
    if command.exists():
        multiprocessing.set_executable(str(command))
