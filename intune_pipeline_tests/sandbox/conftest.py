"""A running sandbox with one small tenant, and clients that trust it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.fleets import generate_fleet
from intune_pipeline.sandbox.tenants import SandboxTenant

DEVICES = "/v1.0/deviceManagement/managedDevices"


class TrustingSession(requests.Session):
    """Trusts the sandbox on every request, because REQUESTS_CA_BUNDLE would win over ``Session.verify``."""

    def __init__(self, ca_bundle: Path) -> None:
        super().__init__()
        self._ca_bundle = str(ca_bundle)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(*args, **{"timeout": 10, "verify": self._ca_bundle, **kwargs})


class GraphClient:
    """A plain Graph client for one tenant, without any patience."""

    def __init__(self, cloud: SandboxCloud, session: TrustingSession, token: str) -> None:
        self._cloud = cloud
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **headers: str) -> requests.Response:
        address = path if path.startswith("https://") else f"{self._cloud.graph_url}{path}"
        return self._session.get(address, headers={**self._headers, **headers})

    def post(self, path: str, body: bytes) -> requests.Response:
        return self._session.post(f"{self._cloud.graph_url}{path}", data=body, headers=self._headers)

    def batch(self, *paths: str) -> requests.Response:
        items = [{"id": str(number), "method": "GET", "url": path} for number, path in enumerate(paths)]
        return self._session.post(
            f"{self._cloud.graph_url}/v1.0/$batch", json={"requests": items}, headers=self._headers
        )

    def pages(self, query: str = "") -> Iterator[dict[str, Any]]:
        address: str | None = f"{DEVICES}?{query}"
        while address:
            answer = self.get(address)
            answer.raise_for_status()
            page = answer.json()
            yield page
            address = page.get("@odata.nextLink")

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        return [device for page in self.pages(query) for device in page["value"]]


@pytest.fixture(scope="session")
def trust_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys made once for all tests."""
    return tmp_path_factory.mktemp("trust")


@pytest.fixture
def tenant() -> SandboxTenant:
    return SandboxTenant("acme", generate_fleet(7, 60))


@pytest.fixture
def cloud(tenant: SandboxTenant, trust_directory: Path) -> Iterator[SandboxCloud]:
    with SandboxCloud([tenant, SandboxTenant("globex")], trust_directory).running() as running:
        yield running


@pytest.fixture
def session(cloud: SandboxCloud) -> Iterator[TrustingSession]:
    with TrustingSession(cloud.ca_bundle) as trusting:
        yield trusting


def app_token(cloud: SandboxCloud, tenant_id: str, session: requests.Session, credential: Any = None) -> dict[str, Any]:
    """What MSAL gets for the app in a tenant."""
    app = msal.ConfidentialClientApplication(
        cloud.client_id,
        client_credential=credential or cloud.client_secret,
        authority=f"{cloud.login_url}/{tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    answer: dict[str, Any] = app.acquire_token_for_client([f"{cloud.graph_url}/.default"])
    return answer


@pytest.fixture
def graph(cloud: SandboxCloud, tenant: SandboxTenant, session: TrustingSession) -> GraphClient:
    return GraphClient(cloud, session, app_token(cloud, tenant.tenant_id, session)["access_token"])
