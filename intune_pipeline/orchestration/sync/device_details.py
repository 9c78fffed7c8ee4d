"""Details of single devices: who is asked about, asking Graph, and storing what it answers.

Belongs here: putting Graph's answers about single devices and the store together, after the list and during it. Does not
belong here: batches and the quota (``microsoft``), ciphers (``inventory.vault``).
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import Connection, Engine

from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.devices import LARGEST_MEMORY, ManagedDevice, size, text
from intune_pipeline.domain.eligibility import JudgedDevice, judge
from intune_pipeline.domain.fields import DeviceDetails
from intune_pipeline.domain.sizes import memory_gb
from intune_pipeline.domain.vocabulary import DetailState
from intune_pipeline.inventory import account_rules, details
from intune_pipeline.inventory.vault import Vault
from intune_pipeline.microsoft.graph import DetailFailure, DeviceDetail, GraphClient

#: Answers of single devices that are sealed and stored together.
ANSWERS_AT_ONCE = 100
#: How the names of Apple's systems begin in Graph's operatingSystem, in lower case.
APPLE_SYSTEMS = ("ios", "ipad", "iphone", "mac", "os x")


@dataclass(frozen=True, slots=True)
class Asked:
    """About which devices Graph was asked in this run.

    Attributes:
        answered: ids of those it answered about.
        failed: ids of those it did not; they are asked about again at the next sync.
    """

    answered: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def __or__(self, other: "Asked") -> "Asked":
        """Both together."""
        return Asked(self.answered | other.answered, self.failed | other.failed)


@dataclass(frozen=True, slots=True)
class Detailed:
    """What is known of eligible devices beyond the list.

    Attributes:
        rows: id, memory in GiB, whether a bypass code is stored, and how fresh that is, of each eligible device.
        said: what was not asked for and why, a sentence for people; "" when nothing was left out.
    """

    rows: list[tuple[str, int | None, bool, str]]
    said: str


def details_due(
    db: Connection,
    connection_id: int,
    judged: Iterable[JudgedDevice],
    vault: Vault,
    refresh_after: timedelta | None,
) -> list[str]:
    """Ids of the devices to ask about now: eligible, with something to tell, and new, stale or failed the last time.

    Args:
        db: any connection.
        connection_id: whose devices.
        judged: the listed devices.
        vault: a closed one takes no bypass codes, so they are not asked for.
        refresh_after: age from which an answer is stale; None: details are off.
    """
    if refresh_after is None:
        return []
    wanted = [
        one.device.intune_device_id for one in judged if one.skip_reason is None and _has_details(one.device, vault)
    ]
    return details.due(db, connection_id, wanted, refresh_after=refresh_after)


def ask_details(
    client: Callable[[], GraphClient], due: Sequence[str], judged: Iterable[JudgedDevice]
) -> Iterator[list[details.Answer]]:
    """Ask about these devices; answers come in small lists, to be sealed at once.

    Args:
        client: opens the tenant's client; called only when there is something to ask.
        due: ids of devices.
        judged: the devices, whose serial numbers the codes are bound to.
    """
    serials = {one.device.intune_device_id: one.device.serial_number for one in judged}
    answers = (answer_of(asked, serials) for asked in client().details(due)) if due else iter(())
    while some := list(islice(answers, ANSWERS_AT_ONCE)):
        yield some


@dataclass(frozen=True, slots=True)
class DetailReader:
    """Asks about one tenant's devices, and stores the answers.

    Attributes:
        engine: allwhere's database.
        connection_id: whose devices.
        client: opens the tenant's client; called only when there is something to ask.
        vault: seals the codes.
        refresh_after: age from which an answer is stale; None: details are off.
    """

    engine: Engine
    connection_id: int
    client: Callable[[], GraphClient]
    vault: Vault
    refresh_after: timedelta | None

    def ask(self, judged: Sequence[JudgedDevice], *, failed: Collection[str] = ()) -> Asked:
        """Ask for what is due and store it, bypass codes sealed as they arrive; see `details_due`.

        A detail that cannot be had is no failure of its device; it is asked for again at the next sync.

        Args:
            judged: the devices.
            failed: ids of devices that were asked about in vain in this run already.
        """
        with self.engine.connect() as db:
            due = details_due(db, self.connection_id, judged, self.vault, self.refresh_after)
        asked, in_vain = [device_id for device_id in due if device_id not in failed], set()
        for answers in ask_details(self.client, asked, judged):
            with self.engine.begin() as db:
                details.store(db, self.connection_id, answers, self.vault)
            in_vain |= {answer.intune_device_id for answer in answers if answer.failure}
        return Asked(frozenset(asked) - in_vain, frozenset(in_vain))

    def detailed(self, judged: Iterable[JudgedDevice], asked: Asked) -> Detailed:
        """What is stored about eligible devices, and how fresh it is, after some were asked about in this run."""
        with self.engine.connect() as db:
            kept = details.kept(db, self.connection_id)

        def row(device_id: str) -> tuple[str, int | None, bool, str]:
            known = kept.get(device_id, DeviceDetails())
            state = (
                DetailState.FAILED
                if device_id in asked.failed
                else DetailState.FETCHED
                if device_id in asked.answered
                else DetailState.KEPT
            )
            return (
                device_id,
                known.memory_gb,
                known.bypass_code is not None,
                state if device_id in kept else DetailState.NOT_NEEDED,
            )

        return Detailed(
            rows=[row(one.device.intune_device_id) for one in judged if one.skip_reason is None],
            said=_left_out(self.vault, self.refresh_after),
        )


class DetailsAhead:
    """Asks about devices while the list is still being read, which leaves most of the quota unused.

    Asked about are devices that are eligible by the pages read so far, are due, and were not skipped by the last sync. A
    record of the same machine on a later page can supersede one of them, which then was asked about in vain, once.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="details-ahead")
        self._reader: DetailReader | None = None
        self._classifier = Classifier()
        self._not_due: frozenset[str] = frozenset()
        self._begun: list[Future[Asked]] = []
        self._waiting: list[ManagedDevice] = []
        self._lock = threading.Lock()

    def begin(self, reader: DetailReader, account: str) -> None:
        """From now on ask about the devices of an account that are added; about none while details are off."""
        if reader.refresh_after is None:
            return
        with reader.engine.connect() as db:
            self._classifier = account_rules.classifier(account_rules.for_classifier(db, account))
            self._not_due = details.not_due(db, reader.connection_id, refresh_after=reader.refresh_after)
        self._reader = reader

    def add(self, devices: Iterable[ManagedDevice]) -> None:
        """Ask about those devices of one page that are due, together with those of other pages that still wait."""
        if (reader := self._reader) is None:
            return
        due = [one for one in devices if one.intune_device_id not in self._not_due and _has_details(one, reader.vault)]
        if due:
            with self._lock:
                self._waiting += due
            self._begun.append(self._thread.submit(self._ask, reader))

    def _ask(self, reader: DetailReader) -> Asked:
        with self._lock:
            devices, self._waiting = self._waiting, []
        return reader.ask(judge(devices, self._classifier, listed_at=datetime.now(UTC))) if devices else Asked()

    def finish(self) -> Asked:
        """Wait for the answers; what went wrong while asking is raised here."""
        asked = Asked()
        while self._begun:
            asked |= self._begun.pop().result()
        return asked

    def close(self) -> None:
        """Ask about nobody else."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def answer_of(asked: tuple[str, DeviceDetail | DetailFailure], serials: Mapping[str, str | None]) -> details.Answer:
    """What is stored of an answer about one device, whatever its values are."""
    device_id, answer = asked
    if isinstance(answer, DetailFailure):
        return details.Answer(device_id, failure=answer.cause.sentence)
    return details.Answer(
        device_id,
        memory_gb(size(answer.get("physicalMemoryInBytes"), at_most=LARGEST_MEMORY)),
        text(answer.get("activationLockBypassCode")),
        serial_number=serials.get(device_id),
    )


def _has_details(device: ManagedDevice, vault: Vault) -> bool:
    """Whether Graph can tell more of a device. Graph: memory is Windows only, bypass codes are Apple's."""
    system = (device.operating_system or "").lower()
    return system.startswith("windows") or (vault.is_open and system.startswith(APPLE_SYSTEMS))


def _left_out(vault: Vault, refresh_after: timedelta | None) -> str:
    if refresh_after is None:
        return "INTUNE_DETAILS is off: neither memory nor bypass codes are asked for."
    return "" if vault.is_open else "BYPASS_CODE_KEYS is not set: bypass codes are not collected."
