"""Where a customer's administrator opens a device in Microsoft's own pages, in each of Microsoft's clouds.

Belongs here: addresses. Source: Microsoft's lists of endpoints per cloud; DoD tenants use the US government's pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class AdminCentres:
    """The origins of Intune's and Entra's admin centres in one cloud."""

    intune: str
    entra: str

    def device_in_intune(self, tenant_id: str, intune_device_id: str) -> str:
        """The device's page in Intune."""
        blade = "Microsoft_Intune_Devices/DeviceSettingsMenuBlade/~/overview/mdmDeviceId"
        return f"{self.intune}/{quote(tenant_id, safe='')}/#view/{blade}/{quote(intune_device_id, safe='')}"

    def device_in_entra(self, tenant_id: str, azure_ad_device_id: str) -> str:
        """The device's page in Entra."""
        blade = "Microsoft_AAD_Devices/DeviceDetailsMenuBlade/~/Properties/deviceId"
        return f"{self.entra}/{quote(tenant_id, safe='')}/#view/{blade}/{quote(azure_ad_device_id, safe='')}"


_US_GOVERNMENT: Final = AdminCentres("https://intune.microsoft.us", "https://entra.microsoft.us")
_BY_GRAPH: Final[Mapping[str, AdminCentres]] = {
    "https://graph.microsoft.com": AdminCentres("https://intune.microsoft.com", "https://entra.microsoft.com"),
    "https://graph.microsoft.us": _US_GOVERNMENT,
    "https://dod-graph.microsoft.us": _US_GOVERNMENT,
    "https://microsoftgraph.chinacloudapi.cn": AdminCentres(
        "https://intune.microsoftonline.cn", "https://entra.microsoftonline.cn"
    ),
}


def admin_centres(graph_url: str) -> AdminCentres | None:
    """The admin centres beside a Graph; None where there are none, as beside the sandbox's.

    Args:
        graph_url: Graph's origin.
    """
    return _BY_GRAPH.get(graph_url.rstrip("/").lower())
