"""People's rights: everything about a person is found, and after an erasure nothing is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.erasure import Erasure, digest, identifying
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import audit, erasures, schema
from intune_pipeline.inventory.retention import Retention, forget_old
from intune_pipeline_tests.conftest import ConnectedAccount

MARKS = ("lovelace", "ada@", "ada.home", "ada's", "adas mac", "4f3c9c1e")
SEED = """
    insert into employees (account_id, first_name, last_name) values
        (:account, 'Ada', 'Lovelace'), (:account, 'Grace', 'Hopper'), (:other, 'Ada', 'Lovelace');
    insert into employee_emails (employee_id, account_id, email, kind) values
        (1, :account, 'Ada@Acme.example', 'work'), (1, :account, 'ada.home@mail.example', 'personal'),
        (2, :account, 'grace@acme.example', 'work'), (3, :other, 'ada@acme.example', 'work');
    insert into assets (account_id, serial_number, assignee_id, notes, status) values
        (:account, 'S1', 1, 'Handed to Ada  Lovelace (ada@acme.example) in May', 'allocated'),
        (:account, 'S2', 2, 'Grace wrote: see adam@acme.example', 'allocated'),
        (:other, 'S1', 3, 'Ada Lovelace', 'allocated');
    insert into asset_changes (asset_id, field, old_value, new_value, reason) values
        (1, 'assignee_id', null, '1', 'Intune''s user changed to ada@acme.example'), (2, 'model', 'a', 'b', null);
    insert into device_outcomes (connection_id, intune_device_id, serial_number, outcome, device_name, asset_id, candidate_user)
        values (:connection, 'd1', 'S1', 'synced', 'Ada''s MacBook', 1, null),
               (:connection, 'd2', 'S2', 'synced', 'ADMIN-PC', 2, 'ada@acme.example');
    insert into employee_holds (connection_id, email, first_name, last_name, display_name, decision, decided_by) values
        (:connection, 'ada@acme.example', 'Ada', 'Lovelace', 'A. Lovelace', 'skipped', 'ada@acme.example');
    insert into sync_requests (connection_id, requested_by) values (:connection, 'ada@acme.example');
    insert into audit_log (account_id, actor, action, subject, reason, details) values
        (:account, 'ada@acme.example', 'settings', 'acme', null, '{}'),
        (:account, 'grace@acme.example', 'release', 'ada@acme.example', 'Ada Lovelace left', '{"who": ["ADA@acme.example"]}'),
        (:account, 'grace@acme.example', 'settings', 'acme', null, '{}');
    insert into pipeline.raw_intune_devices
        (partition_key, intune_device_id, user_id, user_email, user_principal_name, user_display_name, device_name) values
        ('acme', 'd1', '4F3C9C1E-0000', 'ada@acme.example', 'alovelace@acme.example', 'Lovelace, Ada', 'Adas Mac'),
        ('acme', 'd2', 'other', 'grace@acme.example', null, 'Grace Hopper', 'pc');
    insert into pipeline.employees (partition_key, email, first_name, last_name) values
        ('acme', 'alovelace@acme.example', 'Ada', 'Lovelace');
"""


@pytest.fixture
def acme(engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    acme, globex = connect_account("acme"), connect_account("globex")
    with engine.begin() as db:
        for statement in filter(str.strip, SEED.split(";\n")):
            db.execute(
                sa.text(statement),
                {"account": acme.account_id, "connection": acme.connection_id, "other": globex.account_id},
            )
    return acme


def everything(engine: sa.Engine, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Every table's rows as one text in lower case."""
    with engine.connect() as db:
        return {
            table.fullname: " ".join(map(str, db.execute(sa.select(table)).all())).lower()
            for table in schema.metadata.sorted_tables
            if table.fullname not in but
        }


@pytest.mark.usefixtures("acme")
def test_an_erased_person_is_named_nowhere_in_the_account_and_stays_in_others(engine: sa.Engine) -> None:
    with engine.begin() as db:
        done = erasures.erase(
            db, "acme", " ADA.home@mail.example", reason="Ada Lovelace asked for it", actor="operator:joe"
        )
    with engine.begin() as db:
        # What may stay: the other account's Ada.
        db.execute(sa.text("delete from assets where account_id = 2"))
        db.execute(sa.text("delete from employees where account_id = 2"))
    for table, text in everything(engine).items():
        of_others = text.replace("adam@acme.example", "")
        assert not [mark for mark in MARKS if mark in of_others], f"{table}: {of_others}"
    with engine.connect() as db:
        employee = db.execute(sa.text("select first_name, last_name from employees where id = 1")).one()
        assert tuple(employee) == ("Erased", done.pseudonym)
        assert list(db.scalars(sa.text("select assignee_id from assets order by id"))) == [1, 2]
        assert (
            db.scalar(sa.text("select notes from assets where id = 1"))
            == f"Handed to {done.pseudonym} ({done.pseudonym}) in May"
        )
        assert db.scalar(sa.text("select notes from assets where id = 2")) == "Grace wrote: see adam@acme.example"
        assert db.scalar(sa.text("select user_email from pipeline.raw_intune_devices where intune_device_id = 'd2'"))


@pytest.mark.usefixtures("acme")
def test_other_accounts_keep_a_person_of_the_same_name_and_address(engine: sa.Engine) -> None:
    with engine.begin() as db:
        erasures.erase(db, "acme", "ada@acme.example", reason="asked", actor="operator:joe")
    with engine.connect() as db:
        assert db.scalar(sa.text("select email from employee_emails where account_id = 2")) == "ada@acme.example"
        assert db.scalar(sa.text("select notes from assets where account_id = 2")) == "Ada Lovelace"


