"""Intune's devices over Microsoft Graph: whole lists, details, primary users, and whether a device still exists.

Here: one client per tenant and run; what is asked and how an answer is checked. Not here: what a device's values mean
(``domain.devices``), how a request is sent and sent again (`exchange`, `batches`), what an error means (`causes`).

The client is quick where it can be and stubborn where it must be: a list is whole or an error, a throttled request
waits as long as the run may last, and nothing it logs or raises shows a device's values.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote, urlsplit

import orjson

from intune_pipeline.microsoft.batches import IN_FLIGHT, BatchSender
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

_DEVICES = "/deviceManagement/managedDevices"


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


@dataclass(frozen=True, slots=True)
class PrimaryUser:
    """Who uses a device, as Intune says.

    Attributes:
        id: the user's object id, comparable with ``userId`` of the list.
        display_name: "" when the application may not read the directory, as are the next two.
        user_principal_name: see ``display_name``.
        mail: see ``display_name``.
    """

    id: str
    display_name: str = ""
    user_principal_name: str = ""
    mail: str = ""


class GraphClient:
    """Reads one tenant's devices during one run. A context manager; close it to close its connections.

    Args:
        cloud: which Microsoft cloud.
        credential: who we are.
        tenant_id: the tenant's GUID.
        deadline: when the run ends, in seconds of `time.monotonic`. Being throttled lasts until then at most.
        give_up_after: how long one request may meet server and connection errors.
        quota: the most requests to send; shared by all clients of the tenant in this process.

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
        quota: Quota = Quota(),  # noqa: B008 - immutable
    ) -> None:
        self.stats = Traffic()
        self.tokens = TenantTokens(cloud, credential, tenant_id)
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._deadline = deadline
        self._give_up_after = give_up_after
        self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="graph")
        self._exchange = Exchange(
            cloud,
            tenant_id,
            self.tokens,
            limiter_for(cloud, credential.client_id, tenant_id, quota),
            deadline=deadline,
            patience=self._patience,
            stats=self.stats,
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

    def list_devices(
        self, *, select: Sequence[str] = LIST_PROPERTIES, page_size: int = 1000
    ) -> Iterator[list[dict[str, Any]]]:
        """Every managed device, page by page as Graph sends them; the next page is fetched meanwhile.

        A device renamed during the crawl may come twice (Graph: pages are keyed on name and id), and pages may be
        empty. Only when the iterator ends by itself was the list whole.

        Args:
            select: properties to read.
            page_size: devices a page; Graph gives 1000 at most.

        Raises:
            MicrosoftError: the list could not be read to its end, whatever was yielded before.
        """
        link = self._url(f"{_DEVICES}?$select={','.join(select)}&$top={page_size}")
        followed = {link}
        pending = self._threads.submit(self._exchange.ask, Request("list", link))
        while link:
            page, request_id = pending.result()
            records = page.get("value")
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise self._incomplete("a page without devices", request_id)
            link = page.get("@odata.nextLink") or ""
            if link:
                self._check_link(link, followed, request_id)
                followed.add(link)
                pending = self._threads.submit(self._exchange.ask, Request("list", link))
            yield records

    def probe(self) -> None:
        """Read as little as possible, to see whether devices may be read at all.

        Raises:
            MicrosoftError: they may not.
        """
        self._exchange.ask(Request("probe", self._url(f"{_DEVICES}?$select=id&$top=1")))

    def device(self, device_id: str, *, select: Sequence[str]) -> DeviceDetail | None:
        """One device, or None when Intune says that it has no such device.

        Raises:
            MicrosoftError: Graph gave no answer.
        """
        try:
            return DeviceDetail(self._exchange.ask(Request("device", self._url(_device(device_id, select)))).body)
        except MicrosoftError as error:
            if error.cause is Cause.NOT_FOUND:
                return None
            raise

    def details(
        self, device_ids: Iterable[str], *, select: Sequence[str] = DETAIL_PROPERTIES
    ) -> Iterator[tuple[str, DeviceDetail | DetailFailure]]:
        """Properties that only a single GET shows, in batches, each device once, in no particular order.

        Never raises for what Microsoft does: a detail that cannot be had is a `DetailFailure`. When Graph or Entra
        fails for good, all remaining devices get that failure.
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

    def _each(
        self, device_ids: Iterable[str], path: Callable[[str], str]
    ) -> Iterator[tuple[str, dict[str, Any] | MicrosoftError]]:
        sender = BatchSender(
            post=self._post_batch,
            threads=self._threads,
            stats=self.stats,
            tenant_id=self._tenant_id,
            patience=self._patience,
        )
        return sender.answers((device_id, path(device_id)) for device_id in dict.fromkeys(device_ids))

    def _post_batch(self, payload: dict[str, Any], size: int) -> Reply:
        return self._exchange.ask(Request("batch", self._url("/$batch"), orjson.dumps(payload), weight=size))

    def _patience(self) -> Patience:
        return Patience(self._deadline, self._give_up_after)

    def _url(self, path: str) -> str:
        return f"{self._cloud.graph_url}/v1.0{path}"

    def _check_link(self, link: Any, followed: set[str], request_id: str) -> None:
        """Refuse to walk in circles, and to carry the token anywhere but to Graph."""
        if _origin(link) != _origin(self._cloud.graph_url):
            raise self._incomplete("a next page outside of Graph", request_id)
        if link in followed:
            raise self._incomplete("a page that leads back to an earlier one", request_id)

    def _incomplete(self, note: str, request_id: str) -> MicrosoftError:
        return MicrosoftError(Cause.LIST_INCOMPLETE, tenant_id=self._tenant_id, request_id=request_id, note=note)


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
    user = next((one for one in listed if isinstance(one, dict) and one.get("id")), None)
    if user is None:
        return None
    return PrimaryUser(
        id=user["id"],
        display_name=user.get("displayName") or "",
        user_principal_name=user.get("userPrincipalName") or "",
        mail=user.get("mail") or "",
    )
