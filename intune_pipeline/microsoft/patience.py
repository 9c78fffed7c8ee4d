"""How long to keep asking: pauses, the run's deadline, and when a failing request is given up.

Belongs here: the one rule for a request and for each item of a batch. Does not belong here: sending (`exchange`,
`batches`), the quota (`quota`).
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from intune_pipeline.microsoft.causes import Cause, MicrosoftError

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_WRONGLY_FORBIDDEN_SECONDS = 60.0


class Patience:
    """Decides after each failure of one request whether to ask again, and after which pause.

    Being throttled uses up nothing but the run's deadline: the service is there and says when to come back. An
    outage is given up when the request has failed for ``give_up_after`` without a break; a 401 that means "forbidden"
    after a minute, because Intune is known to answer so for a moment.

    Args:
        deadline: when the run ends, in seconds of the clock.
        give_up_after: how long server and connection errors may go on.
        clock: tells the time in seconds.
        draw: draws a pause between two numbers of seconds.

    Attributes:
        pause: seconds to wait before asking again, after `allows` said yes.
    """

    __slots__ = ("_clock", "_deadline", "_draw", "_failing_since", "_failures", "_give_up_after", "pause")

    def __init__(
        self,
        deadline: float,
        give_up_after: timedelta,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._deadline = deadline
        self._give_up_after = give_up_after.total_seconds()
        self._clock = clock
        self._draw = draw
        self._failures = 0
        self._failing_since: float | None = None
        self.pause = 0.0

    def allows(self, error: BaseException) -> bool:
        """Whether to ask again after this failure; sets `pause`."""
        if not isinstance(error, MicrosoftError) or not (error.cause.retry or _is_wrongly_forbidden(error)):
            return False
        now = self._clock()
        self._failures += 1
        self.pause = error.retry_after or self._full_jitter()
        if error.cause is Cause.THROTTLED:
            self._failing_since = None
        else:
            if self._failing_since is None:
                self._failing_since = now
            if now + self.pause - self._failing_since > self._longest(error):
                return False
        return now + self.pause < self._deadline

    def _longest(self, error: MicrosoftError) -> float:
        if _is_wrongly_forbidden(error):
            return min(_WRONGLY_FORBIDDEN_SECONDS, self._give_up_after)
        return self._give_up_after

    def _full_jitter(self) -> float:
        """A random share of an exponentially growing pause, so that many clients do not come back at once."""
        return self._draw(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures, 10)))


def _is_wrongly_forbidden(error: MicrosoftError) -> bool:
    return error.cause is Cause.PERMISSION_REMOVED and error.status == HTTPStatus.UNAUTHORIZED


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
