"""A catalogue file is read as docs/teach-a-model.md says, and a file that cannot be read says what is wrong."""

from importlib.resources import files

import pytest

from intune_pipeline.domain.catalogue import STAGES, Catalogue, Classification, Rule, catalogues, read_catalogue
from intune_pipeline.domain.patterns import PatternError
from intune_pipeline.domain.vocabulary import DeviceType

ACME = """
manufacturers = ["acme", "^contoso"]
example_manufacturer = "ACME Inc."
machine_types = "lenovo_machine_types.csv"

[[laptop]]
id = "book"
model = ["^book", "note ?pad"]
reason = "Books and NotePads are laptops"
example = "Book 14"

[[placeholder]]
id = "sample"
model = "sample"
reason = "samples are no devices of anybody"
example = "Sample 1"

[[generic]]
id = "tower"
type = "desktop"
model = "tower"
reason = "a tower is a desktop"
example = "Tower 3"
example_manufacturer = "Contoso"
"""
RANKS = {stage: rank for rank, stage in enumerate(STAGES)}
SAMPLE = Classification(DeviceType.UNKNOWN, "acme:sample", "samples are no devices of anybody")
BOOK = Classification(DeviceType.LAPTOP, "acme:book", "Books and NotePads are laptops")
TOWER = Classification(DeviceType.DESKTOP, "acme:tower", "a tower is a desktop")


@pytest.fixture
def acme() -> Catalogue:
    return read_catalogue("acme", ACME)


def test_rules_are_read_in_the_order_of_stages(acme: Catalogue) -> None:
    assert acme.rules == [
        Rule("placeholder", SAMPLE, "sample", "Sample 1", "ACME Inc."),
        Rule("laptop", BOOK, "^book|note ?pad", "Book 14", "ACME Inc."),
        Rule("generic", TOWER, "tower", "Tower 3", "Contoso"),
    ]
    assert (acme.name, acme.platforms, acme.for_every_maker) == ("acme", ("windows",), False)


def test_a_file_speaks_for_each_of_its_makers(acme: Catalogue) -> None:
    assert [acme.speaks_for(maker) for maker in ("acme inc.", "contoso", "the contoso", "")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("model", "stage", "answer"),
    [
        ("tower book", "generic", TOWER),
        ("book tower", "laptop", BOOK),
        ("my notepad", "laptop", BOOK),
        ("note pad sample tower", "placeholder", SAMPLE),
    ],
)
def test_the_first_stage_that_matches_decides(acme: Catalogue, model: str, stage: str, answer: Classification) -> None:
    assert acme.first_match(model) == (RANKS[stage], answer)


def test_a_model_that_no_rule_matches_has_no_answer(acme: Catalogue) -> None:
    assert acme.first_match("stand") is None


@pytest.mark.parametrize(
    ("model", "device_type", "reason"),
    [
        ("20uw", DeviceType.TABLET, "machine type 20UW: ThinkPad X12 Detachable"),
        ("20uws00a00", DeviceType.TABLET, "machine type 20UW: ThinkPad X12 Detachable"),
        ("0190", DeviceType.LAPTOP, "machine type 0190-0259: ThinkPad Edge"),
        ("0259", DeviceType.LAPTOP, "machine type 0190-0259: ThinkPad Edge"),
        ("10017", DeviceType.LAPTOP, "machine type 10017: a laptop"),
        ("0196", DeviceType.LAPTOP, "machine type 0196: ThinkPad Edge 13"),
        ("10qw", DeviceType.DESKTOP, "machine type 10QW: a desktop"),
    ],
)
def test_a_machine_type_says_its_family(acme: Catalogue, model: str, device_type: DeviceType, reason: str) -> None:
    assert acme.first_match(model) == (
        RANKS["machine_type"],
        Classification(device_type, "acme:machine-type", reason),
    )


def test_a_machine_type_is_the_first_four_characters_of_seven_or_more(acme: Catalogue) -> None:
    for model in ("20uw1", "20uw s00a00", "x20uws00a00", "20uws00a00123"):
        assert acme.first_match(model) is None


def test_a_machine_type_decides_before_a_family_and_after_a_placeholder() -> None:
    text = ACME.replace('"^book"', '"20uw"')
    assert read_catalogue("acme", text).first_match("20uws00") == read_catalogue("acme", ACME).first_match("20uws00")
    text = ACME.replace('"sample"', '"20uw"', 2)
    assert (read_catalogue("acme", text).first_match("20uws00") or (None,))[0] == RANKS["placeholder"]


def test_users_of_what_is_no_phone_are_rooms() -> None:
    text = """
    platforms = ["android"]
    manufacturers = []
    example_manufacturer = "Neat"
    [[not_a_phone]]
    id = "room"
    model = "pad"
    reason = "a room's screen"
    example = "NeatPad"
    """
    found = read_catalogue("rooms", text)
    assert found.first_match("neat neatpad") == (
        RANKS["not_a_phone"],
        Classification(DeviceType.MOBILE, "rooms:room", "a room's screen", users_are_rooms=True),
    )
    assert (found.platforms, found.for_every_maker, found.machine_types) == (["android"], True, {})
    assert found.speaks_for("whoever")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("manufacturers = []", "KeyError: 'example_manufacturer'"),
        ('example_manufacturer = "ACME"', "KeyError: 'manufacturers'"),
        (ACME.replace('reason = "a tower is a desktop"', ""), "KeyError: 'reason'"),
        (ACME.replace('type = "desktop"', 'type = "lorry"'), "ValueError: 'lorry' is not a valid DeviceType"),
        (ACME.replace('["^book", "note ?pad"]', "5"), "TypeError: can only join an iterable"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong_and_where_to_look(text: str, problem: str) -> None:
    text = text if "[[" in text else text + '\n[[laptop]]\nid = "a"\nmodel = "a"\nreason = "a"\nexample = "a"'
    with pytest.raises(PatternError) as refused:
        read_catalogue("acme", text)
    assert str(refused.value) == (f"acme is not in the catalogue's format ({problem}); docs/teach-a-model.md shows it.")


def test_a_pattern_that_cannot_be_used_is_not_written_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    for text in (ACME.replace('"acme"', '"("'), ACME.replace('"^book"', '"("')):
        with pytest.raises(PatternError):
            read_catalogue("acme", text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["[[laptop", ACME.replace('"^book"', '"("')])
def test_what_is_no_toml_or_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="acme is not in the catalogue's format"):
        read_catalogue("acme", text)


def test_every_file_of_the_built_in_catalogue_is_read_under_its_own_name() -> None:
    read = {one.name: one for one in catalogues()}
    for entry in files("intune_pipeline.domain.catalog").iterdir():
        if entry.name.endswith(".toml"):
            name = entry.name.removesuffix(".toml")
            again = read_catalogue(name, entry.read_text(encoding="utf-8"))
            assert (again.rules, again.machine_types) == (read[name].rules, read[name].machine_types)
