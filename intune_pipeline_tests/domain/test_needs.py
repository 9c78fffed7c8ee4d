"""What waits for a person is told once, with the one thing to do; and nothing is told when nothing waits."""

from datetime import UTC, datetime, timedelta

import pytest
from syrupy.assertion import SnapshotAssertion

from intune_pipeline.domain.drift import Drift, Measure
from intune_pipeline.domain.needs import NeedFacts, Waiting, needs
from intune_pipeline.domain.vocabulary import Check, ConnectionStatus, NeedKind

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CALM = {"now": NOW, "late_after": timedelta(hours=26), "connected_at": NOW - timedelta(days=90)}


def kinds(status: ConnectionStatus = ConnectionStatus.CONNECTED, **facts: object) -> list[NeedKind]:
    given = {**CALM, "last_good_at": NOW - timedelta(hours=6), **facts}
    return [need.kind for need in needs(NeedFacts(status=status, **given))]


def test_a_calm_tenant_needs_nothing() -> None:
    assert kinds() == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (ConnectionStatus.NEEDS_CONSENT, NeedKind.CONNECTION_BROKEN),
        (ConnectionStatus.ERROR, NeedKind.CONNECTION_BROKEN),
        (ConnectionStatus.DISCONNECTED, NeedKind.NOT_CONNECTED),
        (ConnectionStatus.AWAITING_CONFIRMATION, NeedKind.TENANT_WAITING),
        (ConnectionStatus.AWAITING_APPROVAL, NeedKind.PLAN_WAITING),
    ],
)
def test_a_connection_that_does_not_sync_says_so(status: ConnectionStatus, kind: NeedKind) -> None:
    assert kinds(status) == [kind]


def test_lateness_counts_from_when_the_list_was_read_or_the_tenant_was_connected() -> None:
    assert kinds(last_good_at=NOW - timedelta(hours=27)) == [NeedKind.LATE]
    assert kinds(last_good_at=None) == [NeedKind.LATE]
    assert kinds(last_good_at=None, connected_at=NOW) == []
    assert kinds(ConnectionStatus.DISCONNECTED, last_good_at=None) == [NeedKind.NOT_CONNECTED]


def test_everything_that_waits_is_in_the_list_with_its_number() -> None:
    since = NOW - timedelta(days=3)
    found = needs(
        NeedFacts(
            **CALM,
            status=ConnectionStatus.CONNECTED,
            last_good_at=NOW,
            last_failure="Microsoft was not reachable.",
            endings=Waiting(70, since),
            ending_reason="70 of 145 devices are more than may end at once.",
            people=Waiting(1, since),
            unknown=Waiting(12, since),
            unknown_models=3,
            collisions=Waiting(2, since),
            ownership=Waiting(5, since),
            failed=Waiting(1, since),
            drifts=[Drift(Measure.DEVICES, 145, 75), Drift(Measure.UNKNOWN_SHARE, 0.02, 0.12)],
        )
    )
    assert [(need.kind, need.count) for need in found] == [
        (NeedKind.SYNC_FAILED, 1),
        (NeedKind.LIFECYCLE_HOLD, 70),
        (NeedKind.EMPLOYEE_HOLD, 1),
        (NeedKind.DRIFT, 1),
        (NeedKind.DRIFT, 1),
        (NeedKind.DEVICES_FAILED, 1),
        (NeedKind.SERIAL_COLLISION, 2),
        (NeedKind.UNKNOWN_MODELS, 12),
        (NeedKind.OWNERSHIP_UNKNOWN, 5),
    ]
    told = [need.what for need in found]
    assert "70 devices left Intune at once: 70 of 145 devices are more than may end at once." in told
    assert "Intune lists 75 devices; 145 were usual over the last two weeks." in told
    assert "12% of the devices are of an unknown type; 2% were usual over the last two weeks." in told
    assert all(need.to_do.endswith(".") and need.what.endswith(".") for need in found)


def test_a_check_that_warns_is_told_unless_something_else_says_the_same() -> None:
    warnings = {
        Check.FEW_JUNK_SERIALS: "12 of 60 devices (20.0%) have a placeholder.",
        Check.NO_LOOKALIKES: "2 users share a name.",
        Check.FEW_UNKNOWN_MODELS: "9 of 60 devices are of an unknown type.",
        Check.NO_PLAINTEXT_SECRETS: "1 bypass codes lie in the database without encryption.",
    }
    facts = {**CALM, "last_good_at": NOW, "unknown": Waiting(9), "unknown_models": 2, "people": Waiting(2)}
    found = needs(NeedFacts(status=ConnectionStatus.CONNECTED, warnings=warnings, **facts))
    told = [(need.kind, need.of_operators) for need in found]
    assert told == [
        (NeedKind.EMPLOYEE_HOLD, False),
        (NeedKind.UNKNOWN_MODELS, False),
        (NeedKind.CHECK_WARNED, False),
        (NeedKind.CHECK_WARNED, True),
    ]
    assert found[2].what == warnings[Check.FEW_JUNK_SERIALS]
    assert needs(NeedFacts(status=ConnectionStatus.DISCONNECTED, warnings=warnings, **CALM))[0].kind is (
        NeedKind.NOT_CONNECTED
    )


@pytest.mark.parametrize("check", Check)
def test_every_check_that_may_warn_has_its_line(check: Check) -> None:
    facts = NeedFacts(
        status=ConnectionStatus.CONNECTED, last_good_at=NOW, warnings={check: "Something is odd."}, **CALM
    )
    [need] = needs(facts)
    assert (need.kind, need.what) == (NeedKind.CHECK_WARNED, "Something is odd.")
    assert need.to_do.endswith(".")


@pytest.mark.parametrize("count", [1, 12])
def test_what_waits_is_said_in_these_words(count: int, snapshot: SnapshotAssertion) -> None:
    waiting = Waiting(count, NOW - timedelta(days=count))
    facts = NeedFacts(
        **CALM,
        status=ConnectionStatus.CONNECTED,
        endings=waiting,
        ending_reason="They are more than may end at once.",
        people=waiting,
        unknown=waiting,
        unknown_models=count,
        collisions=waiting,
        ownership=waiting,
        failed=waiting,
        webhooks_off=waiting,
        drifts=[Drift(measure, 0.5, 0.1) for measure in Measure],
    )
    assert said(facts) == snapshot


@pytest.mark.parametrize("status", ConnectionStatus)
@pytest.mark.parametrize("last_good_at", [NOW, NOW - timedelta(days=9), None], ids=["in time", "late", "never"])
def test_what_a_connection_needs_is_said_in_these_words(
    status: ConnectionStatus, last_good_at: datetime | None, snapshot: SnapshotAssertion
) -> None:
    facts = NeedFacts(
        **CALM,
        status=status,
        status_message="Consent was removed.",
        status_cause="consent_removed",
        status_since=NOW - timedelta(days=2),
        last_good_at=last_good_at,
        last_failure="Microsoft was not reachable.",
        failure_cause="outage",
        failed_at=NOW - timedelta(days=1),
    )
    assert said(facts) == snapshot


def said(facts: NeedFacts) -> list[str]:
    return [
        f"{one.kind}, {one.count}, {one.since:%d %b}, {one.cause}: {one.what} {one.to_do}"
        if one.since
        else f"{one.kind}, {one.count}: {one.what} {one.to_do}"
        for one in needs(facts)
    ]
