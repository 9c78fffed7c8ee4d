"""Bypass codes: sealed, compared without being shown, rotated without a trace, revealed with an audit entry."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from intune_pipeline.domain.fields import DeviceDetails, Sealed
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import alerts, audit, details
from intune_pipeline.inventory.details import Answer
from intune_pipeline.inventory.sealing import AccountSeal, KeyRing, new_data_key
from intune_pipeline.inventory.vault import (
    KeyLostError,
    NoCodeError,
    RevealLimitError,
    Rotated,
    Vault,
    VaultClosedError,
)
from intune_pipeline_tests.conftest import ConnectedAccount

CODE = "ABCDE-12345-FGHIJ"
REASON = "Laptop came back locked"
OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))


def earlier(code: str, key: SecretStr = OLD) -> str:
    """A code as an earlier version sealed it, bound to nothing."""
    return Fernet(key.get_secret_value()).encrypt(code.encode()).decode()


@pytest.fixture
def acme(connect_account: Callable[..., ConnectedAccount]) -> ConnectedAccount:
    return connect_account()


@pytest.fixture
def seal(engine: sa.Engine, acme: ConnectedAccount) -> Callable[..., AccountSeal]:
    """``seal(OLD, account_id)`` is an account's seal under these keys."""

    def of(*keys: SecretStr, account_id: int | None = None) -> AccountSeal:
        with engine.begin() as db:
            return Vault(keys).of_account(db, account_id or acme.account_id)

    return of


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


def codes(engine: sa.Engine) -> tuple[str, str]:
    """The ciphertexts of the stored asset and of its device."""
    with engine.connect() as db:
        of_asset = db.scalar(sa.text("select activation_lock_bypass_code from assets"))
        return of_asset, db.scalar(sa.text("select bypass_code from device_details where intune_device_id = 'd1'"))


def test_a_code_that_did_not_change_keeps_its_ciphertext(seal: Callable[..., AccountSeal]) -> None:
    ours = seal(NEW, OLD)
    known = ours.seal(CODE, "S1")
    assert seal(NEW, OLD).seal(CODE, "S1", [None, known]) == known
    assert ours.seal("OTHER", "S1", [known]) != known
    assert ours.open(known, "S1") == CODE
    before = earlier(CODE)
    assert ours.seal(CODE, "S1", [before]) == before


@given(code=st.text(min_size=1), account=st.integers(1, 9), other=st.integers(1, 9), serial=st.text(), moved=st.text())
def test_a_ciphertext_opens_for_its_account_and_serial_number_only(
    code: str, account: int, other: int, serial: str, moved: str
) -> None:
    ring, key = KeyRing([NEW]), new_data_key()
    ciphertext = AccountSeal(account, [key], ring).seal(code, serial)
    opened = AccountSeal(other, [new_data_key(), key], ring).open(ciphertext, moved)
    assert opened == (code if (account, serial) == (other, moved) else None)


def test_a_ciphertext_moved_to_another_row_opens_nowhere(
    engine: sa.Engine,
    seal: Callable[..., AccountSeal],
    stored: Callable[[str], None],
    connect_account: Callable[..., ConnectedAccount],
) -> None:
    stored(seal(NEW).seal(CODE, "C02ABC"))
    globex = connect_account("globex")
    with engine.begin() as db:
        db.execute(
            sa.text("""
                insert into assets (account_id, serial_number, activation_lock_bypass_code)
                select account, serial, activation_lock_bypass_code
                from assets, (values (cast(:acme as bigint), 'X2'), (:globex, 'C02ABC')) as place (account, serial)
            """),
            {"acme": 1, "globex": globex.account_id},
        )
        # Even with the account's key.
        db.execute(
            sa.text("insert into account_keys (account_id, wrapped_key) select :id, wrapped_key from account_keys"),
            {"id": globex.account_id},
        )
    for account, serial in (("acme", "X2"), ("globex", "C02ABC")):
        with engine.begin() as db, pytest.raises(KeyLostError, match="or for another serial number"):
            Vault([NEW]).reveal(db, account, serial, reason=REASON, actor="ann")


def test_without_keys_the_vault_is_closed(engine: sa.Engine, acme: ConnectedAccount) -> None:
    vault = Vault([])
    assert not vault.is_open
    with engine.begin() as db, pytest.raises(VaultClosedError, match="BYPASS_CODE_KEYS is not set"):
        vault.of_account(db, acme.account_id)


