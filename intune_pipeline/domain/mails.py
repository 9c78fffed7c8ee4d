"""What customers' admins are told by e-mail, and when: at once what cannot wait, the rest as a digest, each once.

Belongs here: what is due and the words. Does not belong here: who has asked for it (``inventory.mails``) and sending.

One message per cause and person until it clears: what was told is not told again, whether at once or in a digest.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from intune_pipeline.domain.needs import AT_ONCE, Need
from intune_pipeline.domain.vocabulary import Digest, NeedKind

NOT_TOLD: Final = frozenset({NeedKind.NOT_CONNECTED})
"""What the admins did themselves."""
HOURS_AFTER_SYNC: Final = 3
"""A digest comes so long after the hour of the daily sync, so that it tells of that."""


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail.

    Attributes:
        subject: Its subject.
        body: Plain text.
        told: What it tells of for the first time.
    """

    subject: str
    body: str
    told: frozenset[NeedKind]


@dataclass(frozen=True, slots=True)
class Place:
    """Where people look and end their e-mails.

    Attributes:
        organisation: The account's name.
        page: Address of the page that shows what waits.
        settings: Address of the page where e-mails are chosen.
        unsubscribe: Address that ends this person's e-mails, without a sign-in.
    """

    organisation: str
    page: str
    settings: str
    unsubscribe: str


def at_once(needs: Iterable[Need], told: Collection[NeedKind]) -> list[Need]:
    """What this person has to know now."""
    return [need for need in needs if need.kind in AT_ONCE and need.kind not in told]


def for_digest(needs: Iterable[Need], told: Collection[NeedKind]) -> list[Need]:
    """What is new to this person and may wait for a digest."""
    return [need for need in needs if need.kind not in AT_ONCE | NOT_TOLD and need.kind not in told]


def digest_is_due(digest: Digest, last: datetime, now: datetime, *, sync_hour: int, time_zone: str) -> bool:
    """Whether the moment of a digest has come since the last one: daily, or on Mondays.

    Args:
        digest: How often.
        last: When the last one was due, or when the person asked for them; aware.
        now: The present moment; aware.
        sync_hour: Hour of the daily sync.
        time_zone: Of that hour.
    """
    here = now.astimezone(ZoneInfo(time_zone))
    moment = here.replace(hour=(sync_hour + HOURS_AFTER_SYNC) % 24, minute=0, second=0, microsecond=0, fold=0)
    if moment > here:
        moment -= timedelta(days=1)
    if digest is Digest.WEEKLY:
        moment -= timedelta(days=moment.weekday())
    return last < moment


def message(new: Sequence[Need], waiting: Iterable[Need], place: Place, *, urgent: bool) -> Message:
    """The e-mail that tells of these.

    Args:
        new: What is told for the first time; at least one.
        waiting: Everything that waits; what was told before is named in one line.
        place: Where to look.
        urgent: Whether it is told at once.
    """
    kinds = frozenset(need.kind for need in new)
    earlier = [need for need in waiting if need.kind not in kinds | NOT_TOLD]
    lines = [f"{place.organisation}: Microsoft Intune in allwhere", ""]
    for need in new:
        since = f" (since {need.since:%-d %B %Y, %H:%M} UTC)" if need.since else ""
        lines += [f"* {need.what}{since}", f"  {need.to_do}", ""]
    if earlier:
        lines += [f"{_things(len(earlier))} told before still wait{'s' if len(earlier) == 1 else ''}.", ""]
    lines += [
        f"Look: {place.page}",
        "",
        "You are told of each thing once, until it is over. You have this e-mail because you asked for it in allwhere.",
        f"Change that: {place.settings}",
        f"No more of these e-mails: {place.unsubscribe}",
    ]
    title = f"{_things(len(new))} {'needs' if len(new) == 1 else 'need'} you"
    subject = f"{place.organisation}: {_short(new[0].what) if urgent and len(new) == 1 else title} (Microsoft Intune)"
    return Message(_one_line(subject), "\n".join(lines), kinds)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _short(sentence: str) -> str:
    first = sentence.split(". ", maxsplit=1)[0].rstrip(".")
    return first if len(first) <= 90 else f"{first[:89].rstrip()}…"


def _one_line(text: str) -> str:
    """A subject is one line, whatever a name holds."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
