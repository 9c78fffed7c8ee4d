"""A person's sign-in at Microsoft, which proves the tenant they belong to and the directory roles they hold there.

Here: OpenID Connect's code flow by MSAL (PKCE, nonce, our credential) and the validation of the id token, which MSAL
leaves to its caller. Not here: where the flow is kept between the two steps, which roles suffice
(``domain.tenant_ownership``), and what the proof is used for.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import msal
import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from intune_pipeline.domain.tenant_ownership import CAN_CONSENT, directory_roles, ownership_problem
from intune_pipeline.domain.vocabulary import DirectoryRole, OwnershipProblem
from intune_pipeline.errors import PipelineError
from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, CredentialFileError, MicrosoftCloud
from intune_pipeline.microsoft.consent import ANY_ORGANISATION
from intune_pipeline.microsoft.error_answers import cause_of_token_answer, entra_code, entra_request_id
from intune_pipeline.microsoft.tokens import confidential_client, read_claims
from intune_pipeline.microsoft.transport import MicrosoftSession, decoded, reason

# MSAL would rather have the answer posted across sites, where a same-site cookie does not go along.
warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended", category=UserWarning)

_CLOCK_LEEWAY_SECONDS = 120
_EXPIRED_CODES = frozenset({"AADSTS70008", "AADSTS54005", "AADSTS9002313"})


class SignInProblem(StrEnum):
    """Why a sign-in proved nothing."""

    DECLINED = "declined"
    """The person cancelled."""
    EXPIRED = "expired"
    """The answer belongs to no sign-in under way, or came too late, or came twice."""
    UNTRUSTED = "untrusted"
    """The id token does not hold what it must."""


class SignInError(PipelineError):
    """A sign-in proved nothing, but is worth another try.

    Attributes:
        problem: why.
    """

    def __init__(self, problem: SignInProblem) -> None:
        super().__init__(f"The sign-in at Microsoft proved nothing ({problem}): start again from the Connect page.")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class SignInStart:
    """A sign-in under way.

    Attributes:
        url: where to send the browser.
        flow: what `finish_sign_in` needs; a JSON object with secrets, to be kept on the server and used once.
    """

    url: str
    flow: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person Microsoft vouches for.

    Attributes:
        tenant_id: the tenant they belong to, in lower case.
        user_id: their object id.
        user_name: their user principal name, for people to read only.
        roles: the directory roles they hold there, as far as they matter for consent.
        problem: why they may not link the tenant, None when they may.
    """

    tenant_id: str
    user_id: str
    user_name: str = field(repr=False)
    roles: frozenset[DirectoryRole] = frozenset()
    problem: OwnershipProblem | None = None


def start_sign_in(cloud: MicrosoftCloud, credential: Credential, *, redirect_uri: str, state: str) -> SignInStart:
    """Begin a sign-in.

    Args:
        cloud: which Microsoft cloud.
        credential: who we are.
        redirect_uri: where Microsoft sends the browser back, registered with the application.
        state: one-time value that comes back unchanged.

    Raises:
        MicrosoftError: Entra was not reached or does not accept our credential.
    """
    with MicrosoftSession(cloud) as session:
        application = _application(cloud, credential, session)
        flow = application.initiate_auth_code_flow(
            scopes=[], redirect_uri=redirect_uri, state=state, prompt=msal.Prompt.SELECT_ACCOUNT
        )
    return SignInStart(flow["auth_uri"], flow)


