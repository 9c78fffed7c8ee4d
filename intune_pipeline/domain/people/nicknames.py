"""Which first names are said for which: Bob for Robert, Pepe for José.

Belongs here: asking the list of English nicknames, which is a library's, and ours for other languages.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nicknames import NickNamer


@cache
def _groups() -> "tuple[NickNamer, dict[str, frozenset[str]]]":
    # Most syncs look for nobody's look-alikes.
    from nicknames import NickNamer

    others: dict[str, set[str]] = {}
    text = (resources.files("intune_pipeline.domain.people") / "data" / "nicknames.txt").read_text("ascii")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, *short = line.split(" ")
            for one in short:
                others.setdefault(name, set()).add(one)
                others.setdefault(one, set()).add(name)
    return NickNamer(), {name: frozenset(words) for name, words in others.items()}


@cache
def others(name: str) -> frozenset[str]:
    """The first names that stand for one, in compared form, long for short and short for long."""
    english, ours = _groups()
    found: Iterable[str] = (*english.nicknames_of(name), *english.canonicals_of(name), *ours.get(name, ()))
    return frozenset(word for word in found if word.isalpha() and word != name)


@cache
def roots(name: str) -> frozenset[str]:
    """The first names that one is short for: Bill and Will have William in common."""
    english, ours = _groups()
    long = (*english.canonicals_of(name), *(one for one in ours.get(name, ()) if len(one) > len(name)))
    return frozenset(word for word in long if word.isalpha())
