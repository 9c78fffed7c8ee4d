"""Entra: discovery, signing keys and the token endpoint, with the errors tenants and the app's credential cause.

The pages people see while consenting or signing in are in ``entra_pages``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_URL, uuid4, uuid5

from joserfc.jwk import RSAKey
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from intune_pipeline.sandbox import answers, request_log
from intune_pipeline.sandbox.answers import Answer
from intune_pipeline.sandbox.faults import Faults
from intune_pipeline.sandbox.graph import ROLE
from intune_pipeline.sandbox.request_log import RequestLog
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline.sandbox.tokens import Claims, InvalidTokenError, TokenSigner

TOKEN_SECONDS = 3599
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
