"""What people are told: once per cause and tenant until it clears, our own credential once for all."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from intune_pipeline.orchestration.resources import limits_of
from intune_pipeline.orchestration.sensors import troubles
from intune_pipeline.orchestration.sync.alerts import how_many_addresses, notifier_of, notify_at, watch
from intune_pipeline.settings import Settings, SettingsError
from intune_pipeline_tests.conftest import ConnectedAccount

LATE_AFTER = timedelta(hours=26)


class Inbox:
    """Remembers what it is told; out of order while ``works`` is False."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.works = True

    def __call__(self, title: str, body: str) -> bool:
        if self.works:
            self.messages.append((title, body))
        return self.works


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def end_sync(engine: sa.Engine) -> Callable[..., None]:
    """``end_sync(account, cause="outage", error="…")`` writes a finished sync; without a cause a good one."""

    def end(account: ConnectedAccount, cause: str | None = None, hours_ago: float = 0) -> None:
        with engine.begin() as db:
            db.execute(
                sa.text(
                    "insert into sync_runs (connection_id, trigger, status, started_at, finished_at, cause, error) values "
                    "(:id, 'schedule', case when :cause is null then 'succeeded' else 'failed' end, "
                    "clock_timestamp() - :ago, clock_timestamp() - :ago, :cause, 'It broke.')"
                ),
                {"id": account.connection_id, "cause": cause, "ago": timedelta(hours=hours_ago)},
            )

    return end


def look(engine: sa.Engine, inbox: Inbox) -> list[str]:
    """Watch once; returns the messages of this look."""
    before = len(inbox.messages)
    watch(engine, late_after=LATE_AFTER, notify=inbox)
    return [body for _, body in inbox.messages[before:]]


