"""Facts are known, never guessed: every value names its row or rule, and what has several values has none."""

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.facts import FIELDS, NO_FACT, Fact, fact_values, known_facts, shown_model
from intune_pipeline.domain.facts.catalogue import Maker, makers, rules, sources, table
from intune_pipeline.domain.facts.names import cleaned_name, tidy, without_description

MANUFACTURERS = {
    "dell": "Dell Inc.", "hp": "HP", "lenovo": "LENOVO", "microsoft": "Microsoft Corporation", "asus": "ASUSTeK",
    "msi": "Micro-Star International", "phones_and_tablets": "Contoso", "every_maker": "",
}  # fmt: skip
RULES = [(maker, rule) for maker in makers() for rule in rules(maker.name)]


def values(system: str, maker: str, model: str) -> tuple[str | None, ...]:
    known = fact_values(system, maker, model)
    return tuple(known.get(field) for field in FIELDS)


@pytest.mark.parametrize(
    ("system", "maker", "model", "name", "display", "release", "storage"),
    [
        ("macOS", "Apple", "Mac15,3", "MacBook Pro (14-inch, Nov 2023)", "14", "2023", "SSD"),
        ("macOS", "Apple", "MacBook Pro (14-inch, 2021)", "MacBook Pro (14-inch, 2021)", "14", "2021", "SSD"),
        ("macOS", "Apple", "MacBook Air (M2, 2022)", "MacBook Air (M2, 2022)", "13", "2022", "SSD"),
        ("iOS", "Apple", "iPhone 15 Pro", "iPhone 15 Pro", "6.1", "2023-09-22", "Flash"),
        ("iPadOS", "Apple", "iPad13,4", "iPad Pro (11-inch) (3rd generation)", "11", "2021-05-21", "Flash"),
        ("Windows", "LENOVO", "21BR004XUS", "ThinkPad T14s Gen 3 (Intel)", "14", "2022", None),
        ("Windows", "LENOVO", "20XW", "ThinkPad X1 Carbon Gen 9", "14", "2021", None),
        ("Windows", "LENOVO", "ThinkPad T14 Gen 3", "ThinkPad T14 Gen 3", "14", "2022", None),
        ("Windows", "LENOVO", "83AU0001US", "Yoga Pro 7 14ARP8", "14.5", "2023", None),
        ("Windows", "LENOVO", "80XL0001US", "IdeaPad 320-15IKB", "15.6", "2017", None),
        ("Windows", "LENOVO", "82N6", "Legion 7 16ACHg6", "16", "2021", None),
        ("Windows", "LENOVO", "83K1", "IdeaPad Slim 3 15IRH10", "15.3", "2025", None),
        ("Windows", "LENOVO", "20298", "IdeaPad S510p", "15.6", None, None),
        ("Windows", "LENOVO", "10RUS00A00", "ThinkCentre M920q", None, "2018", None),
        ("Windows", "Dell Inc.", "Latitude 7450", "Latitude 7450", "14", "2024-03-04", None),
        ("Windows", "Dell Inc.", "Dell Pro 14 PC14250", "Dell Pro 14 PC14250", "14", "2025", None),
        ("Windows", "Dell Inc.", "Precision 5760", "Precision 5760", "17", "2021", None),
        ("Windows", "HP", "HP EliteBook 840 14 inch G9 Notebook PC", "EliteBook 840 14 inch G9", "14", "2022", None),
        ("Windows", "HP", "HP ProBook 450 G6", "ProBook 450 G6", "15.6", "2018", None),
        ("Windows", "HP", "HP ProBook 455 G6", "ProBook 455 G6", "15.6", "2019", None),
        ("Windows", "Microsoft Corporation", "Surface Pro 9", "Surface Pro 9", "13", "2022-10-25", "SSD"),
        (
            "Windows",
            "Microsoft Corporation",
            "Surface Pro",
            "Surface Pro (5th generation)",
            "12.3",
            "2017-06-15",
            "SSD",
        ),
        ("Windows", "Framework", "Laptop 13 (AMD Ryzen 7040Series)", None, "13.5", None, "SSD"),
        ("Android", "samsung", "SM-S921B", "Galaxy S24", "6.2", "2024", "Flash"),
        ("Android", "samsung", "SM-S921XYZ", "Galaxy S24", "6.2", "2024", "Flash"),
        ("AndroidEnterprise", "Google", "Pixel 8", "Pixel 8", "6.2", None, "Flash"),
        ("Android", "Nobody", "Nothing known", "Nothing known", None, None, "Flash"),
        ("Windows", "Nobody", "Nothing known", "Nothing known", None, None, None),
    ],
)
def test_a_model_is_what_its_maker_says(
    system: str, maker: str, model: str, name: str | None, display: str | None, release: str | None, storage: str | None
) -> None:
    known = values(system, maker, model)
    assert known[0] == (name or model)
    assert known[1] == display
    assert release is None or (known[2] is not None and known[2].startswith(release[:4]))
    assert known[3] == storage


