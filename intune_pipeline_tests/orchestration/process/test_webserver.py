"""Pages of other addresses drive the Dagster UI without its guard, and do not with it: real servers, requests and browser."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import dagster as dg
import httpx2 as httpx
import pytest
import uvicorn
from dagster_webserver import cli as dagster_cli
from starlette.testclient import TestClient

from intune_pipeline.orchestration.process.webserver import MAKES_APP, Guard
from intune_pipeline.settings import DagsterUiSettings, SettingsError
from intune_pipeline_tests.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GUARDED = "intune_pipeline.orchestration.process.webserver"
UNGUARDED = "dagster_webserver"
CODE = """
import dagster as dg

@dg.op
def stand_still(): ...

@dg.job
def victim():
    stand_still()

defs = dg.Definitions(jobs=[victim])
"""
LAUNCH = """mutation { launchRun(executionParams: {mode: "default", selector: {
    repositoryLocationName: "victim.py", repositoryName: "__repository__", jobName: "victim"}}) { __typename } }"""
EVIL = "http://evil.example"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ui:
    """A running Dagster UI with one job, in a home of its own."""

    def __init__(self, home: Path, module: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (home / "victim.py").write_text(CODE)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
        with (home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "-f", "victim.py", "-h", "127.0.0.1", "-p", str(self.port)],
                cwd=home,
                env=environment | {"DAGSTER_HOME": str(home)},
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Until it answers and has loaded its code."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = self.post("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
                if "LOADED" in answer.text:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError((self.home / "log").read_text())

    def post(self, query: str, **headers: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}/graphql", json={"query": query}, headers={"Origin": self.url} | headers, timeout=30
        )

    @property
    def runs(self) -> int:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return instance.get_runs_count()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="module")
def uis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Ui]]:
    """Dagster's UI as it comes, and ours."""
    started = {module: Ui(tmp_path_factory.mktemp("ui"), module) for module in (UNGUARDED, GUARDED)}
    try:
        for ui in started.values():
            ui.wait()
        yield started
    finally:
        for ui in started.values():
            ui.stop()


def by_get(ui: Ui) -> httpx.Response:
    return httpx.get(f"{ui.url}/graphql", params={"query": LAUNCH}, timeout=30)


def by_form(ui: Ui) -> httpx.Response:
    """What a form of another page sends; Dagster then reads the query out of the address."""
    return httpx.post(
        f"{ui.url}/graphql", params={"query": LAUNCH}, data={"a": "b"}, headers={"Origin": EVIL}, timeout=30
    )


def under_another_name(ui: Ui) -> httpx.Response:
    """A page at ``evil.example``, whose name points at the loopback address by now: of the same origin for the browser."""
    name = f"evil.example:{ui.port}"
    return ui.post(LAUNCH, Host=name, Origin=f"http://{name}")


@pytest.mark.parametrize(
    ("attack", "status"), [(by_get, 405), (by_form, 403), (under_another_name, 421)], ids=["get", "form", "name"]
)
def test_a_run_is_started_from_elsewhere_without_the_guard_only(
    uis: Mapping[str, Ui], attack: Callable[[Ui], httpx.Response], status: int
) -> None:
    before = {module: ui.runs for module, ui in uis.items()}
    assert "LaunchRunSuccess" in attack(uis[UNGUARDED]).text, "the attack is one"
    refused = attack(uis[GUARDED])
    assert refused.status_code == status
    assert refused.text.count(".") >= 1, "the answer is a sentence"
    assert uis[UNGUARDED].runs == before[UNGUARDED] + 1
    assert uis[GUARDED].runs == before[GUARDED]


def test_the_ui_itself_starts_a_run(uis: Mapping[str, Ui]) -> None:
    before = uis[GUARDED].runs
    assert "LaunchRunSuccess" in uis[GUARDED].post(LAUNCH).text
    assert uis[GUARDED].runs == before + 1


