"""How a step fails: one sentence for people, nothing about anybody in Dagster's event log.

Belongs here: the boundary around every asset and stored frame, where exceptions become `dagster.Failure`. Does not
belong here: what the sentences say; each error brings its own.

Texts of unexpected exceptions may hold what they stumbled over: a serial number, an e-mail address, a code. Dagster
keeps exception texts for ever, so only the class and the places in the code go on; they lead a developer to the spot
and tell nothing else.
"""

import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import dagster as dg
import structlog

from intune_pipeline.errors import PipelineError

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def failing_in_one_sentence(step: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `dagster.Failure` that is fit for the event log.

    Args:
        step: what was being done, for example an asset's name.

    Raises:
        dagster.Failure: the sentence of a `PipelineError`, or for anything unexpected its class and where it happened.
    """
    try:
        yield
    except dg.Failure:
        raise
    except PipelineError as error:
        log.error("step_failed", step=step, error=type(error).__name__)  # noqa: TRY400 - the text is not for logs
        raise dg.Failure(str(error), allow_retries=False) from None
    except Exception as error:  # noqa: BLE001 - nothing may reach the event log as it is
        places = _places(error)
        log.error("step_broke", step=step, error=type(error).__name__, places=places)  # noqa: TRY400 - see above
        raise dg.Failure(
            f"{step} stopped at an unexpected {type(error).__name__} in {places[-1]}; nothing of the step in progress "
            "was kept, the next sync starts over, and a developer finds the way there in this failure's metadata.",
            metadata={"error": type(error).__name__, "places": dg.MetadataValue.json(places)},
        ) from None


def explained(asset: Callable[P, R]) -> Callable[P, R]:
    """The same for a whole asset function."""

    @functools.wraps(asset)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with failing_in_one_sentence(asset.__name__):
            return asset(*args, **kwargs)

    return wrapper


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