@pytest.mark.parametrize(
    ("maker", "model", "year"),
    [
        ("LENOVO", "IdeaPad 330-15XYZ", "2018"),
        ("LENOVO", "IdeaPad FLEX-15XYZ", "2019"),
        ("LENOVO", "IdeaPad FLEX 6-11IGM", "2018"),
        ("LENOVO", "Yoga 520-15XYZ", "2017"),
        ("LENOVO", "IdeaPad 5 16IIL05", "2020"),
        ("LENOVO", "IdeaPad 5 16ALC05", None),
        ("LENOVO", "IdeaPad S540-13ARE", None),
        ("LENOVO", "ThinkBook 16 G7+ IXX", None),
        ("LENOVO", "ThinkBook 16 G6+ IXX", "2024"),
        ("LENOVO", "ThinkBook 16 G6 IXX", "2023"),
        ("LENOVO", "V17 G4 IXX", "2023"),
        ("LENOVO", "ThinkPad L13 Yoga Gen 3 (Intel)", "2022"),
        ("LENOVO", "ThinkPad E485", "2018"),
        ("LENOVO", "ThinkPad T14s Gen 6 (AMD) of some year", None),
        ("LENOVO", "Yoga S730-13XYZ", None),
        ("Dell Inc.", "OptiPlex 5480 AIO", "2020"),
        ("Dell Inc.", "OptiPlex 5490 Ultra", None),
        ("Dell Inc.", "OptiPlex 7010 Tower", "2023"),
        ("Dell Inc.", "OptiPlex 990", "2011"),
        ("Dell Inc.", "Precision 3660 Tower", "2022"),
        ("Dell Inc.", "Dell Pro Tower QBT1250", "2025"),
        ("Dell Inc.", "Precision M6700", "2012"),
    ],
)
def test_a_family_with_one_year_states_it(maker: str, model: str, year: str | None) -> None:
    known = fact_values("Windows", maker, model).get("release_date")
    assert (known and known[:4]) == year


@pytest.mark.parametrize("system", ["", "Windows", "macOS", "iOS", "Android"])
@pytest.mark.parametrize(
    ("maker", "model", "empty"),
    [
        ("Apple", "MacBook Pro", "display_size release_date"),
        ("Apple", "MacBook Air", "display_size release_date"),
        ("Apple", "iPad Pro", "display_size release_date"),
        ("Apple", "iPhone SE", "display_size release_date"),
        ("Apple", "iMac9,1", "display_size"),
        ("Apple", "MacBookPro15,1", "release_date"),
        ("Apple", "MacPro5,1", "display_size release_date"),
        ("Dell Inc.", "Latitude 3550", "release_date"),
        ("Dell Inc.", "XPS 13 9350", "display_size release_date"),
        ("Dell Inc.", "Precision 3460", "display_size"),
        ("Microsoft Corporation", "Surface Laptop 3", "display_size"),
        ("Microsoft Corporation", "Microsoft Surface Laptop, 7th Edition", "display_size"),
        ("Samsung", "SM-P617", "release_date"),
        ("LENOVO", "2007", "display_size release_date"),
        ("LENOVO", "83LY", "display_size"),
        ("HP", "HP EliteBook 8440p Tablet 10 inch or 11 inch", ""),
    ],
)
def test_what_has_several_values_has_none(system: str, maker: str, model: str, empty: str) -> None:
    assert not set(empty.split()) & set(fact_values(system, maker, model))


def test_every_value_says_where_it_is_from() -> None:
    known = known_facts("Windows", "LENOVO", "21BR004XUS")
    assert known.model_name is not None
    assert known.model_name.source.startswith("lenovo.csv: 21BR (")
    assert known.display_size is not None
    assert known.display_size.source.startswith("lenovo: thinkpad (")


@pytest.mark.parametrize(("maker", "rule"), RULES, ids=[f"{maker.name}:{rule.id}" for maker, rule in RULES])
def test_a_rule_decides_its_example(maker: Maker, rule: Any) -> None:
    manufacturer = MANUFACTURERS.get(maker.name, maker.name)
    system = "android" if maker.is_mobile else ""
    assert maker.speaks_for(system, manufacturer.lower())
    decided: dict[str, str] = {}
    for entry, source in maker.matches(cleaned_name(manufacturer, tidy(rule.example)).lower()):
        for field in entry:
            decided.setdefault(field, source)
    assert any(source.startswith(f"{maker.name}: {rule.id} (") for source in decided.values())


