"""A Redis of one's own."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from portal.local import LocalError, as_user, free_port

START_S = 10.0
"""How long the server may take to answer."""
_PING = b"PING\r\n"  # inline commands are part of the protocol (RESP)


def binary() -> str | None:
    """Find the server's program."""
    return shutil.which("redis-server")


@contextmanager
def redis() -> Iterator[str]:
    """Lend the URL of a new server on loopback that keeps nothing; it is stopped at the end."""
    program = binary()
    if program is None:
        raise LocalError("there is no Redis: python -m portal.local.install installs it")
    data = tempfile.mkdtemp(prefix="portal-redis-")
    try:
        user = as_user("redis", data)
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", data, "--save", "", "--appendonly", "no"]
        with open(f"{data}/log", "wb") as log:
            server = subprocess.Popen(
                [*user, program, *options], cwd=data, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait(server, port, f"{data}/log")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(server: "subprocess.Popen[bytes]", port: int, log: str) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_PING)
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    with open(log, "rb") as said:
        raise LocalError(f"Redis did not start: {said.read()[-500:].decode(errors='replace').strip()}")
