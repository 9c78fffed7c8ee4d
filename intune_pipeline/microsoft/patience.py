"""How long to keep asking: pauses, the run's deadline, and when a failing request is given up.

Here: the one rule for a request and for each item of a batch. Not here: sending (`graph`), the quota (`quota`).
"""

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from intune_pipeline.microsoft.causes import Cause, MicrosoftError

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


class Patience:
    """Decides after each failure of one request whether to ask again, and after which pause.

    Being throttled uses up nothing but the run's deadline: the service is there and says when to come back. An
    outage is given up when the request has failed for ``give_up_after`` without a break.

    Args:
        deadline: when the run ends, in seconds of `time.monotonic`.
        give_up_after: how long server and connection errors may go on.

    Attributes:
        pause: seconds to wait before asking again, after `allows` said yes.
    """

    __slots__ = ("_deadline", "_failing_since", "_failures", "_give_up_after", "pause")

    def __init__(self, deadline: float, give_up_after: timedelta) -> None:
        self._deadline = deadline
        self._give_up_after = give_up_after.total_seconds()
        self._failures = 0
        self._failing_since: float | None = None
        self.pause = 0.0

    def allows(self, error: BaseException) -> bool:
        """Whether to ask again after this failure; sets `pause`."""
        if not isinstance(error, MicrosoftError) or not error.cause.retry:
            return False
        now = time.monotonic()
        self._failures += 1
        self.pause = error.retry_after or _full_jitter(self._failures)
        if error.cause is Cause.THROTTLED:
            self._failing_since = None
        else:
            self._failing_since = self._failing_since or now
            if now + self.pause - self._failing_since > self._give_up_after:
                return False
        return now + self.pause < self._deadline


def _full_jitter(failures: int) -> float:
    """A random share of an exponentially growing pause, so that many clients do not come back at once."""
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures, 10)))  # noqa: S311


def retry_after_seconds(value: object, *, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or an HTTP date; None when it says nothing of use.

    Args:
        value: the header.
        now: the moment to count a date from; the clock's when not given.
    """
    text = str(value or "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    return seconds if 0 < seconds < float("inf") else None
