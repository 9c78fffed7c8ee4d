"""What the database refuses while a plan is written: what may pass when tried again, and what is said of a device.

Belongs here: telling errors apart. Does not belong here: trying again (``reconciliation``).
"""

from typing import Final

import structlog

from intune_pipeline.domain.reconciliation import DeviceStep
from intune_pipeline.domain.vocabulary import Outcome

# PostgreSQL: serialization_failure, deadlock_detected; the same transaction succeeds when it is tried again.
_PASSING: Final = frozenset({"40001", "40P01"})

_LOCK_NOT_AVAILABLE: Final = "55P03"

logger = structlog.get_logger(__name__)


def is_passing(error: Exception) -> bool:
    """Whether the same may succeed when it is tried again: a deadlock, a conflict of transactions."""
    return getattr(getattr(error, "orig", None), "pgcode", None) in _PASSING


def failed_step(step: DeviceStep, error: Exception) -> DeviceStep:
    """The device, failed, with a sentence that shows no value of it."""
    cause = getattr(error, "orig", None) or error
    device_id = step.judged.device.intune_device_id
    logger.warning("device could not be written", intune_device_id=device_id, error=type(cause).__name__)
    if getattr(cause, "pgcode", None) == _LOCK_NOT_AVAILABLE:
        reason = "Somebody else kept the asset locked for too long; the next sync tries again."
    else:
        reason = f"The database refused the device's values ({type(cause).__name__}); the next sync tries again."
    return DeviceStep(step.judged, Outcome.FAILED, reason)


#: What a value raises that cannot even be sent: lone surrogates, numbers beyond 64 bits.
UNWRITABLE: Final = (ValueError, TypeError)