def test_no_page_may_frame_the_ui(uis: Mapping[str, Ui]) -> None:
    page = httpx.get(f"{uis[GUARDED].url}/runs", timeout=30)
    assert page.status_code == 200
    policies = page.headers.get_list("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policies
    assert len(policies) == 2, "Dagster's own stays"


ATTACKING_PAGE = """<!doctype html><title>Kittens</title>
<img src="{url}/graphql?query={query}">
<iframe name="hidden"></iframe>
<form id="get" target="hidden" action="{url}/graphql"><input name="query"></form>
<form id="post" target="hidden" method="post" action="{url}/graphql?query={query}"></form>
<script>
document.querySelector("input").value = decodeURIComponent("{query}");
const socket = new Promise(done => {{
  const opened = new WebSocket("{ws}/graphql", "graphql-ws");
  opened.onopen = () => done("open"); opened.onerror = () => done("refused");
}});
window.attack = async () => {{
  document.getElementById("get").submit();
  await new Promise(done => setTimeout(done, 500));
  document.getElementById("post").submit();
  await fetch("{url}/graphql?query={query}", {{method: "POST", mode: "no-cors", body: "x"}}).catch(() => 0);
  await new Promise(done => setTimeout(done, 1500));
  return await socket;
}};
</script>"""


@pytest.fixture
def attacking_page() -> Iterator[Callable[[Ui], str]]:
    """``attacking_page(ui)`` is the address of a page, on another port, that attacks that UI."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages.get(self.path, b""))

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def make(ui: Ui) -> str:
        page = ATTACKING_PAGE.format(url=ui.url, ws=f"ws://127.0.0.1:{ui.port}", query=quote(" ".join(LAUNCH.split())))
        pages[f"/{ui.port}"] = page.encode()
        return f"http://127.0.0.1:{server.server_port}/{ui.port}"

    yield make
    server.shutdown()
    server.server_close()


@needs_chromium
def test_a_page_in_a_browser_starts_nothing_and_the_ui_still_works(
    uis: Mapping[str, Ui], chromium: "Browser", attacking_page: Callable[[Ui], str]
) -> None:
    outcome = {}
    for module, ui in uis.items():
        before = ui.runs
        page: Page = chromium.new_page()
        page.goto(attacking_page(ui))
        outcome[module] = (page.evaluate("attack()"), ui.runs - before)
        page.close()
    assert outcome[GUARDED] == ("refused", 0)
    socket_state, started = outcome[UNGUARDED]
    assert socket_state == "open", "the attack is one"
    assert started >= 3, "by image, by form and by fetch"

    sockets: list[str] = []
    page = chromium.new_page()
    page.on("websocket", lambda opened: opened.on("framereceived", lambda frame: sockets.append(str(frame))))
    page.goto(f"{uis[GUARDED].url}/runs")
    page.get_by_text("victim").first.wait_for(timeout=30_000)
    page.close()
    assert any("connection_ack" in frame for frame in sockets), "subscriptions pass"


def test_dagster_still_makes_its_app_where_the_guard_is_put() -> None:
    """A release that makes it elsewhere would run without the guard."""
    names = dagster_cli.host_dagster_ui_with_workspace_process_context.__code__.co_names
    assert MAKES_APP in names
    assert dagster_cli.uvicorn is uvicorn


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the query that came through."""
    body = json.dumps(scope["query_string"].decode()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


OURS = "https://dagster.example.com"
guarded = TestClient(Guard(echo, OURS), base_url=OURS)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "", EVIL, "http://dagster.example.com", "https://dagster.example.com:444",
        "https://dagster.example.com.evil.example", "https://evil.example/https://dagster.example.com",
        "https://dagster.example.com, https://evil.example",
    ],
)  # fmt: skip
def test_whatever_may_change_something_names_our_origin(method: str, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    assert guarded.request(method, "/graphql", headers=headers).status_code == 403
    assert guarded.request(method, "/graphql", headers={"Origin": OURS}).status_code == 200


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1", "localhost:3000", "dagster.example.com:8000"])
def test_one_host_is_answered(host: str) -> None:
    assert guarded.get("/", headers={"Host": host}).status_code == 421


def test_two_hosts_or_origins_are_none() -> None:
    """Which of two a program behind us believes is not ours to guess."""
    for name, value, status in (("Host", "dagster.example.com", 421), ("Origin", OURS, 403)):
        headers = [("Host", "dagster.example.com")] * (name != "Host") + [(name, value)] * 2
        assert guarded.post("/graphql", headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
def test_a_query_by_get_reaches_nobody(path: str) -> None:
    query = urlencode({"query": LAUNCH})
    assert guarded.get(f"{path}?{query}", headers={"Accept": "*/*"}).status_code == 405
    page = guarded.get(f"{path}?{query}", headers={"Accept": "text/html"})
    assert page.json() == "", "GraphQL's page opens; the server sees no query"
    assert guarded.get("/runs?view=all").json() == "view=all"


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Dagster.Example.com/", OURS),
        ("https://dagster.example.com:443", OURS),
        ("http://10.0.0.7:3000", "http://10.0.0.7:3000"),
    ],
)
def test_the_address_is_understood_as_browsers_say_it(monkeypatch: pytest.MonkeyPatch, given: str, origin: str) -> None:
    monkeypatch.setenv("DAGSTER_UI_URL", given)
    assert DagsterUiSettings.load().dagster_ui_url == origin


@pytest.mark.parametrize(
    "given", ["dagster.example.com", "https://dagster.example.com/ui", "ftp://dagster.example.com"]
)
def test_an_address_with_a_path_or_without_a_scheme_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("DAGSTER_UI_URL", given)
    with pytest.raises(SettingsError, match="DAGSTER_UI_URL"):
        DagsterUiSettings.load()
