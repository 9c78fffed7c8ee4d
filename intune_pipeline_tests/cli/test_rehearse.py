"""``rehearse``: the check of a release of the catalogue; exit 1 when devices that are synced would be left out."""

from intune_pipeline_tests.inventory.test_rehearsals import FROBNICATORS, NO_LATITUDES
from intune_pipeline_tests.syncing import Tenant, device


def test_what_changed_rules_would_do_is_printed_and_leaving_out_what_is_synced_fails(stores, engine, tmp_path, command):
    tenant = Tenant.connected(engine, "acme")
    tenant.sync([device("d1"), device("d2", manufacturer="Nobody Knows", model="Frobnicator 9")])
    quiet = command("rehearse")
    assert (quiet.status, quiet.out) == (0, "Every known model would be judged as it was.\n")

    rules = tmp_path / "rules.toml"
    rules.write_text(FROBNICATORS)
    known = {"account": "acme", "devices": 1}
    created = command("rehearse", "--rules", str(rules), "--json")
    assert created.status == 0
    assert created.json() == [
        {
            **known,
            "manufacturer": "Nobody Knows",
            "model": "Frobnicator 9",
            "from": "unknown",
            "to": "laptop",
            "rule": "rules:frobnicator",
            "effect": "created",
            "assets_ended": 0,
            "assigned_ended": 0,
        }
    ]
    rules.write_text(NO_LATITUDES)
    left_out = command("rehearse", "--rules", str(rules))
    assert (left_out.status, "1 synced device would be left out" in left_out.err) == (1, True)
    assert "acme: syncs would keep 1 asset up to date no more" in left_out.err
    assert "left out" in " ".join(left_out.out.split())
    rules.write_text("manufacturers = 3")
    assert command("rehearse", "--rules", str(rules)).status == 2
