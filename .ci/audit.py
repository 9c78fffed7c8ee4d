"""Asks the vulnerability database about every locked package; without an answer from it, says so and passes.

Run as ``python .ci/audit.py LOCK...``. Exits with 1 when a locked version is known to be vulnerable.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SECONDS = 300.0


def main(locks: Sequence[str]) -> int:
    """Audit lock files; returns the exit code."""
    pins = sorted(
        {pin for lock in locks for pin in re.findall(r"^[\w.\[\]-]+==[^\s;\\]+", Path(lock).read_text(), re.MULTILINE)}
    )
    # One package first: where nobody answers, the others need not be asked.
    if not (pins and _answered(pins[:1])) or (audited := _answered(pins)) is None:
        print("The vulnerability database does not answer here: dependencies were not audited.")
        return 0
    vulnerable = [package for package in audited if package["vulns"]]
    for package in vulnerable:
        for found in package["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "none yet"
            print(f"{package['name']} {package['version']}: {found['id']}, fixed in: {fixed}")
    print(f"Dependencies audited: {len(audited)} of {len(pins)} known to the database, {len(vulnerable)} vulnerable.")
    return 1 if vulnerable else 0


def _answered(pins: Sequence[str]) -> list[dict] | None:
    """What the database knows of pinned packages; None when it knows none or does not answer."""
    with tempfile.TemporaryDirectory() as directory:
        requirements = Path(directory) / "requirements.txt"
        requirements.write_text("\n".join(pins))
        command = ["-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--disable-pip", "--no-deps"]
        try:
            run = subprocess.run(
                [sys.executable, *command, "-r", str(requirements)], capture_output=True, timeout=SECONDS, check=False
            )
            audited = [package for package in json.loads(run.stdout)["dependencies"] if "vulns" in package]
        except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
            return None
    return audited or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
