"""Servers of one's own for a command: started before it, gone after it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from portal.local.__main__ import main
from portal.local.redis import binary

needs_redis = pytest.mark.skipif(binary() is None, reason="no Redis: python -m portal.local.install installs it")


@pytest.mark.parametrize("arguments", [[], ["redis"], ["redis", "--"], ["mysql", "--", "true"]])
def test_a_wrong_call_is_told_the_right_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started."""
    assert main(arguments) == 2
    assert capsys.readouterr().err == "usage: python -m portal.local [postgres] [redis] -- COMMAND...\n"


def test_a_server_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the way to install it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["redis", "--", "true"]) == 2
    assert "python -m portal.local.install" in capsys.readouterr().err


@needs_redis
@pytest.mark.services
def test_the_command_finds_its_server_and_its_exit_code_is_ours(tmp_path: Path) -> None:
    """The server answers while the command runs, and is gone when it has ended."""
    told = tmp_path / "url"
    body = (
        "import os, socket, sys, urllib.parse as u\n"
        "url = u.urlsplit(os.environ['PORTAL_REDIS_URL'])\n"
        "with socket.create_connection((url.hostname, url.port)) as c:\n"
        "    c.sendall(b'PING\\r\\n')\n"
        "    assert c.recv(7) == b'+PONG\\r\\n'\n"
        f"open({str(told)!r}, 'w').write(url.geturl())\n"
        "sys.exit(7)"
    )
    command = [sys.executable, "-m", "portal.local", "redis", "--", sys.executable, "-c", body]
    assert subprocess.run(command).returncode == 7
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(told.read_text()).port or 0))


@needs_redis
@pytest.mark.services
def test_an_interrupt_is_the_commands_to_answer() -> None:
    """Ctrl-C reaches both; the server stays until the command has put its things away."""
    body = (
        "import os, signal, socket, urllib.parse as u\n"
        "url = u.urlsplit(os.environ['PORTAL_REDIS_URL'])\n"
        "def end(*_):\n"
        "    socket.create_connection((url.hostname, url.port)).close()\n"
        "    print('put away', flush=True)\n"
        "    raise SystemExit(3)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    command = [sys.executable, "-m", "portal.local", "redis", "--", sys.executable, "-c", body]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert (rest, process.returncode) == ("put away\n", 3)
