"""How a step fails: one sentence for people, nothing about anybody in Dagster's event log.

Belongs here: turning whatever an asset, an op or a stored frame stumbles over into `dagster.Failure`. Does not belong
here: what the sentences say; each error brings its own.

Texts of unexpected exceptions may hold what they stumbled over: a serial number, an e-mail address, a code. Dagster
keeps exception texts for ever, so only the class and the places in the code go on; they lead a developer to the spot
and tell nothing else.
"""

import functools
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import dagster as dg
import structlog

import intune_pipeline
from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.database import DatabaseUnreachableError
from intune_pipeline.inventory.sync_locks import SyncLockLostError
from intune_pipeline.microsoft.causes import MicrosoftError

log = structlog.get_logger(__name__)

#: A place in our own code says more than the library's that it called.
_OURS = Path(intune_pipeline.__file__).resolve().parent

P = ParamSpec("P")
R = TypeVar("R")


class StepFailure(dg.Failure):
    """A failure that is fit for the event log.

    Attributes:
        sentence: what happened and what to do.
        error: what it was before; not for the event log.
    """

    def __init__(self, sentence: str, error: BaseException, metadata: Mapping[str, Any]) -> None:
        super().__init__(description=sentence, metadata=dict(metadata), allow_retries=False)
        self.sentence = sentence
        self.error = error

    @property
    def is_passing(self) -> bool:
        """Whether starting the run over is likely to help: the database went away, or its lock did with it.

        Microsoft's outages are not among them: a run waits for those itself, as long as it may.
        """
        return isinstance(self.error, DatabaseUnreachableError | SyncLockLostError)


@contextmanager
def failing_in_one_sentence(step: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `StepFailure`.

    Args:
        step: what is being done, for example an asset's name.

    Raises:
        StepFailure: with the sentence of a `PipelineError`, or for anything unexpected its class and where it happened.
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 - nothing may reach the event log as it is
        raise _failure(step, error) from None


def explained(step: Callable[P, R]) -> Callable[P, R]:
    """The same for a whole function."""

    @functools.wraps(step)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with failing_in_one_sentence(step.__name__):
            return step(*args, **kwargs)

    return wrapper


def _failure(step: str, error: Exception) -> StepFailure:
    if isinstance(error, MicrosoftError):
        metadata = {"cause": error.cause.value, "request_id": error.request_id, "who": error.cause.audience.value}
        known = {name: dg.MetadataValue.text(value) for name, value in metadata.items() if value}
        return StepFailure(str(error), error, known)
    if isinstance(error, PipelineError):
        return StepFailure(str(error), error, {})
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    ours = [place for place, frame in zip(places, frames, strict=True) if _OURS in Path(frame.filename).parents]
    # SQLAlchemy keeps psycopg2's own error, which has PostgreSQL's code.
    state = getattr(getattr(error, "orig", None) or error, "pgcode", None)
    name = f"{type(error).__name__} (SQLSTATE {state})" if state else type(error).__name__
    log.error("step_broke", step=step, error=type(error).__name__, sqlstate=state, places=places)
    sentence = (
        f"{step} stopped at an unexpected {name} in {(ours or places)[-1]}. Batches written before it stay, the "
        "next sync goes on from there, and this failure's metadata shows a developer the way."
    )
    return StepFailure(
        sentence,
        error,
        {"error": dg.MetadataValue.text(name), "places": dg.MetadataValue.json(places)},
    )
