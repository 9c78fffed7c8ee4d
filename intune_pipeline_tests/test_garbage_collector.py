"""What a run leaves in a process is collected before the next one, and what was there before it is never searched."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from intune_pipeline.garbage_collector import frozen

class Left:
    def __init__(self):
        self.itself = self

with frozen():
    assert gc.get_freeze_count() > 1000, "imports are searched"
    assert not gc.isenabled(), "a run is searched"
    left = weakref.ref(Left())
assert gc.isenabled(), "after a run nothing is searched"
assert not [one for one in gc.get_objects() if type(one) is Left], "what the run left is searched"
assert left(), "a process that ends with its run searches nothing"
with frozen():
    assert left() is None, "what the run before left is kept"
"""


def test_what_a_run_leaves_is_collected_before_the_next() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
