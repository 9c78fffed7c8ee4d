"""One-time states of consents under way."""

import contextlib
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import accounts, connect_attempts
from intune_pipeline.inventory.connect_attempts import AttemptError, AttemptProblem
from intune_pipeline.inventory.schema import connect_attempts as table


@pytest.fixture
def begun(engine: sa.Engine) -> tuple[str, int]:
    """A state and the account it was given to."""
    state = connect_attempts.new_state()
    with engine.begin() as db:
        account_id = accounts.create(db, "acme").id
        connect_attempts.begin(
            db,
            state,
            account_id=account_id,
            session_id="session",
            requested_by="petra",
            step="consent",
            choices={"mdm_assignee_updates": True},
        )
    return state, account_id


def take(engine: sa.Engine, state: str, account_id: int, session_id: str = "session") -> connect_attempts.Attempt:
    with engine.begin() as db:
        return connect_attempts.take(db, state, account_id=account_id, session_id=session_id, step="consent")


def test_a_state_gives_back_what_was_put_aside_once(engine: sa.Engine, begun: tuple[str, int]) -> None:
    attempt = take(engine, *begun)
    assert attempt.requested_by == "petra"
    assert attempt.choices == {"mdm_assignee_updates": True}
    with pytest.raises(AttemptError) as refused:
        take(engine, *begun)
    assert refused.value.problem is AttemptProblem.USED


def test_another_session_account_or_step_does_not_even_learn_that_it_exists(
    engine: sa.Engine, begun: tuple[str, int]
) -> None:
    state, account_id = begun
    for asked in ((state, account_id, "other"), (state, account_id + 1, "session"), ("x", account_id, "session")):
        with pytest.raises(AttemptError) as refused:
            take(engine, *asked)
        assert refused.value.problem is AttemptProblem.UNKNOWN
    with pytest.raises(AttemptError), engine.begin() as db:
        connect_attempts.take(db, state, account_id=account_id, session_id="session", step="sign_in")
    assert take(engine, *begun).requested_by == "petra"


def test_a_state_ends_after_a_quarter_of_an_hour(engine: sa.Engine, begun: tuple[str, int]) -> None:
    with engine.begin() as db:
        expires = db.scalar(sa.select(table.c.expires_at - table.c.created_at))
        db.execute(sa.update(table).values(expires_at=sa.func.now() - timedelta(seconds=1)))
    assert expires == timedelta(minutes=15)
    with pytest.raises(AttemptError) as refused:
        take(engine, *begun)
    assert refused.value.problem is AttemptProblem.EXPIRED


def test_of_two_that_come_at_once_one_gets_it(engine: sa.Engine, begun: tuple[str, int]) -> None:
    got: list[connect_attempts.Attempt] = []

    def try_it() -> None:
        with contextlib.suppress(AttemptError):
            got.append(take(engine, *begun))

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_old_attempts_are_forgotten(engine: sa.Engine, begun: tuple[str, int]) -> None:
    _, account_id = begun
    with engine.begin() as db:
        db.execute(sa.update(table).values(expires_at=sa.func.now() - timedelta(days=2)))
        connect_attempts.begin(
            db,
            connect_attempts.new_state(),
            account_id=account_id,
            session_id="s",
            requested_by="p",
            step="consent",
            choices={},
        )
        assert db.scalar(sa.select(sa.func.count()).select_from(table)) == 1


def test_a_state_has_256_bits() -> None:
    assert len(connect_attempts.new_state()) >= 43
    assert connect_attempts.new_state() != connect_attempts.new_state()
