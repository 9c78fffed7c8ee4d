"""Changed rules are rehearsed: what each known model is, what it would be, and what that would do to its devices."""

from dataclasses import replace

import pytest

from intune_pipeline.domain.catalogue import Catalogue, read_catalogue
from intune_pipeline.domain.classification import AccountRule, Classifier
from intune_pipeline.domain.rehearsal import Effect, KnownModel, RehearsedChange, rehearse
from intune_pipeline.domain.vocabulary import DeviceType

KNOWN = KnownModel(
    "acme", "Windows", "Contoso", "Zorp 14", DeviceType.LAPTOP, is_synced=True, devices=3, assets=2, assigned=1
)


def by_rule(device_type: DeviceType) -> dict[str, Classifier]:
    """The rules of two accounts, of which one says what a Contoso Zorp is."""
    rule = AccountRule("7", "contoso", "zorp", device_type, "")
    return {"acme": Classifier([rule]), "other": Classifier()}


@pytest.mark.parametrize(
    ("was", "is_synced", "becomes", "effect", "ended"),
    [
        (DeviceType.UNKNOWN, False, DeviceType.TABLET, Effect.CREATED, (0, 0)),
        (DeviceType.DESKTOP, False, DeviceType.LAPTOP, Effect.CREATED, (0, 0)),
        (DeviceType.LAPTOP, True, DeviceType.UNKNOWN, Effect.LEFT_OUT, (2, 1)),
        (DeviceType.LAPTOP, True, DeviceType.DESKTOP, Effect.LEFT_OUT, (2, 1)),
        (DeviceType.LAPTOP, True, DeviceType.MOBILE, Effect.RETYPED, (0, 0)),
        (DeviceType.UNKNOWN, False, DeviceType.DESKTOP, Effect.RETYPED, (0, 0)),
        # Known as a laptop, and yet left out: the rules changed after the last sync.
        (DeviceType.LAPTOP, False, DeviceType.LAPTOP, Effect.CREATED, (0, 0)),
        (DeviceType.UNKNOWN, True, DeviceType.UNKNOWN, Effect.LEFT_OUT, (2, 1)),
    ],
)
def test_a_model_that_is_judged_otherwise_has_an_effect(
    was: DeviceType, is_synced: bool, becomes: DeviceType, effect: Effect, ended: tuple[int, int]
) -> None:
    known = replace(KNOWN, device_type=was, is_synced=is_synced)
    (change,) = rehearse([known], by_rule(becomes))
    assert change == RehearsedChange(known, becomes, "account:7", effect)
    assert (change.assets_ended, change.assigned_ended) == ended


def test_a_model_that_stays_what_it_is_is_not_told() -> None:
    left_out = replace(KNOWN, device_type=DeviceType.UNKNOWN, is_synced=False)
    assert list(rehearse([KNOWN], by_rule(DeviceType.LAPTOP))) == []
    changed = replace(left_out, device_type=DeviceType.DESKTOP)
    assert [one.known for one in rehearse([left_out, changed], by_rule(DeviceType.UNKNOWN))] == [changed]
    assert list(rehearse([left_out], by_rule(DeviceType.UNKNOWN))) == []


def test_each_account_is_judged_by_its_own_rules_in_the_order_given() -> None:
    models = [replace(KNOWN, account="other"), KNOWN, replace(KNOWN, model="Phone"), replace(KNOWN, account="other")]
    told = list(rehearse(models, by_rule(DeviceType.TABLET)))
    assert [(one.known, one.rule) for one in told] == [
        (models[0], "none"), (models[1], "account:7"), (models[2], "none"), (models[3], "none"),
    ]  # fmt: skip


def rehearsed(
    manufacturers: str = '["contoso"]', platforms: str = '["windows", "macos"]', stage: str = "desktop"
) -> Catalogue:
    return read_catalogue(
        "draft",
        f"""
        manufacturers = {manufacturers}
        platforms = {platforms}
        example_manufacturer = "Contoso"
        [[{stage}]]
        id = "zorp"
        model = "(^| )zorp"
        reason = "rehearsed"
        example = "Zorp"
        """,
    )


@pytest.mark.parametrize(
    ("system", "maker", "model", "rule"),
    [
        ("Windows", "Contoso", "Zorp_14", "draft:zorp"),
        ("macOS", "CONTOSO Ltd", "zorp", "draft:zorp"),
        ("Mac OS X", "Contoso", "Zorp", "draft:zorp"),
        ("Android", "Contoso", "Zorp", "platform:android"),
        ("Linux", "Contoso", "Zorp", "platform:other"),
        ("Windows", "Fabrikam", "Zorp", "none"),
        ("Windows", "Contoso", "Xzorp", "none"),
    ],
)
def test_changed_rules_are_tried_for_their_makers_and_systems_only(
    system: str, maker: str, model: str, rule: str
) -> None:
    assert Classifier(changed=rehearsed()).classify(system, maker, model).rule == rule


def test_a_rule_of_windows_does_not_see_the_maker() -> None:
    assert Classifier(changed=rehearsed()).classify("Windows", "Contoso Zorp", "Slate").rule != "draft:zorp"


def test_changed_rules_come_before_the_built_in_ones_and_after_the_accounts_own() -> None:
    own = AccountRule("7", "", "draft:zorp", DeviceType.UNKNOWN, "")
    assert Classifier().classify("Windows", "Contoso", "Zorp Tower").rule != "draft:zorp"
    assert Classifier(changed=rehearsed()).classify("Windows", "Contoso", "Zorp Tower").rule == "draft:zorp"
    assert Classifier([own], changed=rehearsed()).classify("Windows", "Contoso", "Zorp Tower").rule == "account:7"


def test_changed_rules_for_every_maker_and_of_android_are_tried_too() -> None:
    everybody = Classifier(changed=rehearsed("[]"))
    assert everybody.classify("Windows", "whoever", "Zorp").rule == "draft:zorp"
    android = Classifier(changed=rehearsed('["^contoso"]', '["android"]', "not_a_phone"))
    assert android.classify("AndroidEnterprise", "Contoso_Mobile", "Zorp").rule == "draft:zorp"
    # As in the built-in catalogue, a rule of Android sees the maker before the model.
    assert android.classify("Android", "Contoso zorp", "5").rule == "draft:zorp"
    assert android.classify("Windows", "Contoso", "Zorp").rule == "none"
