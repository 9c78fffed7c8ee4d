"""No name, address, redirect or slow answer makes allwhere connect to what is not a customer's public receiver."""

import base64
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from standardwebhooks import Webhook

from intune_pipeline.domain.web_addresses import AddressRefusedError
from intune_pipeline.portal import webhook_client
from intune_pipeline.portal.webhook_client import Answer, WebhookClient
from intune_pipeline_tests.domain.test_web_addresses import PRIVATE
from intune_pipeline_tests.portal.receivers import Receiver

SECRET = "whsec_" + base64.b64encode(b"test" * 8).decode()


class Names:
    """A resolver whose answers a test chooses; it counts how often it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _: str, port: int, **__: object) -> list[tuple[object, ...]]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in answer
        ]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """What clients trust, and the key and certificate of a server on localhost."""
    bundle, certificate = tmp_path / "ca.pem", tmp_path / "server.pem"
    bundle.write_bytes(authority.cert_pem.bytes())
    certificate.write_bytes(authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.bytes())
    return bundle, certificate


@pytest.fixture
def receiver(trust: tuple[Path, Path]) -> Iterator[Receiver]:
    receiver = Receiver()
    with receiver.running(trust[1]):
        yield receiver


@pytest.fixture
def client(trust: tuple[Path, Path]) -> WebhookClient:
    """As in the sandbox."""
    return WebhookClient(loopback=True, ca_bundle=trust[0])


def send(client: WebhookClient, url: str) -> Answer:
    return client.send(url, "msg_1", '{"type":"webhook.test"}', [SECRET], datetime.now(UTC))


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket fails the test."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(webhook_client.socket, "socket", opened)


@pytest.mark.usefixtures("no_socket")
@pytest.mark.parametrize("address", [one for one in PRIVATE if one and one != "localhost"])
def test_a_name_that_leads_inside_is_refused_without_a_connection(address: str) -> None:
    client = WebhookClient(resolve=Names([address]))
    with pytest.raises(AddressRefusedError, match="public internet"):
        client.check("https://hooks.example.com/")
    assert "public internet" in send(client, "https://hooks.example.com/").problem


@pytest.mark.usefixtures("no_socket")
def test_one_inner_address_among_public_ones_refuses_the_name() -> None:
    client = WebhookClient(resolve=Names(["93.184.216.34", "10.0.0.1"]))
    assert "public internet" in send(client, "https://hooks.example.com/").problem


@pytest.mark.usefixtures("no_socket")
@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost", "[::1]"])
def test_addresses_written_in_other_ways_are_known(host: str) -> None:
    """By the machine's own resolver, which reads them all."""
    assert send(WebhookClient(), f"https://{host}/").problem


@pytest.mark.usefixtures("no_socket")
def test_a_name_that_leads_elsewhere_after_the_check_is_refused() -> None:
    names = Names(["93.184.216.34"], ["169.254.169.254"])
    client = WebhookClient(resolve=names)
    client.check("https://rebinding.example.com/")
    assert "public internet" in send(client, "https://rebinding.example.com/").problem


def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver, trust: tuple[Path, Path]) -> None:
    """A name is resolved once per message: what it would lead to a moment later does not matter."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    answer = send(WebhookClient(loopback=True, ca_bundle=trust[0], resolve=names), receiver.url)
    assert (answer.status, answer.accepted, names.asked) == (200, True, 1)


def test_a_message_is_signed_as_the_scheme_says(receiver: Receiver, client: WebhookClient) -> None:
    receiver.secrets = [SECRET]
    assert send(client, receiver.url).accepted
    headers, body = receiver.arrived[0]
    assert body == b'{"type":"webhook.test"}'
    assert Webhook(SECRET).verify(body, headers) == {"type": "webhook.test"}
    assert (headers["webhook-id"], list(receiver.accepted)) == ("msg_1", ["msg_1"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, client: WebhookClient, status: int) -> None:
    receiver.answer, receiver.headers = lambda _: status, {"Location": receiver.url}
    answer = send(client, receiver.url)
    assert (answer.status, answer.accepted, len(receiver.arrived)) == (status, False, 1)
    assert "redirects are not followed" in answer.problem


@pytest.mark.parametrize(("status", "gone"), [(200, False), (204, False), (400, False), (410, True), (500, False)])
def test_only_2xx_is_a_yes(receiver: Receiver, client: WebhookClient, status: int, *, gone: bool) -> None:
    receiver.answer = lambda _: status
    answer = send(client, receiver.url)
    assert (answer.accepted, answer.gone) == (status < 300, gone)


def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, client: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(client, receiver.url).accepted


def test_a_certificate_nobody_vouches_for_is_refused(receiver: Receiver) -> None:
    answer = send(WebhookClient(loopback=True), receiver.url)
    assert "certificate" in answer.problem
    assert receiver.arrived == []


def test_a_certificate_for_another_name_is_refused(receiver: Receiver, trust: tuple[Path, Path]) -> None:
    elsewhere = receiver.url.replace("localhost", "hooks.example.com")
    client = WebhookClient(loopback=True, ca_bundle=trust[0], resolve=Names(["127.0.0.1"]))
    assert "certificate" in send(client, elsewhere).problem
    assert receiver.arrived == []


def test_in_production_loopback_is_refused(receiver: Receiver, trust: tuple[Path, Path]) -> None:
    client = WebhookClient(ca_bundle=trust[0])
    assert not send(client, receiver.url).accepted
    assert not send(client, receiver.url.replace("localhost", "127.0.0.1")).accepted
    assert receiver.arrived == []


def test_nobody_listens(client: WebhookClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "could not be reached" in send(client, f"https://localhost:{port}/").problem


def test_a_receiver_that_drips_is_cut_at_the_deadline(
    trust: tuple[Path, Path], client: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then keeps a timeout from ever firing; the deadline does not care."""
    monkeypatch.setattr(webhook_client, "SECONDS", 1.0)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trust[1])
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        raw, _ = listening.accept()
        with context.wrap_socket(raw, server_side=True) as connection:
            connection.recv(10_000)
            try:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
                    connection.send(bytes([byte]))
                    time.sleep(0.1)
            except OSError:
                return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    answer = send(client, f"https://localhost:{listening.getsockname()[1]}/")
    listening.close()
    assert "did not answer within" in answer.problem
    assert answer.seconds < 3
