"""A running cloud for every test of this room, and clients of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.graph import GraphClient
from intune_pipeline.microsoft.quota import Quota
from intune_pipeline.microsoft.sign_in import SignInStart, start_sign_in
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.browser import REDIRECT_URI, visit
from intune_pipeline_tests.microsoft.scripted_graph import ScriptedGraph

CANARY = "CANARY-BYPASS-CODE"
UNLIMITED = Quota(requests=1_000_000)

Connect = Callable[..., GraphClient]


def fleet(size: int) -> list[dict[str, Any]]:
    """Devices as a single GET shows them, each with a bypass code nobody may ever read."""
    return [
        {
            "id": f"device-{number:05}",
            "deviceName": f"PC-{number % 97}",
            "userId": "user-1",
            "userPrincipalName": "ada@acme.example",
            "managedDeviceOwnerType": "company",
            "operatingSystem": "Windows",
            "serialNumber": f"S{number}",
            "lastSyncDateTime": "2026-10-01T08:00:00Z",
            "physicalMemoryInBytes": 17179869184,
            "activationLockBypassCode": f"{CANARY}-{number}",
        }
        for number in range(size)
    ]


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trust")


@pytest.fixture(scope="session")
def running(trust: Path) -> Iterator[tuple[SandboxCloud, Iterator[SandboxTenant]]]:
    """One sandbox for all tests, with a tenant for each: a sandbox takes longer to start than most tests to run."""
    devices = fleet(250)
    tenants = [SandboxTenant(f"acme-{number}", devices) for number in range(300)]
    with SandboxCloud(tenants, directory=trust).running() as cloud:
        yield cloud, iter(tenants)


@pytest.fixture
def sandbox(running: tuple[SandboxCloud, Iterator[SandboxTenant]]) -> Iterator[SandboxCloud]:
    cloud, _ = running
    cloud.requests.clear()
    yield cloud
    cloud.faults.reset()


@pytest.fixture
def tenant(running: tuple[SandboxCloud, Iterator[SandboxTenant]]) -> SandboxTenant:
    """A tenant with 250 devices that no other test has touched."""
    _, untouched = running
    return next(untouched)


@pytest.fixture
def cloud(sandbox: SandboxCloud) -> MicrosoftCloud:
    return MicrosoftCloud(sandbox.login_url, sandbox.graph_url, sandbox.ca_bundle)


@pytest.fixture
def credential(sandbox: SandboxCloud) -> Credential:
    return Credential(sandbox.client_id, sandbox.client_secret)


@pytest.fixture
def connect(cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant) -> Iterator[Connect]:
    """Makes clients of the tenant; arguments as `GraphClient`, ``within`` seconds instead of a deadline."""
    with ExitStack() as opened:
        yield _maker(opened, cloud, credential, tenant.tenant_id)


@pytest.fixture
def started(cloud: MicrosoftCloud, credential: Credential) -> SignInStart:
    """A sign-in that has begun."""
    return start_sign_in(cloud, credential, redirect_uri=REDIRECT_URI, state="s-1")


@pytest.fixture
def back(sandbox: SandboxCloud, tenant: SandboxTenant, started: SignInStart) -> dict[str, str]:
    """What the browser comes back with from it."""
    return visit(sandbox, started.url, tenant, tenant.directory[1])


@pytest.fixture(scope="module")
def scripted(trust: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScriptedGraph, Connect]]:
    """A scripted Graph beside the sandbox's Entra, and what makes clients of it."""
    tenant = SandboxTenant("scripted")
    with ExitStack() as opened:
        graph = opened.enter_context(ScriptedGraph().running())
        sandbox = SandboxCloud([tenant], directory=trust)
        sandbox.graph_url = graph.url
        opened.enter_context(sandbox.running())
        bundle = tmp_path_factory.mktemp("ca") / "bundle.pem"
        bundle.write_bytes(sandbox.ca_bundle.read_bytes() + graph.ca_pem)
        cloud = MicrosoftCloud(sandbox.login_url, graph.url, bundle)
        credential = Credential(sandbox.client_id, sandbox.client_secret)

        yield graph, _maker(opened, cloud, credential, tenant.tenant_id)


def _maker(opened: ExitStack, cloud: MicrosoftCloud, credential: Credential, tenant_id: str) -> Connect:
    def connect(within: float = 120, **options: Any) -> GraphClient:
        defaults = {
            "deadline": time.monotonic() + within,
            "quota": UNLIMITED,
            "give_up_after": timedelta(seconds=30),
        }
        return opened.enter_context(GraphClient(cloud, credential, tenant_id, **{**defaults, **options}))

    return connect
