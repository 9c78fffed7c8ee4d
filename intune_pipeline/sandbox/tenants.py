"""The customers of the sandbox: a tenant's devices, primary users and the switches of its relation to the app.

Answers are not made here: Graph and Entra ask a tenant what is so and word it themselves.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from intune_pipeline.sandbox import managed_devices
from intune_pipeline.sandbox.managed_devices import Record

Position = tuple[str, str, int]
"""Where a device stands in a list: device name, id, and the how-manieth entry with both (recordings repeat ids)."""


GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"
MEMBER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
GUEST = "10dae51f-b6af-4016-8d66-8c2a99b929b3"
"""Microsoft, "Microsoft Entra built-in roles": template ids, which ``wids`` holds. The last two stand for no role."""

PERSONAL_TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant all personal Microsoft accounts sign in from."""


@dataclass(frozen=True)
class DirectoryUser:
    """A person of a tenant's directory.

    Attributes:
        id: Their object id.
        display_name: What they are called.
        user_principal_name: Their name in this directory.
        email: Their address.
        roles: Template ids of their directory roles.
        identity_provider: Who authenticated them when it was another tenant, as ``idp`` says it; "" for members.
        description: What tells them from the others, for the page.
    """

    id: str
    display_name: str
    user_principal_name: str
    email: str = ""
    roles: tuple[str, ...] = ()
    identity_provider: str = ""
    description: str = "Member without a role"

    @property
    def may_consent(self) -> bool:
        """Whether Entra lets them grant an application permission to the whole organisation."""
        return not {GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR}.isdisjoint(self.roles)

    @property
    def role_ids(self) -> tuple[str, ...]:
        """What ``wids`` holds of them."""
        return (*self.roles, GUEST if self.identity_provider else MEMBER)


PARTNER_TENANT_ID = str(uuid5(NAMESPACE_DNS, "partner.example"))
"""The home of guests; nobody's customer."""


@dataclass(frozen=True)
class Listing:
    """A tenant's devices at one moment in the order of Graph's list, by name and id."""

    version: int
    positions: Sequence[Position]
    views: Sequence[Record]

    def start(self, after: Position | None) -> int:
        """The number of the first device behind a position."""
        return 0 if after is None else bisect_right(self.positions, after)


