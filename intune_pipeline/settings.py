"""Every environment variable of the product: named, typed and checked once.

Belongs here: reading the environment and refusing what is missing or malformed, in one sentence. Does not belong
here: what a connection decides for itself (table ``connections``), or anything that opens a connection.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from intune_pipeline.domain.tenant_ownership import CAN_CONSENT
from intune_pipeline.domain.vocabulary import DirectoryRole
from intune_pipeline.errors import WrongUseError

if TYPE_CHECKING:
    from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud

SHORTEST_SESSION_SECRET = 32
SHORTEST_METRICS_TOKEN = 24
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(WrongUseError):
    """A setting is missing or malformed; the message is one sentence that names it and says what is expected."""


def project_directory() -> Path:
    """Where ``workspace.yaml`` and ``dagster.yaml`` lie: beside the package in a checkout, else the working directory."""
    beside = Path(__file__).resolve().parent.parent
    return beside if (beside / "workspace.yaml").is_file() else Path.cwd()


def local_directory() -> Path:
    """``.local``, where the embedded PostgreSQL, Dagster's home and the sandbox keep their files."""
    return project_directory() / ".local"


def _https_origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must be an https:// address")
    return value.rstrip("/")


def _https_or_loopback(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise ValueError("must be an https:// address (http only on loopback)")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be the address people open, without a path, such as https://dagster.example.com")
    port = "" if parts.port in {None, {"https": 443, "http": 80}[parts.scheme]} else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _psycopg2_url(value: str) -> str:
    """SQLAlchemy 2.1 and dagster-postgres disagree on the driver of a bare address, so it is always named."""
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg2"}:
        raise ValueError("must be a postgresql+psycopg2:// address")
    return f"postgresql+psycopg2://{rest}"


def _contact(value: object) -> str:
    text = str(value).strip()
    if not text or re.fullmatch(r"[^@\s/:]+@[^@\s/:]+\.[^@\s/:]+", text) or re.fullmatch(r"https://[^\s@]+", text):
        return text
    raise ValueError("must be an e-mail address or an https address")


HttpsUrl = Annotated[str, BeforeValidator(_https_origin)]
Contact = Annotated[str, BeforeValidator(_contact)]
LoopbackUrl = Annotated[str, BeforeValidator(_https_or_loopback)]
Origin = Annotated[str, BeforeValidator(_origin)]
PostgresUrl = Annotated[SecretStr, BeforeValidator(_psycopg2_url)]


class _Environment(BaseSettings):
    """Reads the environment; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the environment.

        Raises:
            SettingsError: naming the first setting that is missing or malformed, never showing a value.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None


class Settings(_Environment):
    """What the pipeline, the command line and the portal share."""

    allwhere_database_url: PostgresUrl | None = None
    dagster_postgres_url: PostgresUrl | None = None
    dagster_home: Path | None = None
    intune_database_role_prefix: str = Field("intune_", pattern="^[a-z_][a-z0-9_]{0,30}$")

    intune_run_deadline_minutes: int = Field(30, ge=1, le=24 * 60)
    intune_details: Literal["on", "off"] = "on"
    intune_details_refresh_days: int = Field(7, ge=1)
    intune_request_give_up_seconds: int = Field(120, ge=1)
    intune_max_devices: int = Field(250_000, ge=1)
    intune_input_max_age_hours: int = Field(24, ge=1)
    bypass_code_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()

    intune_sync_hour: int = Field(5, ge=0, le=23)
    intune_sync_time_zone: str = "UTC"
    intune_sync_debounce_minutes: int = Field(30, ge=0)
    intune_late_after_hours: int = Field(26, ge=1)
    intune_unknown_share_warning: float = Field(0.10, ge=0, le=1)
    intune_junk_share_warning: float = Field(0.05, ge=0, le=1)
    # Whole: addresses may hold commas, so only Apprise can tell where one ends.
    intune_alert_urls: SecretStr | None = None
    # What a scraper of /metrics sends.
    intune_metrics_token: SecretStr | None = None
    # Who knows it can keep the switch from going off.
    intune_heartbeat_url: SecretStr | None = None

    intune_keep_holds_days: int = Field(365, ge=30)
    intune_keep_outcomes_days: int = Field(365, ge=30)
    intune_keep_audit_days: int | None = Field(None, ge=90)
    intune_keep_codes_days: int = Field(90, ge=1)

    @field_validator("bypass_code_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("bypass_code_keys")
    @classmethod
    def _fernet_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError("must be Fernet keys separated by commas (each 32 bytes, url-safe base64)") from None
        return keys

    @field_validator("intune_metrics_token")
    @classmethod
    def _hard_to_guess(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token) < SHORTEST_METRICS_TOKEN:
            raise ValueError(f"must have at least {SHORTEST_METRICS_TOKEN} characters")
        return token

    @field_validator("intune_heartbeat_url")
    @classmethod
    def _reachable(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _https_or_loopback(url.get_secret_value())
        return url

    @field_validator("intune_sync_time_zone")
    @classmethod
    def _time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, KeyError, OSError):
            raise ValueError("must be a time zone such as Europe/Berlin") from None
        return name

    @property
    def details_on(self) -> bool:
        """Whether memory and bypass codes are asked for, device by device."""
        return self.intune_details == "on"

    @cached_property
    def dagster_directory(self) -> Path:
        """Dagster's home: ``DAGSTER_HOME``, or ``.local/dagster``."""
        return self.dagster_home or local_directory() / "dagster"


class RoleSettings(_Environment):
    """Passwords for PostgreSQL's roles, read by ``db upgrade --roles`` only."""

    intune_owner_password: SecretStr | None = None
    intune_pipeline_password: SecretStr | None = None
    intune_portal_password: SecretStr | None = None
    intune_dagster_password: SecretStr | None = None

    def password_of(self, role: str) -> SecretStr | None:
        """The password to set for a role; None leaves it as it is."""
        password: SecretStr | None = getattr(self, f"intune_{role}_password")
        return password


class MailSettings(_Environment):
    """Telling customers' admins by e-mail: the mail server, and where the links in an e-mail lead."""

    intune_mail_url: SecretStr | None = None
    portal_url: LoopbackUrl | None = None

    @field_validator("intune_mail_url")
    @classmethod
    def _tls(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value() if url else "")
        if (
            url is not None
            and parts.scheme != "mailtos"
            and not (parts.scheme == "mailto" and parts.hostname in LOOPBACK)
        ):
            raise ValueError("must be a mailtos:// address in Apprise's notation (mailto:// only on loopback)")
        return url


class MicrosoftSettings(_Environment):
    """The multi-tenant app at Microsoft and where Microsoft is."""

    microsoft_client_id: str
    microsoft_client_secret: SecretStr | None = None
    microsoft_client_certificate: Path | None = None
    microsoft_federated_token_file: Path | None = None
    microsoft_login_url: HttpsUrl = "https://login.microsoftonline.com"
    microsoft_graph_url: HttpsUrl = "https://graph.microsoft.com"
    microsoft_ca_bundle: Path | None = None
    microsoft_accept_cloud_application_administrator: bool = False

    @field_validator("microsoft_ca_bundle", "microsoft_client_certificate", "microsoft_federated_token_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not os.access(path, os.R_OK):
            raise ValueError("must be a file that can be read")
        return path

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [self.microsoft_client_secret, self.microsoft_client_certificate, self.microsoft_federated_token_file]
        if sum(value is not None for value in given) != 1:
            raise ValueError(
                "exactly one of MICROSOFT_CLIENT_SECRET, MICROSOFT_CLIENT_CERTIFICATE and "
                "MICROSOFT_FEDERATED_TOKEN_FILE must be set"
            )
        return self

    @property
    def linking_roles(self) -> frozenset[DirectoryRole]:
        """The directory roles whose holders may link their tenant."""
        extra = {DirectoryRole.CLOUD_APPLICATION_ADMINISTRATOR}
        return CAN_CONSENT | (extra if self.microsoft_accept_cloud_application_administrator else set())

    @property
    def is_sandbox(self) -> bool:
        """Whether Microsoft is the sandbox on this machine, so that webhooks may lead to this machine too."""
        return all(urlsplit(url).hostname in LOOPBACK for url in (self.microsoft_login_url, self.microsoft_graph_url))

    @property
    def cloud(self) -> "MicrosoftCloud":
        """Where Microsoft is."""
        from intune_pipeline.microsoft.cloud import MicrosoftCloud

        return MicrosoftCloud(self.microsoft_login_url, self.microsoft_graph_url, self.microsoft_ca_bundle)

    @property
    def credential(self) -> "Credential":
        """Who we are there."""
        from intune_pipeline.microsoft.cloud import Credential

        secret = self.microsoft_client_secret
        return Credential(
            self.microsoft_client_id,
            secret.get_secret_value() if secret else None,
            self.microsoft_client_certificate,
            self.microsoft_federated_token_file,
        )


class PortalSettings(_Environment):
    """What only the portal needs: its address, its cookie key, the sign-in."""

    portal_url: LoopbackUrl
    portal_session_secret: SecretStr
    auth0_domain: str
    auth0_client_id: str
    auth0_client_secret: SecretStr
    auth0_audience: str
    auth0_issuer: LoopbackUrl | None = None
    auth0_ca_bundle: Path | None = None
    auth0_organization_claim: str = "org_id"
    auth0_organization_name_claim: str = "org_name"
    auth0_roles_claim: str = "https://allwhere.co/roles"
    portal_contact: Contact = ""

    @property
    def contact_href(self) -> str:
        """Where people write to for help, as a link; "" when ``PORTAL_CONTACT`` is not set."""
        if not self.portal_contact:
            return ""
        return f"mailto:{self.portal_contact}" if "@" in self.portal_contact else self.portal_contact

    @field_validator("portal_session_secret")
    @classmethod
    def _long(cls, secret: SecretStr) -> SecretStr:
        if len(secret) < SHORTEST_SESSION_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SESSION_SECRET} characters")
        return secret

    @property
    def issuer(self) -> str:
        """The OIDC issuer: ``AUTH0_ISSUER``, or ``https://{AUTH0_DOMAIN}/``."""
        return self.auth0_issuer or f"https://{self.auth0_domain}/"


class LinkSettings(_Environment):
    """Where the pages are that Dagster links to, and the commit that an image was built from; none is needed."""

    portal_url: LoopbackUrl | None = None
    intune_commit: str | None = None
    microsoft_login_url: HttpsUrl = "https://login.microsoftonline.com"


class DagsterUiSettings(_Environment):
    """What only the Dagster UI's process needs: the address people open it under, where a proxy stands before it."""

    dagster_ui_url: Origin | None = None


def _sentence(error: ValidationError) -> str:
    """The first problem as a sentence, with the variable's name and never its value."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return f"Settings: {message}."
    name = str(problem["loc"][0]).upper()
    if problem["type"] == "missing":
        return f"{name} is not set; see docs/operations.md for what it must hold."
    return f"{name} {message.replace('Input should be', 'must be').replace('String should', 'must')}."
