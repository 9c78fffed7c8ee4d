"""Patterns that people write, bounded in length, size and memory, and the text they are searched for in.

Belongs here: what a pattern may be. Does not belong here: which patterns are tried (``catalogue``, ``classification``).
"""

from typing import Any, Final

import re2

from intune_pipeline.errors import WrongUseError

TEXT_LENGTH: Final = 256
"""Characters of an operating system, manufacturer or model that are looked at; no real name is longer."""

PATTERN_LENGTH: Final = 500
"""Characters an account's pattern may have."""

PATTERN_SIZE: Final = 1000
"""Instructions an account's pattern may compile to; every one of them may be looked at for every character."""

_ACCOUNT_MEMORY: Final = 1 << 20


class PatternError(WrongUseError):
    """A pattern that cannot be used; the message is a sentence for the person who wrote it."""


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that an account rule could not use, or that would be slow on every device.

    Raises:
        PatternError: The pattern is malformed, too large, or uses what RE2 leaves out because it could be slow.
    """
    size = compiled(pattern).programsize
    if size > PATTERN_SIZE:
        raise PatternError(
            f"The pattern is too large: it compiles to {size} instructions, {PATTERN_SIZE} are allowed. "
            "Use fewer or smaller repetitions."
        )


def without_underscores(text: str) -> str:
    """Some makers write spaces as underscores ("ESPRIMO_D556"); an account's patterns see them as shown."""
    return text.replace("_", " ")


def tidy(text: str) -> str:
    """The text as patterns see it: printable, single-spaced, lower case, cut to `TEXT_LENGTH`."""
    printable = text.encode(errors="replace").decode()
    return " ".join(printable.split())[:TEXT_LENGTH].lower().strip()


def bounded(memory: int) -> Any:
    """RE2's options for patterns that may use this many bytes."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    return options


def compiled(pattern: str) -> Any:
    """The pattern, ready to search; case is ignored.

    Raises:
        PatternError: The pattern is malformed, or uses what RE2 leaves out because it could be slow.
    """
    if len(pattern) > PATTERN_LENGTH:
        raise PatternError(f"The pattern has {len(pattern)} characters; {PATTERN_LENGTH} are allowed.")
    options = bounded(_ACCOUNT_MEMORY)
    options.case_sensitive = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError as error:
        raise PatternError("The pattern contains characters that cannot be written down as text.") from error
    except re2.error as error:
        cause = error.args[0].decode(errors="replace")
        raise PatternError(
            f"The pattern {pattern!r} cannot be used ({cause}); look-around and back references are not supported."
        ) from error
