"""Access tokens for one tenant, by MSAL's client credentials flow.

Belongs here: one MSAL application with its own cache per tenant, and what a token says about itself. Does not belong
here: a person's sign-in (`sign_in`), retrying (`patience`).
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msal
import requests

from intune_pipeline.microsoft.bodies import WEB_PAGE
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, CredentialFileError, MicrosoftCloud
from intune_pipeline.microsoft.error_answers import cause_of_token_answer, entra_code, entra_request_id
from intune_pipeline.microsoft.patience import retry_after_seconds
from intune_pipeline.microsoft.transport import MicrosoftSession, RefusedAnswerError, decoded, reason

REQUIRED_ROLE = "DeviceManagementManagedDevices.Read.All"
"""The one application permission this product asks for."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What an access token says about itself.

    Attributes:
        tenant_id: claim ``tid``; "" when missing.
        roles: claim ``roles``, the application permissions granted.
    """

    tenant_id: str
    roles: frozenset[str]


class TenantTokens:
    """Access tokens of our application in one tenant. Safe to share between threads.

    Args:
        cloud: where Entra is.
        credential: who we are.
        tenant_id: the tenant's GUID.
    """

    def __init__(self, cloud: MicrosoftCloud, credential: Credential, tenant_id: str) -> None:
        self._cloud = cloud
        self._credential = credential
        self._tenant_id = tenant_id
        self._session = MicrosoftSession(cloud)
        self._msal_replays: dict[Any, Any] = {}
        self._application: msal.ConfidentialClientApplication | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def token(self, *, refused: str | None = None) -> str:
        """An access token for Graph, from MSAL's cache while it lasts.

        Args:
            refused: a token Graph has just refused; a new one is asked for unless that happened already.

        Raises:
            MicrosoftError: Entra gave no token.
        """
        with self._lock:
            # MSAL replays a failed answer for up to a minute; how long to wait is decided by Patience alone.
            self._msal_replays.clear()
            answer = self._ask()
            if refused is not None and answer.get("access_token") == refused and self._application:
                self._application.remove_tokens_for_client()
                answer = self._ask()
            if "access_token" not in answer:
                raise self._refusal(answer)
            return str(answer["access_token"])

    def claims(self) -> TokenClaims:
        """What the present token says.

        Raises:
            MicrosoftError: Entra gave no token.
        """
        return read_claims(self.token())

    def require_role(self) -> None:
        """See that the present token is of this tenant and allows reading devices.

        Raises:
            MicrosoftError: it is not, does not, or there is none.
        """
        claims = self.claims()
        if claims.tenant_id.lower() != self._tenant_id.lower():
            raise MicrosoftError(Cause.UNEXPECTED, tenant_id=self._tenant_id, note="the token is of another tenant")
        if REQUIRED_ROLE not in claims.roles:
            raise MicrosoftError(Cause.PERMISSION_REMOVED, tenant_id=self._tenant_id, note="the token has no such role")

    def _ask(self) -> dict[str, Any]:
        """MSAL's answer, with every way MSAL has of failing turned into `MicrosoftError`."""
        try:
            if self._application is None:
                self._application = confidential_client(
                    self._cloud, self._credential, self._tenant_id, self._session, http_cache=self._msal_replays
                )
            return self._application.acquire_token_for_client([self._cloud.scope]) or {}
        except RefusedAnswerError as error:
            note = f"{self._cloud.login_url}: {error}"
            raise MicrosoftError(Cause.UNEXPECTED, tenant_id=self._tenant_id, note=note) from None
        except requests.RequestException as error:
            self._session.close()
            note = f"{self._cloud.login_url}: {reason(error)}"
            raise MicrosoftError(Cause.OUTAGE, tenant_id=self._tenant_id, note=note) from None
        except CredentialFileError as error:
            raise MicrosoftError(Cause.OUR_CREDENTIAL, tenant_id=self._tenant_id, note=str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, msal.exceptions.MsalError):
            raise self._refusal({}) from None

    def _refusal(self, answer: dict[str, Any]) -> MicrosoftError:
        status, headers, body = self._session.last_answer or (None, {}, None)
        body = answer or body
        foreign = status is not None and not isinstance(body, dict)
        return MicrosoftError(
            cause_of_token_answer(status, body),
            tenant_id=self._tenant_id,
            status=status,
            code=entra_code(body),
            request_id=entra_request_id(headers, body),
            retry_after=retry_after_seconds(headers.get("Retry-After")),
            note=f"{self._cloud.login_url}: {WEB_PAGE}" if foreign else "",
        )


def confidential_client(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: str,
    session: requests.Session,
    *,
    http_cache: dict[Any, Any] | None = None,
    exclude_scopes: Sequence[str] = (),
) -> msal.ConfidentialClientApplication:
    """MSAL's application for one tenant (a GUID, or ``organizations`` for a sign-in). Calls the network.

    Raises:
        ValueError: Entra does not know the tenant.
        CredentialFileError: the certificate file cannot be used.
        requests.RequestException: Entra was not reached.
    """
    return msal.ConfidentialClientApplication(
        credential.client_id,
        authority=f"{cloud.login_url}/{tenant}",
        client_credential=credential.for_msal(),
        http_client=session,
        http_cache=http_cache,
        instance_discovery=False,
        exclude_scopes=list(exclude_scopes),
    )


def read_claims(token: str) -> TokenClaims:
    """Read an access token without judging it: it came straight from Entra, and Graph is who judges it."""
    # Imported here, as a sync reads no token, and the library imports all of X.509.
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        claims = decoded(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError):
        claims = None
    claims = claims if isinstance(claims, dict) else {}
    roles = claims.get("roles")
    return TokenClaims(
        tenant_id=str(claims.get("tid") or ""), roles=frozenset(roles if isinstance(roles, list) else [])
    )
