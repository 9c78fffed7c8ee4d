"""``doctor`` says what works, a line each, and ends with 1 when anything does not."""

import pytest

MARKS = ("✓", "✗")


def marks(answer):
    lines = [line for line in answer.out.splitlines() if line.startswith(MARKS)]
    assert lines == answer.out.splitlines()
    return {line[2:].partition(":")[0]: line[0] for line in lines}


def test_all_is_well(stores, cloud, environment, command):
    environment.setenv(
        "INTUNE_ALERT_URLS", "mailtos://u:hush@smtp.example.com?to=a@x.example,b@x.example json://localhost"
    )
    command("connections", "add", "acme", "--tenant-id", cloud.tenants[0].tenant_id)
    answer = command("doctor", "acme")
    assert set(marks(answer).values()) == {"✓"}
    assert answer.status == 0
    assert "alerts: 2 addresses" in answer.out
    assert "hush" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("INTUNE_ALERT_URLS", "hush", "alerts"),
        ("INTUNE_ALERT_URLS", "json://localhost, hush", "alerts"),
        ("INTUNE_MAX_DEVICES", "0", "settings"),
        ("INTUNE_MAX_DEVICES", "hush", "settings"),
        ("BYPASS_CODE_KEYS", "hush", "settings"),
        ("MICROSOFT_CLIENT_ID", "", "Microsoft settings"),
        ("MICROSOFT_CLIENT_SECRET", "hush", "acme token"),
        ("MICROSOFT_GRAPH_URL", "https://127.0.0.1:9", "acme token"),
        ("MICROSOFT_LOGIN_URL", "https://127.0.0.1:9", "acme authority"),
        ("ALLWHERE_DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/allwhere", "database"),
    ],
)
def test_any_line_that_is_not_well_ends_it_with_1(stores, cloud, environment, command, name, value, line):
    command("connections", "add", "acme", "--tenant-id", cloud.tenants[0].tenant_id)
    environment.setenv(name, value)
    answer = command("doctor", "acme")
    assert marks(answer)[line] == "✗"
    assert answer.status == 1
    assert "hush" not in answer.out + answer.err
    assert "Traceback" not in answer.out + answer.err


def test_an_account_nobody_connected(stores, cloud, command):
    answer = command("doctor", "nobody")
    assert marks(answer)["nobody"] == "✗"
    assert marks(answer)["Dagster's storage"] == "✓"
    assert answer.status == 1
