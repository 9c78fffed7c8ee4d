"""Where a device is opened at Microsoft, in each of Microsoft's clouds."""

import pytest

from intune_pipeline.microsoft.admin_centres import admin_centres


@pytest.mark.parametrize(
    ("graph", "intune", "entra"),
    [
        ("https://graph.microsoft.com", "https://intune.microsoft.com", "https://entra.microsoft.com"),
        ("https://graph.microsoft.us", "https://intune.microsoft.us", "https://entra.microsoft.us"),
        ("https://dod-graph.microsoft.us/", "https://intune.microsoft.us", "https://entra.microsoft.us"),
        (
            "https://microsoftgraph.chinacloudapi.cn",
            "https://intune.microsoftonline.cn",
            "https://entra.microsoftonline.cn",
        ),
    ],
)
def test_each_cloud_has_its_own_pages(graph: str, intune: str, entra: str) -> None:
    known = admin_centres(graph)
    assert known is not None
    in_intune = "Microsoft_Intune_Devices/DeviceSettingsMenuBlade/~/overview/mdmDeviceId"
    in_entra = "Microsoft_AAD_Devices/DeviceDetailsMenuBlade/~/Properties/deviceId"
    assert known.device_in_intune("t", "d") == f"{intune}/t/#view/{in_intune}/d"
    assert known.device_in_entra("t", "d") == f"{entra}/t/#view/{in_entra}/d"


def test_an_id_cannot_lead_elsewhere() -> None:
    known = admin_centres("https://graph.microsoft.com")
    assert known is not None
    for page in (known.device_in_intune, known.device_in_entra):
        address = page("t/X?", "a/X?c#d")
        assert "/t%2FX%3F/#view/" in address
        assert address.endswith("/a%2FX%3Fc%23d")


def test_there_is_no_page_beside_the_sandbox() -> None:
    assert admin_centres("https://localhost:4443") is None
