"""Real servers for the laboratory: on private ports, with data folders that go when they stop."""

import os
import shutil
import socket


class LocalError(RuntimeError):
    """A server that cannot be started, told in one sentence."""


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def as_user(name: str, folder: str) -> list[str]:
    """Give `folder` to the user and return what goes before a command to run it as that one; nothing unless root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, name)
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"]
