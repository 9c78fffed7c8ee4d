"""Lines of CSV that a spreadsheet takes for text, whatever a device or a person is called.

Belongs here: writing a line. Does not belong here: what a file holds (``device_list``, ``run_changes``).
"""

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

#: What spreadsheets begin a formula with, the full-width forms that some of them read alike included.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: What separates columns in some readers' countries: what follows it begins a cell there.
_SEPARATORS: Final = re.compile(r"[;,\t\r\n|]\s*[=+\-@＝＋－＠]")


def csv_line(values: Iterable[Any]) -> str:
    """One line, its end included; what would be taken for a formula begins with an apostrophe."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = str(value)
    harmless = _SEPARATORS.sub(_apostrophe_before_last, text)
    return f"'{harmless}" if harmless.lstrip().startswith(_FORMULA_STARTS) else harmless


def _apostrophe_before_last(found: re.Match[str]) -> str:
    """The same with an apostrophe before the sign that would begin a formula."""
    return f"{found.group()[:-1]}'{found.group()[-1]}"
