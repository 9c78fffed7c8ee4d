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
    assert known.device_in_intune("t", "d").startswith(f"{intune}/t/#view/")
    assert known.device_in_entra("t", "d").startswith(f"{entra}/t/#view/")


def test_an_id_cannot_lead_elsewhere() -> None:
    known = admin_centres("https://graph.microsoft.com")
    assert known is not None
    assert known.device_in_intune("t", "a/b?c#d").endswith("/mdmDeviceId/a%2Fb%3Fc%23d")


def test_there_is_no_page_beside_the_sandbox() -> None:
    assert admin_centres("https://localhost:4443") is None
