"""Intune's devices over Microsoft Graph: whole lists, details, primary users, and whether a device still exists.

Belongs here: one client per tenant and run; what is asked and how an answer is checked. Does not belong here: what a
device's values mean (``domain.devices``), how a request is sent and sent again (`exchange`, `batches`), what an error
means (`causes`).

A list is whole or an error, a throttled request waits as long as the run may last, and nothing the client logs or
raises shows a device's values.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote, urlsplit

import orjson

from intune_pipeline.domain.assignments import PrimaryUser
from intune_pipeline.microsoft.batches import IN_FLIGHT, BatchSender, ItemResult
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.exchange import Exchange, Reply, Request, Traffic
from intune_pipeline.microsoft.patience import Patience
from intune_pipeline.microsoft.quota import Quota, limiter_for
from intune_pipeline.microsoft.tokens import TenantTokens

LIST_PROPERTIES = (
    "id",
    "userId",
    "deviceName",
    "managedDeviceOwnerType",
    "managementState",
    "enrolledDateTime",
    "lastSyncDateTime",
    "operatingSystem",
    "osVersion",
    "managementAgent",
    "emailAddress",
    "azureADDeviceId",
    "userPrincipalName",
    "model",
    "manufacturer",
    "imei",
    "serialNumber",
    "userDisplayName",
    "totalStorageSpaceInBytes",
)
"""What is read of every device. Graph v1.0: managedDevice; an unknown name is answered with 400."""

DETAIL_PROPERTIES = ("id", "physicalMemoryInBytes", "activationLockBypassCode")
"""What Graph tells of one device only, never in a list. Graph v1.0: managedDevice."""

MAX_DEVICES = 250_000
"""Most devices read of one tenant, unless a client is told another number."""

_DEVICES = "/deviceManagement/managedDevices"
_MOST_EMPTY_PAGES = 20
"""Most pages without a device in a row. Graph: a page may be empty and link on; some are, never so many."""


class DeviceDetail(Mapping[str, Any]):
    """Properties of one device as Graph gave them. Shows only their names, and cannot be pickled: one is a secret."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"DeviceDetail({', '.join(self._values)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A device's details hold a secret and are not pickled.")


@dataclass(frozen=True, slots=True)
class DetailFailure:
    """Graph gave no details of a device, for good. The device itself is fine; the next run asks again.

    Attributes:
        cause: why; `Cause.NOT_FOUND` when Intune no longer has the device.
        request_id: what Microsoft's support asks for; "" when there is none.
    """

    cause: Cause
    request_id: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Graph could not say who uses a device: nothing is known, which is not "nobody".

    Attributes:
        cause: why.
        request_id: what Microsoft's support asks for; "" when there is none.
    """

    cause: Cause
    request_id: str


class GraphClient:
    """Reads one tenant's devices during one run. A context manager; close it to close its connections.

    Args:
        cloud: which Microsoft cloud.
        credential: who we are.
        tenant_id: the tenant's GUID.
        deadline: when the run ends, in seconds of the clock. Nothing is asked after it, being throttled or not.
        give_up_after: how long one request may meet server and connection errors.
        max_devices: the most devices a list may have.
        quota: the most requests to send; shared by all clients of the tenant in this process.
        clock: tells the time in seconds.

    Attributes:
        stats: what was sent and waited for.
        tokens: the tenant's access tokens.
    """

    def __init__(
        self,
        cloud: MicrosoftCloud,
        credential: Credential,
        tenant_id: str,
        *,
        deadline: float,
        give_up_after: timedelta = timedelta(minutes=2),
        max_devices: int = MAX_DEVICES,
        quota: Quota = Quota(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = Traffic()
        self.tokens = TenantTokens(cloud, credential, tenant_id)
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._deadline = deadline
        self._give_up_after = give_up_after
        self._max_devices = max_devices
        self._clock = clock
        # One more, so that the list's next page never waits for batches.
        self._threads = ThreadPoolExecutor(IN_FLIGHT + 1, thread_name_prefix="graph")
        self._exchange = Exchange(
            cloud,
            tenant_id,
            self.tokens,
            limiter_for(cloud, credential.client_id, tenant_id, quota),
            deadline=deadline,
            patience=self._patience,
            stats=self.stats,
            clock=clock,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop asking and close every connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._exchange.close()
        self.tokens.close()

    def list_devices(self, *, select: Sequence[str] = LIST_PROPERTIES, page_size: int = 1000) -> Iterator[list[Any]]:
        """Every entry of the list of managed devices, page by page; the next page is fetched meanwhile.

        An entry is what Graph put into ``value``: nearly always an object with a text as ``id``, but nobody promises
        that. A device renamed during the crawl may come twice (Graph: pages are keyed on name and id), and pages may
        be empty. Only when the iterator ends by itself was the list whole.

        Args:
            select: properties to read.
            page_size: devices a page; Graph gives 1000 at most.

        Raises:
            MicrosoftError: the list could not be read to its end, whatever was yielded before.
        """
        link = self._url(f"{_DEVICES}?$select={','.join(select)}&$top={page_size}")
        walk = _Walk(self._max_devices)
        pending = self._threads.submit(self._exchange.ask, _list_request(link))
        while link:
            page, request_id = pending.result()
            entries = page.get("value")
            if not isinstance(entries, list):
                raise self._no_list(Cause.LIST_INCOMPLETE, "a page without devices", request_id)
            following = page.get("@odata.nextLink") or ""
            if following and _origin(following) != _origin(self._cloud.graph_url):
                raise self._no_list(Cause.LIST_INCOMPLETE, "a next page outside of Graph", request_id)
            if problem := walk.step(link, following, entries):
                raise self._no_list(*problem, request_id)
            link = following
            if link:
                pending = self._threads.submit(self._exchange.ask, _list_request(link))
            yield entries

    def probe(self) -> None:
        """Read as little as possible, to see whether devices may be read at all.

        Raises:
            MicrosoftError: they may not.
        """
        self._exchange.ask(Request("probe", self._url(f"{_DEVICES}?$select=id&$top=1")))

    def details(
        self, device_ids: Iterable[str], *, select: Sequence[str] = DETAIL_PROPERTIES
    ) -> Iterator[tuple[str, DeviceDetail | DetailFailure]]:
        """Properties that only a single GET shows, in batches, each device once, in no particular order.

        Never raises for what Microsoft does: a detail that cannot be had is a `DetailFailure`. When Graph or Entra
        fails for good, all remaining devices get that failure.

        Args:
            device_ids: read as they are asked about; may wait for more to become known.
            select: properties to read.
        """
        for device_id, answer in self._each(device_ids, lambda device_id: _device(device_id, select)):
            if isinstance(answer, MicrosoftError):
                yield device_id, DetailFailure(answer.cause, answer.request_id)
            else:
                yield device_id, DeviceDetail(answer)

    def primary_users(self, device_ids: Iterable[str]) -> dict[str, PrimaryUser | Unanswered | None]:
        """Who uses each device.

        None is a definite no: nobody, no such device, or users the application may not read (403). `Unanswered` is
        everything else. Of a user, Graph may show nothing but the id.
        """
        users: dict[str, PrimaryUser | Unanswered | None] = {}
        for device_id, answer in self._each(device_ids, lambda device_id: f"{_device(device_id)}/users"):
            if not isinstance(answer, MicrosoftError):
                users[device_id] = _primary_user(answer)
            elif answer.cause in {Cause.NOT_FOUND, Cause.PERMISSION_REMOVED}:
                users[device_id] = None
            else:
                users[device_id] = Unanswered(answer.cause, answer.request_id)
        return users

    def exists(self, device_ids: Iterable[str]) -> dict[str, bool | None]:
        """Whether Intune still has each device: True found, False proven gone (404), None unanswered."""
        found: dict[str, bool | None] = {}
        for device_id, answer in self._each(device_ids, lambda device_id: _device(device_id, ("id",))):
            if isinstance(answer, MicrosoftError):
                found[device_id] = False if answer.cause is Cause.NOT_FOUND else None
            else:
                found[device_id] = True
        return found

    def _each(self, device_ids: Iterable[str], path: Callable[[str], str]) -> Iterator[tuple[str, ItemResult]]:
        sender = BatchSender(
            post=self._post_batch,
            threads=self._threads,
            stats=self.stats,
            tenant_id=self._tenant_id,
            patience=self._patience,
            clock=self._clock,
        )
        return sender.answers((device_id, path(device_id)) for device_id in _each_once(device_ids))

    def _post_batch(self, payload: dict[str, Any], size: int) -> Reply:
        return self._exchange.ask(Request("batch", self._url("/$batch"), orjson.dumps(payload), weight=size))

    def _patience(self) -> Patience:
        return Patience(self._deadline, self._give_up_after, clock=self._clock)

    def _url(self, path: str) -> str:
        return f"{self._cloud.graph_url}/v1.0{path}"

    def _no_list(self, cause: Cause, note: str, request_id: str) -> MicrosoftError:
        return MicrosoftError(cause, tenant_id=self._tenant_id, request_id=request_id, note=note)


class _Walk:
    """Follows a list from page to page and says when it leads nowhere.

    Args:
        max_devices: the most devices a list may have.
    """

    def __init__(self, max_devices: int) -> None:
        self._max_devices = max_devices
        self._followed: set[str] = set()
        self._ids: set[str] = set()
        self._empty_pages = 0

    def step(self, link: str, following: str, entries: list[Any]) -> tuple[Cause, str] | None:
        """Take note of a page and where it leads; why the list is not read on, if so."""
        self._followed.add(link)
        known = len(self._ids)
        ids = [entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        self._ids.update(ids)
        self._empty_pages = 0 if ids else self._empty_pages + 1
        if len(self._ids) > self._max_devices:
            return Cause.TOO_MANY_DEVICES, f"more than {self._max_devices} devices"
        if not following:
            return None
        if following in self._followed:
            return Cause.LIST_INCOMPLETE, "a page that leads back to an earlier one"
        if ids and len(self._ids) == known:
            return Cause.LIST_INCOMPLETE, "a page without a new device that leads on"
        if self._empty_pages > _MOST_EMPTY_PAGES:
            return Cause.LIST_INCOMPLETE, f"more than {_MOST_EMPTY_PAGES} pages in a row without a device"
        return None


def _each_once(device_ids: Iterable[str]) -> Iterator[str]:
    seen = set[str]()
    for device_id in device_ids:
        if device_id not in seen:
            seen.add(device_id)
            yield device_id


def _list_request(link: str) -> Request:
    return Request("list", link, unusable=Cause.LIST_INCOMPLETE)


def _device(device_id: str, select: Sequence[str] = ()) -> str:
    query = f"?$select={','.join(select)}" if select else ""
    return f"{_DEVICES}/{quote(device_id, safe='')}{query}"


def _origin(url: Any) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address, None when it is none."""
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or 443
    return None


def _primary_user(answer: dict[str, Any]) -> PrimaryUser | Unanswered | None:
    listed = answer.get("value")
    if not isinstance(listed, list):
        return Unanswered(Cause.UNEXPECTED, "")
    user = next((one for one in listed if isinstance(one, dict) and _text(one, "id")), None)
    if user is None:
        return None
    return PrimaryUser(
        user_id=user["id"],
        email=_text(user, "mail"),
        user_principal_name=_text(user, "userPrincipalName"),
        display_name=_text(user, "displayName"),
    )


def _text(user: Mapping[str, Any], name: str) -> str | None:
    """A property that is a text with something in it."""
    value = user.get(name)
    return value if isinstance(value, str) and value else None
