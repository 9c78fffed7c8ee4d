"""Entra: discovery, signing keys and the token endpoint, with the errors tenants and the app's credential cause.

The pages people see while consenting or signing in are in ``entra_pages``.
"""

import time
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid4, uuid5

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from intune_pipeline.sandbox import answers, request_log
from intune_pipeline.sandbox.answers import Answer
from intune_pipeline.sandbox.app_registration import AppRegistration, BadCredentialError
from intune_pipeline.sandbox.authorization_codes import AuthorizationCodes, InvalidCodeError
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.graph import ROLE
from intune_pipeline.sandbox.request_log import RequestLog
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant
from intune_pipeline.sandbox.tokens import Claims, TokenSigner

TOKEN_SECONDS = 3599
ANY_TENANT = ("organizations", "common")
"""The authorities that stand for every tenant."""

Account = tuple[SandboxTenant, DirectoryUser]


class EntraService:
    """Answers for every tenant's authority under one login origin.

    Args:
        tenants: Tenants by id.
        registration: The product's app.
        codes: Codes the pages issue.
        signer: Signs Graph's and id tokens.
        faults: Whether token requests are throttled.
        requests: Where requests are noted.
        login_url: Own origin.
        graph_url: Graph's origin, the audience of app tokens.
    """

    def __init__(
        self,
        tenants: Mapping[str, SandboxTenant],
        registration: AppRegistration,
        codes: AuthorizationCodes[Account],
        signer: TokenSigner,
        faults: Faults,
        requests: RequestLog,
        login_url: str,
        graph_url: str,
    ) -> None:
        self._tenants = tenants
        self._registration = registration
        self._codes = codes
        self._signer = signer
        self._faults = faults
        self._requests = requests
        self._login_url = login_url
        self._graph_url = graph_url

    def routes(self) -> list[Route]:
        """The endpoints a client library calls."""
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
        ]

    async def _discovery(self, request: Request) -> Response:
        name = request.path_params["tenant"]
        tenant = self._tenants.get(name)
        if name not in ANY_TENANT and (tenant is None or not tenant.exists):
            return _response(self._unknown_tenant(name))
        base, issuer = f"{self._login_url}/{name}", "{tenantid}" if name in ANY_TENANT else name
        return _response(
            Answer(
                200,
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                    "response_modes_supported": ["query"],
                    "subject_types_supported": ["pairwise"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "response_types_supported": ["code"],
                    "scopes_supported": ["openid", "profile", "email"],
                    "issuer": f"{self._login_url}/{issuer}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "code_challenge_methods_supported": ["S256"],
                    "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "oid"],
                    "tenant_region_scope": "EU",
                    "cloud_instance_name": "sandbox.example",
                },
            )
        )

    async def _keys(self, _: Request) -> Response:
        return _response(Answer(200, self._signer.key_set()))

    async def _token(self, request: Request) -> Response:
        at, name = time.monotonic(), request.path_params["tenant"]
        async with request.form() as form:
            answer = self._issue(name, form)
        self._requests.add(request_log.Request(at, name, request.method, request.url.path, answer.status))
        return _response(answer)

    def _issue(self, name: str, form: FormData) -> Answer:
        if self._faults.throttle_tokens:
            message = "The server terminated an operation because it encountered a client request loop."
            return self._error(400, 50196, "invalid_grant", message)
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self._app_token(name, form)
        if grant == "authorization_code":
            return self._id_token(name, form)
        return self._error(
            400, 70003, "unsupported_grant_type", f"The app requested an unsupported grant type '{grant}'."
        )

    def _app_token(self, name: str, form: FormData) -> Answer:
        tenant = self._tenants.get(name)
        if tenant is None or not tenant.exists:
            return self._unknown_tenant(name)
        refusal = self._refusal(tenant, form) or self._bad_credential(name, form) or self._bad_scope(form)
        if refusal is not None:
            return refusal
        if tenant.conditional_access:
            message = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
            return self._error(400, 53003, "invalid_grant", message, suberror="message_only")
        principal = str(uuid5(NAMESPACE_URL, f"{tenant.tenant_id}/{self._registration.client_id}"))
        claims: Claims = {
            "aud": self._graph_url,
            "iss": f"{self._login_url}/{tenant.tenant_id}/",
            "app_displayname": "allwhere",
            "appid": self._registration.client_id,
            "appidacr": "1",
            "idtyp": "app",
            "oid": principal,
            "sub": principal,
            "tid": tenant.tenant_id,
            "uti": uuid4().hex,
            "ver": "1.0",
        }
        if tenant.effective_role:
            claims["roles"] = [ROLE]
        token = self._signer.sign(claims, seconds=TOKEN_SECONDS)
        body = {
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "ext_expires_in": TOKEN_SECONDS,
            "access_token": token,
        }
        return Answer(200, body)

    def _id_token(self, name: str, form: FormData) -> Answer:
        refusal = self._bad_credential(name, form)
        if refusal is not None:
            return refusal
        try:
            authorization = self._codes.redeem(
                str(form.get("code", "")),
                redirect_uri=str(form.get("redirect_uri", "")),
                code_verifier=str(form.get("code_verifier", "")),
            )
        except InvalidCodeError as error:
            return self._error(400, 70008, "invalid_grant", str(error))
        tenant, user = authorization.person
        claims: Claims = {
            "aud": self._registration.client_id,
            "iss": f"{self._login_url}/{tenant.tenant_id}/v2.0",
            "name": user.display_name,
            "nonce": authorization.nonce,
            "oid": user.id,
            # Entra names guests by the address they sign in with at home.
            "preferred_username": user.email or user.user_principal_name,
            "sub": uuid5(NAMESPACE_URL, f"{self._registration.client_id}/{user.id}").hex,
            "tid": tenant.tenant_id,
            "uti": uuid4().hex,
            "ver": "2.0",
        }
        if user.identity_provider:
            claims["idp"] = user.identity_provider
        if self._registration.emits_directory_roles:
            claims["wids"] = list(user.role_ids)
        id_token = self._signer.sign(claims, seconds=TOKEN_SECONDS)
        # People's tokens open nothing here: the product signs people in only to prove their tenant.
        access_token = self._signer.sign({**claims, "aud": "urn:sandbox:nothing"}, seconds=TOKEN_SECONDS)
        body = {
            "token_type": "Bearer",
            "scope": authorization.scope,
            "expires_in": TOKEN_SECONDS,
            "ext_expires_in": TOKEN_SECONDS,
            "access_token": access_token,
            "id_token": id_token,
        }
        return Answer(200, body)

    def _refusal(self, tenant: SandboxTenant, form: FormData) -> Answer | None:
        client_id = form.get("client_id")
        if not tenant.consented or client_id != self._registration.client_id:
            message = (
                f"Application with identifier '{client_id}' was not found in the directory '{tenant.name}'. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any user "
                "in the tenant. You may have sent your authentication request to the wrong tenant."
            )
            return self._error(400, 700016, "unauthorized_client", message)
        if tenant.app_disabled:
            return self._error(400, 7000112, "unauthorized_client", f"Application '{client_id}'(allwhere) is disabled.")
        return None

    def _bad_credential(self, name: str, form: FormData) -> Answer | None:
        try:
            self._registration.authenticate(form, f"{self._login_url}/{name}/oauth2/v2.0/token")
        except BadCredentialError as error:
            return self._error(401, error.code, "invalid_client", str(error))
        return None

    def _bad_scope(self, form: FormData) -> Answer | None:
        scope = str(form.get("scope", ""))
        if scope.split() == [f"{self._graph_url}/.default"]:
            return None
        message = f"The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        return self._error(400, 70011, "invalid_scope", message)

    def _unknown_tenant(self, name: str) -> Answer:
        message = (
            f"Tenant '{name}' not found. This may happen if there are no active subscriptions for the tenant. Check to make "
            "sure you have the correct tenant ID. Check with your subscription administrator."
        )
        return self._error(400, 90002, "invalid_request", message)

    def _error(self, status: int, code: int, error: str, message: str, suberror: str | None = None) -> Answer:
        return answers.entra_error(status, code, error, message, self._login_url, suberror)


def _response(answer: Answer) -> Response:
    headers = {"cache-control": "no-store, no-cache", "pragma": "no-cache", **answer.headers}
    return Response(answer.encoded(), answer.status, headers, "application/json; charset=utf-8")
