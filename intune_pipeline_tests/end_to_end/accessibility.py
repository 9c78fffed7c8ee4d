"""Pages held to the rules of accessibility: axe-core finds nothing, and nothing scrolls sideways, at any width in any theme.

axe takes seconds for a page of thousands of elements, so nothing is looked at twice: themes differ in colours only (a test
of the style sheet holds them to it), and what a long list repeats is looked at whole at the widest width.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: A row without a class is like those before it, and so is the ninth section: no page has so many of different kinds.
REPEATED: Final = ["tbody > tr:not([class]):nth-of-type(n+9)", "section:nth-of-type(n+9)"]
COLOURS: Final = ["color-contrast", "link-in-text-block"]


def accessible(page: "Page", *, colours_only: bool = False, without_repeated: bool = False) -> None:
    """No finding of axe-core: names and labels, contrast, structure."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    context = {"exclude": [[selector] for selector in REPEATED]} if without_repeated else {"include": [["html"]]}
    options = {"resultTypes": ["violations"]} | ({"runOnly": COLOURS} if colours_only else {})
    found = page.evaluate(f"axe.run({json.dumps(context)}, {json.dumps(options)}).then(found => found.violations)")
    seen = (page.url, page.viewport_size, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found])
    assert not found, seen


def fits_and_reads(page: "Page", widths: Iterable[int]) -> None:
    """Not scrolling sideways at these widths, and `accessible` there by day and night; leaves the page at the narrowest."""
    widest, *narrower = sorted(widths, reverse=True)
    for width in (widest, *narrower):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (page.url, width)
        page.emulate_media(color_scheme="dark")
        accessible(page, colours_only=True, without_repeated=width != widest)
        page.emulate_media(color_scheme="light")
        accessible(page, without_repeated=width != widest)
