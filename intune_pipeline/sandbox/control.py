"""Changing a running sandbox from another process: its faults, its tenants, and a look at what was asked of it.

Served beside Entra under ``/_sandbox``. Inside one process use the objects themselves.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from intune_pipeline.sandbox.app_registration import AppRegistration
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.mailbox import Mailbox
from intune_pipeline.sandbox.managed_devices import Record
from intune_pipeline.sandbox.request_log import RequestLog
from intune_pipeline.sandbox.sign_in import SignInProvider
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant


class TenantChanges(BaseModel):
    """What may be changed about a tenant; what is absent stays. Devices are removed, updated and added in that order."""

    model_config = ConfigDict(extra="forbid")

    exists: bool | None = None
    consented: bool | None = None
    role_granted: bool | None = None
    intune_licensed: bool | None = None
    app_disabled: bool | None = None
    conditional_access: bool | None = None
    bare_users: bool | None = None
    propagation_seconds: float | None = Field(default=None, ge=0)
    remove: list[str] = []
    update: dict[str, Record] = {}
    add: list[Record] = []
    primary_users: dict[str, DirectoryUser | None] = {}

    def apply(self, tenant: SandboxTenant) -> None:
        """Make the changes.

        Raises:
            KeyError: A device is not there.
        """
        for name, value in self.model_dump(include=set(SWITCHES), exclude_none=True).items():
            setattr(tenant, name, value)
        for device_id in self.remove:
            tenant.remove(device_id)
        for device_id, fields in self.update.items():
            tenant.update(device_id, **fields)
        for record in self.add:
            tenant.add(record)
        for device_id, user in self.primary_users.items():
            tenant.set_primary_user(device_id, user)


class Manifest(BaseModel):
    """What may be changed of the app's manifest, by Entra's own name."""

    model_config = ConfigDict(extra="forbid")

    groupMembershipClaims: Literal["None", "SecurityGroup", "DirectoryRole", "ApplicationGroup", "All"] | None  # noqa: N815


SWITCHES = (
    "exists",
    "consented",
    "role_granted",
    "intune_licensed",
    "app_disabled",
    "conditional_access",
    "bare_users",
    "propagation_seconds",
)
"""Attributes of a tenant that may be set."""


class Control:
    """The control endpoints."""

    def __init__(
        self,
        tenants: Mapping[str, SandboxTenant],
        registration: AppRegistration,
        faults: Faults,
        requests: RequestLog,
        sign_in: SignInProvider,
        environment: Mapping[str, str],
        mailbox: Mailbox,
    ) -> None:
        self._tenants = tenants
        self._registration = registration
        self._faults = faults
        self._requests = requests
        self._sign_in = sign_in
        self._environment = environment
        self._mailbox = mailbox

    def routes(self) -> list[Mount]:
        """GET shows, POST changes, DELETE forgets."""
        return [
            Mount(
                "/_sandbox",
                routes=[
                    Route("/environment", self._show_environment),
                    Route("/faults", self._show_faults),
                    Route("/faults", self._change_faults, methods=["POST"]),
                    Route("/faults", self._reset_faults, methods=["DELETE"]),
                    Route("/app-registration", self._show_registration),
                    Route("/app-registration", self._change_registration, methods=["POST"]),
                    Route("/tenants/{tenant}", self._show_tenant),
                    Route("/tenants/{tenant}", self._change_tenant, methods=["POST"]),
                    Route("/requests", self._show_requests),
                    Route("/requests", self._forget_requests, methods=["DELETE"]),
                    Route("/sign-in-tokens/{user}", self._sign_in_token, methods=["POST"]),
                    *self._mailbox.routes(),
                ],
            )
        ]

    async def _show_environment(self, _: Request) -> Response:
        return JSONResponse(dict(self._environment))

    async def _show_faults(self, _: Request) -> Response:
        return JSONResponse(self._faults.model_dump(mode="json"))

    async def _change_faults(self, request: Request) -> Response:
        try:
            self._faults.take_over(Faults.model_validate_json(await request.body()))
        except ValidationError as error:
            return _refused(error)
        return await self._show_faults(request)

    async def _reset_faults(self, request: Request) -> Response:
        self._faults.reset()
        return await self._show_faults(request)

    async def _show_registration(self, _: Request) -> Response:
        return JSONResponse({"groupMembershipClaims": self._registration.group_membership_claims})

    async def _change_registration(self, request: Request) -> Response:
        try:
            manifest = Manifest.model_validate_json(await request.body())
        except ValidationError as error:
            return _refused(error)
        self._registration.group_membership_claims = manifest.groupMembershipClaims
        return await self._show_registration(request)

    async def _show_tenant(self, request: Request) -> Response:
        tenant = self._tenants.get(request.path_params["tenant"])
        if tenant is None:
            return JSONResponse({"error": "No such tenant."}, 404)
        switches = {name: getattr(tenant, name) for name in SWITCHES}
        return JSONResponse({"tenant_id": tenant.tenant_id, "name": tenant.name, "devices": len(tenant), **switches})

    async def _change_tenant(self, request: Request) -> Response:
        tenant = self._tenants.get(request.path_params["tenant"])
        if tenant is not None:
            try:
                TenantChanges.model_validate_json(await request.body()).apply(tenant)
            except ValidationError as error:
                return _refused(error)
            except KeyError as error:
                return JSONResponse({"error": f"No such device: {error}."}, 404)
        return await self._show_tenant(request)

    async def _show_requests(self, _: Request) -> Response:
        requests = [one._asdict() for one in self._requests]
        return JSONResponse({"busiest_window": self._requests.busiest_window(), "requests": requests})

    async def _forget_requests(self, _: Request) -> Response:
        self._requests.clear()
        return Response(status_code=204)

    async def _sign_in_token(self, request: Request) -> Response:
        try:
            return JSONResponse({"access_token": self._sign_in.access_token(request.path_params["user"])})
        except KeyError:
            return JSONResponse({"error": "No such user."}, 404)


def _refused(error: ValidationError) -> Response:
    first = error.errors()[0]
    return JSONResponse({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}."}, 400)
