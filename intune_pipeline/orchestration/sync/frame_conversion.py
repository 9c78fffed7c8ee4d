"""Frames and the domain's objects, one into the other.

Belongs here: which column holds which attribute. Does not belong here: deciding, and storing frames
(``inventory.frames``). The columns are those of the tables in schema ``pipeline``; their comments say what they hold.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import pandas as pd

from intune_pipeline.domain.catalogue import Classification
from intune_pipeline.domain.devices import DEVICE_FIELDS, ManagedDevice
from intune_pipeline.domain.eligibility import JudgedDevice
from intune_pipeline.domain.reconciliation import DecidedPeople, PersonDecision, PersonStep, Plan, State
from intune_pipeline.domain.vocabulary import DeviceType, PersonAction, SkipReason
from intune_pipeline.inventory.frames import Snapshot
from intune_pipeline.inventory.schema import FRAMES

_device_values = attrgetter(*DEVICE_FIELDS)


def frame_of(asset: str, rows: Iterable[Sequence[Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows as the frame of an asset, every column as Python objects, so that None stays None and whole numbers whole.

    Args:
        asset: whose frame.
        rows: the values.
        columns: the columns in the order of the values; without them the asset's own order.
    """
    own = columns_of(asset)
    return pd.DataFrame(list(rows), columns=list(columns or own), dtype=object)[own]


def columns_of(asset: str) -> list[str]:
    """The columns of an asset's frame, in order."""
    return [column.name for column in FRAMES[asset].columns if column.name != "partition_key"]


def rows_of(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of these columns as plain Python values, with None for everything missing."""
    return zip(*(_plain(frame[name]) for name in columns), strict=True)


def _plain(series: "pd.Series[Any]") -> list[Any]:
    if series.dtype == object:
        return series.tolist()
    values = series.astype(object).where(series.notna(), None).tolist()
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        # pandas' own kind of datetime is not accepted everywhere.
        return [value and value.to_pydatetime() for value in values]
    return values


def frame_of_devices(devices: Iterable[ManagedDevice]) -> pd.DataFrame:
    """The frame of ``raw_intune_devices``."""
    return frame_of("raw_intune_devices", map(_device_values, devices), DEVICE_FIELDS)


def devices_of(snapshot: Snapshot) -> Sequence[ManagedDevice]:
    """The devices of a frame of ``raw_intune_devices``."""
    if snapshot not in _made_of:
        _made_of[snapshot] = _devices_of(snapshot.frame)
    return cast("Sequence[ManagedDevice]", _made_of[snapshot])


def _devices_of(frame: pd.DataFrame) -> list[ManagedDevice]:
    return [ManagedDevice(*row) for row in rows_of(frame, DEVICE_FIELDS)]


def frame_of_judged(judged: Iterable[JudgedDevice]) -> pd.DataFrame:
    """The frame of ``classified_devices``."""
    rows = (
        (
            *_device_values(one.device),
            one.classification.device_type,
            one.classification.rule,
            one.classification.reason,
            one.classification.users_are_rooms,
            one.skip_reason,
        )
        for one in judged
    )
    columns = [*DEVICE_FIELDS, "device_type", "rule", "rule_reason", "users_are_rooms", "skip_reason"]
    return frame_of("classified_devices", rows, columns)


def judged_of(snapshot: Snapshot) -> Sequence[JudgedDevice]:
    """The judged devices of a frame of ``classified_devices``."""
    if snapshot not in _made_of:
        verdicts = rows_of(snapshot.frame, ["device_type", "rule", "rule_reason", "users_are_rooms", "skip_reason"])
        _made_of[snapshot] = [
            JudgedDevice(
                device,
                Classification(DeviceType(device_type), rule, reason, bool(rooms)),
                skip_reason and SkipReason(skip_reason),
            )
            for device, (device_type, rule, reason, rooms, skip_reason) in zip(
                _devices_of(snapshot.frame), verdicts, strict=True
            )
        ]
    return cast("Sequence[JudgedDevice]", _made_of[snapshot])


_PERSON_COLUMNS = ("email", "first_name", "last_name", "devices", "employee_id", "action", "lookalike_id")


def frame_of_people(people: Iterable[PersonStep]) -> pd.DataFrame:
    """The frame of ``employees``."""
    rows = (
        (
            one.person.email,
            *(one.name or (None, None)),
            one.devices,
            one.employee and one.employee.id,
            one.action.value,
            one.lookalike_id,
        )
        for one in people
    )
    return frame_of("employees", rows, _PERSON_COLUMNS)


def decisions_of(frame: pd.DataFrame) -> list[PersonDecision]:
    """What was decided about people, as the frame of ``employees`` shows it."""
    columns = ("email", "first_name", "last_name", "employee_id", "action")
    return [
        PersonDecision(
            email, (first_name, last_name) if first_name and last_name else None, employee_id, PersonAction(action)
        )
        for email, first_name, last_name, employee_id, action in rows_of(frame, columns)
    ]


class Decided(NamedTuple):
    """What a frame of ``employees`` was made of: the people, and the state they were decided by.

    The rest of the run plans by this state. What changes from now on is found where a plan is applied, batch by batch.
    """

    people: DecidedPeople
    state: State


def decided_behind(snapshot: Snapshot) -> Decided | None:
    """What a frame of ``employees`` was made of; None where another run made it."""
    return cast("Decided | None", _made_of.get(snapshot))


def remember(snapshot: Snapshot, made_of: object) -> None:
    """Keep what a frame was made of as long as the frame itself: the assets after it, in the same run, work on that.

    Args:
        snapshot: the frame.
        made_of: its devices, judged devices, or people with the state; whichever it shows.
    """
    _made_of[snapshot] = made_of


_made_of: WeakKeyDictionary[Snapshot, object] = WeakKeyDictionary()


def details_of(frame: pd.DataFrame) -> Iterator[tuple[str, int | None, bool | None]]:
    """Id, memory in GiB and whether a bypass code is stored, of each row of the frame of ``intune_device_details``."""
    return cast(
        "Iterator[tuple[str, int | None, bool | None]]",
        rows_of(frame, ("intune_device_id", "memory_gb", "has_bypass_code")),
    )


def frame_of_outcomes(outcomes: Iterable[Sequence[Any]], plan: Plan) -> pd.DataFrame:
    """The frame of ``allwhere_assets``.

    Args:
        outcomes: id, serial number, asset, outcome and reason of each device, as stored.
        plan: what was done, for the action of each device.
    """
    actions = {step.judged.device.intune_device_id: step.action for step in plan.steps}
    rows = ((*outcome, actions.get(outcome[0])) for outcome in outcomes)
    columns = ["intune_device_id", "serial_number", "asset_id", "outcome", "reason", "action"]
    return frame_of("allwhere_assets", rows, columns)
