"""What a plan is made from: assets and memory as they are, and the list."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from intune_pipeline.domain.assignments import EmployeeHold
from intune_pipeline.domain.fields import DeviceDetails, Value
from intune_pipeline.domain.kept import KeptFields
from intune_pipeline.domain.lifecycle import DeviceMemory, LifecycleHold
from intune_pipeline.domain.people import EmployeeDirectory

NO_DETAILS: Final = DeviceDetails()
"""What is known of a device that no single request was made for."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset of allwhere as it is.

    Attributes:
        id: allwhere's id.
        serial_number: As stored.
        serial_key: In compared form.
        status: One of allwhere's statuses.
        assignee_id: The employee who has it.
        values: Every field of `INTUNE_FIELDS` and `FILLED_FIELDS`.
        assigned_by_person_at: When a person chose the assignee; None when the sync did so last.
        version: Names the stored row as it was read; another version need not differ in what is here.
    """

    id: int
    serial_number: str
    serial_key: str
    status: str
    assignee_id: int | None
    values: Mapping[str, Value]
    assigned_by_person_at: datetime | None = None
    version: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """What allwhere knows before a sync.

    Attributes:
        connection_id: The connection that is synced.
        account_id: Its account.
        assets: The account's assets by compared serial.
        directory: The account's employees.
        memory: What earlier syncs remember, by device id.
        details: What single requests told, by device id; a plan may add what it fetched with `with_details`.
        employee_holds: The duplicate shield's holds by compared e-mail.
        pending_assets: Ids of assets whose assignee waits for the decision of such a hold.
        lifecycle_holds: Endings held back, waiting or decided.
        kept: Values a sync leaves as they are, by compared serial and field.
        open_decisions: Ids of people's decisions about holds that no sync has taken up.
    """

    connection_id: int
    account_id: int
    assets: Mapping[str, Asset] = field(default_factory=dict)
    directory: EmployeeDirectory = field(default_factory=lambda: EmployeeDirectory(()))
    memory: Mapping[str, DeviceMemory] = field(default_factory=dict)
    details: Mapping[str, DeviceDetails] = field(default_factory=dict)
    employee_holds: Mapping[str, EmployeeHold] = field(default_factory=dict)
    pending_assets: frozenset[int] = frozenset()
    lifecycle_holds: tuple[LifecycleHold, ...] = ()
    kept: Mapping[str, KeptFields] = field(default_factory=dict)
    open_decisions: tuple[int, ...] = ()

    def with_details(self, fetched: Mapping[str, DeviceDetails]) -> "State":
        """The same state with newer details, which need not be stored; what they leave empty stays known."""
        newer = {key: self._merged(self.details.get(key), details) for key, details in fetched.items()}
        return replace(self, details={**self.details, **newer})

    @staticmethod
    def _merged(known: DeviceDetails | None, newer: DeviceDetails) -> DeviceDetails:
        known = known or NO_DETAILS
        return DeviceDetails(newer.memory_gb or known.memory_gb, newer.bypass_code or known.bypass_code)


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of devices a plan is made from.

    Attributes:
        listed_at: When it was read; aware.
        complete: Whether it is the whole list; a capped or failed one proves no absence.
        personal: Personal devices that were counted and dropped before.
        unreadable: Entries without an id, about which nothing can be said: counted as failed.
    """

    listed_at: datetime
    complete: bool = True
    personal: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class NeededEvidence:
    """What Graph is asked before a plan is made.

    Attributes:
        primary_users: Devices whose primary user confirms or prevents a change of assignee; sorted ids.
        existence: Devices that are asked for by id, because a 404 proves them gone; sorted ids.
    """

    primary_users: tuple[str, ...]
    existence: tuple[str, ...]