@pytest.mark.parametrize("maker", [maker.name for maker in makers()])
def test_tables_and_rules_are_in_order(maker: str) -> None:
    rows = table(maker)
    assert list(rows) == sorted(rows)
    for key, (name, display, release, storage), source in rows.values():
        assert key == tidy(key)
        assert name == tidy(name)
        assert display in {"", NO_FACT} or display == f"{float(display):g}"
        assert release in {"", NO_FACT} or re.fullmatch(r"(19|20)\d\d", release) or date.fromisoformat(release)
        assert storage in {"", NO_FACT, "SSD", "Flash"}
        assert set(source.split()) <= set(sources())
        assert source, key
        assert name or display or release or storage, key
    ids = [rule.id for rule in rules(maker)]
    assert len(ids) == len(set(ids))


def test_every_file_belongs_to_a_maker_and_every_source_is_used() -> None:
    used = {name for maker in makers() for *_, source in table(maker.name).values() for name in source.split()}
    assert used == set(sources())
    assert all(table(maker.name) or rules(maker.name) for maker in makers())


@pytest.mark.parametrize(
    ("manufacturer", "model", "name"),
    [
        ("HP", "HP ZBook 15 G5 QEB19A", "ZBook 15 G5"),
        ("HP", "HP Elite SFF 805 G9 Desktop PC (A09V9AV)", "Elite SFF 805 G9"),
        ("HP", "HP 250 G8 Notebook PC", "HP 250 G8"),
        ("Dell Inc.", "Dell Pro 14 PC14250", "Dell Pro 14 PC14250"),
        ("ASUSTeK COMPUTER INC.", "ASUS EXPERTBOOK B1500CEAE_B1500CEAE", "EXPERTBOOK B1500CEAE"),
        ("LENOVO", "Lenovo V15 G3 ABA", "V15 G3 ABA"),
        ("LENOVO", "Lenovo 14w", "Lenovo 14w"),
        ("Nokia", "Nokia G22", "Nokia G22"),
        ("Contoso", "Contoso Book 14", "Book 14"),
        ("HP", "HP Notebook", "HP Notebook"),
        # Underscores stand for spaces where a model has no spaces and several of them.
        ("ASUSTeK", "ASUS_EXPERTBOOK_B1500", "EXPERTBOOK B1500"),
        ("Acer", "Aspire_A515_56", "Aspire A515 56"),
        ("FUJITSU", "LIFEBOOK U7_A_b c", "LIFEBOOK U7_A_b c"),
        ("Contoso", "Book_b", "Book_b"),
        ("Contoso", "Contoso - Book", "Book"),
        ("Contoso", "Contoso X, Book X", "X, Book X"),
        ("HP", "HP ZBook 15 QEB19A Notebook PC", "ZBook 15"),
        ("HP", "HP Elite Desktop PC QEB19A", "Elite"),
        ("Contoso", "12345 PC", "12345 PC"),
        ("Contoso", "2020 Notebook PC", "2020 Notebook PC"),
        ("", "21BR004XUS", "21BR004XUS"),
    ],
)
def test_a_name_loses_vendor_padding_and_sku(manufacturer: str, model: str, name: str) -> None:
    assert cleaned_name(manufacturer, model) == name


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("MacBook Pro (14-inch, Nov 2023)", "MacBook Pro"),
        ("iPad Pro (12.9-inch) (5th generation)", "iPad Pro (5th generation)"),
        ("MacBook Air (M1, 2020)", "MacBook Air"),
        ("(14-inch, 2021)", "(14-inch, 2021)"),
        ("Latitude 7440", "Latitude 7440"),
    ],
)
def test_a_description_in_brackets_is_no_part_of_the_model(model: str, plain: str) -> None:
    assert without_description(model) == plain


@pytest.mark.parametrize(
    ("model", "display", "release"),
    [
        ("Book 15.6-inch (2019)", "15.6", "2019"),
        ("EliteOne 23.8-in All-in-One", "23.8", None),
        ("Tablet 10 inch or 11 inch", None, None),
        ("Book (2019) (2020)", None, None),
        ("XPS 2 in 1", None, None),
        ("Vostro 2020", None, None),
    ],
)
def test_what_the_model_itself_states_is_read(model: str, display: str | None, release: str | None) -> None:
    assert values("Windows", "Contoso", model)[1:3] == (display, release)


