"""Settings are read once, named in every error, and never shown."""

import pytest
from cryptography.fernet import Fernet

from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings, SettingsError

APP = {"MICROSOFT_CLIENT_ID": "2f8c7f0e-7d3b-4c55-9a39-6f3e5a2b1c10", "MICROSOFT_CLIENT_SECRET": "hush"}
PORTAL = {
    "PORTAL_URL": "https://portal.example",
    "PORTAL_SESSION_SECRET": "s" * 32,
    "AUTH0_DOMAIN": "signin.example",
    "AUTH0_CLIENT_ID": "portal",
    "AUTH0_CLIENT_SECRET": "hush",
    "AUTH0_AUDIENCE": "allwhere",
}
OURS = ("MICROSOFT_", "INTUNE_", "AUTH0_", "PORTAL_", "ALLWHERE_", "DAGSTER_", "BYPASS_")


@pytest.fixture
def environment(monkeypatch):
    """An environment without any of the product's variables, and a way to set some."""
    import os

    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)

    def put(values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


def test_everything_but_the_app_has_a_default(environment):
    environment(APP)
    assert Settings.load().intune_run_deadline_minutes == 30
    assert Settings.load().details_on
    microsoft = MicrosoftSettings.load()
    assert microsoft.microsoft_login_url == "https://login.microsoftonline.com"
    assert microsoft.microsoft_graph_url == "https://graph.microsoft.com"


@pytest.mark.parametrize(
    ("load", "values", "names"),
    [
        (MicrosoftSettings.load, {}, "MICROSOFT_CLIENT_ID"),
        (MicrosoftSettings.load, {"MICROSOFT_CLIENT_ID": "app"}, "MICROSOFT_CLIENT_CERTIFICATE"),
        (MicrosoftSettings.load, APP | {"MICROSOFT_FEDERATED_TOKEN_FILE": "/dev/null"}, "exactly one"),
        (MicrosoftSettings.load, APP | {"MICROSOFT_LOGIN_URL": "http://login.example"}, "MICROSOFT_LOGIN_URL"),
        (MicrosoftSettings.load, APP | {"MICROSOFT_GRAPH_URL": "http://127.0.0.1:1"}, "MICROSOFT_GRAPH_URL"),
        (MicrosoftSettings.load, APP | {"MICROSOFT_CA_BUNDLE": "/nowhere/ca.pem"}, "MICROSOFT_CA_BUNDLE"),
        (Settings.load, {"INTUNE_RUN_DEADLINE_MINUTES": "soon"}, "INTUNE_RUN_DEADLINE_MINUTES"),
        (Settings.load, {"INTUNE_MAX_DEVICES": "0"}, "INTUNE_MAX_DEVICES"),
        (Settings.load, {"INTUNE_DETAILS": "maybe"}, "INTUNE_DETAILS"),
        (Settings.load, {"INTUNE_SYNC_TIME_ZONE": "Mars/Olympus"}, "INTUNE_SYNC_TIME_ZONE"),
        (Settings.load, {"ALLWHERE_DATABASE_URL": "mysql://u:hush@h/d"}, "ALLWHERE_DATABASE_URL"),
        (Settings.load, {"BYPASS_CODE_KEYS": "hush"}, "BYPASS_CODE_KEYS"),
        (PortalSettings.load, PORTAL | {"PORTAL_URL": "http://portal.example"}, "PORTAL_URL"),
        (PortalSettings.load, PORTAL | {"AUTH0_ISSUER": "http://signin.example/"}, "AUTH0_ISSUER"),
        (PortalSettings.load, PORTAL | {"PORTAL_SESSION_SECRET": "hush"}, "PORTAL_SESSION_SECRET"),
    ],
)
def test_a_missing_or_malformed_setting_is_one_sentence_that_names_it_and_shows_no_value(
    environment, load, values, names
):
    environment(values)
    with pytest.raises(SettingsError) as error:
        load()
    assert names in str(error.value)
    assert "hush" not in str(error.value)
    assert "\n" not in str(error.value)


def test_http_is_accepted_only_for_the_portal_and_the_sign_in_on_loopback(environment):
    environment(PORTAL | {"PORTAL_URL": "http://localhost:8000", "AUTH0_ISSUER": "http://127.0.0.1:9/"})
    assert PortalSettings.load().issuer == "http://127.0.0.1:9/"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_the_database_driver_is_always_named(environment, scheme):
    environment({"ALLWHERE_DATABASE_URL": f"{scheme}://u:p@h/d"})
    url = Settings.load().allwhere_database_url
    assert url is not None
    assert url.get_secret_value() == "postgresql+psycopg2://u:p@h/d"


def test_an_empty_variable_counts_as_unset(environment):
    environment({"ALLWHERE_DATABASE_URL": "", "BYPASS_CODE_KEYS": ""})
    assert Settings.load().allwhere_database_url is None
    assert Settings.load().bypass_code_keys == ()


def test_what_tells_people_is_kept_whole_and_malformed_addresses_stop_nothing_else(environment):
    environment({"INTUNE_ALERT_URLS": "mailto://a:hush@h?to=a@x.example,b@x.example, nonsense"})
    addresses = Settings.load().intune_alert_urls
    assert addresses is not None
    assert addresses.get_secret_value() == "mailto://a:hush@h?to=a@x.example,b@x.example, nonsense"
    assert "hush" not in repr(Settings.load())


def test_secrets_are_in_no_repr(environment):
    key = Fernet.generate_key().decode()
    environment(APP | PORTAL | {"BYPASS_CODE_KEYS": key, "ALLWHERE_DATABASE_URL": "postgresql://u:hush@h/d"})
    shown = f"{Settings.load()!r} {MicrosoftSettings.load()!r} {PortalSettings.load()!r}"
    assert "hush" not in shown
    assert key not in shown
    assert "s" * 32 not in shown
