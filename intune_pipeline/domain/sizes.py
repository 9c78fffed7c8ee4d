"""Storage and memory in the GB a person would recognise.

Belongs here: turning Graph's bytes into sizes. Does not belong here: what a model has (``facts``).
"""

from bisect import bisect
from functools import lru_cache
from itertools import chain

#: Storage as it is sold, in GB: powers of two up to 512, then 1 TB, 2 TB, 4 TB …
MARKETED_STORAGE_GB = tuple(chain((2**power for power in range(10)), (1000 * 2**power for power in range(8))))

#: How far, as a fraction of the marketed size, a drive may be from it: 10 % covers binary against decimal counting.
MARKETED_TOLERANCE = 0.1

#: A fleet has few models and sizes, and the same ones again and again.
REMEMBERED = 4096

_GB = 1000**3
_GIB = 1024**3


@lru_cache(REMEMBERED)
def storage_gb(size_in_bytes: int | None) -> int | None:
    """Storage in the GB a person would recognise.

    The nearest marketed size when it is within 10 % (68,719,476,736 bytes are 64 GB, 511,000,000,000 are 512 GB), else
    decimal GB, rounded. None when Graph states nothing: null, 0, or less than half a GB.

    Args:
        size_in_bytes: Graph: totalStorageSpaceInBytes.
    """
    if not size_in_bytes or size_in_bytes < 0:
        return None
    size = size_in_bytes / _GB
    at = bisect(MARKETED_STORAGE_GB, size)
    marketed = min(MARKETED_STORAGE_GB[max(at - 1, 0) : at + 1], key=lambda candidate: abs(candidate - size))
    return marketed if abs(marketed - size) <= marketed * MARKETED_TOLERANCE else round(size) or None


def memory_gb(size_in_bytes: int | None) -> int | None:
    """Memory in GiB, rounded; None when Graph states nothing: null, 0, or less than half a GiB.

    Args:
        size_in_bytes: Graph: physicalMemoryInBytes.
    """
    if not size_in_bytes or size_in_bytes < 0:
        return None
    return round(size_in_bytes / _GIB) or None
