"""Pages for everybody, signed in or not: the guide for a Microsoft administrator, and the API in words.

Belongs here: pages that tell nothing of any customer. Does not belong here: the API itself (``api``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from intune_pipeline.portal.rendering import page

router = APIRouter(include_in_schema=False)
GUIDE: Final = "/guide"
API_DOCS: Final = "/api/v1/docs"


@router.get(GUIDE)
def guide(request: Request) -> Response:
    """What an administrator needs to know and do before connecting; made to be printed and passed on."""
    return page(request, "guide.html")


@router.get(API_DOCS)
def api_docs(request: Request) -> Response:
    """The OpenAPI document as a page to read."""
    app: FastAPI = request.app
    return page(request, "api_docs.html", description=app.description, operations=_operations(app))


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter of the address, or a field of the body.

    Attributes:
        name: as it is sent.
        where: ``path``, ``query`` or ``body``.
        required: whether it must be there.
        kind: what it may hold, in words.
        means: what it is for; "" when the name says it.
    """

    name: str
    where: str
    required: bool
    kind: str
    means: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Attributes:
        method: in upper case.
        path: the address.
        does: what it does.
        inputs: what it takes.
        gives: the fields of its good answer; empty for files and for answers without a body.
        answers: status codes with what they mean.
    """

    method: str
    path: str
    does: str
    inputs: list[Input]
    gives: list[Input]
    answers: list[tuple[str, str]]

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"{self.method}-{self.path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}".lower()


@lru_cache(maxsize=4)
def _operations(app: FastAPI) -> list[Operation]:
    document = app.openapi()
    return [
        _operation(document, method.upper(), path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def _operation(document: Mapping[str, Any], method: str, path: str, told: Mapping[str, Any]) -> Operation:
    inputs = [
        Input(one["name"], one["in"], bool(one.get("required")), _kind(one["schema"]), _means(one))
        for one in told.get("parameters", [])
    ]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = told["responses"]
    good: Mapping[str, Any] = next((answers[code] for code in answers if code.startswith("2")), {})
    given = good.get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        method,
        path,
        told.get("description") or told.get("summary", ""),
        inputs + list(_fields(document, body, "body")),
        list(_fields(document, given.get("items", given), "answer")),
        [(code, answer.get("description", "")) for code, answer in sorted(answers.items())],
    )


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[Input]:
    if "$ref" not in schema:
        return
    model = document["components"]["schemas"][_name(schema)]
    for name, field in model.get("properties", {}).items():
        yield Input(name, where, name in model.get("required", []), _kind(field), field.get("description", ""))


def _means(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("description") or parameter["schema"].get("description", ""))


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    if "$ref" in schema:
        return _name(schema)
    if "enum" in schema:
        return ", ".join(str(one) or "nothing" for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"]) or "nothing"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "anything")).replace("null", "nothing")


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"].rpartition("/")[2])
