"""When connections are made and messages published, by plan: moments as data, on a clock that nobody waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtests import connection as connecting
from loadtests import publisher as publishing
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.scenario import Scenario
from loadtests.swarm import Swarm

S = 1_000_000_000
T0_NS = 5 * S
MEMBERS = """
from loadtests.member import Member

class Talker(Member):
    acknowledges = False

    def publish_channel(self):
        return "news"

    def publish_frame(self, publication):
        return f"{self.index} {publication.sequence}"
"""


class Asleep(BaseException):
    """Whoever waits is left there."""


class Socket:
    """Notes when messages are sent."""

    closed = False

    def __init__(self, clock_ns: list[int], sent_s: list[float]) -> None:
        self.clock_ns = clock_ns
        self.sent_s = sent_s

    async def send(self, _frame: str) -> None:
        """At once."""
        self.sent_s.append((self.clock_ns[0] - T0_NS) / S)


def swarm(folder: Path, shard: int = 0, shards: int = 1, **member: Any) -> Swarm:
    """One process's share of eight members, who connect at 4/s."""
    (folder / "members.py").write_text(MEMBERS)
    scenario = Scenario.model_validate(
        {
            "name": "turns",
            "target": {"url": "http://127.0.0.1:1"},
            "phases": [{"kind": "steady", "duration": "2s"}],
            "swarm": {"members": [{"class": "members.py:Talker", "count": 8, **member}], "connect_rate": 4.0},
            "folder": folder,
        }
    )
    job = Job(scenario, "r1", "local", f"s{shard}", shard, shards, folder)
    return Swarm(job, T0_NS, Outbox("s", lambda batch: None, folder))


@pytest.mark.parametrize("shards", [1, 3])
def test_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    """Connection k is made k / 4 s after the start, whichever process has it."""
    slept_s: list[float] = []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        raise Asleep

    swarms = [swarm(tmp_path, shard, shards) for shard in range(shards)]
    monkeypatch.setattr(connecting, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(connecting, "time", SimpleNamespace(monotonic_ns=lambda: T0_NS - S))
    for each in swarms:
        for one in each._connections:
            with pytest.raises(Asleep):
                one.run(None).send(None)  # type: ignore[arg-type]
    assert sorted(slept_s) == [1 + k / 4 for k in range(8)]


def published_s(folder: Path, monkeypatch: pytest.MonkeyPatch, **member: Any) -> list[list[float]]:
    """When each member publishes, in seconds from the start."""
    made = swarm(folder, rate=2.0, **member)
    clock_ns, sent = [T0_NS], []

    async def sleep(seconds: float) -> None:
        clock_ns[0] += round(seconds * S)

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "asyncio", SimpleNamespace(sleep=sleep))
        patched.setattr(publishing, "time", SimpleNamespace(monotonic_ns=lambda: clock_ns[0]))
        for one in made._connections:
            clock_ns[0] = T0_NS
            sent.append([])
            one.publisher.opened(Socket(clock_ns, sent[-1]))  # type: ignore[arg-type]
            asyncio.run(one.publisher.run(None))  # type: ignore[arg-type]
    return sent


def test_publishers_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight at 2/s each publish one after the other, sixteen in a second: k, k + 8, k + 16, ... of sixteenths."""
    sent = published_s(tmp_path, monkeypatch, arrivals="constant")
    assert sent == [pytest.approx([(k + 8 * turn) / 16 for turn in range(4)], abs=1e-8) for k in range(8)]


def test_publishers_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bursts: all of them every half second, at the same moments."""
    sent = published_s(tmp_path, monkeypatch, arrivals="constant", together=True)
    assert sent == [pytest.approx([turn / 2 for turn in range(4)], abs=1e-8)] * 8


def test_publishers_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has moments of its own; the same seed gives the same."""
    sent = published_s(tmp_path, monkeypatch)
    moments = [moment for each in sent for moment in each]
    assert len(moments) == len(set(moments))
    assert 8 < len(moments) < 64  # 32 on average
    assert sent == published_s(tmp_path, monkeypatch)
