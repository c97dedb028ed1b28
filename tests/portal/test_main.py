"""`python -m portal`, as a process."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from portal.__main__ import main
from portal.seed import PASSWORD
from portal.server import bind

DEADLINE_S = 30  # against hanging for ever; nothing is measured


@contextmanager
def _portal(tmp_path: Path, *arguments: str, **environ: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a portal whose temporary files are in `tmp_path`, and wait for its one line."""
    (tmp_path / "tmp").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "portal", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")} | environ,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_where_it_is_and_leaves_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """One line when ready, exit code by signal, no file left, no socket kept, no token in any log.

    The log does say that a route is slowed: nobody measures such a portal unaware.
    """
    with _portal(tmp_path, "--log-level", "debug", PORTAL_SLOW="GET /healthz=1ms") as (process, line):
        found = re.fullmatch(r"portal ready at (http://127\.0\.0\.1:\d+)\n", line)
        assert found
        url = found[1]
        assert list((tmp_path / "tmp").iterdir())
        token = httpx.post(f"{url}/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
        with connect(f"{url.replace('http', 'ws')}/ws/agents?token={token['access_token']}") as client:
            client.send('{"type":"subscribe","channels":["agent.1"]}')
            client.recv(timeout=DEADLINE_S)
            process.send_signal(number)
            out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == code
        assert out == ""
        assert "WARNING portal: laboratory switch: every answer of GET /healthz is delayed by 1 ms" in err
        assert "Traceback" not in err
        assert token["access_token"] not in err
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_taken_port_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Told before anything is built."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"portal: cannot listen on 127.0.0.1 port {port}")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "name", "value", "sentence"),
    [
        (["--host", "0.0.0.0"], "PORTAL_SLOW", "GET /healthz=1ms", "refused on 0.0.0.0"),  # noqa: S104 (refused)
        ([], "PORTAL_SLOW", "GET /nowhere=1ms", "no route 'GET /nowhere'"),
        ([], "PORTAL_SECRET", "short", "at least 32 bytes"),
        ([], "PORTAL_DATABASE_URL", "sqlite:///x.db", "cannot be used"),
    ],
)
def test_settings_that_cannot_be_obeyed_are_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
    value: str,
    sentence: str,
) -> None:
    """One sentence each, no traceback."""
    monkeypatch.setenv(name, value)
    assert main([*arguments, "--port", "0"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_exit_code_2(port: str) -> None:
    """The command line itself refuses it."""
    with pytest.raises(SystemExit) as caught:
        main(["--port", port])
    assert caught.value.code == 2
