"""What a run leaves in a process is collected before the next one, and what was there before it is never searched."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from intune_pipeline.garbage_collector import SEARCHES_BEFORE_AN_OLDER, frozen

class Left:
    def __init__(self):
        self.itself = self

gc.set_threshold(1_000_000)
imported = weakref.ref(Left())
with frozen():
    permanent = gc.get_freeze_count()
    assert permanent > 1000, "imports are searched"
    assert not gc.isenabled(), "a run is searched"
    left = weakref.ref(Left())
assert gc.isenabled(), "after a run nothing is searched"
assert left(), "a process that ends with its run searches nothing"
seen, outlived = [], None
for run in range(1, 2 * SEARCHES_BEFORE_AN_OLDER + 1):
    with frozen():
        assert left() is None, "what the run before left is kept"
        assert gc.get_freeze_count() <= permanent, "what a run made is never searched again"
        left = weakref.ref(Left())
        # In the list when the next run begins, and garbage after it.
        seen = [Left()]
        outlived = outlived or weakref.ref(seen[0])
assert outlived() is None, "what outlived a search is kept for ever"
assert imported(), "imports are searched"
"""


def test_what_runs_leave_is_collected_before_the_next_and_imports_are_never_searched() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
