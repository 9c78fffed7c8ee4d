"""Through a proxy, as many a company's network has one, the same limits hold."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from intune_pipeline.microsoft import transport
from intune_pipeline.microsoft.causes import MicrosoftError
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline_tests.microsoft.conftest import Connect


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Proxy:
    """Opens tunnels, and remembers where to."""

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += client.recv(4096)
        method, address, _ = asked.split(b"\r\n")[0].decode().split()
        assert method == "CONNECT"
        self.tunnels.append(address)
        host, _, port = address.partition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with closing(client), closing(server):
            back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
            back.start()
            _pipe(client, server)
            back.join()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that the environment names."""
    proxy = Proxy()
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    yield proxy
    proxy.listener.close()


def test_everything_goes_through_the_proxy_of_the_environment(
    connect: Connect, sandbox: SandboxCloud, proxy: Proxy
) -> None:
    assert sum(map(len, connect().list_devices(page_size=100))) == 250
    assert set(proxy.tunnels) == {url.removeprefix("https://") for url in (sandbox.login_url, sandbox.graph_url)}


def test_an_answer_that_comes_byte_by_byte_through_a_proxy_is_not_waited_for(
    connect: Connect, sandbox: SandboxCloud, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(give_up_after=timedelta(0))
    client.probe()
    sandbox.faults.spoil_page, sandbox.faults.spoil_how = 1, "drip"
    monkeypatch.setattr(transport, "TIMEOUTS", (1.0, 0.4))
    started = time.monotonic()
    with pytest.raises(MicrosoftError, match="no answer in time"):
        list(client.list_devices())
    assert 0.3 < time.monotonic() - started < 3
    assert proxy.tunnels


@pytest.mark.usefixtures("proxy")
def test_a_proxy_that_does_not_answer_is_one_sentence(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(give_up_after=timedelta(0))
    client.tokens.token()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(MicrosoftError, match="the proxy gave no connection"):
        client.probe()
