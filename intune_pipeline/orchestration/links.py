"""Where people go on from Dagster: the portal's pages and Microsoft's admin centres.

Belongs here: addresses. Does not belong here: which of them an asset shows (``assets``). The portal's paths are said here
once more because orchestration does not know the portal; a test compares them.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import dagster as dg
from pydantic import Field

from intune_pipeline.settings import LinkSettings

PORTAL_HOME: Final = "/integrations/intune"
#: Microsoft's admin centres for Intune and Entra, by where its sign-in is; a sandbox has none.
ADMIN_CENTRES: Final[Mapping[str, tuple[str, str]]] = {
    "https://login.microsoftonline.com": ("https://intune.microsoft.com", "https://entra.microsoft.com"),
    "https://login.microsoftonline.us": ("https://intune.microsoft.us", "https://entra.microsoft.us"),
    "https://login.partner.microsoftonline.cn": (
        "https://intune.microsoftonline.cn",
        "https://entra.microsoftonline.cn",
    ),
}


class Links(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Addresses shown beside what Dagster tells of a tenant; those of pages nobody has are left out."""

    portal_url: str = Field("", description="PORTAL_URL: the portal, whose pages show the tenant to its own people.")
    intune_url: str = Field("", description="Intune's admin centre of MICROSOFT_LOGIN_URL's cloud.")
    entra_url: str = Field("", description="Entra's admin centre likewise.")

    def run(self, sync_run_id: int | None) -> dict[str, dg.UrlMetadataValue]:
        """The portal's page of a sync."""
        return self._portal(f"/runs/{sync_run_id}") if sync_run_id else {}

    def devices(self, **query: str) -> dict[str, dg.UrlMetadataValue]:
        """The portal's list of devices."""
        asked = f"?{urlencode(query)}" if query else ""
        return self._portal(f"/devices{asked}", "portal_devices")

    def intune_devices(self, tenant_id: str) -> dict[str, dg.UrlMetadataValue]:
        """The tenant's devices in Intune's admin centre."""
        blade = "#view/Microsoft_Intune_DeviceSettings/DevicesMenu/~/allDevices"
        return _link("intune_admin_centre", self.intune_url and f"{self.intune_url}/{tenant_id}/{blade}")

    def entra_users(self, tenant_id: str) -> dict[str, dg.UrlMetadataValue]:
        """The tenant's users in Entra's admin centre."""
        blade = "#view/Microsoft_AAD_UsersAndTenants/UserManagementMenuBlade/~/AllUsers"
        return _link("entra_admin_centre", self.entra_url and f"{self.entra_url}/{tenant_id}/{blade}")

    def _portal(self, path: str, name: str = "portal_run") -> dict[str, dg.UrlMetadataValue]:
        return _link(name, self.portal_url and f"{self.portal_url.rstrip('/')}{PORTAL_HOME}{path}")


def _link(name: str, url: str) -> dict[str, dg.UrlMetadataValue]:
    return {name: dg.MetadataValue.url(url)} if url else {}


def links_of(settings: LinkSettings) -> Links:
    """The addresses of the settings."""
    intune, entra = ADMIN_CENTRES.get(settings.microsoft_login_url.rstrip("/"), ("", ""))
    return Links(portal_url=settings.portal_url or "", intune_url=intune, entra_url=entra)
