"""What the client sends is what Microsoft publishes: a mock made from Graph's OpenAPI description accepts it.

Needs the description, which is not part of the project, and ``npx`` to fetch the mock (Prism); says so when skipped.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.graph import DETAIL_PROPERTIES, DetailFailure, DeviceDetail
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Asked, Said, ScriptedGraph

DESCRIPTION = Path(__file__).parents[2].parent / "shared" / "data" / "graph" / "graph-intune-openapi.json"
START_SECONDS = 150

pytestmark = [
    pytest.mark.skipif(not DESCRIPTION.is_file(), reason="Graph's OpenAPI description is not on this machine"),
    pytest.mark.skipif(
        shutil.which("npx") is None, reason="npx, which fetches the mock server, is not on this machine"
    ),
]


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Prism that answers 4xx to whatever the description does not allow."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    output = tmp_path_factory.mktemp("prism") / "output.txt"
    npx = ["npx", "--yes", "--prefer-offline", "@stoplight/prism-cli@5"]
    with (
        output.open("w") as said,
        subprocess.Popen(
            [*npx, "mock", "--errors", "--port", str(port), str(DESCRIPTION)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while "is listening" not in output.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.skip(f"the mock server did not start: {output.read_text()[-300:]}")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


@pytest.fixture
def published(prism: str, scripted: tuple[ScriptedGraph, Connect]) -> tuple[ScriptedGraph, Connect]:
    """Prism behind HTTPS, which it does not speak itself and the client insists on."""
    graph, connect = scripted

    def forward(asked: Asked) -> Said:
        headers = {name: value for name, value in asked.headers.items() if name != "host"}
        answer = requests.request(asked.method, prism + asked.target, headers=headers, data=asked.body, timeout=30)
        kept = {name: value for name, value in answer.headers.items() if name.lower() in {"retry-after", "request-id"}}
        return Said(answer.status_code, answer.content, kept)

    graph.asked.clear()
    graph.script = forward
    return graph, connect


def test_the_list_is_asked_for_as_published(published: tuple[ScriptedGraph, Connect]) -> None:
    _, connect = published
    page = next(connect().list_devices(page_size=1000))
    assert page[0]["id"]


def test_a_single_device_is_asked_for_as_published(published: tuple[ScriptedGraph, Connect]) -> None:
    _, connect = published
    assert connect().device("705c034c-034c-705c-4c03-5c704c035c70", select=DETAIL_PROPERTIES) is not None


def test_a_batch_is_sent_as_published_and_its_answers_are_told_apart(published: tuple[ScriptedGraph, Connect]) -> None:
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


def test_the_mock_would_have_noticed(published: tuple[ScriptedGraph, Connect]) -> None:
    _, connect = published
    with pytest.raises(MicrosoftError) as failure:
        next(connect().list_devices(select=["id", "chassisType"]))
    assert failure.value.status is not None
    assert 400 <= failure.value.status < 500
