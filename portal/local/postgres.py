"""A PostgreSQL of one's own."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portal.local import LocalError, as_user, free_port

_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """Find the folder of Debian's newest PostgreSQL."""
    folders = [found.parent for found in _DEBIAN.glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def postgres() -> Iterator[str]:
    """Lend the URL of a new server on loopback; it is stopped and its data removed at the end."""
    folder = binaries()
    if folder is None:
        raise LocalError("there is no PostgreSQL: python -m portal.local.install installs it")
    data = tempfile.mkdtemp(prefix="portal-postgres-")
    try:
        user = as_user("postgres", data)  # initdb refuses root
        port = free_port()
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


def _run(command: Sequence[str], folder: str) -> None:
    # Output goes to a file: a pipe would stay open as long as the server that inherits it.
    with open(f"{folder}/start.log", "ab+") as output:
        if subprocess.run(command, cwd=folder, stdout=output, stderr=output).returncode:
            output.seek(0)
            raise LocalError(f"PostgreSQL did not start: {output.read().decode(errors='replace')[-500:].strip()}")
