"""Bypass codes: sealed, compared without being shown, rotated without a trace, revealed with an audit entry."""

import traceback
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from pydantic import SecretStr

from intune_pipeline.domain.fields import DeviceDetails, Sealed
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import audit, details
from intune_pipeline.inventory.details import Answer
from intune_pipeline.inventory.vault import KeyLostError, NoCodeError, Vault, VaultClosedError
from intune_pipeline_tests.conftest import ConnectedAccount

CODE = "ABCDE-12345-FGHIJ"
OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account()


@pytest.fixture
def stored(engine: sa.Engine, acme: ConnectedAccount) -> Callable[[str], None]:
    """Writes one asset, its device and its details, both holding the ciphertext."""

    def store(ciphertext: str) -> None:
        with engine.begin() as db:
            db.execute(
                sa.text("""
                    with asset as (
                        insert into assets (account_id, serial_number, activation_lock_bypass_code)
                        values (:account, 'C02 abc', :code) returning id
                    ), device as (
                        insert into device_outcomes (connection_id, intune_device_id, serial_number, outcome, asset_id)
                        select :connection, 'd1', 'C02ABC', 'synced', id from asset
                    )
                    insert into device_details (connection_id, intune_device_id, bypass_code, refreshed_at)
                    values (:connection, 'd1', :code, now())
                """),
                {"account": acme.account_id, "connection": acme.connection_id, "code": ciphertext},
            )

    return store


def test_a_code_that_did_not_change_keeps_its_ciphertext() -> None:
    vault = Vault([NEW, OLD])
    known = Vault([OLD]).seal(CODE)
    assert vault.seal(CODE, [None, known]) == known
    assert vault.seal("OTHER", [known]) != known
    assert vault.open(vault.seal(CODE)) == CODE
    assert CODE not in vault.seal(CODE)


def test_without_keys_the_vault_is_closed() -> None:
    vault = Vault([])
    assert not vault.is_open
    with pytest.raises(VaultClosedError, match="BYPASS_CODE_KEYS is not set"):
        vault.seal(CODE)


def test_a_lost_key_is_one_sentence_and_keys_and_codes_are_never_shown() -> None:
    ciphertext = Vault([OLD]).seal(CODE)
    vault = Vault([NEW])
    with pytest.raises(KeyLostError, match="put that key back") as caught:
        vault.open(ciphertext)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vault) + repr(Answer("d1", bypass_code=CODE))
    assert not any(secret in shown for secret in (CODE, OLD.get_secret_value(), NEW.get_secret_value()))
    assert vault.seal(CODE, [ciphertext]) != ciphertext


def test_revealing_needs_a_reason_and_is_audited(
    engine: sa.Engine, stored: Callable[[str], None], acme: ConnectedAccount
) -> None:
    vault = Vault([NEW])
    stored(vault.seal(CODE))
    with engine.begin() as db:
        with pytest.raises(WrongUseError, match="only with a reason"):
            vault.reveal(db, "acme", "C02ABC", reason=" ", actor="ann")
        assert vault.reveal(db, "acme", " c02a bc", reason="Laptop came back locked", actor="ann") == CODE
        entries = audit.entries(db, "acme")
        assert [(e.actor, e.action, e.subject, e.reason) for e in entries] == [
            ("ann", "reveal", "c02a bc", "Laptop came back locked")
        ]
        assert CODE not in repr(entries)


def test_a_code_not_yet_on_the_asset_is_revealed_from_its_device(
    engine: sa.Engine, stored: Callable[[str], None]
) -> None:
    vault = Vault([NEW])
    stored(vault.seal(CODE))
    with engine.begin() as db:
        db.execute(sa.text("update assets set activation_lock_bypass_code = null"))
        assert vault.reveal(db, "acme", "C02ABC", reason="x", actor="ann") == CODE


def test_nothing_to_reveal_is_told_and_not_audited(
    engine: sa.Engine,
    acme: ConnectedAccount,
    connect_account: Callable[..., ConnectedAccount],
    stored: Callable[[str], None],
) -> None:
    vault = Vault([NEW])
    stored(Vault([OLD]).seal(CODE))
    connect_account("globex")
    with engine.begin() as db:
        with pytest.raises(NoCodeError, match="has no asset with the serial number X1"):
            vault.reveal(db, "acme", "X1", reason="x", actor="ann")
        with pytest.raises(NoCodeError, match="globex has no asset"):
            vault.reveal(db, "globex", "C02ABC", reason="x", actor="ann")
        with pytest.raises(KeyLostError):
            vault.reveal(db, "acme", "C02ABC", reason="x", actor="ann")
        db.execute(sa.text("update assets set activation_lock_bypass_code = null; delete from device_details"))
        with pytest.raises(NoCodeError, match="No bypass code is stored for C02ABC"):
            vault.reveal(db, "acme", "C02ABC", reason="x", actor="ann")
        assert audit.entries(db, "acme") == []


