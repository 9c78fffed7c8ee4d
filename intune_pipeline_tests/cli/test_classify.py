"""``classify``: the same rows in the same order with answers, whatever a spreadsheet made of the file."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from intune_pipeline.cli.classify import command
from intune_pipeline.errors import WrongUseError

HEADER = "operating_system,manufacturer,model\n"


def classified(tmp_path: Path, content: str | bytes, *options: str) -> list[dict[str, str]]:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = CliRunner().invoke(command, [str(source), "--output", str(output), *options], catch_exceptions=False)
    assert result.exit_code == 0
    with output.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def refusal(*arguments: str) -> str:
    with pytest.raises(WrongUseError) as refused:
        CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert refused.value.exit_status == 2
    return str(refused.value)


def test_rows_keep_their_order_and_gain_type_rule_and_reason(tmp_path: Path) -> None:
    rows = classified(
        tmp_path, HEADER + "Windows,Dell Inc.,OptiPlex 7090\nWindows,Dell Inc.,Latitude 7440\niOS,Apple,x\n"
    )
    assert [(row["model"], row["device_type"], row["rule"]) for row in rows] == [
        ("OptiPlex 7090", "desktop", "dell:optiplex"),
        ("Latitude 7440", "laptop", "dell:latitude"),
        ("x", "mobile", "platform:ios"),
    ]
    assert all(row["reason"] for row in rows)


def test_facts_follow_the_rule_and_are_empty_where_none_is_known(tmp_path: Path) -> None:
    content = HEADER + "Windows,LENOVO,21BR004XUS\nmacOS,Apple,MacBook Pro\nWindows,,\n"
    rows = classified(tmp_path, content, "--facts")
    facts = ["model_name", "display_size", "release_date", "storage_type"]
    assert list(rows[0])[3:] == ["device_type", "rule", *facts, "reason"]
    assert [[row[name] for name in facts] for row in rows] == [
        ["ThinkPad T14s Gen 3 (Intel)", "14", "2022", ""],
        ["MacBook Pro", "", "", ""],
        ["", "", "", ""],
    ]


def test_standard_output_is_the_default(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(HEADER + "macOS,Apple,Macmini9\n")
    output = CliRunner().invoke(command, [str(source)], catch_exceptions=False).output
    assert output.splitlines()[1].startswith("macOS,Apple,Macmini9,desktop,apple:desktop-name,")


def test_a_byte_order_mark_other_orders_and_more_columns_are_fine(tmp_path: Path) -> None:
    content = "\ufeffModel ,note,Manufacturer,OPERATING_SYSTEM\r\nLatitude 7440,“ours”,Dell,Windows\r\n"
    rows = classified(tmp_path, content)
    assert list(rows[0]) == ["Model ", "note", "Manufacturer", "OPERATING_SYSTEM", "device_type", "rule", "reason"]
    assert (rows[0]["note"], rows[0]["device_type"]) == ("“ours”", "laptop")


def test_empty_cells_short_rows_and_trailing_commas_are_fine(tmp_path: Path) -> None:
    rows = classified(tmp_path, HEADER + ",,\nWindows\n\nWindows,Dell,Latitude 7440,,\n")
    assert [row["device_type"] for row in rows] == ["unknown", "unknown", "laptop"]


def test_a_model_of_ten_thousand_characters_is_one_row(tmp_path: Path) -> None:
    model = "Latitude " + "x" * 200_000 + "\nsecond line"
    rows = classified(tmp_path, f'{HEADER}Windows,Dell,"{model}"\n')
    assert (rows[0]["model"], rows[0]["device_type"]) == (model, "laptop")


def test_a_file_classified_before_gets_new_answers(tmp_path: Path) -> None:
    rows = classified(
        tmp_path, "device_type,operating_system,manufacturer,model,rule\nx,Windows,Dell,Latitude 7440,y\n"
    )
    assert list(rows[0]) == ["operating_system", "manufacturer", "model", "device_type", "rule", "reason"]
    assert rows[0]["device_type"] == "laptop"


def test_a_file_may_be_its_own_output(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(HEADER + "Windows,Dell,Latitude 7440\n")
    CliRunner().invoke(command, [str(source), "--output", str(source)], catch_exceptions=False)
    assert source.read_text().count("\n") == 2
    assert "laptop" in source.read_text()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no column operating_system, manufacturer, model; name every column in its first row."),
        (b"operating_system,model\n", "has no column manufacturer; name every column in its first row."),
        (b"\xff\xfeo\x00s\x00", "is not UTF-8 text; save it as “CSV UTF-8” and try again."),
        (
            HEADER.encode() + b"macOS,Apple,Mac14,3\n",
            "has 4 cells for 3 columns; put cells that hold commas in quotes.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content)
    output.write_text("what was there before")
    message = refusal(str(source), "--output", str(output))
    assert str(source) in message
    assert message.endswith(sentence)
    assert output.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert refusal(str(missing)) == f"{missing} cannot be used: No such file or directory."
    assert str(tmp_path) in refusal(str(tmp_path))
    source = tmp_path / "in.csv"
    source.write_text(HEADER)
    nowhere = tmp_path / "nowhere" / "out.csv"
    assert str(nowhere.parent) in refusal(str(source), "--output", str(nowhere))
    assert refusal(str(source), "--output", str(tmp_path)) == f"{tmp_path} is not a file; name a file to write to."