def finish_sign_in(
    cloud: MicrosoftCloud,
    credential: Credential,
    flow: dict[str, Any],
    params: Mapping[str, str],
    *,
    accepted: frozenset[DirectoryRole] = CAN_CONSENT,
) -> SignedIn:
    """Finish a sign-in: exchange the code, validate the id token, and see whether the person may link its tenant.

    Args:
        cloud: which Microsoft cloud.
        credential: who we are.
        flow: what `start_sign_in` gave for this state.
        params: the query of the redirect.
        accepted: the directory roles that suffice for linking the tenant.

    Raises:
        SignInError: the sign-in proved nothing.
        MicrosoftError: Entra gave no tokens.
    """
    if params.get("error") == "access_denied":
        raise SignInError(SignInProblem.DECLINED)
    with MicrosoftSession(cloud) as session:
        application = _application(cloud, credential, session)
        try:
            answer = application.acquire_token_by_auth_code_flow(flow, dict(params))
        except requests.RequestException as error:
            raise _outage(cloud, error) from None
        except msal.exceptions.MsalError:
            raise _refusal(session, {}) from None
        except ValueError:
            # MSAL: the state is another one, or what came in place of the tokens is no JSON: a proxy's page.
            if session.last_answer and session.last_answer[2] is None:
                raise _refusal(session, {}) from None
            raise SignInError(SignInProblem.EXPIRED) from None
        except RuntimeError:
            # MSAL: the nonce is another one.
            raise SignInError(SignInProblem.UNTRUSTED) from None
        if "id_token" not in answer:
            if entra_code(answer) in _EXPIRED_CODES:
                raise SignInError(SignInProblem.EXPIRED)
            raise _refusal(session, answer)
        claims = _validated(cloud, credential.client_id, answer["id_token"], session)
    return SignedIn(
        tenant_id=str(UUID(claims["tid"])),
        user_id=str(claims["oid"]),
        user_name=str(claims.get("preferred_username") or ""),
        roles=directory_roles(claims) or frozenset(),
        problem=ownership_problem(claims, accepted),
    )


def _application(
    cloud: MicrosoftCloud, credential: Credential, session: MicrosoftSession
) -> msal.ConfidentialClientApplication:
    try:
        return confidential_client(cloud, credential, ANY_ORGANISATION, session, exclude_scopes=["offline_access"])
    except requests.RequestException as error:
        raise _outage(cloud, error) from None
    except CredentialFileError as error:
        raise MicrosoftError(Cause.OUR_CREDENTIAL, tenant_id=ANY_ORGANISATION, note=str(error)) from None
    except (ValueError, KeyError, RuntimeError, msal.exceptions.MsalError):
        raise _refusal(session, {}) from None


def _validated(cloud: MicrosoftCloud, client_id: str, id_token: str, session: MicrosoftSession) -> dict[str, Any]:
    """The claims of an id token after validation: signature, issuer, audience, lifetime, and that it names a tenant and a person.

    Entra (Microsoft, "ID tokens: validate tokens"): the issuer of a multi-tenant sign-in is a template that the
    token's own tenant completes, and a signing key may be bound to one issuer.
    """
    try:
        tenant_id = str(UUID(read_claims(id_token).tenant_id))
        discovery = _fetch(session, f"{cloud.login_url}/{ANY_ORGANISATION}/v2.0/.well-known/openid-configuration")
        issuer = str(discovery["issuer"]).replace("{tenantid}", tenant_id)
        keys = [
            key
            for key in _fetch(session, str(discovery["jwks_uri"]))["keys"]
            if str(key.get("issuer") or issuer).replace("{tenantid}", tenant_id) == issuer
        ]
        claims = jwt.decode(id_token, KeySet.import_key_set({"keys": keys}), algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            leeway=_CLOCK_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            tid={"essential": True},
            oid={"essential": True},
        ).validate(claims)
    except requests.RequestException as error:
        raise _outage(cloud, error) from None
    except (JoseError, ValueError, KeyError, TypeError):
        raise SignInError(SignInProblem.UNTRUSTED) from None
    return claims


def _fetch(session: MicrosoftSession, url: str) -> Any:
    response = session.get(url)
    response.raise_for_status()
    return decoded(response.content)


def _outage(cloud: MicrosoftCloud, error: requests.RequestException) -> MicrosoftError:
    return MicrosoftError(Cause.OUTAGE, tenant_id=ANY_ORGANISATION, note=f"{cloud.login_url}: {reason(error)}")


def _refusal(session: MicrosoftSession, answer: Mapping[str, Any]) -> MicrosoftError:
    status, headers, body = session.last_answer or (None, {}, None)
    body = answer or body
    return MicrosoftError(
        cause_of_token_answer(status, body),
        tenant_id=ANY_ORGANISATION,
        status=status,
        code=entra_code(body),
        request_id=entra_request_id(headers, body),
    )
