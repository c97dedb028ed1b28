"""`python -m portal.local.postgres -- COMMAND...`: run a command beside a PostgreSQL of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")


class PostgresError(RuntimeError):
    """A server that cannot be started, told in one sentence."""


def binaries() -> Path | None:
    """Find the folder of Debian's newest PostgreSQL."""
    folders = [found.parent for found in _DEBIAN.glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def postgres() -> Iterator[str]:
    """Lend the URL of a new server on loopback; it is stopped and its data removed at the end."""
    folder = binaries()
    if folder is None:
        raise PostgresError("there is no PostgreSQL: python -m portal.local.install installs it")
    data = tempfile.mkdtemp(prefix="portal-postgres-")
    try:
        user = _unprivileged(data)
        port = _free_port()
        _run(
            [*user, str(folder / "initdb"), "-D", f"{data}/db", "-U", "portal", "-A", "trust", "-N", "-E", "UTF8"], data
        )
        # fsync off: a power cut may cost the data, which is removed anyway. No socket file, no address but loopback.
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        control = [*user, str(folder / "pg_ctl"), "-D", f"{data}/db", "-w"]
        try:
            _run([*control, "-l", f"{data}/log", "-o", options, "start"], data)
            yield f"postgresql+asyncpg://portal@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], cwd=data, capture_output=True)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def main(command: Sequence[str]) -> int:
    """Run `command` with PORTAL_DATABASE_URL set, and return its exit code."""
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        print("usage: python -m portal.local.postgres -- COMMAND...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with postgres() as url:
            return subprocess.run(command, env=os.environ | {"PORTAL_DATABASE_URL": url}).returncode
    except PostgresError as error:
        print(f"portal.local.postgres: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _unprivileged(data: str) -> list[str]:
    """Return what goes before a command so that it is not run by root, which initdb refuses."""
    if os.geteuid() != 0:
        return []
    shutil.chown(data, "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _run(command: Sequence[str], folder: str) -> None:
    # Output goes to a file: a pipe would stay open as long as the server that inherits it.
    with open(f"{folder}/start.log", "ab+") as output:
        if subprocess.run(command, cwd=folder, stdout=output, stderr=output).returncode:
            output.seek(0)
            raise PostgresError(f"PostgreSQL did not start: {output.read().decode(errors='replace')[-500:].strip()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
