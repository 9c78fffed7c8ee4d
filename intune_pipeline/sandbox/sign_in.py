"""The portal's identity provider, as Auth0 would be: OpenID Connect with three people in every organisation.

Issues id tokens for the portal and access tokens for its API. Works without JavaScript. It has nothing to do with
Microsoft's sign-in, which is in ``entra`` and ``entra_pages``.
"""

import base64
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import NAMESPACE_DNS, uuid5

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from intune_pipeline.sandbox import pages
from intune_pipeline.sandbox.authorization_codes import Authorization, AuthorizationCodes, InvalidCodeError
from intune_pipeline.sandbox.tokens import Claims, InvalidTokenError, TokenSigner

CLIENT_ID = "sandbox-portal"
CLIENT_SECRET = "sandbox-portal-secret-of-no-use-anywhere-else"  # noqa: S105
AUDIENCE = "https://intune.allwhere.example/api"
ROLES_CLAIM = "https://allwhere.co/roles"
BETA_PERMISSION = "intune:beta"
TOKEN_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class SignInUser:
    """A person who can sign in to the portal.

    Attributes:
        user_id: Short name, such as ``acme-primary``.
        organization: Slug of the account.
        name: Full name.
        role: ``primary_admin`` or ``secondary_admin``.
        beta: Whether the permission ``intune:beta`` is granted.
    """

    user_id: str
    organization: str
    name: str
    role: str
    beta: bool

    @property
    def description(self) -> str:
        """What tells this person from the others, for the page."""
        role = self.role.replace("_", " ").capitalize()
        return role if self.beta else f"{role}, not in the beta"

    def identity(self) -> Claims:
        """The claims about the person that every token carries."""
        return {
            "sub": f"auth0|{self.user_id}",
            "org_id": f"org_{uuid5(NAMESPACE_DNS, self.organization).hex[:16]}",
            "org_name": self.organization,
            ROLES_CLAIM: [self.role],
        }

    def profile(self) -> Claims:
        """The claims of the id token and of ``/userinfo``."""
        email = f"{self.user_id.removeprefix(f'{self.organization}-')}@{self.organization}.example"
        return {**self.identity(), "name": self.name, "email": email, "email_verified": True}


def users_of(organization: str) -> tuple[SignInUser, SignInUser, SignInUser]:
    """The three people of an organisation: primary admin, secondary admin, and a primary admin without beta access."""
    return (
        SignInUser(f"{organization}-primary", organization, "Petra Primary", "primary_admin", beta=True),
        SignInUser(f"{organization}-secondary", organization, "Sami Secondary", "secondary_admin", beta=True),
        SignInUser(f"{organization}-no-beta", organization, "Noor Nobeta", "primary_admin", beta=False),
    )


@dataclass(frozen=True)
class _Person:
    user: SignInUser
    audience: str | None


