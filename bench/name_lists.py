"""Makes ``intune_pipeline/domain/people/data/names.txt`` from the name lists of Faker and mimesis.

``uv run --with faker --with mimesis python -m bench.name_lists > intune_pipeline/domain/people/data/names.txt``; both
libraries are needed for this only, and both are under the MIT licence.
"""

import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from intune_pipeline.domain.people.spelling import letters

SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "GEORGIAN", "ARMENIAN")
MOST = 9
HEADER = """\
# First and last names of some fifty countries from Faker and mimesis (both MIT), in compared form. Each line: in how many
# countries' lists its words are first names, in how many last names, then the words. Made by bench/name_lists.py.
"""


def faker_names() -> Iterator[tuple[str, str, str]]:
    """Kind, country and name of every entry of Faker."""
    package = import_module("faker.providers.person")
    for module in iter_modules(package.__path__):
        provider = import_module(f"faker.providers.person.{module.name}").Provider
        for attribute in dir(provider):
            kind = (
                "given"
                if re.match(r"(first|given)_", attribute)
                else "family"
                if re.match(r"last_|surname", attribute)
                else ""
            )
            values = getattr(provider, attribute)
            if kind and isinstance(values, (tuple, list, dict)) and not re.search("format|kana|prefix", attribute):
                for value in values:
                    for name in value if isinstance(value, (tuple, list)) else (value,):
                        yield kind, module.name[:2], str(name)


def mimesis_names() -> Iterator[tuple[str, str, str]]:
    """Kind, country and name of every entry of mimesis."""
    root = Path(str(import_module("mimesis").__file__)).parent / "datasets"
    for path in sorted(root.glob("*/person.json")):
        listed = json.loads(path.read_text("utf-8"))
        for kind, key in (("given", "names"), ("family", "surnames")):
            stack = [listed.get(key)]
            while stack:
                value = stack.pop()
                if isinstance(value, str):
                    yield kind, path.parent.name[:2], value
                elif value:
                    stack += value.values() if isinstance(value, dict) else value


def is_usable(name: str) -> bool:
    """Whether a name is one word in a script that romanises reliably."""
    return not re.search(r"[\s().,/\"]", name.strip()) and all(
        unicodedata.name(letter, "").startswith(SCRIPTS) for letter in name if letter.isalpha()
    )


def main() -> None:
    """Print the list."""
    countries: dict[str, dict[str, set[str]]] = {"given": defaultdict(set), "family": defaultdict(set)}
    for kind, country, name in (*faker_names(), *mimesis_names()):
        if is_usable(name) and len(plain := letters(name.strip())) > 1:
            countries[kind][plain].add(country)
    lines: dict[tuple[int, int], list[str]] = defaultdict(list)
    for word in {*countries["given"], *countries["family"]}:
        counts = (min(len(countries[kind].get(word, ())), MOST) for kind in ("given", "family"))
        lines[tuple(counts)].append(word)  # type: ignore[index]
    sys.stdout.write(HEADER)
    for (given, family), words in sorted(lines.items()):
        sys.stdout.write(f"{given} {family} {' '.join(sorted(words))}\n")


if __name__ == "__main__":
    main()
