"""Counts with their nouns in sentences: "1 device", "2 devices".

Belongs here: the choice between one and many. Does not belong here: how pages group the digits of a number (``portal.words``).
"""


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun, or with a phrase that agrees with it.

    Args:
        count: how many.
        one: the noun or phrase for one.
        many: the same for any other number; the noun with an s when absent.
    """
    return f"{count} {one if count == 1 else many or one + 's'}"
