"""Accounts and their connections: what is known of them, what changes and what ends them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit, connections, sync_requests
from intune_pipeline_tests.conftest import ConnectedAccount


def test_an_account_is_created_once_and_keeps_its_name(engine: sa.Engine) -> None:
    with engine.begin() as db:
        first = accounts.create(db, "acme", "Acme Ltd")
        assert accounts.create(db, "acme") == first
        assert accounts.get(db, "acme").name == "Acme Ltd"


@pytest.mark.parametrize("slug", ["", "Acme", "-acme", "acme-", "a b", "é", "a" * 64, "a\n"])
def test_a_malformed_slug_is_refused(engine: sa.Engine, slug: str) -> None:
    with engine.begin() as db, pytest.raises(WrongUseError, match="cannot be an account's slug"):
        accounts.create(db, slug)


def test_an_unknown_account_is_told_with_the_known_ones(engine: sa.Engine) -> None:
    with engine.begin() as db:
        with pytest.raises(accounts.UnknownAccountError, match="none exists yet"):
            accounts.get(db, "acme")
        for slug in ("acme", "globex", "initech"):
            accounts.create(db, slug)
        with pytest.raises(accounts.UnknownAccountError, match="'acm'; perhaps you mean acme"):
            accounts.get(db, "acm")
        with pytest.raises(accounts.UnknownAccountError, match="known accounts: acme, globex, initech"):
            accounts.get(db, "zzz")


def test_employee_figures_count_those_without_work_email(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    acme = connect_account()
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into employees (account_id, first_name, last_name) values (:a, 'A', 'A'), (:a, 'B', 'B'), (:a, 'C', 'C');
                insert into employee_emails (employee_id, account_id, email, kind)
                select id, account_id, lower(first_name) || '@x.y', case first_name when 'A' then 'work' else 'personal' end
                from employees where first_name <> 'C'
            """),
            {"a": acme.account_id},
        )
        assert accounts.employee_figures(db, "acme") == accounts.EmployeeFigures(3, 2)


def test_settings_change_with_an_audit_entry_and_refuse_nonsense(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    connect_account()
    with engine.begin() as db:
        changed = connections.change_settings(
            db, "acme", {"lifecycle_max_share": 0.2, "absent_lists": 2, "mdm_assignee_updates": True}, actor="me"
        )
        assert changed.policy.lifecycle_max_share == 0.2
        assert [entry.details for entry in audit.entries(db, "acme")] == [
            {"changed": {"lifecycle_max_share": [0.1, 0.2], "mdm_assignee_updates": [False, True]}}
        ]
        with pytest.raises(WrongUseError, match="'status' is no setting"):
            connections.change_settings(db, "acme", {"status": "connected"}, actor="me")
        with pytest.raises(WrongUseError, match="out of range"):
            connections.change_settings(db, "acme", {"lifecycle_max_share": 1.5}, actor="me")
        assert len(audit.entries(db, "acme")) == 1


def test_status_says_what_happened_and_never_revives_a_disconnected_connection(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    acme = connect_account()
    with engine.begin() as db:
        assert connections.set_status(db, acme.connection_id, "needs_consent", "consent_missing", "Connect again.")
        assert not connections.set_status(db, acme.connection_id, "needs_consent", "consent_missing", "Connect again.")
        record = connections.get(db, "acme")
        assert (record.status_cause, record.status_message) == ("consent_missing", "Connect again.")
        assert connections.with_status(db, "needs_consent") == [record]
        assert connections.set_status(db, acme.connection_id, "connected")
        assert connections.get(db, "acme").status_message is None
        connections.disconnect(db, "acme", actor="me")
        assert not connections.set_status(db, acme.connection_id, "connected")


def test_disconnecting_fails_what_was_asked_for_and_refuses_new_syncs(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    acme = connect_account()
    with engine.begin() as db:
        asked = sync_requests.request(db, acme.connection_id, requested_by="me", debounce=timedelta(minutes=30))
        connections.disconnect(db, "acme", actor="me")
        request = sync_requests.get(db, asked.request_id)
        assert request is not None
        assert (request.status, request.error) == ("failed", "The account was disconnected before the sync began.")
        with pytest.raises(connections.NotConnectedError, match="was disconnected from Microsoft Intune on"):
            connections.syncable(db, "acme")
        with pytest.raises(connections.NotConnectedError, match="disconnected already"):
            connections.disconnect(db, "acme", actor="me")
        with pytest.raises(connections.NotConnectedError, match=r"not connected .* any more"):
            sync_requests.request(db, acme.connection_id, requested_by="me", debounce=timedelta(minutes=30))


def test_an_account_without_connection_is_told_how_to_connect(engine: sa.Engine) -> None:
    with engine.begin() as db:
        accounts.create(db, "acme")
        with pytest.raises(connections.NotConnectedError, match="connections add acme"):
            connections.syncable(db, "acme")
        with pytest.raises(accounts.UnknownAccountError):
            connections.syncable(db, "globex")
