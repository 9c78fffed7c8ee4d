"""Work that the portal does again and again in a thread of its own while it runs."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

#: Tracebacks without the values of variables, among which are secrets.
log = logging.getLogger(__name__)


class Repeated:
    """One piece of work, repeated.

    Attributes:
        stopped: set once it is to end; a long step looks at it.

    Args:
        step: does what is due.
        doing: what it does, as the log says it when a step fails: "verifying connections".
        every_seconds: how long it rests between two steps.
    """

    def __init__(self, step: Callable[[], object], doing: str, every_seconds: float) -> None:
        self.stopped = threading.Event()
        self._step = step
        self._doing = doing
        self._every_seconds = every_seconds

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Repeat it until the block ends."""
        self.stopped.clear()
        thread = threading.Thread(target=self._loop, name=self._doing, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            thread.join()

    def _loop(self) -> None:
        while not self.stopped.wait(self._every_seconds):
            try:
                self._step()
            except Exception:  # the next step may find the database again
                log.exception("%s failed; it is tried again", self._doing)
