"""A real SSH server on loopback that gives out one folder by SFTP: the second source of the tests."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass
class Server:
    """The server, its keys, and the folder that it gives out."""

    base: Path
    files: Path
    port: int
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"sftp://{getuser()}@127.0.0.1:{self.port}{self.files}"

    @property
    def key(self) -> Path:
        return self.base / "client_key"

    @property
    def known_hosts(self) -> Path:
        return self.base / "known_hosts"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", self.base / "sshd_config"], stderr=(self.base / "log").open("ab")
        )
        until = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                assert time.monotonic() < until, (self.base / "log").read_text()
                assert self.process.poll() is None, (self.base / "log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server and the sessions that it has forked."""
        if self.process is None:
            return
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self.process.terminate()
        self.process.wait()
        self.process = None

    def change_host_key(self) -> None:
        """As another machine in its place would: the same address, another key."""
        _make_key(self.base / "host_key")


def _make_key(path: Path) -> None:
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(base: Path) -> Iterator[Server]:
    """A server with keys of its own under `base`; skips the test where there is no sshd, but not in CI."""
    missing = [name for name in (SSHD, "ssh-keygen") if not shutil.which(name)]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"missing: {', '.join(missing)} (openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd, as root, locks its children in
    server = Server(base, base / "files", _free_port())
    server.files.mkdir(parents=True)
    base.chmod(0o700)
    _make_key(base / "host_key")
    _make_key(server.key)
    shutil.copy(server.key.with_suffix(".pub"), base / "authorized_keys")
    kind, public, *_ = (base / "host_key.pub").read_text().split()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {kind} {public}\n")
    (base / "sshd_config").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {base}/host_key\nPidFile {base}/pid\n"
        f"AuthorizedKeysFile {base}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
        "MaxStartups 100\nLoginGraceTime 20\n"
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