def test_the_readable_name_leads_and_the_raw_string_follows() -> None:
    assert shown_model("LENOVO", "ThinkPad T480", "20L5S0XV00") == "LENOVO ThinkPad T480 · 20L5S0XV00"
    assert shown_model("Apple", "iPhone 15", "iPhone 15") == "Apple iPhone 15"
    assert shown_model("Dell Inc.", None, "Latitude 7450") == "Dell Inc. Latitude 7450"
    assert shown_model(None, None, None) == ""


def test_a_makers_name_is_not_said_twice() -> None:
    assert shown_model("NOKIA", None, "Nokia G22") == "Nokia G22"
    assert shown_model("nokia", "Nokia G22", "TA-1528") == "Nokia G22 · TA-1528"
    assert shown_model(None, None, "Latitude 7450") == "Latitude 7450"
    assert shown_model("Dell Inc.", None, None) == "Dell Inc."
    assert shown_model("Apple", "iPhone 15", "IPHONE 15") == "Apple iPhone 15"


def test_a_model_found_among_androids_has_their_facts_where_the_system_is_not_known() -> None:
    known = known_facts("", "samsung", "SM-S921B")
    assert known.storage_type == Fact(
        "Flash", "phones_and_tablets: flash (phones and tablets have only ever had flash)"
    )
    assert known.display_size == Fact("6.2", "samsung.csv: Galaxy S24 (the maker's published line-up)")
    assert known.model_name == Fact("Galaxy S24", "samsung.csv: SM-S921 (the maker's published line-up)")
    # One that is not found there may be anything, and so may one that is found among computers.
    assert known_facts("", "samsung", "Nothing known").storage_type is None
    assert known_facts("", "LENOVO", "21BR004XUS").storage_type is None


def test_a_value_names_its_row_and_every_source_of_it() -> None:
    name = known_facts("Windows", "LENOVO", "21BR004XUS").model_name
    assert name == Fact(
        "ThinkPad T14s Gen 3 (Intel)",
        "lenovo.csv: 21BR (Linux Hardware Project, Lenovo's driver and firmware catalogues, "
        "and its list of BIOS versions by machine type)",
    )
    assert known_facts("Windows", "LENOVO", "ThinkPad T14 Gen 3").model_name == Fact(
        "ThinkPad T14 Gen 3", "the model string"
    )


@pytest.fixture
def lenovo() -> Maker:
    return Maker("lenovo", "^ibm|lenovo", keys=["^([0-9a-z]{4})(?:[0-9a-z]{3,8})?$", "^(think.+)$"])


@pytest.fixture
def samsung() -> Maker:
    return Maker("samsung", "samsung", "android", needs_system=True)


def test_a_maker_speaks_for_its_manufacturers_and_systems(lenovo: Maker, samsung: Maker) -> None:
    assert [lenovo.speaks_for(system, "lenovo") for system in ("", "windows", "android")] == [True, True, True]
    assert [lenovo.speaks_for("windows", maker) for maker in ("ibm", "the ibm", "dell")] == [True, False, False]
    assert [samsung.speaks_for(system, "samsung") for system in ("", "windows", "android")] == [False, False, True]
    assert Maker("samsung", "samsung", "android").speaks_for("", "samsung")
    assert (lenovo.is_mobile, samsung.is_mobile) == (False, True)


def test_a_makers_table_is_asked_by_the_keys_a_model_holds(lenovo: Maker, samsung: Maker) -> None:
    assert lenovo.name == "lenovo"
    assert lenovo.keys("21BR004XUS") == ["21br"]
    assert lenovo.keys("ThinkPad T14") == ["thinkpad t14"]
    assert samsung.keys("SM-S921B") == []
    assert [lenovo.has(key) for key in ("21BR", "21br", "21BR004XUS")] == [True, True, False]
    found = lenovo.row("21bR")
    assert found is not None
    assert found[0] == {"model_name": "ThinkPad T14s Gen 3 (Intel)"}
    assert lenovo.row("21BR004XUS") is None


def test_what_cannot_be_encoded_is_left_out_of_a_model() -> None:
    assert tidy(" Book\ud800  14\n") == "Book 14"
    assert tidy("x" * 300) == "x" * 256


@given(st.text(), st.text(), st.text())
def test_every_string_is_looked_up(system: str, manufacturer: str, model: str) -> None:
    known = fact_values(system, manufacturer, model)
    assert "display_size" not in known or 0 < float(known["display_size"]) < 100
    assert bool(known.get("model_name")) == bool(tidy(model))
    assert NO_FACT not in known.values() or tidy(model) == NO_FACT