class SignInProvider:
    """The OpenID Connect endpoints under one issuer.

    Args:
        organizations: Slugs of the accounts that can sign in.
        signer: Signs the tokens.
        issuer: Own address, ending in a slash.
    """

    def __init__(self, organizations: Iterable[str], signer: TokenSigner, issuer: str) -> None:
        self._organizations = {organization: users_of(organization) for organization in organizations}
        self._users = {user.user_id: user for users in self._organizations.values() for user in users}
        self._signer = signer
        self._issuer = issuer
        self._codes: AuthorizationCodes[_Person] = AuthorizationCodes()

    def routes(self) -> list[Route]:
        """Every endpoint."""
        return [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/.well-known/jwks.json", self._keys),
            Route("/authorize", self._authorize, methods=["GET", "POST"]),
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/userinfo", self._userinfo),
            Route("/v2/logout", self._logout),
            Route("/oidc/logout", self._logout),
        ]

    def access_token(self, user_id: str, audience: str | None = AUDIENCE, seconds: int = TOKEN_SECONDS) -> str:
        """An access token for a user, as the code flow would give it.

        Raises:
            KeyError: No such user.
        """
        user = self._users[user_id]
        audiences = [f"{self._issuer}userinfo"] if audience is None else [audience, f"{self._issuer}userinfo"]
        claims: Claims = {
            "iss": self._issuer,
            "aud": audiences,
            "azp": CLIENT_ID,
            "scope": "openid profile email",
            "permissions": [BETA_PERMISSION] if user.beta else [],
            "auth_time": int(time.time()),
            **user.identity(),
        }
        return self._signer.sign(claims, seconds=seconds)

    async def _discovery(self, _: Request) -> Response:
        issuer = self._issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}authorize",
                "token_endpoint": f"{issuer}oauth/token",
                "userinfo_endpoint": f"{issuer}userinfo",
                "jwks_uri": f"{issuer}.well-known/jwks.json",
                "end_session_endpoint": f"{issuer}oidc/logout",
                "scopes_supported": ["openid", "profile", "email"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse(self._signer.key_set())

    async def _authorize(self, request: Request) -> Response:
        query = request.query_params
        if query.get("client_id") != CLIENT_ID:
            return pages.problem("Unknown client.", 403)
        if not pages.may_go_to(query.get("redirect_uri", "")):
            return pages.problem(
                "Callback URL mismatch: the redirect_uri is not in the list of allowed callback URLs.", 403
            )
        if query.get("response_type") != "code":
            return self._back(request, error="unsupported_response_type", error_description="Only 'code' is supported.")
        if query.get("prompt") == "none":
            return self._back(request, error="login_required", error_description="Login required")
        if request.method == "GET":
            return pages.page("sign_in.html", organizations=self._offered(query.get("organization")))
        async with request.form() as form:
            user = self._users.get(str(form.get("user", "")))
        if user is None:
            return self._back(request, error="access_denied", error_description="User did not authorize the request")
        authorization = Authorization(
            person=_Person(user, query.get("audience")),
            redirect_uri=query["redirect_uri"],
            scope=query.get("scope", "openid"),
            nonce=query.get("nonce"),
            code_challenge=query.get("code_challenge"),
        )
        return self._back(request, code=self._codes.issue(authorization))

    def _offered(self, organization: str | None) -> dict[str, tuple[SignInUser, ...]]:
        """The people the page shows: everybody, or one organisation's when the portal names it by slug or id."""
        if organization is None:
            return {**self._organizations}
        return {
            name: users
            for name, users in self._organizations.items()
            if organization in {name, users[0].identity()["org_id"]}
        }

    def _back(self, request: Request, **values: str) -> Response:
        return pages.back_to(request.query_params["redirect_uri"], **values, state=request.query_params.get("state"))

    async def _token(self, request: Request) -> Response:
        async with request.form() as form:
            if not _is_portal(request, form):
                return _oauth_error(401, "access_denied", "Unauthorized")
            if form.get("grant_type") != "authorization_code":
                return _oauth_error(403, "unsupported_grant_type", "Only 'authorization_code' is supported.")
            try:
                authorization = self._codes.redeem(
                    str(form.get("code", "")),
                    redirect_uri=str(form.get("redirect_uri", "")),
                    code_verifier=str(form.get("code_verifier", "")),
                )
            except InvalidCodeError as error:
                return _oauth_error(403, "invalid_grant", str(error))
        user = authorization.person.user
        claims: Claims = {
            "iss": self._issuer,
            "aud": CLIENT_ID,
            "sid": secrets.token_urlsafe(16),
            # Whoever is asked picks a person on the page, so every sign-in is as young as max_age may want it.
            "auth_time": int(time.time()),
            **({"nonce": authorization.nonce} if authorization.nonce else {}),
            **user.profile(),
        }
        return JSONResponse(
            {
                "access_token": self.access_token(user.user_id, authorization.person.audience),
                "id_token": self._signer.sign(claims, seconds=TOKEN_SECONDS),
                "scope": authorization.scope,
                "expires_in": TOKEN_SECONDS,
                "token_type": "Bearer",
            },
            headers={"cache-control": "no-store"},
        )

    async def _userinfo(self, request: Request) -> Response:
        _, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = self._signer.verify(token, audience=f"{self._issuer}userinfo")
        except InvalidTokenError:
            return _oauth_error(401, "invalid_token", "Unauthorized")
        return JSONResponse(self._users[claims["sub"].removeprefix("auth0|")].profile())

    async def _logout(self, request: Request) -> Response:
        query = request.query_params
        address = query.get("returnTo") or query.get("post_logout_redirect_uri")
        if address is None:
            return Response("OK", media_type="text/plain")
        if not pages.may_go_to(address):
            return pages.problem("The address to return to is not in the list of allowed logout URLs.")
        return pages.back_to(address, state=query.get("state"))


def _is_portal(request: Request, form: FormData) -> bool:
    """Whether a token request comes with the portal's credential, in the header or in the form."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return encoded == base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    return form.get("client_id") == CLIENT_ID and form.get("client_secret") == CLIENT_SECRET


def _oauth_error(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
