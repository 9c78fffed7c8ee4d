"""Details of single devices: who is asked about, asking Graph, and storing what it answers.

Belongs here: putting Graph's answers about single devices and the store together, after the list and during it. Does not
belong here: batches and the quota (``microsoft``), ciphers (``inventory.vault``).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from queue import SimpleQueue

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
    client: Callable[[], GraphClient], due: Iterable[str], serials: Mapping[str, str | None]
) -> Iterator[list[details.Answer]]:
    """Ask about these devices; answers come in small lists, to be sealed at once.

    Args:
        client: opens the tenant's client; called only when there is something to ask.
        due: ids of devices, read as they are asked about.
        serials: serial numbers by id, which the codes are bound to; known for an id when it is given.
    """
    for first in (waiting := iter(due)):
        answers = (answer_of(asked, serials) for asked in client().details(chain([first], waiting)))
        while some := list(islice(answers, ANSWERS_AT_ONCE)):
            yield some


def serials_of(judged: Iterable[JudgedDevice]) -> dict[str, str | None]:
    """Serial numbers by id."""
    return {one.device.intune_device_id: one.device.serial_number for one in judged}


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

    def ask(self, lists: Iterable[Sequence[JudgedDevice]]) -> Asked:
        """Ask for what is due and store it, bypass codes sealed as they arrive; see `details_due`.

        A detail that cannot be had is no failure of its device; it is asked for again at the next sync. Each device is
        asked about once, however many lists hold it.

        Args:
            lists: judged devices; each list is read when the devices of the one before have been asked about.
        """
        serials: dict[str, str | None] = {}
        answered, failed = set[str](), set[str]()
        for answers in ask_details(self.client, self._due(lists, serials), serials):
            with self.engine.begin() as db:
                details.store(db, self.connection_id, answers, self.vault)
            for answer in answers:
                (failed if answer.failure else answered).add(answer.intune_device_id)
        return Asked(frozenset(answered), frozenset(failed))

    def _due(self, lists: Iterable[Sequence[JudgedDevice]], serials: dict[str, str | None]) -> Iterator[str]:
        for judged in filter(None, lists):
            serials.update(serials_of(judged))
            with self.engine.connect() as db:
                ids = details_due(db, self.connection_id, judged, self.vault, self.refresh_after)
            yield from ids

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

    Asked about are devices that are eligible by the page they are on, are due, and were not skipped by the last sync; of
    several records of one serial only the first, which can turn out to be superseded and was asked about in vain then. As
    soon as the whole list is judged, what is due by it is asked, and nothing else.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="details-ahead")
        self._pages: SimpleQueue[Sequence[ManagedDevice]] = SimpleQueue()
        self._asking: Future[Asked] | None = None
        #: The whole list, or nothing more where the run ends early.
        self._last: Sequence[JudgedDevice] | None = None

    def begin(self, reader: DetailReader, account: str) -> None:
        """From now on ask about the devices of an account that are added; about none while details are off."""
        if reader.refresh_after is None:
            return
        with reader.engine.connect() as db:
            classifier = account_rules.classifier(account_rules.for_classifier(db, account))
            not_due = details.not_due(db, reader.connection_id, refresh_after=reader.refresh_after)
        self._asking = self._thread.submit(reader.ask, self._lists(reader, classifier, not_due))

    def add(self, devices: Sequence[ManagedDevice]) -> None:
        """Ask about those devices of one page that are due."""
        if self._asking:
            self._pages.put(devices)

    def _lists(
        self, reader: DetailReader, classifier: Classifier, not_due: Collection[str]
    ) -> Iterator[Sequence[JudgedDevice]]:
        serials = set[str | None]()
        while True:
            devices = self._pages.get()
            if self._last is not None:
                yield self._last
                return
            due = [
                one
                for one in devices
                if one.intune_device_id not in not_due
                and one.serial_key not in serials
                and _has_details(one, reader.vault)
            ]
            serials.update(one.serial_key for one in due)
            if due:
                yield judge(due, classifier, listed_at=datetime.now(UTC))

    def finish(self, reader: DetailReader, judged: Sequence[JudgedDevice]) -> Asked:
        """Ask about what is due of the whole list and was not asked about yet; what went wrong while asking is raised here."""
        if self._asking is None:
            return reader.ask([judged])
        self._end_with(judged)
        return self._asking.result()

    def close(self) -> None:
        """Ask about nobody else."""
        self._end_with(())
        self._thread.shutdown(wait=True)

    def _end_with(self, judged: Sequence[JudgedDevice]) -> None:
        self._last = judged
        self._pages.put(())


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