def test_a_failure_is_told_once_until_it_clears(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    account = connect_account("acme")
    end_sync(account, "consent_missing")
    assert look(engine, inbox) == ["acme: It broke."]
    assert inbox.messages[0][0] == "Intune sync: consent missing"
    assert look(engine, inbox) == []
    end_sync(account, "consent_missing")
    assert look(engine, inbox) == []
    end_sync(account)
    assert look(engine, inbox) == []
    end_sync(account, "consent_missing")
    assert look(engine, inbox) == ["acme: It broke."]


def test_another_cause_and_another_tenant_are_other_messages(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    acme, globex = connect_account("acme"), connect_account("globex")
    end_sync(acme, "outage")
    assert look(engine, inbox) == ["acme: It broke."]
    end_sync(acme, "no_intune_licence")
    end_sync(globex, "outage")
    assert look(engine, inbox) == ["acme: It broke.", "globex: It broke."]


def test_our_own_credential_is_one_alarm_for_all_tenants(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    for number in range(5):
        end_sync(connect_account(f"acme-{number}"), "our_credential")
    assert look(engine, inbox) == ["It broke."]
    end_sync(connect_account("another"), "our_credential")
    assert look(engine, inbox) == []


def test_a_tenant_without_a_good_sync_for_26_hours_is_late(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    end_sync(connect_account("fresh"), hours_ago=25)
    end_sync(connect_account("stale"), hours_ago=27)
    connect_account("new")
    connect_account("never", connected_at=sa.text("now() - interval '27 hours'"))
    connect_account("gone", status="disconnected", connected_at=sa.text("now() - interval '9 days'"))
    told = look(engine, inbox)
    assert [body.split(":")[0] for body in told] == ["never", "stale"]
    assert "The list of the last good sync was read" in told[1]


def test_200_late_tenants_are_one_message(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount]
) -> None:
    for number in range(200):
        connect_account(f"tenant-{number:03}", connected_at=sa.text("now() - interval '30 hours'"))
    look(engine, inbox)
    [(title, body)] = inbox.messages
    assert title == "Intune sync: late (200 tenants)"
    assert body.startswith("200 tenants: tenant-000, tenant-001, ")
    assert "tenant-199" in body
    assert "One of them, tenant-000: No sync has succeeded since the tenant was connected." in body
    assert look(engine, inbox) == []


def test_a_trouble_that_spreads_is_told_at_once_and_then_together(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount]
) -> None:
    """200 tenants become late over half an hour, as they were synced; a message a look would be as bad as one each."""

    def spread(numbers: range) -> list[str]:
        for number in numbers:
            connect_account(f"tenant-{number:03}", connected_at=sa.text("now() - interval '30 hours'"))
        return look(engine, inbox)

    assert [body.split(":")[0] for body in spread(range(2))] == ["tenant-000", "tenant-001"]
    [beginning] = spread(range(2, 10))
    assert beginning.startswith("8 more tenants, 10 in all: tenant-002, ")
    assert spread(range(10, 20)) == []
    assert spread(range(20, 30)) == []
    with engine.begin() as db:
        db.execute(sa.text("update alerts set told_at = told_at - interval '31 minutes' where told_at is not null"))
    [rest] = spread(range(30, 40))
    assert rest.startswith("30 more tenants, 40 in all: tenant-010, ")
    assert "tenant-039" in rest


def test_many_tenants_of_which_nobody_could_be_told_are_one_message_later(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    inbox.works = False
    for number in range(9):
        end_sync(connect_account(f"tenant-{number}"), "outage")
        assert look(engine, inbox) == []
    inbox.works = True
    end_sync(connect_account("another"), "throttled")
    assert [body.split(":")[0] for body in look(engine, inbox)] == ["9 tenants", "another"]


def test_holds_are_told(engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount]) -> None:
    account = connect_account("acme")
    with engine.begin() as db:
        db.execute(
            sa.text(
                "insert into lifecycle_holds (connection_id, intune_device_ids, reason) "
                "values (:id, '[\"a\"]', '60 devices would end at once.')"
            ),
            {"id": account.connection_id},
        )
        db.execute(
            sa.text(
                "insert into employee_holds (connection_id, email, first_name, last_name) values (:id, 'a@b.c', 'A', 'B')"
            ),
            {"id": account.connection_id},
        )
    told = look(engine, inbox)
    assert len(told) == 2
    assert "a@b.c" not in str(told)
    assert any("60 devices would end at once." in body for body in told)


def test_what_could_not_be_sent_is_sent_later_and_once(
    engine: sa.Engine, inbox: Inbox, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    end_sync(connect_account("acme"), "outage")
    inbox.works = False
    assert look(engine, inbox) == []
    inbox.works = True
    assert look(engine, inbox) == ["acme: It broke."]
    assert look(engine, inbox) == []


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server on loopback and the JSON bodies it got."""
    bodies: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/hook", bodies
    server.shutdown()
    server.server_close()


@pytest.fixture
def instance(instance_on_disk: dg.DagsterInstance) -> dg.DagsterInstance:
    """Dagster on a disk: the one in memory keeps no ticks."""
    return instance_on_disk


def test_the_sensor_tells_a_webhook_and_shows_lateness_as_a_check(
    webhook: tuple[str, list[dict[str, Any]]],
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    connect_account: Callable[..., ConnectedAccount],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, bodies = webhook
    connect_account("acme", connected_at=sa.text("now() - interval '30 hours'"))
    monkeypatch.setenv("INTUNE_ALERT_URLS", address)
    resources = given(engine)
    context = dg.build_sensor_context(instance=instance, definitions=defs, resources=resources)
    result = troubles(context)
    assert isinstance(result, dg.SensorResult)
    assert [body["title"] for body in bodies] == ["Intune sync: late"]
    _, evaluation = result.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert not evaluation.passed
    assert "acme" in str(evaluation.description)
    context = dg.build_sensor_context(instance=instance, definitions=defs, resources=resources, cursor=result.cursor)
    assert len(troubles(context).asset_events) == len(result.asset_events)  # type: ignore[union-attr]
    assert len(bodies) == 1


def given(engine: sa.Engine) -> dict[str, Any]:
    """What the sensor is given."""
    settings = Settings.load()
    return {
        "database": engine,
        "limits": limits_of(settings),
        "notifier": notifier_of(settings.intune_alert_urls),
    }


def sensor_tick(engine: sa.Engine, instance: dg.DagsterInstance, defs: dg.Definitions) -> dg.SensorResult:
    result = troubles(dg.build_sensor_context(instance=instance, definitions=defs, resources=given(engine)))
    assert isinstance(result, dg.SensorResult)
    return result


@pytest.mark.parametrize(
    "addresses", ["nonsense:secret", "nonsense", "json://localhost, nonsense", "json://h secret", ","]
)
def test_an_address_nobody_understands_is_refused_without_showing_it(
    addresses: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        notify_at(SecretStr(addresses))
    assert "INTUNE_ALERT_URLS" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in capsys.readouterr().err


def test_an_address_may_hold_commas() -> None:
    mail = "mailtos://u:p@smtp.example.com?to=a@x.example,b@x.example"
    assert how_many_addresses(SecretStr(mail)) == 1
    assert how_many_addresses(SecretStr(f"{mail},json://localhost")) == 2
    assert how_many_addresses(SecretStr(f"json://localhost {mail}")) == 2
    assert how_many_addresses(None) == 0


def test_a_watcher_that_can_tell_nobody_records_and_says_so(
    engine: sa.Engine,
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    connect_account: Callable[..., ConnectedAccount],
    end_sync: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end_sync(connect_account("acme"), "outage")
    monkeypatch.setenv("INTUNE_ALERT_URLS", "nonsense:secret")
    result = sensor_tick(engine, instance, defs)
    assert "INTUNE_ALERT_URLS" in str(result.skip_reason)
    assert "secret" not in str(result.skip_reason)
    with engine.connect() as db:
        assert db.execute(sa.text("select cause, told_at from alerts")).all() == [("outage", None)]


def test_a_server_that_takes_no_message_is_asked_again_and_its_address_shown_nowhere(
    engine: sa.Engine,
    connect_account: Callable[..., ConnectedAccount],
    end_sync: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    end_sync(connect_account("acme"), "outage")
    notify = notify_at(SecretStr("json://user:secret@127.0.0.1:9/hook"))
    watch(engine, late_after=LATE_AFTER, notify=notify)
    with engine.connect() as db:
        assert db.scalar(sa.text("select told_at from alerts")) is None
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err


def test_without_addresses_alerts_are_recorded_only(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount], end_sync: Callable[..., None]
) -> None:
    end_sync(connect_account("acme"), "outage")
    assert notify_at(None) is None
    assert len(watch(engine, late_after=LATE_AFTER, notify=None)) == 1
    with engine.connect() as db:
        assert db.execute(sa.text("select cause, told_at from alerts")).all() == [("outage", None)]
