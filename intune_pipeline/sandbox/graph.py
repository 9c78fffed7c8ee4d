"""Microsoft Graph v1.0 as far as managed devices go: list, single GET, primary users, ``$batch``.

Tokens come from ``entra``, devices from ``tenants``, pages from ``device_lists``, wording from ``answers`` and
``odata``, faults from ``faults``.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from intune_pipeline.sandbox import answers, managed_devices, request_log, server
from intune_pipeline.sandbox.answers import Answer, RequestIds
from intune_pipeline.sandbox.device_lists import DeviceLists
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.managed_devices import Record
from intune_pipeline.sandbox.odata import BadQueryError, Query
from intune_pipeline.sandbox.request_log import RequestLog
from intune_pipeline.sandbox.spoiling import spoilt
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant
from intune_pipeline.sandbox.tokens import InvalidTokenError, TokenSigner

ROLE = "DeviceManagementManagedDevices.Read.All"
"""The one application permission that opens managed devices for reading."""

MAX_BATCH = 20
_DRIP_SECONDS = 0.02
_VERSION = "/v1.0"
_Endpoint = Callable[[Request], Awaitable[Response]]
_DEVICES = re.compile(r"/deviceManagement/managedDevices(?:/(?P<id>[^/]+)(?P<users>/users)?)?/?")
_USER_PROPERTIES = ("id", "displayName", "userPrincipalName", "mail")
_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_EXPIRED = "Access token has expired or is not yet valid."
_UNAUTHORIZED = {"www-authenticate": 'Bearer realm="", client_id="00000003-0000-0000-c000-000000000000"'}


class GraphService:
    """Answers requests for managed devices of the given tenants."""

    def __init__(
        self,
        tenants: Mapping[str, SandboxTenant],
        faults: Faults,
        requests: RequestLog,
        signer: TokenSigner,
        origin: str,
    ) -> None:
        self._tenants = tenants
        self._faults = faults
        self._requests = requests
        self._signer = signer
        self._origin = origin
        self._lists = DeviceLists(faults, origin)

    def app(self) -> Starlette:
        """The service as an ASGI application."""
        return Starlette(
            routes=[
                Route(f"{_VERSION}/$batch", self._serve(self._batch), methods=["POST"]),
                Route(f"{_VERSION}/{{path:path}}", self._serve(self._single), methods=["GET"]),
                Route("/{path:path}", self._serve(self._unknown_version), methods=["GET", "POST"]),
            ]
        )

    def _serve(
        self, answer: Callable[[SandboxTenant, Request, RequestIds], Awaitable[tuple[Answer, int]]]
    ) -> _Endpoint:
        """An endpoint with what is common to every request: faults, token, ids, log."""

        async def respond(request: Request) -> Response:
            at, ids = time.monotonic(), RequestIds.of(request.headers.get("client-request-id"))
            tenant = self._tenant(request.headers.get("authorization", ""))
            if seconds := self._faults.seconds_to_wait(is_batch=request.url.path.endswith("/$batch")):
                await asyncio.sleep(seconds)
            if self._faults.drops_connection():
                result, items = Answer(0, b""), 1
            elif isinstance(tenant, str):
                result, items = answers.graph_error(ids, 401, "InvalidAuthenticationToken", tenant, _UNAUTHORIZED), 1
            else:
                result, items = await answer(tenant, request, ids)
            tenant_id = tenant.tenant_id if isinstance(tenant, SandboxTenant) else ""
            self._requests.add(
                request_log.Request(at, tenant_id, request.method, request.url.path, result.status, items)
            )
            return _response(result, ids)

        return respond

    def _tenant(self, authorization: str) -> SandboxTenant | str:
        """The tenant a bearer token is for, or why the token is refused."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "Access token is empty."
        try:
            claims = self._signer.verify(token, audience=self._origin)
        except InvalidTokenError:
            return _EXPIRED
        if self._faults.rejects_token():
            return _EXPIRED
        return self._tenants.get(str(claims.get("tid")), "Invalid tenant.")

    async def _single(self, tenant: SandboxTenant, request: Request, ids: RequestIds) -> tuple[Answer, int]:
        return self._answer(tenant, request.url.path.removeprefix(_VERSION), request.url.query, ids), 1

    async def _unknown_version(self, _: SandboxTenant, request: Request, ids: RequestIds) -> tuple[Answer, int]:
        version = request.url.path.split("/")[1]
        return answers.graph_error(ids, 400, "BadRequest", f"Invalid version: {version}."), 1

    async def _batch(self, tenant: SandboxTenant, request: Request, ids: RequestIds) -> tuple[Answer, int]:
        try:
            items = orjson.loads(await request.body())["requests"]
            batch = [(str(item["id"]), str(item["method"]).upper(), urlsplit(str(item["url"]))) for item in items]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return answers.graph_error(ids, 400, "BadRequest", "Invalid batch payload format."), 1
        if not 0 < len(batch) <= MAX_BATCH or len({name for name, _, _ in batch}) < len(batch):
            message = f"Number of batch request steps exceeds the maximum value of {MAX_BATCH}, or ids repeat."
            return answers.graph_error(ids, 400, "BadRequest", message), len(batch)
        responses = []
        for name, method, url in batch:
            item_ids = RequestIds.of(ids.client)
            if method == "GET":
                answer = self._answer(tenant, url.path, url.query, item_ids)
            else:
                answer = answers.graph_error(item_ids, 405, "BadRequest", "The sandbox reads only.")
            headers = {"Content-Type": "application/json", **answer.headers}
            body = orjson.Fragment(answer.encoded())
            responses.append({"id": name, "status": answer.status, "headers": headers, "body": body})
        responses.reverse()  # Graph promises no order within a batch.
        return Answer(200, {"responses": responses}), len(batch)

    def _answer(self, tenant: SandboxTenant, path: str, query: str, ids: RequestIds) -> Answer:
        """Answer one request, alone or inside a batch."""
        throttled, retry_after = self._faults.throttles(tenant.tenant_id)
        if throttled:
            return answers.too_many_requests(ids, retry_after)
        failure = self._faults.failure()
        if failure is not None:
            return answers.outage(ids, failure)
        match = _DEVICES.fullmatch(unquote(path))
        if match is None:
            segment = path.strip("/")
            return answers.graph_error(ids, 400, "BadRequest", f"Resource not found for the segment '{segment}'.")
        return self._refusal(tenant, ids) or self._resource(tenant, match["id"], query, ids, users=bool(match["users"]))

    def _refusal(self, tenant: SandboxTenant, ids: RequestIds) -> Answer | None:
        """Why the app gets nothing from this tenant at all, if so."""
        if not tenant.consented:
            message = "The identity of the calling application could not be established."
            return answers.graph_error(ids, 401, "Authorization_IdentityNotFound", message)
        if not tenant.effective_role:
            message = (
                "Application is not authorized to perform this operation. Application must have one of the following "
                f"scopes: {ROLE}, DeviceManagementManagedDevices.ReadWrite.All"
            )
            return answers.intune_error(ids, 403, "Forbidden", "managedDevices", message)
        if not tenant.intune_licensed:
            return answers.graph_error(ids, 400, "BadRequest", "Request not applicable to target tenant.")
        return None

    def _resource(
        self, tenant: SandboxTenant, device_id: str | None, text: str, ids: RequestIds, *, users: bool
    ) -> Answer:
        """The list, a device or its users."""
        if users and device_id is not None:
            return self._missing(tenant, device_id, ids) or self._users(tenant, device_id)
        try:
            query = Query.parse(text)
        except BadQueryError as error:
            return answers.graph_error(ids, 400, "BadRequest", str(error))
        if device_id is None:
            return self._lists.answer(tenant, query)
        return self._missing(tenant, device_id, ids) or self._device(tenant, device_id, query)

    def _missing(self, tenant: SandboxTenant, device_id: str, ids: RequestIds) -> Answer | None:
        """Why nothing can be said about one device, if so."""
        path = f"managedDevices('{device_id}')"
        if device_id not in tenant.devices:
            return answers.intune_error(ids, 404, "ResourceNotFound", path)
        if device_id in self._faults.failing_devices:
            return answers.intune_error(ids, 500, "InternalError", path)
        return None

    def _device(self, tenant: SandboxTenant, device_id: str, query: Query) -> Answer:
        context = f"{self._origin}{_VERSION}/$metadata#deviceManagement/managedDevices/$entity"
        view = managed_devices.single(tenant.devices[device_id], query.select)
        answer = Answer(200, {"@odata.context": context, **view})
        how = self._faults.spoilt_devices.get(device_id)
        return spoilt(answer, how) if how else answer

    def _users(self, tenant: SandboxTenant, device_id: str) -> Answer:
        user = tenant.primary_user(device_id)
        shown = [] if user is None else [_user(user, bare=tenant.bare_users)]
        return Answer(200, {"@odata.context": f"{self._origin}{_VERSION}/$metadata#users", "value": shown})


