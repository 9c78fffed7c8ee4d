"""What CI looks for besides faults is found when it is there."""

import importlib.util
import secrets
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["client_secret", "password", "PORTAL_SESSION_SECRET"])
def test_a_secret_in_a_file_is_found(tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".secrets.baseline").write_text((ROOT / ".secrets.baseline").read_text())
    file = tmp_path / "settings.py"
    for content, code in (("nothing = 1\n", 0), (f'{name} = "{secrets.token_urlsafe(32)}"\n', 1)):
        file.write_text(content)
        command = ["-m", "detect_secrets.pre_commit_hook", "--no-verify", "--baseline", ".secrets.baseline", file.name]
        found = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, check=False)
        assert found.returncode == code, found.stdout


@pytest.fixture
def audit() -> ModuleType:
    """The script, loaded."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOCK = "one==1.0 \\\n    --hash=sha256:00\ntwo==2.0 ; sys_platform == 'x' \\\n    --hash=sha256:00\n"
VULNERABLE = [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]


@pytest.mark.parametrize(
    ("database", "code", "said"),
    [
        ({}, 0, "does not answer here"),
        ({"one": [], "two": []}, 0, "2 of 2 known to the database, 0 vulnerable"),
        ({"one": [], "two": VULNERABLE}, 1, "two 2.0: PYSEC-1, fixed in: 2.1"),
    ],
)
def test_a_vulnerable_package_fails_and_silence_is_said(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    database: dict[str, list[object]], code: int, said: str,
) -> None:  # fmt: skip
    """The database is one of our own making; what pip-audit prints is as it prints it."""
    (tmp_path / "pip_audit.py").write_text(
        "import json, sys\n"
        f"database = {database!r}\n"
        "pins = dict(line.split('==') for line in open(sys.argv[-1]).read().split())\n"
        "print(json.dumps({'dependencies': [{'name': name, 'version': version, 'vulns': database[name]}\n"
        "    if name in database else {'name': name, 'skip_reason': 'not found'} for name, version in pins.items()]}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "lock").write_text(LOCK)
    assert audit.main([str(tmp_path / "lock")]) == code
    assert said in capsys.readouterr().out
