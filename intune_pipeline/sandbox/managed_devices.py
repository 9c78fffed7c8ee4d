"""What a managedDevice of Graph v1.0 looks like: its properties, and how a list and a single GET show them.

A record of the sandbox holds every value in the form of a single GET that names the property in ``$select``. The two
views derive from it. Which devices exist and who may see them is not decided here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Record = dict[str, Any]

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
NEVER = "0001-01-01T00:00:00Z"
FOREVER = "9999-12-31T23:59:59Z"

UNKNOWN: Record = {
    "id": None,
    "activationLockBypassCode": None,
    "androidSecurityPatchLevel": None,
    "azureADDeviceId": ZERO_GUID,
    "azureADRegistered": True,
    "complianceGracePeriodExpirationDateTime": FOREVER,
    "complianceState": "compliant",
    "configurationManagerClientEnabledFeatures": None,
    "deviceActionResults": [],
    "deviceCategoryDisplayName": "",
    "deviceEnrollmentType": "windowsAzureADJoin",
    "deviceHealthAttestationState": None,
    "deviceName": "",
    "deviceRegistrationState": "registered",
    "easActivated": False,
    "easActivationDateTime": NEVER,
    "easDeviceId": None,
    "emailAddress": None,
    "enrolledDateTime": NEVER,
    "enrollmentProfileName": "",
    "ethernetMacAddress": None,
    "exchangeAccessState": "none",
    "exchangeAccessStateReason": "none",
    "exchangeLastSuccessfulSyncDateTime": NEVER,
    "freeStorageSpaceInBytes": 0,
    "iccid": None,
    "imei": None,
    "isEncrypted": True,
    "isSupervised": False,
    "jailBroken": "Unknown",
    "lastSyncDateTime": NEVER,
    "managedDeviceName": "",
    "managedDeviceOwnerType": "company",
    "managementAgent": "mdm",
    "managementCertificateExpirationDate": NEVER,
    "managementState": "managed",
    "manufacturer": "",
    "meid": None,
    "model": "",
    "notes": None,
    "operatingSystem": "",
    "osVersion": "",
    "partnerReportedThreatState": "unknown",
    "phoneNumber": None,
    "physicalMemoryInBytes": 0,
    "remoteAssistanceSessionErrorDetails": None,
    "remoteAssistanceSessionUrl": None,
    "requireUserEnrollmentApproval": None,
    "serialNumber": "",
    "subscriberCarrier": "",
    "totalStorageSpaceInBytes": 0,
    "udid": None,
    "userDisplayName": None,
    "userId": None,
    "userPrincipalName": None,
    "wiFiMacAddress": None,
}
"""Every property of managedDevice in v1.0 (Graph: managedDevice resource type), as it is when nothing is known."""

PROPERTIES: frozenset[str] = frozenset(UNKNOWN)
"""Their names; others give 400 in ``$select``."""

DETAIL_ONLY: Mapping[str, Any] = {
    "activationLockBypassCode": None,
    "ethernetMacAddress": None,
    "iccid": None,
    "notes": None,
    "physicalMemoryInBytes": 0,
    "udid": None,
}
"""Properties with a value only in a single GET that selects them, and what is shown everywhere else."""

_DATES = (
    "complianceGracePeriodExpirationDateTime",
    "easActivationDateTime",
    "enrolledDateTime",
    "exchangeLastSuccessfulSyncDateTime",
    "lastSyncDateTime",
    "managementCertificateExpirationDate",
)
_EMPTY_IN_LISTS = ("emailAddress", "imei", "meid", "phoneNumber", "userDisplayName", "userId", "userPrincipalName")
_SECONDS = len("2026-01-31T12:00:00")


def unknown_property(names: Iterable[str]) -> str | None:
    """The first of ``names`` that managedDevice does not have in v1.0, if any."""
    return next((name for name in names if name not in PROPERTIES), None)


def listed(record: Record) -> Record:
    """The record as a list shows it: no detail-only values, dates cut to seconds, empty text instead of null users."""
    view = {name: value for name, value in record.items() if name in PROPERTIES}
    for name, default in DETAIL_ONLY.items():
        if name in view:
            view[name] = default
    for name in _DATES:
        value = view.get(name)
        if isinstance(value, str) and len(value) > _SECONDS:
            view[name] = value[:_SECONDS] + "Z"
    for name in _EMPTY_IN_LISTS:
        if name in view and view[name] is None:
            view[name] = ""
    return view


def single(record: Record, select: Iterable[str] | None) -> Record:
    """The record as a GET by id shows it; detail-only values appear only when ``select`` names them."""
    if select is not None:
        return project(record, dict.fromkeys(("id", *select)))
    return {name: DETAIL_ONLY.get(name, value) for name, value in record.items() if name in PROPERTIES}


def project(view: Record, names: Iterable[str]) -> Record:
    """The named properties of a view; a property the record never had stays absent."""
    return {name: view[name] for name in names if name in view}