def test_a_lost_key_is_one_sentence_and_keys_and_codes_are_never_shown(
    engine: sa.Engine, seal: Callable[..., AccountSeal], stored: Callable[[str], None]
) -> None:
    ciphertext = seal(OLD).seal(CODE, "C02ABC")
    stored(ciphertext)
    vault = Vault([NEW])
    with engine.begin() as db, pytest.raises(KeyLostError, match="put that key back") as caught:
        vault.reveal(db, "acme", "C02ABC", reason=REASON, actor="ann")
    shown = "".join(traceback.format_exception(caught.value)) + repr(vault) + repr(Answer("d1", bypass_code=CODE))
    shown += repr(seal(NEW)) + repr(KeyRing([NEW]))
    assert not any(secret in shown for secret in (CODE, OLD.get_secret_value(), NEW.get_secret_value()))
    assert seal(NEW).seal(CODE, "C02ABC", [ciphertext]) != ciphertext


def test_revealing_needs_a_reason_and_is_audited(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    vault = Vault([NEW])
    stored(seal(NEW).seal(CODE, "C02ABC"))
    with engine.begin() as db:
        with pytest.raises(WrongUseError, match="10 characters"):
            vault.reveal(db, "acme", "C02ABC", reason="  because   ", actor="ann")
        assert vault.reveal(db, "acme", " c02a bc", reason=REASON, actor="ann") == CODE
        entries = audit.entries(db, "acme")
        assert [(e.actor, e.action, e.subject, e.reason) for e in entries] == [("ann", "reveal", "c02a bc", REASON)]
        assert CODE not in repr(entries)


def test_the_sixth_reveal_within_an_hour_is_refused_and_operators_are_told(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    vault = Vault([NEW])
    stored(seal(NEW).seal(CODE, "C02ABC"))

    def reveal(_: int = 0) -> str:
        with engine.begin() as db:
            return vault.reveal(db, "acme", "C02ABC", reason=REASON, actor="ann")

    with engine.begin() as db:
        audit.record(db, 1, actor="ann", action="reveal", reason=REASON)
        db.execute(sa.text("update audit_log set at = at - interval '61 minutes'"))
        assert "reveals" not in {one.cause for one in alerts.troubles(db, late_after=timedelta(days=9))}
    with ThreadPoolExecutor(8) as pool:
        tried = [pool.submit(reveal) for _ in range(8)]
    assert sum(one.exception() is None for one in tried) == 5
    with pytest.raises(RevealLimitError, match="limit; the next can be revealed at"):
        reveal()
    with engine.connect() as db:
        [told] = [one for one in alerts.troubles(db, late_after=timedelta(days=9)) if one.cause == "reveals"]
    assert told.message.startswith("acme: 5 bypass codes were revealed within an hour, the last one by ann")


def test_a_code_not_yet_on_the_asset_is_revealed_from_its_device(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    stored(seal(NEW).seal(CODE, "C02ABC"))
    with engine.begin() as db:
        db.execute(sa.text("update assets set activation_lock_bypass_code = null"))
        assert Vault([NEW]).reveal(db, "acme", "C02ABC", reason=REASON, actor="ann") == CODE


def test_nothing_to_reveal_is_told_and_not_audited(
    engine: sa.Engine, connect_account: Callable[..., ConnectedAccount], stored: Callable[[str], None]
) -> None:
    vault = Vault([NEW])
    stored(earlier(CODE))
    connect_account("globex")
    with engine.begin() as db:
        with pytest.raises(NoCodeError, match="has no asset with the serial number X1"):
            vault.reveal(db, "acme", "X1", reason=REASON, actor="ann")
        with pytest.raises(NoCodeError, match="globex has no asset"):
            vault.reveal(db, "globex", "C02ABC", reason=REASON, actor="ann")
        with pytest.raises(KeyLostError):
            vault.reveal(db, "acme", "C02ABC", reason=REASON, actor="ann")
        db.execute(sa.text("update assets set activation_lock_bypass_code = null; delete from device_details"))
        with pytest.raises(NoCodeError, match="No bypass code is stored for C02ABC"):
            vault.reveal(db, "acme", "C02ABC", reason=REASON, actor="ann")
        assert audit.entries(db, "acme") == []


def test_rotation_wraps_keys_anew_and_leaves_codes_alone(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    stored(seal(OLD).seal(CODE, "C02ABC"))
    before = codes(engine)
    assert Vault([NEW, OLD]).rotate(engine) == Rotated(keys=1, codes=0, dropped=0)
    assert Vault([NEW]).rotate(engine) == Rotated(keys=0, codes=0, dropped=0)
    assert codes(engine) == before
    assert seal(NEW).open(before[0], "C02ABC") == CODE
    assert seal(OLD).open(before[0], "C02ABC") is None


def test_rotation_binds_codes_of_earlier_versions_and_leaves_no_trace(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intune_pipeline.inventory.vault._ROTATED_AT_ONCE", 2)
    stored(earlier(CODE))
    with engine.begin() as db:
        for number in range(7):
            db.execute(
                sa.text("""
                    with device as (
                        insert into device_outcomes (connection_id, intune_device_id, serial_number, outcome)
                        select id, :device, :serial, 'synced' from connections
                    )
                    insert into device_details (connection_id, intune_device_id, bypass_code)
                    select id, :device, :code from connections
                """),
                {
                    "device": f"o{number}",
                    "serial": f"s {number}" if number else None,
                    "code": earlier(f"code {number}"),
                },
            )
        before = db.execute(sa.text("select updated_at from assets")).all()
    assert Vault([NEW, OLD]).rotate(engine) == Rotated(keys=0, codes=8, dropped=1)
    assert Vault([NEW]).rotate(engine) == Rotated(keys=0, codes=0, dropped=0)
    of_asset, of_device = codes(engine)
    assert of_asset == of_device
    assert seal(NEW).open(of_asset, "C02ABC") == CODE
    with engine.connect() as db:
        sealed = db.scalars(
            sa.text("select bypass_code from device_details where intune_device_id like 'o%' order by intune_device_id")
        ).all()
        assert [code and seal(NEW).open(code, f"S{number}") for number, code in enumerate(sealed)] == [
            None, *(f"code {number}" for number in range(1, 7)),
        ]  # fmt: skip
        assert db.execute(sa.text("select updated_at from assets")).all() == before
        assert db.scalar(sa.text("select count(*) from asset_changes")) == 0


def test_rotation_rotates_what_it_can_and_says_what_it_cannot(
    engine: sa.Engine, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    lost = earlier("lost", SecretStr(Fernet.generate_key().decode()))
    stored(earlier(CODE))
    with engine.begin() as db:
        db.execute(sa.text("update device_details set bypass_code = :lost"), {"lost": lost})
    with pytest.raises(KeyLostError, match="1 keys and bypass codes are encrypted with the first key now, but 1 were"):
        Vault([NEW, OLD]).rotate(engine)
    of_asset, of_device = codes(engine)
    assert seal(NEW).open(of_asset, "C02ABC") == CODE
    assert of_device == lost


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
        details.store(db, acme.connection_id, [Answer("d1", 16, CODE, serial_number="c02abc")], vault)
        before = details.kept(db, acme.connection_id)
        details.store(db, acme.connection_id, [Answer("d1")], vault)
        details.store(db, acme.connection_id, [Answer("d1", failure="busy")], vault)
        assert details.kept(db, acme.connection_id) == before
        assert details.due(db, acme.connection_id, ["d1"], refresh_after=WEEK) == ["d1"]
        details.store(db, acme.connection_id, [Answer("d1", 32)], vault)
        assert details.kept(db, acme.connection_id)["d1"].memory_gb == 32
        assert details.due(db, acme.connection_id, ["d1"], refresh_after=WEEK) == []


def test_an_unchanged_code_keeps_the_ciphertext_of_its_asset(
    engine: sa.Engine, acme: ConnectedAccount, stored: Callable[[str], None], seal: Callable[..., AccountSeal]
) -> None:
    vault = Vault([NEW, OLD])
    for ciphertext in (earlier(CODE), seal(OLD).seal(CODE, "C02ABC")):
        with engine.begin() as db:
            db.execute(sa.text("delete from device_outcomes; delete from device_details; delete from assets"))
        stored(ciphertext)
        same, other = (Answer("d1", 8, code, serial_number="c02 ABC") for code in (CODE, "NEW-CODE"))
        with engine.begin() as db:
            planned = details.sealed(db, acme.connection_id, [same, Answer("d2", failure="busy")], vault)
            assert planned == {"d1": DeviceDetails(8, Sealed(ciphertext))}
            details.store(db, acme.connection_id, [same], vault)
            assert details.kept(db, acme.connection_id)["d1"].bypass_code == Sealed(ciphertext)
            details.store(db, acme.connection_id, [other], vault)
            changed = details.kept(db, acme.connection_id)["d1"].bypass_code
            assert changed is not None
            assert vault.of_account(db, acme.account_id).open(changed.token, "C02ABC") == "NEW-CODE"


def test_a_closed_vault_lets_codes_go_by(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        details.store(db, acme.connection_id, [Answer("d1", 16, CODE)], Vault([]))
        assert details.kept(db, acme.connection_id) == {"d1": DeviceDetails(16, None)}


def test_thousands_of_answers_are_stored(engine: sa.Engine, acme: ConnectedAccount) -> None:
    with engine.begin() as db:
        details.store(db, acme.connection_id, [Answer(f"d{n}", n + 1) for n in range(2500)], Vault([]))
        assert len(details.kept(db, acme.connection_id)) == 2500
