"""A portal over a fresh database, beside a sandbox that all tests of this room share."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from intune_pipeline.inventory import accounts, schema
from intune_pipeline.inventory import database as databases
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres
from intune_pipeline.inventory.roles import Acting, Role
from intune_pipeline.portal.app import create_app
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings
from intune_pipeline_tests.conftest import EMPTY
from intune_pipeline_tests.portal.browser import PORTAL, Browser
from intune_pipeline_tests.portal.customers import BYPASS_KEY


@pytest.fixture(scope="session")
def room_engine(postgres: EmbeddedPostgres, maintenance: sa.Engine, migrated_template: str) -> Iterator[sa.Engine]:
    """One database for all tests of this room: emptying it is quicker than making one."""
    name = f"portal_{uuid.uuid4().hex[:12]}"
    with maintenance.connect() as db:
        db.execute(sa.text(f"create database {name} template {migrated_template} strategy file_copy"))
    engine = databases.create_engine(postgres.url(name))
    yield engine
    engine.dispose()
    with maintenance.connect() as db:
        db.execute(sa.text(f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def portal_engine(room_engine: sa.Engine) -> Iterator[sa.Engine]:
    """The same database as the portal reaches it."""
    url = room_engine.url.render_as_string(hide_password=False)
    engine = databases.create_engine(url, acting=Acting(Role.PORTAL))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(room_engine: sa.Engine) -> sa.Engine:
    """The room's database, empty."""
    with room_engine.begin() as db:
        db.exec_driver_sql(EMPTY)
    return room_engine


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxCloud]:
    """A cloud with two customers, nobody of whom has consented."""
    tenants = [SandboxTenant(name, consented=False) for name in ("acme", "globex")]
    with SandboxCloud(tenants, directory=tmp_path_factory.mktemp("trust")).running() as cloud:
        yield cloud


@pytest.fixture
def tenants(sandbox: SandboxCloud) -> Iterator[dict[str, SandboxTenant]]:
    """The customers' tenants by name, put back afterwards."""
    by_name = {tenant.name: tenant for tenant in sandbox.tenants}
    yield by_name
    for tenant in by_name.values():
        tenant.consented = tenant.role_granted = False
        tenant.intune_licensed = True
        tenant.propagation_seconds = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def portal_settings(sandbox: SandboxCloud) -> PortalSettings:
    environment = sandbox.environment()
    return PortalSettings(
        portal_url=PORTAL,
        portal_session_secret="s" * 40,
        auth0_ca_bundle=sandbox.ca_bundle,
        **{
            name.lower(): value for name, value in environment.items() if name.startswith("AUTH0_") and "CA" not in name
        },
    )


@pytest.fixture
def microsoft_settings(sandbox: SandboxCloud) -> MicrosoftSettings:
    environment = sandbox.environment()
    return MicrosoftSettings(
        **{name.lower(): value for name, value in environment.items() if name.startswith("MICROSOFT_")}
    )


@pytest.fixture
def app(
    engine: sa.Engine,
    portal_engine: sa.Engine,
    portal_settings: PortalSettings,
    microsoft_settings: MicrosoftSettings,
    clock: Clock,
) -> FastAPI:
    """The portal, with accounts acme and globex that never connected; it works as the database's role for portals."""
    with engine.begin() as db:
        accounts.create(db, "acme", "Acme")
        accounts.create(db, "globex", "Globex")
    settings = Settings(bypass_code_keys=BYPASS_KEY)
    return create_app(settings, portal_settings, microsoft_settings, portal_engine, clock=clock)


@pytest.fixture
def browser(app: FastAPI, sandbox: SandboxCloud) -> Browser:
    """A browser nobody has signed in with."""
    return Browser(app, sandbox.ca_bundle)


@pytest.fixture
def signed_in(app: FastAPI, sandbox: SandboxCloud) -> Callable[[str], Browser]:
    """``signed_in("acme-primary")`` is a browser in which that user has signed in."""

    def sign_in(user: str) -> Browser:
        browser = Browser(app, sandbox.ca_bundle)
        browser.open("/sign-in/start")
        return browser.open_as(user)

    return sign_in


@pytest.fixture
def connected(engine: sa.Engine, app: FastAPI) -> Callable[..., int]:
    """``connected("acme", **columns)`` writes a connection for the account; returns its id."""

    def connect(account: str = "acme", **columns: object) -> int:
        with engine.begin() as db:
            owner = accounts.get(db, account)
            return db.execute(
                sa.insert(schema.connections)
                .values(
                    **{"status": "connected", "connected_at": sa.func.now(), **columns},
                    account_id=owner.id,
                    tenant_id=str(uuid.uuid4()),
                )
                .returning(schema.connections.c.id)
            ).scalar_one()

    return connect


@pytest.fixture
def api(app: FastAPI, sandbox: SandboxCloud) -> Callable[[str], TestClient]:
    """``api("acme-primary")`` is a client of the API with that user's token."""

    def client(user: str) -> TestClient:
        headers = {"Authorization": f"Bearer {sandbox.sign_in_token(user)}"}
        return TestClient(app, base_url=PORTAL, headers=headers, raise_server_exceptions=False)

    return client