class SandboxTenant:
    """One tenant: its devices and how it stands to the app. Switches act on the next request.

    Attributes:
        tenant_id: The directory's GUID; derived from the name unless given.
        name: Slug of the tenant, also the organisation's name in the sandbox's sign-in.
        domain: Mail domain of the directory's members.
        exists: False → Entra knows no such tenant (AADSTS90002).
        consented: False → no service principal (AADSTS700016).
        role_granted: False → tokens carry no role and Graph answers 403.
        intune_licensed: False → Graph answers "Request not applicable to target tenant.".
        app_disabled: True → AADSTS7000112.
        conditional_access: True → AADSTS53003.
        propagation_seconds: How long after an admin's consent the role stays absent.
        bare_users: True → ``/users`` shows nothing but ids, as it does to apps that may not read the directory.
    """

    def __init__(
        self,
        name: str,
        devices: Iterable[Record] = (),
        *,
        tenant_id: str | None = None,
        domain: str | None = None,
        consented: bool = True,
        intune_licensed: bool = True,
    ) -> None:
        self.name = name
        self.domain = domain or f"{name}.example"
        self.tenant_id = tenant_id or str(uuid5(NAMESPACE_DNS, self.domain))
        self.exists = True
        self.consented = consented
        self.role_granted = consented
        self.intune_licensed = intune_licensed
        self.app_disabled = False
        self.conditional_access = False
        self.propagation_seconds = 0.0
        self.bare_users = False
        self._role_effective_at = 0.0
        self._lock = threading.Lock()
        self._version = 0
        self._entries: list[Record] = list(devices)
        self._primary_users: dict[str, DirectoryUser | None] = {}
        self._listing: Listing | None = None
        self._by_id: dict[str, Record] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"SandboxTenant({self.name!r}, {self.tenant_id!r})"

    @property
    def directory(self) -> tuple[DirectoryUser, DirectoryUser]:
        """The two of its people everybody needs: a Global Administrator and a member without a role."""
        return (
            self._member("admin", "Ada Admin", "Global Administrator", GLOBAL_ADMINISTRATOR),
            self._member("user", "Uli User", "Member without a role"),
        )

    @property
    def people(self) -> tuple[DirectoryUser, ...]:
        """Everybody who can sign in at the sandbox's Microsoft, in the order of the page.

        After the two of `directory`: a Privileged Role Administrator, a Cloud Application Administrator, and two guests
        whom somebody made Global Administrator, one from another tenant and one with a personal account.
        """
        return (
            *self.directory,
            self._member("roles", "Rosa Roles", "Privileged Role Administrator", PRIVILEGED_ROLE_ADMINISTRATOR),
            self._member("apps", "Aki Apps", "Cloud Application Administrator", CLOUD_APPLICATION_ADMINISTRATOR),
            self._guest("gus@partner.example", "Gus Guest", f"https://sts.windows.net/{PARTNER_TENANT_ID}/"),
            self._guest("mia@outlook.example", "Mia Mailbox", "live.com"),
        )

    def _member(self, handle: str, display_name: str, description: str, *roles: str) -> DirectoryUser:
        address = f"{handle}@{self.domain}"
        person = str(uuid5(NAMESPACE_DNS, f"{handle}.{self.domain}"))
        return DirectoryUser(person, display_name, address, address, roles, description=description)

    def _guest(self, address: str, display_name: str, identity_provider: str) -> DirectoryUser:
        return DirectoryUser(
            id=str(uuid5(NAMESPACE_DNS, f"{address}.{self.domain}")),
            display_name=display_name,
            user_principal_name=f"{address.replace('@', '_')}#EXT#@{self.domain}",
            email=address,
            roles=(GLOBAL_ADMINISTRATOR,),
            identity_provider=identity_provider,
            description=f"Guest, as {address}, and Global Administrator",
        )

    @property
    def effective_role(self) -> bool:
        """Whether the app's role is granted and has reached every corner of the cloud."""
        return self.role_granted and time.monotonic() >= self._role_effective_at

    def consent(self) -> None:
        """An administrator accepts the app: the service principal is there at once, the role after propagation."""
        self.consented = self.role_granted = True
        self._role_effective_at = time.monotonic() + self.propagation_seconds

    @property
    def devices(self) -> Mapping[str, Record]:
        """Every record by id, read-only; change them with :meth:`update`. Records without an id are left out."""
        with self._lock:
            return MappingProxyType(self._index())

    def details(self, device_id: str) -> Record:
        """The detail-only properties of one device with their real values."""
        return managed_devices.project(self.devices[device_id], managed_devices.DETAIL_ONLY)

    def add(self, device: Record) -> None:
        """Enrol a device."""
        with self._lock:
            self._entries.append(dict(device))
            self._changed()

    def update(self, device_id: str, **fields: Any) -> None:
        """Change properties of one device.

        Raises:
            KeyError: No such device.
        """
        with self._lock:
            number = self._number(device_id)
            self._entries[number] = {**self._entries[number], **fields}
            self._changed()

    def remove(self, device_id: str) -> None:
        """Take a device out of Intune.

        Raises:
            KeyError: No such device.
        """
        with self._lock:
            del self._entries[self._number(device_id)]
            self._changed()

    def set_primary_user(self, device_id: str, user: DirectoryUser | None, *, listed: bool = True) -> None:
        """Give a device another primary user.

        Args:
            device_id: The device.
            user: Who uses it from now on, None for nobody.
            listed: False leaves the user in the list as it was, as when the list shows who enrolled.
        """
        if listed:
            self.update(
                device_id,
                userId=user.id if user else None,
                userDisplayName=user.display_name if user else None,
                userPrincipalName=user.user_principal_name if user else None,
                emailAddress=user.email if user else None,
            )
        self._primary_users[device_id] = user

    def primary_user(self, device_id: str) -> DirectoryUser | None:
        """Who ``/users`` shows for a device: the one set, else the one of its record.

        Raises:
            KeyError: No such device.
        """
        record = self.devices[device_id]
        if device_id in self._primary_users:
            return self._primary_users[device_id]
        if not record.get("userId"):
            return None
        return DirectoryUser(
            id=record["userId"],
            display_name=record.get("userDisplayName") or "",
            user_principal_name=record.get("userPrincipalName") or "",
            email=record.get("emailAddress") or "",
        )

    def listing(self) -> Listing:
        """The devices in list order; the same object until something changes."""
        with self._lock:
            if self._listing is None:
                self._listing = self._sorted()
            return self._listing

    def _sorted(self) -> Listing:
        def position(number: int) -> Position:
            record = self._entries[number]
            return str(record.get("deviceName") or ""), str(record.get("id") or ""), number

        positions = sorted(position(number) for number in range(len(self._entries)))
        views = [managed_devices.listed(self._entries[number]) for _, _, number in positions]
        return Listing(version=self._version, positions=positions, views=views)

    def _index(self) -> dict[str, Record]:
        if self._by_id is None:
            self._by_id = {record["id"]: record for record in self._entries if record.get("id")}
        return self._by_id

    def _number(self, device_id: str) -> int:
        for number, record in enumerate(self._entries):
            if record.get("id") == device_id:
                return number
        raise KeyError(device_id)

    def _changed(self) -> None:
        self._version += 1
        self._listing = self._by_id = None


class PersonalAccounts(SandboxTenant):
    """Where people without an organisation sign in from; nobody administers it and nothing can be consented to."""

    def __init__(self) -> None:
        super().__init__("personal", tenant_id=PERSONAL_TENANT_ID, domain="outlook.example", consented=False)

    @property
    def people(self) -> tuple[DirectoryUser, ...]:
        """One person with a mailbox."""
        return (self._member("pat", "Pat Personal", "Personal account"),)