def test_rotation_leaves_no_trace_but_the_new_key(
    engine: sa.Engine, stored: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intune_pipeline.inventory.vault._ROTATED_AT_ONCE", 2)
    stored(Vault([OLD]).seal(CODE))
    with engine.begin() as db:
        for number in range(7):
            db.execute(
                sa.text(
                    "insert into device_details (connection_id, intune_device_id, bypass_code) select id, :d, :c from connections"
                ),
                {"d": f"other {number}", "c": Vault([OLD if number % 2 else NEW]).seal(f"code {number}")},
            )
        before = db.execute(sa.text("select updated_at from assets")).all()
    assert Vault([NEW, OLD]).rotate(engine) == 4
    assert Vault([NEW, OLD]).rotate(engine) == 0
    with engine.begin() as db:
        of_asset = db.scalar(sa.text("select activation_lock_bypass_code from assets"))
        of_device = db.scalar(sa.text("select bypass_code from device_details where intune_device_id = 'd1'"))
        assert of_asset == of_device
        assert Vault([NEW]).open(of_asset) == CODE
        codes = db.scalars(sa.text("select bypass_code from device_details where intune_device_id <> 'd1'")).all()
        assert sorted(Vault([NEW]).open(code) for code in codes) == [f"code {number}" for number in range(7)]
        assert db.execute(sa.text("select updated_at from assets")).all() == before
        assert db.scalar(sa.text("select count(*) from asset_changes")) == 0


def test_rotation_rotates_what_it_can_and_says_what_it_cannot(engine: sa.Engine, stored: Callable[[str], None]) -> None:
    lost = Vault([SecretStr(Fernet.generate_key().decode())]).seal("lost")
    stored(Vault([OLD]).seal(CODE))
    with engine.begin() as db:
        db.execute(
            sa.text(
                "insert into device_details (connection_id, intune_device_id, bypass_code) select id, 'x', :c from connections"
            ),
            {"c": lost},
        )
    with pytest.raises(KeyLostError, match="1 bypass codes are encrypted with the first key now, but 1 were"):
        Vault([NEW, OLD]).rotate(engine)
    with engine.begin() as db:
        assert Vault([NEW]).open(db.scalar(sa.text("select activation_lock_bypass_code from assets"))) == CODE
        assert db.scalar(sa.text("select bypass_code from device_details where intune_device_id = 'x'")) == lost


# -- details ------------------------------------------------------------------------------------------------------------

WEEK = timedelta(days=7)


def test_new_stale_and_failed_devices_are_due(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        answers = [Answer("fresh", 16), Answer("stale", 16), Answer("failed", failure="busy")]
        details.store(db, acme.connection_id, answers, Vault([]))
        db.execute(
            sa.text(
                "update device_details set refreshed_at = now() - interval '8 days' where intune_device_id = 'stale'"
            )
        )
        ids = ["stale", "new", "fresh", "failed"]
        assert details.due(db, acme.connection_id, ids, refresh_after=WEEK) == ["stale", "new", "failed"]


def test_empty_answers_and_failures_overwrite_nothing(engine: sa.Engine, acme: ConnectedAccount) -> None:
    vault = Vault([NEW])
    with engine.begin() as db:
        details.store(db, acme.connection_id, [Answer("d1", 16, CODE)], vault)
        before = details.kept(db, acme.connection_id)
        details.store(db, acme.connection_id, [Answer("d1")], vault)
        details.store(db, acme.connection_id, [Answer("d1", failure="busy")], vault)
        assert details.kept(db, acme.connection_id) == before
        assert details.due(db, acme.connection_id, ["d1"], refresh_after=WEEK) == ["d1"]
        details.store(db, acme.connection_id, [Answer("d1", 32)], vault)
        assert details.kept(db, acme.connection_id)["d1"].memory_gb == 32
        assert details.due(db, acme.connection_id, ["d1"], refresh_after=WEEK) == []


def test_an_unchanged_code_keeps_the_ciphertext_of_its_asset(
    engine: sa.Engine, acme: ConnectedAccount, stored: Callable[[str], None]
) -> None:
    vault = Vault([NEW, OLD])
    ciphertext = Vault([OLD]).seal(CODE)
    stored(ciphertext)
    with engine.begin() as db:
        planned = details.sealed(db, acme.connection_id, [Answer("d1", 8, CODE), Answer("d2", failure="busy")], vault)
        assert planned == {"d1": DeviceDetails(8, Sealed(ciphertext))}
        details.store(db, acme.connection_id, [Answer("d1", 8, CODE)], vault)
        assert details.kept(db, acme.connection_id)["d1"].bypass_code == Sealed(ciphertext)
        details.store(db, acme.connection_id, [Answer("d1", 8, "NEW-CODE")], vault)
        changed = details.kept(db, acme.connection_id)["d1"].bypass_code
        assert changed is not None
        assert vault.open(changed.token) == "NEW-CODE"


def test_a_closed_vault_lets_codes_go_by(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        details.store(db, acme.connection_id, [Answer("d1", 16, CODE)], Vault([]))
        assert details.kept(db, acme.connection_id) == {"d1": DeviceDetails(16, None)}


def test_thousands_of_answers_are_stored(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        details.store(db, acme.connection_id, [Answer(f"d{n}", n + 1) for n in range(2500)], Vault([]))
        assert len(details.kept(db, acme.connection_id)) == 2500
