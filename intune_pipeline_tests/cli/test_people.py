"""``people split``: the same rows in the same order with names, by the convention the whole file shows."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from intune_pipeline.cli.people import group
from intune_pipeline.errors import WrongUseError


def split(tmp_path: Path, content: str) -> list[dict[str, str]]:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(group, ["split", str(source), "--output", str(output)], catch_exceptions=False)
    assert result.exit_code == 0
    with output.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


TENANT = """account,display_name,email,note
north,Zorka Pell,pell.zorka@north.example,ambiguous
north,"Müller, Hans",mueller.hans@north.example,
north,Anna Weber,weber.anna@north.example,
north,Reception,reception@north.example,
south,Pell Zorka,zorka.pell@south.example,ambiguous
south,"Müller, Hans",hans.mueller@south.example,
south,Weber Anna,anna.weber@south.example,
"""


def test_rows_keep_their_order_and_gain_names_and_a_reason(tmp_path: Path) -> None:
    rows = split(tmp_path, TENANT)
    assert list(rows[0]) == ["account", "display_name", "email", "note", "first_name", "last_name", "reason"]
    assert [(row["first_name"], row["last_name"]) for row in rows] == [
        ("Zorka", "Pell"),
        ("Hans", "Müller"),
        ("Anna", "Weber"),
        ("", ""),
        ("Zorka", "Pell"),
        ("Hans", "Müller"),
        ("Anna", "Weber"),
    ]
    assert rows[0]["reason"] == "north.example writes last.first (2 of 2 certain names), and the address fits"
    assert "reception" in rows[3]["reason"].lower()


def test_the_account_may_be_missing_and_standard_output_is_the_default(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("Email,Display_Name\njane.doe@acme.example,Jane Doe\n\n", encoding="utf-8")
    output = CliRunner().invoke(group, ["split", str(source)], catch_exceptions=False).output
    assert output.splitlines()[1].startswith("jane.doe@acme.example,Jane Doe,Jane,Doe,")
    assert len(output.splitlines()) == 2


def test_a_file_without_addresses_is_refused_in_a_sentence(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("display_name\nJane Doe\n", encoding="utf-8")
    with pytest.raises(WrongUseError, match="has no column email"):
        CliRunner().invoke(group, ["split", str(source)], catch_exceptions=False)
