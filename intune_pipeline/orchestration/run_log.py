"""What assets tell the run's log and the sync log besides the story of what they did.

Belongs here: warnings and evidence. Does not belong here: the sentences (``sync.story``, ``checks``).
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from intune_pipeline.orchestration.sync import story
from intune_pipeline.orchestration.sync.session import Session


def warned(
    context: dg.AssetExecutionContext, session: Session, results: Sequence[dg.AssetCheckResult]
) -> Sequence[dg.AssetCheckResult]:
    """The same results, after the run's log and the sync log have warned of those that did not pass."""
    warn(context, story.warnings(results))
    return session.noted(results)


def warn(context: dg.AssetExecutionContext, sentences: Iterable[str]) -> None:
    """Warn in the run's log."""
    for sentence in sentences:
        context.log.warning(sentence)


def tell_evidence(context: dg.AssetExecutionContext, session: Session, why: str) -> None:
    """Log what Microsoft was asked for as evidence, if it was asked anything."""
    if said := story.evidence(session.lookups.asked(), why):
        context.log.info(said)
