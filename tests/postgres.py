"""A real PostgreSQL of its own: in a temporary folder, on a Unix socket, run by an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from submissions.register.log import Register


def find_programs() -> Path:
    """The folder of PostgreSQL's programs; without one the test is skipped, and fails where CI is set."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if folders and (folders[-1] / "initdb").exists():
        return folders[-1]
    reason = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Server:
    """A running server; `url(database)` is where it is reached."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Make the cluster; it has one superuser "postgres" and trusts whoever may open the socket."""
        self.folder = folder
        self.programs = programs
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", self.cluster, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")

    @property
    def cluster(self) -> str:
        return str(self.folder / "cluster")

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=50"
        self._run("pg_ctl", "-D", self.cluster, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop, whoever is connected."""
        self._run("pg_ctl", "-D", self.cluster, "-w", "-m", "immediate", "stop")

    def make_database(self, name: str) -> str:
        """A new empty database; its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return self.url(name)

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        """The URL of a database on the socket."""
        return f"postgresql://{user}{':' if password else ''}{password}@/{database}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        # A file, not a pipe: the server inherits it, and would hold a pipe open for ever.
        with tempfile.TemporaryFile() as told:
            done = subprocess.run(
                command, check=False, cwd="/", stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT
            )
            told.seek(0)
            assert done.returncode == 0, f"{program}: {told.read().decode(errors='replace')}"


@contextmanager
def serve() -> Iterator[Server]:
    """A server while the block runs. Its folder is short: a socket's path may have 107 bytes."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="tcpg", dir="/tmp"))
    try:
        server = Server(folder, programs)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server for all tests of this process."""
    with serve() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new register is to be, in each of the two databases."""
    if request.param == "sqlite":
        return str(tmp_path / "data" / "register.sqlite")
    return request.getfixturevalue("postgres").make_database(f"t{uuid.uuid4().hex}")


@pytest.fixture
def register(place: str) -> Iterator[Register]:
    """A new register, in each of the two databases."""
    with Register.open(place) as register:
        yield register