class _Cut(Response):
    """Cuts the connection before any answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        scope["extensions"][server.CONNECTION]["abort"]()
        await _disconnected(receive)


class _BrokenOff(Response):
    """Cuts the connection in the middle of the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        scope["extensions"][server.CONNECTION]["close"]()
        await _disconnected(receive)


class _Dripping(Response):
    """Sends its body one byte at a time, as long as somebody takes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone = asyncio.create_task(_disconnected(receive))
        for byte in bytes(self.body):
            if gone.done():
                return
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(_DRIP_SECONDS)
        await send({"type": "http.response.body", "body": b""})
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _response(answer: Answer, ids: RequestIds) -> Response:
    if answer.status == 0:
        return _Cut()
    shape = _BrokenOff if answer.broken_off else _Dripping if answer.dripping else Response
    media_type = _JSON if answer.status == HTTPStatus.OK else "application/json"
    return shape(answer.encoded(), answer.status, {**ids.headers(), **answer.headers}, media_type)


def _user(user: DirectoryUser, *, bare: bool) -> Record:
    if bare:
        return dict.fromkeys(_USER_PROPERTIES) | {"id": user.id}
    return dict(zip(_USER_PROPERTIES, (user.id, user.display_name, user.user_principal_name, user.email), strict=True))
