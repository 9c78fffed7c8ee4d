"""``fleet`` on the command line: who is late, a sum at the end, and an exit status for scripts."""

import os
import subprocess
import sys

import sqlalchemy as sa

TROUBLE = "Microsoft answered that this tenant has no Intune licence; the customer's administrator assigns one in the admin centre."


def connected(engine, name, hours, trouble=None):
    with engine.begin() as db:
        account = db.scalar(sa.text("insert into accounts (slug, name) values (:n, :n) returning id"), {"n": name})
        db.execute(
            sa.text("""
                insert into connections (account_id, tenant_id, status, status_cause, status_message, connected_at)
                values (:account, gen_random_uuid(), :status, :cause, :trouble, now() - make_interval(hours => :hours))
            """),
            {
                "account": account,
                "status": "error" if trouble else "connected",
                "cause": "no_intune_licence" if trouble else None,
                "trouble": trouble,
                "hours": hours,
            },
        )


def test_a_calm_fleet_ends_well(stores, engine, command):
    connected(engine, "acme", 1)
    answer = command("fleet", "--check")
    assert answer.status == 0
    assert answer.out.splitlines()[-1].startswith("1 tenant (1 connected): 0 late, 0 late or in trouble; 0 devices")


def test_who_is_late_is_said_and_fails_the_check(stores, engine, command):
    connected(engine, "acme", 1)
    connected(engine, "globex", 27)
    connected(engine, "initech", 1, TROUBLE)
    shown = command("fleet")
    assert shown.status == 0
    late = [line.split()[0] for line in shown.out.splitlines() if " late " in line and "tenants" not in line]
    assert late == ["account", "globex"]
    assert f"initech: {TROUBLE}" in shown.out
    assert shown.out.splitlines()[-1].startswith("3 tenants (2 connected, 1 error): 1 late, 2 late or in trouble;")
    assert command("fleet", "--check").status == 1
    assert [one["account"] for one in command("fleet", "--trouble", "--json").json()] == ["globex", "initech"]


def test_a_pipe_gets_whole_words_and_a_line_for_each_tenant(stores, engine):
    name = "a-customer-with-a-name-of-many-words-and-then-some-more"
    connected(engine, name, 30, TROUBLE)
    ran = subprocess.run(
        [sys.executable, "-m", "intune_pipeline.cli", "fleet"],
        env={**os.environ, "COLUMNS": "40"}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rows = [line for line in ran.stdout.splitlines() if line.strip().startswith(f"{name} ")]
    assert [row.split()[-1] for row in rows] == ["no_intune_licence"]
