"""An operator sees who is signed in, ends it, and says which organisation an account is."""

from datetime import UTC, datetime

import sqlalchemy as sa

from intune_pipeline.domain.vocabulary import Role
from intune_pipeline.inventory import accounts, schema, sessions


def sign_in(engine, account, subject):
    now = datetime.now(UTC)
    person = sessions.SignedIn(subject, "", "", Role.PRIMARY_ADMIN, beta=True, authenticated_at=now)
    with engine.begin() as db:
        return sessions.begin(db, person, accounts.create(db, account).id, now)


def is_live(engine, token):
    with engine.connect() as db:
        return sessions.find(db, token).is_live(datetime.now(UTC))


def test_an_operator_ends_one_persons_then_an_accounts_then_all_sessions(stores, engine, command):
    ada, bob, eve = sign_in(engine, "acme", "ada"), sign_in(engine, "acme", "bob"), sign_in(engine, "globex", "eve")
    assert "ada" in command("sessions", "list", "acme").out
    assert command("sessions", "end", "acme", "--subject", "ada").out.strip() == "1 session is ended."
    assert [is_live(engine, token) for token in (ada, bob, eve)] == [False, True, True]
    assert "ada" not in command("sessions", "list", "acme").out
    command("sessions", "end", "acme")
    assert [is_live(engine, token) for token in (ada, bob, eve)] == [False, False, True]
    command("sessions", "end", "--all")
    assert not is_live(engine, eve)
    with engine.connect() as db:
        noted = db.execute(sa.select(schema.audit_log.c.action, schema.audit_log.c.subject)).all()
    assert noted == [("sessions", "ada"), ("sessions", "everybody")]


def test_an_operator_binds_an_account_to_an_organisation_and_nobody_else_gets_it(stores, engine, command):
    token = sign_in(engine, "acme", "ada")
    with engine.begin() as db:
        accounts.create(db, "globex")
    assert command("accounts", "organization", "acme", "--id", "org_1").status == 0
    assert not is_live(engine, token)
    refused = command("accounts", "organization", "globex", "--id", "org_1")
    assert refused.status == 2
    assert "acme is the organisation org_1 already" in refused.err
    with engine.begin() as db:
        assert accounts.of_organization(db, "org_2", "acme") == (None, False)
    assert command("accounts", "organization", "acme", "--forget").status == 0
    with engine.begin() as db:
        account, bound = accounts.of_organization(db, "org_2", "acme")
        assert (account.slug, bound) == ("acme", True)
