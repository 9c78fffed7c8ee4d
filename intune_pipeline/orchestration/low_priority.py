"""The command ``intune-pipeline-python``: a Python that gives way to everything else on its machine.

Belongs here: becoming that Python, with nothing imported that the run would not import anyway. Does not belong here: who is
started with it (``worker``).
"""

import os
import sys

NICENESS = 19


def python() -> None:
    """Become it; the arguments are Python's own."""
    os.nice(NICENESS)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - nothing but Python itself
