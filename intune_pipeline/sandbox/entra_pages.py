"""What a person sees at Entra: picking an account, signing in, and consenting for the organisation.

Works without JavaScript. The browser leaves by a redirect that looks as recorded ones do; where Entra keeps people on
an error page, so does this. Tokens are in ``entra``.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from intune_pipeline.sandbox import pages
from intune_pipeline.sandbox.app_registration import AppRegistration
from intune_pipeline.sandbox.authorization_codes import Authorization, AuthorizationCodes
from intune_pipeline.sandbox.entra import ANY_TENANT, Account
from intune_pipeline.sandbox.tenants import PersonalAccounts, SandboxTenant


class EntraPages:
    """The authorize and admin-consent pages of every tenant's authority."""

    def __init__(
        self, tenants: Mapping[str, SandboxTenant], registration: AppRegistration, codes: AuthorizationCodes[Account]
    ) -> None:
        self._tenants = tenants
        self._registration = registration
        self._codes = codes
        self._personal = PersonalAccounts()

    def routes(self) -> list[Route]:
        """The pages and the forms on them."""
        both = ["GET", "POST"]
        return [
            Route("/{tenant}/oauth2/v2.0/authorize", self._page(self._sign_in), methods=both),
            Route("/{tenant}/v2.0/adminconsent", self._page(self._consent), methods=both),
        ]

    def _page(
        self, act: Callable[[Request, Account, str | None], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that checks who asks, lets the person pick an account, and then acts for that account.

        Args:
            act: Takes the request, the account picked and the decision, if one was taken already.
        """

        async def respond(request: Request) -> Response:
            refusal = self._refusal(request)
            if refusal is not None:
                return pages.problem(refusal)
            tenants = self._tenants_of(request.path_params["tenant"])
            if request.method == "GET":
                return pages.page("pick_account.html", tenants=tenants)
            async with request.form() as form:
                picked, decision = str(form.get("account", "")), form.get("decision")
            for tenant in tenants:
                for user in tenant.people:
                    if picked == f"{tenant.tenant_id}/{user.id}":
                        return act(request, (tenant, user), str(decision) if decision else None)
            return pages.problem("AADSTS50034: The user account does not exist in the directory.")

        return respond

    def _refusal(self, request: Request) -> str | None:
        """Why the person stays on an error page, as Entra words it."""
        name, query = request.path_params["tenant"], request.query_params
        client_id, redirect_uri = query.get("client_id"), query.get("redirect_uri", "")
        if not self._tenants_of(name):
            return f"AADSTS90002: Tenant '{name}' not found. Check to make sure you have the correct tenant ID."
        if client_id != self._registration.client_id:
            return f"AADSTS700016: Application with identifier '{client_id}' was not found in the directory."
        if not pages.may_go_to(redirect_uri):
            return (
                f"AADSTS50011: The redirect URI '{redirect_uri}' specified in the request does not match the redirect "
                f"URIs configured for the application '{client_id}'."
            )
        return None

    def _tenants_of(self, name: str) -> list[SandboxTenant]:
        existing = [tenant for tenant in self._tenants.values() if tenant.exists]
        if name in ANY_TENANT:
            return [*existing, self._personal]
        return [tenant for tenant in existing if tenant.tenant_id == name]

    def _sign_in(self, request: Request, account: Account, _: str | None) -> Response:
        query = request.query_params
        if query.get("response_type") != "code":
            return pages.problem("AADSTS70005: The sandbox supports the response type 'code' only.")
        authorization = Authorization(
            person=account,
            redirect_uri=query["redirect_uri"],
            scope=query.get("scope", ""),
            nonce=query.get("nonce"),
            code_challenge=query.get("code_challenge"),
        )
        return pages.back_to(query["redirect_uri"], code=self._codes.issue(authorization), state=query.get("state"))

    def _consent(self, request: Request, account: Account, decision: str | None) -> Response:
        tenant, user = account
        query, client_id = request.query_params, self._registration.client_id
        if tenant is self._personal:
            return pages.problem(
                f"AADSTS500200: User account '{user.user_principal_name}' is a personal Microsoft account. Personal Microsoft "
                "accounts are not supported for this application unless explicitly invited to an organization."
            )
        if tenant.app_disabled:
            return pages.problem(f"AADSTS7000112: Application '{client_id}'(allwhere) is disabled.")
        if decision == "cancel":
            state = query.get("state")
            return pages.back_to(query["redirect_uri"], error="access_denied", error_subcode="cancel", state=state)
        if not user.may_consent:
            return pages.page("need_approval.html", tenant=tenant, user=user)
        if decision != "accept":
            return pages.page("consent.html", tenant=tenant, user=user)
        tenant.consent()
        return pages.back_to(
            query["redirect_uri"],
            admin_consent="True",
            tenant=tenant.tenant_id,
            state=query.get("state"),
            scope=query.get("scope"),
        )
