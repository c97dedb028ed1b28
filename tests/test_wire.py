"""The pipes between our processes: whole lines, whoever else writes, and nothing that ends them unseen."""

import asyncio
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from loadtests.errors import GeneratorError
from loadtests.generator import Generator

WRITERS = """
import gevent
from loadtests.locustprocess import Wire

wire = Wire()

def say(name):
    for k in range(5):
        wire.write({"from": name, "k": k, "pad": "x" * 90_000})

gevent.joinall([gevent.spawn(say, name) for name in ("a", "b", "c")], raise_error=True)
"""


def test_lines_longer_than_a_pipe_stay_whole():
    """Three greenlets write lines that fill the pipe: each comes whole and none is missing."""
    done = subprocess.run([sys.executable, "-c", WRITERS], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((row["from"], row["k"]) for row in rows) == [(name, k) for name in "abc" for k in range(5)]


def listen(said, on_batch=lambda batch: None, code=-9, *, started=True):
    """What a Generator makes of a process that says this and then ends."""

    async def run():
        lost = []
        generator = Generator([], on_batch, lost.append)
        generator._ready["local"] = asyncio.Event()
        generator._ready["local"].set()
        if started:
            await generator.start(None)
        stdout = asyncio.StreamReader()
        stdout.feed_data(said)
        stdout.feed_eof()

        async def wait():
            return code

        await generator._listen("local", SimpleNamespace(stdout=stdout, wait=wait, pid=7))
        if not started:
            await generator.start(None)
        return lost

    return asyncio.run(run())


def test_a_line_cut_by_a_kill():
    """A process killed in the middle of a line is lost, and its whole lines are taken in."""
    batches = []
    assert listen(b'{"type":"batch","n":1}\n{"type":"ba', batches.append) == [
        "generator process local (pid 7) was lost (signal 9)"
    ]
    assert batches == [{"n": 1}]


@pytest.mark.parametrize("line", [b'{"type":"batch"}\n', b"no JSON\n", b"{}\n"])
def test_what_cannot_be_taken_in(line):
    """An exception while a batch is filed, or a line that is none of ours, is told, not swallowed."""

    def refuse(batch):
        raise KeyError("ledger")

    told = listen(line, refuse)
    assert "what local said could not be taken in" in told[0]
    assert "was lost" in told[-1]


def test_lost_before_the_start():
    """A process that was ready and is gone before the others are is no run cut short: there is none yet."""
    with pytest.raises(GeneratorError, match=r"local \(pid 7\) was lost \(signal 9\) before the run started"):
        listen(b"", started=False)
