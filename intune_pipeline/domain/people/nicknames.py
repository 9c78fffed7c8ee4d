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
def _groups() -> "tuple[NickNamer, dict[str, frozenset[str]], dict[str, frozenset[str]]]":
    # Most syncs look for nobody's look-alikes.
    from nicknames import NickNamer

    others: dict[str, set[str]] = {}
    apart: dict[str, set[str]] = {}
    text = (resources.files("intune_pipeline.domain.people") / "data" / "nicknames.txt").read_text("ascii")
    for line in text.splitlines():
        if not line.startswith("#"):
            words = line.split(" ")
            (name, *short), found = (words[1:], apart) if words[0] == "!" else (words, others)
            for one in short:
                found.setdefault(name, set()).add(one)
                found.setdefault(one, set()).add(name)
    return NickNamer(), _frozen(others), _frozen(apart)


def _frozen(groups: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in groups.items()}


@cache
def others(name: str) -> frozenset[str]:
    """The first names that stand for one, in compared form, long for short and short for long."""
    english, ours, apart = _groups()
    found: Iterable[str] = (*english.nicknames_of(name), *english.canonicals_of(name), *ours.get(name, ()))
    return frozenset(word for word in found if word.isalpha() and word != name) - apart.get(name, frozenset())


@cache
def roots(name: str) -> frozenset[str]:
    """The first names that one is short for: Bill and Will have William in common."""
    english, ours, apart = _groups()
    long = (*english.canonicals_of(name), *(one for one in ours.get(name, ()) if len(one) > len(name)))
    return frozenset(word for word in long if word.isalpha()) - apart.get(name, frozenset())
