"""E-mails to customers' admins, through the mail server of the sandbox."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from intune_pipeline.domain.vocabulary import Digest
from intune_pipeline.inventory import mails as stored
from intune_pipeline.orchestration.resources import limits_of
from intune_pipeline.orchestration.sensors import customer_mails
from intune_pipeline.orchestration.sync import mails
from intune_pipeline.orchestration.sync.mails import Round, mailer_of
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.mailbox import Mail
from intune_pipeline.settings import MailSettings, Settings, SettingsError
from intune_pipeline_tests.orchestration.conftest import World

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
ADA = "ada@acme.example"


@pytest.fixture
def mailbox(sandbox: SandboxCloud) -> Iterator[list[Mail]]:
    sandbox.mailbox.mails.clear()
    yield sandbox.mailbox.mails
    sandbox.mailbox.refuses = False


@pytest.fixture
def settings(sandbox: SandboxCloud) -> MailSettings:
    return MailSettings(intune_mail_url=sandbox.mailbox.url, portal_url="https://portal.example")


def subscribe(world: World, digest: Digest | None = Digest.DAILY, subject: str = "auth0|ada", email: str = ADA) -> None:
    with world.engine.begin() as db:
        account_id = int(world.query("select id from accounts")[0].id)
        stored.choose(db, account_id, subject, email, digest, NOW - timedelta(days=8))


def tell(world: World, settings: MailSettings, now: datetime = NOW) -> int:
    return mails.tell(world.engine, mailer_of(settings), Round(now, 5, "UTC", timedelta(hours=26)))


def break_connection(world: World, cause: str = "consent_missing") -> None:
    world.execute(
        "update connections set status = 'needs_consent', status_cause = :cause, status_message = 'Consent is gone.'",
        cause=cause,
    )


def test_nobody_is_told_who_did_not_ask(world: World, mailbox: list[Mail], settings: MailSettings) -> None:
    break_connection(world)
    assert tell(world, settings) == 0
    assert mailbox == []


def test_a_broken_connection_is_told_at_once_and_once_until_it_clears(
    world: World, mailbox: list[Mail], settings: MailSettings
) -> None:
    subscribe(world)
    break_connection(world)
    assert [tell(world, settings) for _ in range(3)] == [1, 0, 0]
    (mail,) = mailbox
    assert mail.to == (ADA,)
    assert "Consent is gone" in mail.subject
    assert "Connect Intune again." in mail.body
    world.execute("update connections set status = 'connected', status_cause = null, status_message = null")
    assert tell(world, settings) == 0
    break_connection(world)
    assert tell(world, settings) == 1


def test_every_mail_can_be_ended_with_one_click(world: World, mailbox: list[Mail], settings: MailSettings) -> None:
    """RFC 8058: the address is in a header and in the text, and needs no sign-in."""
    subscribe(world)
    break_connection(world)
    tell(world, settings)
    headers = mailbox[0].headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = headers["List-Unsubscribe"].strip("<>")
    assert address.startswith("https://portal.example/unsubscribe/")
    assert address in mailbox[0].body
    with world.engine.begin() as db:
        token = address.rsplit("/", 1)[1]
        assert not stored.unsubscribe(db, token[:-1])
        assert stored.unsubscribe(db, token)
        assert not stored.unsubscribe(db, token)
    world.execute("update connections set status = 'connected', status_cause = null")
    tell(world, settings)
    break_connection(world)
    assert tell(world, settings) == 0


@pytest.mark.parametrize(("digest", "days"), [(Digest.DAILY, 1), (Digest.WEEKLY, 7)])
def test_what_can_wait_comes_as_a_digest(
    world: World, mailbox: list[Mail], settings: MailSettings, digest: Digest, days: int
) -> None:
    subscribe(world, digest)
    monday = NOW - timedelta(days=NOW.weekday())
    assert tell(world, settings, monday) == 0
    world.execute("update connections set connected_at = now() - interval '3 days'")
    assert tell(world, settings, monday + timedelta(hours=1)) == 0, "it waits for the next digest"
    assert tell(world, settings, monday + timedelta(days=days)) == 1
    assert "No sync has succeeded" in mailbox[0].body
    assert tell(world, settings, monday + timedelta(days=2 * days)) == 0, "it was told"


def test_each_person_is_told_for_themselves(world: World, mailbox: list[Mail], settings: MailSettings) -> None:
    subscribe(world)
    break_connection(world)
    tell(world, settings)
    subscribe(world, Digest.WEEKLY, "auth0|bob", "bob@acme.example")
    assert tell(world, settings) == 1
    assert [mail.to for mail in mailbox] == [(ADA,), ("bob@acme.example",)]


def test_what_only_operators_can_mend_is_not_told_to_customers(
    world: World, mailbox: list[Mail], settings: MailSettings
) -> None:
    subscribe(world)
    break_connection(world, "our_credential")
    assert tell(world, settings) == 0


def test_a_mail_that_could_not_be_sent_is_sent_later(
    world: World, mailbox: list[Mail], settings: MailSettings, sandbox: SandboxCloud
) -> None:
    subscribe(world)
    break_connection(world)
    sandbox.mailbox.refuses = True
    assert tell(world, settings) == 0
    sandbox.mailbox.refuses = False
    assert tell(world, settings) == 1
    assert len(mailbox) == 1


def test_who_is_no_admin_any_more_is_told_nothing(world: World, mailbox: list[Mail], settings: MailSettings) -> None:
    subscribe(world)
    account_id = int(world.query("select id from accounts")[0].id)
    with world.engine.begin() as db:
        stored.signed_in(db, account_id, "auth0|ada", "ada@new.example", is_admin=True)
    assert world.query("select email from mail_subscriptions") == [("ada@new.example",)]
    with world.engine.begin() as db:
        stored.signed_in(db, account_id, "auth0|ada", "ada@new.example", is_admin=False)
    break_connection(world)
    assert tell(world, settings) == 0


def test_the_sensor_says_what_it_sent(world: World, mailbox: list[Mail], settings: MailSettings) -> None:
    subscribe(world)
    break_connection(world)
    resources = {
        "database": world.engine,
        "mailer": mailer_of(settings),
        "limits": limits_of(Settings.load()),
    }
    ticked = customer_mails(dg.build_sensor_context(instance=world.instance, resources=resources))
    assert isinstance(ticked, dg.SkipReason)
    assert ticked.skip_message == "1 message sent."


@pytest.mark.parametrize("url", ["mailto://smtp.example.com", "slack://a/b/c", "hush"])
def test_a_mail_server_is_reached_by_tls(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("INTUNE_MAIL_URL", url)
    with pytest.raises(SettingsError, match="INTUNE_MAIL_URL"):
        MailSettings.load()


def test_without_an_address_for_links_nobody_is_told_and_that_is_said() -> None:
    mailer = mailer_of(MailSettings(intune_mail_url="mailtos://a:hush@smtp.example.com", portal_url=None))
    assert mailer.send is None
    assert "PORTAL_URL" in mailer.problem
    assert "hush" not in mailer.problem
