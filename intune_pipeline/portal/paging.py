"""Pages of lists, the same for every list."""

from typing import Final

MAX_PAGE: Final = 100_000
"""The highest number of a page that is looked for."""


def page_count(total: int, page_size: int) -> int:
    """How many pages a list has; an empty one has one.

    >>> page_count(0, 50), page_count(50, 50), page_count(51, 50)
    (1, 1, 2)
    """
    return max(1, -(-total // page_size))
