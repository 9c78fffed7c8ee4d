"""What the tests in a browser rely on when they look at one theme only for all but colours."""

import re
from pathlib import Path

import intune_pipeline.portal

STATIC = Path(intune_pipeline.portal.__file__).parent / "static"


def test_the_dark_theme_differs_in_colours_only() -> None:
    sheet = (STATIC / "portal.css").read_text()
    assert sheet.count("prefers-color-scheme") == 1
    (dark,) = re.findall(r"@media \(prefers-color-scheme: dark\) \{\s*:root \{([^{}]*)\}\s*\}", sheet)
    declarations = [one.strip() for one in dark.split(";") if one.strip()]
    assert len(declarations) > 10
    assert [one for one in declarations if not re.fullmatch(r"--[a-z-]+: #[0-9a-f]{6}", one)] == []
    pages = Path(intune_pipeline.portal.__file__).parent / "templates"
    others = [STATIC / "portal.js", *pages.iterdir()]
    assert not [one.name for one in others if "prefers-color-scheme" in one.read_text()]
