"""The security document claims nothing by a test that is not there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "security.md").read_text()
CITED = sorted(set(re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", DOCUMENT)))


@pytest.mark.parametrize(("file", "name"), CITED)
def test_each_test_it_cites_exists(file: str, name: str) -> None:
    found = list(TESTS.rglob(file))
    assert found, f"no {file}"
    assert any(f"def {name}(" in path.read_text() for path in found) if name else True


def test_it_goes_through_all_chapters_of_asvs_5() -> None:
    assert re.findall(r"^\| V(\d+) ", DOCUMENT, re.MULTILINE) == [str(chapter) for chapter in range(1, 18)]
