"""Changed rules are rehearsed over every known device before anybody syncs by them."""

import pytest
import sqlalchemy as sa

from intune_pipeline.domain.catalogue import read_catalogue
from intune_pipeline.domain.patterns import PatternError
from intune_pipeline.domain.rehearsal import Effect
from intune_pipeline.inventory import rehearsals
from intune_pipeline_tests.syncing import Tenant, device

FROBNICATORS = """
manufacturers = ["nobody knows"]
example_manufacturer = "Nobody Knows"
[[laptop]]
id = "frobnicator"
model = "frobnicator"
reason = "a laptop"
example = "Frobnicator 9"
"""
NO_LATITUDES = """
manufacturers = ["dell"]
example_manufacturer = "Dell Inc."
[[desktop]]
id = "latitude"
model = ["latitude", "precision"]
reason = "by mistake"
example = "Latitude 5440"
"""


@pytest.fixture
def tenants(engine: sa.Engine) -> list[Tenant]:
    made = [Tenant.connected(engine, slug) for slug in ("acme", "globex")]
    for tenant in made:
        tenant.sync(
            [
                device("d1", "SN-1"),
                device("d2", "SN-2"),
                device("d3", "SN-3", manufacturer="Nobody Knows", model="Frobnicator 9"),
                device("d4", "SN-4", managedDeviceOwnerType="unknown"),
            ]
        )
    return made


def changes(tenants: list[Tenant], rules: str | None) -> list[tuple[str, str, int, str, Effect]]:
    with tenants[0].engine.connect() as db:
        found = rehearsals.rehearsed(db, read_catalogue("changed", rules) if rules else None)
    return [(one.known.account, one.known.model, one.known.devices, str(one.becomes), one.effect) for one in found]


def test_the_installed_catalogue_changes_nothing_it_has_judged(tenants: list[Tenant]) -> None:
    assert changes(tenants, None) == []


def test_a_new_rule_shows_what_it_would_create_in_every_account(tenants: list[Tenant]) -> None:
    assert changes(tenants, FROBNICATORS) == [
        (account, "Frobnicator 9", 1, "laptop", Effect.CREATED) for account in ("acme", "globex")
    ]


def test_a_rule_that_would_leave_out_synced_devices_is_seen(tenants: list[Tenant]) -> None:
    assert changes(tenants, NO_LATITUDES) == [
        (account, "Latitude 5440", 2, "desktop", Effect.LEFT_OUT) for account in ("acme", "globex")
    ]


def test_an_accounts_own_rule_comes_first(tenants: list[Tenant]) -> None:
    tenants[0].run(
        "insert into account_rules (account_id, position, model_pattern, device_type) values (:account, 1, 'latitude', 'laptop')"
    )
    assert [one[0] for one in changes(tenants, NO_LATITUDES)] == ["globex"]


@pytest.mark.parametrize(
    "text", ["", "x = ", "manufacturers = 3", FROBNICATORS.replace('"frobnicator"\nreason', '"("\nreason')]
)
def test_a_file_that_is_no_catalogue_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(PatternError, match="not in the catalogue's format"):
        read_catalogue("changed", text)
