"""What the client sends is what Microsoft publishes: every request is held against Graph's description of itself.

``published_interface.json`` is cut from Microsoft's metadata and says from where.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import orjson
import pytest

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.graph import DetailFailure, DeviceDetail
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

PATHS: dict[str, Any] = json.loads(Path(__file__).with_name("published_interface.json").read_text())["paths"]


class NotPublishedError(Exception):
    """A request that the description does not allow."""


def operation(method: str, target: str) -> dict[str, Any]:
    """What is published for a request, after a look at its path and its query."""
    path, query = urlsplit(target).path, urlsplit(target).query
    for template, methods in PATHS.items():
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", template)
        )
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            check_query(found["parameters"], query)
            return found
    raise NotPublishedError(f"{method} {path}")


def check_query(parameters: list[dict[str, Any]], query: str) -> None:
    published = {parameter["name"]: parameter for parameter in parameters}
    for name, text in parse_qsl(query, strict_parsing=bool(query)):
        if name not in published:
            raise NotPublishedError(name)
        schema = published[name]["schema"]
        value: object = text.split(",") if schema["type"] == "array" else text
        if schema["type"] == "integer":
            value = int(text)
        check(schema, value)


def check(schema: dict[str, Any], value: object) -> None:
    try:
        jsonschema_rs.validate(schema, value)
    except jsonschema_rs.ValidationError as error:
        raise NotPublishedError(str(error)) from None


def answer(asked: Asked) -> Said:
    """The published example, or 4xx for what is not published."""
    if not asked.headers.get("authorization", "").startswith("Bearer "):
        return Said(401)
    try:
        published = operation(asked.method, asked.target)
        if "requestBody" in published:
            body = orjson.loads(asked.body)
            check(published["requestBody"]["content"]["application/json"]["schema"], body)
            for item in body["requests"]:
                operation(item["method"], f"/v1.0{item['url']}")
    except NotPublishedError as error:
        return Said(422, {"error": {"code": "NotPublished", "message": str(error)}})
    return Said(body=published["responses"]["200"]["content"]["application/json"]["example"])


@pytest.fixture
def published(scripted: tuple[ScriptedGraph, Connect]) -> tuple[ScriptedGraph, Connect]:
    """A Graph that answers 4xx to whatever its description does not allow."""
    graph, connect = scripted
    graph.asked.clear()
    graph.script = answer
    return graph, connect


def test_the_list_is_asked_for_as_published(published: tuple[ScriptedGraph, Connect]) -> None:
    _, connect = published
    [page] = connect().list_devices(page_size=1000)
    assert page[0]["id"]


def test_a_probe_is_asked_for_as_published(published: tuple[ScriptedGraph, Connect]) -> None:
    _, connect = published
    connect().probe()


def test_a_batch_and_its_items_are_sent_as_published_and_its_answers_are_told_apart(
    published: tuple[ScriptedGraph, Connect],
) -> None:
    graph, connect = published
    details = dict(connect(within=1).details(str(number) for number in range(20)))
    assert graph.asked[0].target == "/v1.0/$batch"
    found, throttled, gone = details["1"], details["2"], details["3"]
    assert isinstance(found, DeviceDetail)
    assert isinstance(throttled, DetailFailure)
    assert isinstance(gone, DetailFailure)
    assert (found["physicalMemoryInBytes"], throttled.cause, gone.cause) == (
        17179869184,
        Cause.THROTTLED,
        Cause.NOT_FOUND,
    )


@pytest.mark.parametrize("select", [["id", "chassisType"], ["id", "id"], ["serialnumber"]])
def test_a_property_that_is_not_published_would_be_noticed(
    published: tuple[ScriptedGraph, Connect], select: list[str]
) -> None:
    _, connect = published
    with pytest.raises(MicrosoftError) as failure:
        next(connect().list_devices(select=select))
    assert failure.value.status == 422
    details = dict(connect().details(["a"], select=select))
    assert isinstance(details["a"], DetailFailure)


def test_a_batch_of_21_would_be_noticed() -> None:
    requests = [{"id": str(number), "method": "GET", "url": "/deviceManagement/managedDevices"} for number in range(21)]
    asked = Asked(1, "POST", "/v1.0/$batch", {"authorization": "Bearer t"}, orjson.dumps({"requests": requests}))
    assert answer(asked).status == 422
