"""What devices of one platform have in common: systems and versions as reported, how they enrol, who manages them.

Data only; the models of each platform are in ``catalog``.
"""

from typing import NamedTuple


class Platform(NamedTuple):
    """One platform.

    Attributes:
        systems: Values of operatingSystem.
        versions: Values of osVersion.
        enrollment_types: Values of deviceEnrollmentType.
        agents: Values of managementAgent, as often as they are common.
        cellular: Whether its devices have an IMEI.
        supervisable: Whether they can be supervised and then have a bypass code.
    """

    systems: tuple[str, ...]
    versions: tuple[str, ...]
    enrollment_types: tuple[str, ...]
    agents: tuple[str, ...]
    cellular: bool
    supervisable: bool


PLATFORMS = {
    "windows": Platform(
        systems=("Windows",),
        versions=("10.0.26100.6899", "10.0.22631.6060", "10.0.22631.5335", "10.0.19045.6456"),
        enrollment_types=("windowsAzureADJoin", "windowsAutoEnrollment", "windowsCoManagement", "windowsBulkUserless"),
        agents=("mdm",) * 18 + ("configurationManagerClient", "configurationManagerClientMdm"),
        cellular=False,
        supervisable=False,
    ),
    "mac": Platform(
        systems=("macOS",),
        versions=("26.0.1 (25A362)", "15.7.1 (24G231)", "14.8.1 (23J30)"),
        enrollment_types=("appleBulkWithUser", "userEnrollment"),
        agents=("mdm",) * 9 + ("jamf",),
        cellular=False,
        supervisable=True,
    ),
    "ios": Platform(
        systems=("iOS",),
        versions=("26.0.1", "18.7.1", "17.7.2"),
        enrollment_types=("appleBulkWithUser", "userEnrollment", "appleUserEnrollment"),
        agents=("mdm",) * 14 + ("eas", "easMdm"),
        cellular=True,
        supervisable=True,
    ),
    "ipad": Platform(
        systems=("iPadOS", "iPadOS", "iOS"),
        versions=("26.0.1", "18.7.1"),
        enrollment_types=("appleBulkWithUser", "appleBulkWithoutUser"),
        agents=("mdm",),
        cellular=False,
        supervisable=True,
    ),
    "android": Platform(
        systems=("Android", "Android", "AndroidEnterprise"),
        versions=("16", "15", "14.0", "13"),
        enrollment_types=("userEnrollment", "deviceEnrollmentManager"),
        agents=("googleCloudDevicePolicyController",) * 9 + ("eas",),
        cellular=True,
        supervisable=False,
    ),
}
