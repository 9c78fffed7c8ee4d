"""Where what Dagster shows comes from: the functions that compute an asset, the commit, the version of the rules.

Belongs here: finding places and versions, once per process. Does not belong here: what the functions do.
"""

import hashlib
import inspect
import json
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import dagster as dg

from intune_pipeline.domain import catalog
from intune_pipeline.settings import LinkSettings, project_directory

DISTRIBUTION: Final = "intune-pipeline"


def references(*functions: Callable[..., Any]) -> dg.CodeReferencesMetadataValue:
    """The places of these functions, whatever they are wrapped in."""
    with warnings.catch_warnings():
        # In beta in 1.13; a change would be seen by a test.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(code_references=[_reference(function) for function in functions])


def _reference(function: Callable[..., Any]) -> dg.LocalFileCodeReference:
    plain = inspect.unwrap(function)
    line = plain.__code__.co_firstlineno
    return dg.LocalFileCodeReference(
        file_path=inspect.getfile(plain), line_number=line, label=f"{plain.__module__}.{plain.__qualname__}"
    )


@cache
def commit() -> str | None:
    """The commit this code is of: the image's, the one pip installed, or the repository's; None where nothing says so."""
    return LinkSettings.load().intune_commit or _installed_commit() or _checked_out_commit(project_directory())


def _installed_commit() -> str | None:
    try:
        origin = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found: str | None = json.loads(origin or "{}").get("vcs_info", {}).get("commit_id")
    return found


def _checked_out_commit(directory: Path) -> str | None:
    """What ``git rev-parse HEAD`` says, without a process of its own; of a linked worktree too."""
    git = directory / ".git"
    try:
        if git.is_file():
            git = directory / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        common = git / "commondir"
        shared = git / common.read_text().strip() if common.exists() else git
        if (shared / name).exists():
            return (shared / name).read_text().strip()
        packed = (line.split() for line in (shared / "packed-refs").read_text().splitlines() if line[0] not in "#^")
        return next((found for found, packed_name in packed if packed_name == name), None)
    except (OSError, ValueError):
        return None


@cache
def catalogue_version() -> str:
    """The version of the rules that classify."""
    return version_of(files(catalog))


def version_of(rules: Traversable) -> str:
    """A digest of a catalogue's files: the same for the same content, whatever machine it is on."""
    digest = hashlib.sha256()
    for file in sorted(rules.iterdir(), key=lambda one: one.name):
        if file.name.endswith((".toml", ".csv")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"catalogue-{digest.hexdigest()[:12]}"
