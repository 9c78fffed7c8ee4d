"""``facts`` says what is known and from where; ``facts-compare`` what a source would add, change and contradict."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from intune_pipeline.cli.facts import command, compare
from intune_pipeline.errors import WrongUseError


def test_facts_say_where_they_are_from() -> None:
    result = CliRunner().invoke(command, ["LENOVO", "21BR004XUS", "--json"], catch_exceptions=False)
    facts = json.loads(result.output)
    assert facts["model_name"]["value"] == "ThinkPad T14s Gen 3 (Intel)"
    assert facts["model_name"]["source"].startswith("lenovo.csv: 21BR")
    assert facts["storage_type"] is None


def test_facts_for_people_say_what_is_not_known() -> None:
    result = CliRunner().invoke(command, ["Apple", "MacBook Pro"], catch_exceptions=False)
    assert "nothing known" in result.output


def test_an_android_model_is_found_without_its_operating_system() -> None:
    result = CliRunner().invoke(command, ["samsung", "SM-S921B", "--json"], catch_exceptions=False)
    facts = json.loads(result.output)
    assert (facts["model_name"]["value"], facts["storage_type"]["value"]) == ("Galaxy S24", "Flash")


def test_a_source_is_compared_with_the_catalogue(tmp_path: Path) -> None:
    source = tmp_path / "models.csv"
    source.write_text(
        "manufacturer,key,marketing_name,display_inches,release\n"
        "Dell Inc.,Latitude 7450,,14,2024\n"  # the same
        "Dell Inc.,Latitude 7455,,14,2024-06-18\n"  # a day for nothing or a year
        "Dell Inc.,Latitude 5440,,15.6,2023\n"  # another size
        "samsung,SM-S999B,Galaxy S99,7,2030\n"  # new
    )
    result = CliRunner().invoke(compare, [str(source), "--json"], catch_exceptions=False, standalone_mode=False)
    found = [(one["kind"], one["key"], one["field"]) for one in json.loads(result.output)]
    assert result.return_value == 1
    assert ("contradicted", "Latitude 5440", "display_size") in found
    assert [one for one in found if one[1] == "Latitude 7450"] == []
    assert {one for one in found if one[1] == "SM-S999B"} == {
        ("added", "SM-S999B", field) for field in ("model_name", "display_size", "release_date")
    }


def test_a_source_without_keys_or_maker_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "models.csv"
    source.write_text("name\nx\n")
    with pytest.raises(WrongUseError, match="no column key"):
        CliRunner().invoke(compare, [str(source)], catch_exceptions=False, standalone_mode=False)
    source.write_text("key,marketing_name\nx,y\n")
    with pytest.raises(WrongUseError, match="--maker"):
        CliRunner().invoke(compare, [str(source)], catch_exceptions=False, standalone_mode=False)
