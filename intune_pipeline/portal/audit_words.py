"""The audit log in words: what each entry's action is called, and its details as phrases for people.

Belongs here: names of actions and of details. Does not belong here: what is recorded, which is said where it is done.
Whatever a detail holds, no program's notation is shown: lists are enumerations, true and false are yes and no.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from intune_pipeline.domain.vocabulary import (
    AskedOutcome,
    EmployeeDecision,
    EndOfConnection,
    LifecycleDecision,
    OwnershipProblem,
)
from intune_pipeline.inventory.audit import Entry
from intune_pipeline.microsoft.consent import ConsentOutcome
from intune_pipeline.portal.words import counted, field_name

ACTIONS: Final[Mapping[str, str]] = {
    "connect": "Connected Microsoft Intune",
    "connect_refused": "Refused to connect Microsoft Intune",
    "move": "allwhere moved a Microsoft tenant",
    "invite": "Made a link for the Microsoft administrator",
    "answer": "The Microsoft administrator consented",
    "confirm": "Confirmed the Microsoft tenant",
    "withdraw": "Withdrew the link for the Microsoft administrator",
    "disconnect": "Disconnected Microsoft Intune",
    "settings": "Changed a setting",
    "sync": "Asked for a sync",
    "release": "Decided on a hold",
    "reveal": "Revealed a bypass code",
    "rule": "Changed the account's own rules",
    "webhook": "Changed a webhook",
    "undo": "Undid a run or took a decision back",
    "approve": "Approved a plan",
    "lock": "Locked a field",
    "unlock": "Unlocked a field",
    "lift": "Lifted what an undo kept back",
    "merge": "Made two employees one",
    "unmerge": "Brought back an employee who was merged",
    "not_different": "Took back that two employees are different people",
    "different": "Said that two employees are different people",
    "address": "A sync added a known person's new address",
    "erase": "allwhere erased a person",
    "lift_erasure": "allwhere lets syncs bring an erased person back",
    "organization": "allwhere set the organisation of the account",
    "sessions": "allwhere ended sign-ins",
    "forget": "Old entries of this log were deleted",
}
_SETTINGS: Final[Mapping[str, str]] = {
    "mdm_assignee_updates": "Allow MDM to update allwhere assignee",
    "hold_lookalike_employees": "Hold look-alikes for my decision",
    "assignee_confirmations": "Syncs that must show the same new user",
    "enrolment_manager_devices": "Devices beyond which a user is an enrolment manager",
    "absent_lists": "Lists a device must be absent from",
    "absent_hours": "Hours between these lists",
    "lifecycle_max_share": "Share of devices that may end in one sync",
    "lifecycle_max_devices": "Devices that may end in one sync",
}
_DETAILS: Final[Mapping[str, str]] = {
    **_SETTINGS,
    "signed_in_as": "Signed in at Microsoft as",
    "object_id": "Microsoft's id of them",
    "directory_roles": "Roles at Microsoft",
    "why": "Because",
    "code": "Microsoft's code",
    "cause": "What it means",
    "maker_pattern": "Maker pattern",
    "model_pattern": "Model pattern",
    "device_type": "Type",
    "intune_device_ids": "Devices",
    "into": "Into employee",
    "audit_ids": "Entries changed",
    "last_hash": "Hash of the last deleted entry",
    "ended": "Sign-ins ended",
    "before": "Order before",
    "after": "Order after",
}
_DECISIONS: Final[Mapping[str, str]] = {
    EmployeeDecision.CREATED: "Someone else: a new employee",
    EmployeeDecision.LINKED: "The same person",
    EmployeeDecision.SKIPPED: "Left out",
    LifecycleDecision.RELEASED: "Released: the assets end",
    LifecycleDecision.DROPPED: "Dropped: the assets stay as they are",
}
_SYNCS: Final[Mapping[str, str]] = {
    AskedOutcome.ACCEPTED: "Sync Now",
    AskedOutcome.JOINED: "Sync Now, while one was asked for or running",
}
_DIRECTIONS: Final[Mapping[str, str]] = {"here": "To this account", "away": "Away from this account"}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "decision": _DECISIONS,
    "outcome": _SYNCS,
    "direction": _DIRECTIONS,
    "why": {
        OwnershipProblem.PERSONAL_ACCOUNT: "a personal account",
        OwnershipProblem.GUEST: "a guest of that tenant",
        OwnershipProblem.ROLES_NOT_TOLD: "Microsoft did not say which roles they hold",
        OwnershipProblem.NO_ROLE: "no role that may link the tenant",
        OwnershipProblem.WRONG_TENANT: "consent and sign-in were of different tenants",
        OwnershipProblem.ANOTHER_ADMINISTRATOR: "the two sign-ins were of different people",
        EndOfConnection.OVERTAKEN: "another account proved the tenant first",
        EndOfConnection.REFUSED: "somebody said no",
        EndOfConnection.MOVED: "allwhere moved the tenant",
        ConsentOutcome.DECLINED: "consent was declined",
        ConsentOutcome.APPROVAL_NEEDED: "an administrator has to approve",
        ConsentOutcome.SERVICE_MISSING: "the tenant lacks a service",
        ConsentOutcome.FAILED: "Microsoft answered with an error",
        ConsentOutcome.UNRECOGNISED: "no answer came back from Microsoft",
    },
}
#: What is told by its words alone, or together with another detail.
_UNNAMED: Final = frozenset({"decision", "outcome", "direction"})
#: What is told with another detail, or to nobody.
_UNTOLD: Final = frozenset({"employee_id", "form"})
_MOST_LISTED: Final = 5


def action(entry: Entry) -> str:
    """What was done, in a few words."""
    return ACTIONS.get(entry.action) or field_name(entry.action)


def details(entry: Entry) -> list[str]:
    """What else the entry tells, each a phrase."""
    return list(_phrases(entry.details))


def _phrases(told: Mapping[str, Any]) -> Iterator[str]:
    for name, value in told.items():
        if name == "changed" and isinstance(value, Mapping):
            yield from (_change(setting, both) for setting, both in value.items())
        elif name == "linked_to":
            yield f"Linked to {_value(name, value)}, employee {_value('', told.get('employee_id'))}"
        elif name in _UNTOLD:
            continue
        elif name in _UNNAMED:
            yield _value(name, value)
        else:
            yield f"{_name(name)}: {_value(name, value)}"


def _change(setting: str, both: Any) -> str:
    if isinstance(both, list) and len(both) == 2:
        return f"{_name(setting)}: {_value(setting, both[0])} → {_value(setting, both[1])}"
    return f"{_name(setting)}: {_value(setting, both)}"


def _name(detail: str) -> str:
    return _DETAILS.get(detail) or field_name(detail)


def _value(name: str, value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return ("on" if value else "off") if name in _SETTINGS else ("yes" if value else "no")
    if isinstance(value, Mapping):
        return "; ".join(f"{_name(key)}: {_value(key, one)}" for key, one in value.items())
    if isinstance(value, list):
        return _listed(name, value)
    if name == "cause":
        return str(value).replace("_", " ")
    return _WORDS.get(name, {}).get(str(value), str(value))


def _listed(name: str, values: list[Any]) -> str:
    shown = ", ".join(_value(name, one) for one in values[:_MOST_LISTED])
    more = len(values) - _MOST_LISTED
    return f"{shown} and {counted(more, 'other')}" if more > 0 else shown
