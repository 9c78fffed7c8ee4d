"""What all routes of the JSON API share: the errors they document, and what their bodies derive from.

Belongs here: schemas without a subject. Does not belong here: routes (``api``, ``api_runs``, ``api_changes``).
"""

from typing import Annotated, Any, Final

from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from intune_pipeline.portal.portal import PortalContext, portal_of

ThePortal = Annotated[PortalContext, Depends(portal_of)]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


def problem(description: str) -> dict[str, Any]:
    """An error's entry in the OpenAPI document."""
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000

COMMON: dict[int | str, dict[str, Any]] = {
    400: problem("The body is no JSON."),
    401: {**problem("The token is missing, has expired or is not for this API."), "model": Problem},
    403: problem("Not allowed: the role or the permission intune:beta is missing."),
    413: problem("The body is larger than 1 MB."),
    422: problem("Something in the request is not right."),
    429: problem("Too often; the header Retry-After says how long to wait."),
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: problem("The account has no such thing.")}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: problem("Not possible in the present state, or a pattern that cannot be used.")
}
TOO_OFTEN: dict[int | str, dict[str, Any]] = {429: problem("Too early; the header Retry-After says how long to wait.")}


class Output(BaseModel):
    """Made from the product's own dataclasses."""

    model_config = ConfigDict(from_attributes=True)


class Input(BaseModel):
    """A request's body: nothing that is not asked for."""

    model_config = ConfigDict(extra="forbid")