@pytest.mark.usefixtures("acme")
def test_the_audit_chain_survives_an_erasure_and_still_tells_tampering(engine: sa.Engine) -> None:
    with engine.begin() as db:
        erasures.erase(db, "acme", "ada@acme.example", reason="asked", actor="operator:joe")
        newest = audit.entries(db, "acme")[0]
        assert (newest.action, newest.reason, len(newest.details["audit_ids"])) == ("erase", "asked", 2)
    with engine.connect() as db:
        assert audit.broken(db) == []
        db.execute(
            sa.text("update audit_log set salt = null where actor = 'grace@acme.example' and action = 'settings'")
        )
        assert audit.broken(db)


@pytest.mark.usefixtures("acme")
def test_an_export_has_every_table_that_tells_of_the_person_and_no_secret(engine: sa.Engine) -> None:
    with engine.begin() as db:
        found = erasures.export(db, "acme", "ada@acme.example")
        assert {name: len(rows) for name, rows in found.items()} == {
            "employees": 1, "employee_emails": 2, "assets": 1, "asset_changes": 1, "device_outcomes": 2, "employee_holds": 1,
            "sync_requests": 1, "audit_log": 2, "change_events": 1, "pipeline.raw_intune_devices": 1, "pipeline.employees": 1,
        }  # fmt: skip
        assert not any(erasures.SECRETS & set(row) for rows in found.values() for row in rows)
        with pytest.raises(erasures.UnknownPersonError, match="nothing is stored about"):
            erasures.export(db, "acme", "nobody@acme.example")


@pytest.mark.usefixtures("acme")
def test_an_erasure_needs_a_reason_and_ends_when_it_is_lifted(engine: sa.Engine) -> None:
    with engine.begin() as db:
        with pytest.raises(WrongUseError, match="only with a reason"):
            erasures.erase(db, "acme", "ada@acme.example", reason=" ", actor="operator:joe")
        erasures.erase(db, "acme", "ada@acme.example", reason="asked", actor="operator:joe")
        [erasure] = erasures.standing(db, 1)
        assert erasure.is_of(["4f3c9c1e-0000"])
        assert erasure.is_of([None, " ALOVELACE@acme.example "])
        assert not erasure.is_of(["grace@acme.example"])
        assert erasures.lift(db, "acme", "ada@acme.example", reason="hired again", actor="operator:joe") == 1
        assert erasures.standing(db, 1) == ()
        with pytest.raises(erasures.UnknownPersonError):
            erasures.lift(db, "acme", "ada@acme.example", reason="again", actor="operator:joe")


@given(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), st.emails())
def test_an_android_enterprise_prefix_hides_nobody(prefix: str, email: str) -> None:
    erasure = Erasure("salt", frozenset(digest("salt", key) for key in identifying([email])))
    assert erasure.is_of([prefix + email])


@pytest.mark.usefixtures("acme")
def test_what_is_old_goes_and_what_waits_or_counts_stays(engine: sa.Engine) -> None:
    def ages(db: sa.Connection) -> dict[str, Any]:
        return forget_old(db, Retention(audit=timedelta(days=200)))

    with engine.begin() as db:
        db.execute(sa.text("update employee_holds set decision = 'created', decided_at = now() - interval '366 days'"))
        db.execute(
            sa.text(
                "update device_outcomes set asset_id = null, last_seen_at = now() - interval '366 days' where intune_device_id = 'd2'"
            )
        )
        db.execute(
            sa.text(
                "insert into device_details (connection_id, intune_device_id, bypass_code) values (1, 'd1', 'v1.x')"
            )
        )
        db.execute(sa.text("update assets set activation_lock_bypass_code = 'v1.x' where id = 1"))
        none = {"plans": 0, "changes": 0, "deliveries": 0, "audit": 0}
        assert ages(db) == {"holds": 1, "outcomes": 1, "codes": 0, **none}
        db.execute(
            sa.text(
                "update connections set status = 'disconnected', disconnected_at = now() - interval '91 days' where id = 1"
            )
        )
        assert ages(db) == {"holds": 0, "outcomes": 0, "codes": 2, **none}
        assert db.scalar(sa.text("select activation_lock_bypass_code from assets where id = 1")) is None


def test_the_audit_log_forgets_from_its_beginning_and_its_chain_holds(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount]
) -> None:
    account = connect_account("acme").account_id
    with engine.begin() as db:
        for number in range(5):
            age = sa.text(
                "insert into audit_log (account_id, actor, action, at) values (:id, 'ada', 'settings', now() - :age)"
            )
            db.execute(age, {"id": account, "age": timedelta(days=1000 - 200 * number)})
        assert forget_old(db, Retention(audit=timedelta(days=500)))["audit"] == 3
        assert audit.broken(db) == []
        assert [entry.action for entry in audit.entries(db, "acme")] == ["forget", "settings", "settings"]
        db.execute(sa.text("delete from audit_log where id = (select min(id) from audit_log)"))
        assert audit.broken(db)


@pytest.mark.usefixtures("acme")
def test_the_providers_id_of_an_erased_person_goes_from_what_they_did(engine: sa.Engine) -> None:
    with engine.begin() as db:
        db.execute(sa.text("select set_config('app.actor_subject', 'auth0|7', true)"))
        for actor in ("ada@acme.example", "grace@acme.example"):
            audit.record(db, 1, actor=actor, action="sync")
        db.execute(sa.text("select set_config('app.actor_subject', '', true)"))
        erasures.erase(db, "acme", "ada@acme.example", reason="asked", actor="operator:joe")
        left = {entry.actor: entry.actor_subject for entry in audit.entries(db, "acme") if entry.action == "sync"}
        assert left.pop("grace@acme.example") == "auth0|7"
        assert list(left.values()) == [None]
    with engine.connect() as db:
        assert audit.broken(db) == []
