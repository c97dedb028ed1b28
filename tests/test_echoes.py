"""A plain echo server's echoes, accounted for to the message."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve

from loadtests.echomember import EchoMember
from loadtests.interval import Interval, merge
from loadtests.job import Job
from loadtests.member import Delivery, Publication
from loadtests.outbox import Outbox
from loadtests.swarm import Swarm
from loadtests.swarmscenario import swarm_scenario
from loadtests.swarmspec import Storm

CONNECTIONS, PER_S, STEADY_NS = 4, 150.0, 2_000_000_000
MESSAGE_BYTES = 300
Series = dict[str, Interval]


class Echo:
    """Greets, as some servers do, and sends back what its script says in place of a connection's n-th message."""

    def __init__(self, fate: Callable[[int], list[int]], *, binary: bool = False) -> None:
        self.fate, self.binary = fate, binary
        self.received: list[list[str]] = []

    async def serve(self, connection: Any) -> None:
        """One connection."""
        await connection.send(f"Request for {connection.request.headers['X-Key']} served")
        kept: list[str] = []
        self.received.append(kept)
        async for message in connection:
            kept.append(message)
            for number in self.fate(len(kept) - 1):
                await connection.send(kept[number].encode() if self.binary else kept[number])


def account(folder: Path, server: Any, churn: float | None = None, **changes: Any) -> tuple[dict[str, int], Series]:
    """Ledger, with what was counted at the source, and series of a short load on a server."""
    batches: list[dict[str, Any]] = []

    async def main() -> str | None:
        async with serve(server.serve, "127.0.0.1", 0, compression=None) as listening:
            url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/echo"
            settings = {"headers": {"X-Key": "k"}, "message_bytes": MESSAGE_BYTES}
            made = swarm_scenario(url, CONNECTIONS, 1000.0, STEADY_NS, settings, ("lost == 0",), echo_per_s=PER_S)
            members = tuple(each.model_copy(update={"churn": churn}) for each in made.swarm.members)
            quickly = {"guard": 1, "drain": 400_000_000, "members": members} | changes
            quick = made.swarm.model_copy(update=quickly)
            phases = (made.phases[0].model_copy(update={"duration": 100_000_000}), made.phases[1])
            job = Job(made.model_copy(update={"swarm": quick, "phases": phases}), "r1", "local", "s", 0, 1, folder)
            swarm = Swarm(job, time.monotonic_ns(), Outbox("s", batches.append, folder))
            await swarm.run()
            return swarm.books.fault

    assert asyncio.run(main()) is None
    rows = [Interval.from_json(row) for batch in batches for row in batch.get("intervals", ())]
    names = {row.series for row in rows}
    series = {name: merge([row for row in rows if row.series == name], series=name) for name in names}
    return batches[-1]["ledger"] | batches[-1]["accounting"], series


@pytest.mark.parametrize("binary", [False, True])
def test_a_faithful_server(tmp_path: Path, binary: bool) -> None:
    """Every message comes back once to whom it belongs, as text or as bytes, and is timed."""
    server = Echo(lambda n: [n], binary=binary)
    ledger, series = account(tmp_path, server)
    sent = sum(map(len, server.received))
    assert sent > 0.9 * CONNECTIONS * PER_S * STEADY_NS / 1e9
    assert ledger["expected"] == ledger["delivered"] == ledger["received"] == sent
    assert (ledger["lost"], ledger["duplicated"], ledger["reordered"], ledger["foreign"], ledger["outside"]) == (0,) * 5
    assert series["ws publish"].ok == series["ws deliver"].ok == sent
    assert series["ws deliver"].response.underflow == 0
    assert {len(message) for kept in server.received for message in kept} == {MESSAGE_BYTES}


def test_an_unfaithful_server(tmp_path: Path) -> None:
    """By arithmetic: of each hundred one is dropped, two are doubled, and one changes places with the next."""

    def fate(number: int) -> list[int]:
        if number % 100 in (7, 10):
            return []
        return [number, number - 1] if number % 100 == 11 else [number] * (2 if number % 50 == 3 else 1)

    server = Echo(fate)
    ledger, series = account(tmp_path, server)
    came = dict.fromkeys(("lost", "duplicated", "reordered"), 0)
    for kept in server.received:
        sent_back = [each for number in range(len(kept)) for each in fate(number)]
        came["lost"] += len(kept) - len(set(sent_back))
        came["duplicated"] += len(sent_back) - len(set(sent_back))
        came["reordered"] += sum(number % 100 == 11 for number in range(len(kept)))
    assert min(came.values()) >= CONNECTIONS * 2
    assert {name: ledger[name] for name in came} == came
    assert ledger["expected"] == sum(map(len, server.received)) == ledger["delivered"] + came["lost"]
    assert series["ws deliver"].lost == came["lost"]
    assert ledger["foreign"] == 0


def test_a_storm_of_ours_is_no_failure_of_the_server(tmp_path: Path) -> None:
    """What was due while we had cut the connections is counted, and held against nobody; nothing is lost for it."""
    storm = Storm(at=700_000_000, how="reset")
    ledger, series = account(tmp_path, Echo(lambda n: [n]), guard=300_000_000, storms=[storm])
    publish = series["ws publish"]
    assert series["ws connect"].ok == 2 * CONNECTIONS
    assert ledger["publishes_away"] > 0
    assert publish.count + ledger["publishes_away"] == ledger["publishes_planned"]
    assert (publish.failed, ledger["lost"]) == (0, 0)


def test_who_leaves_as_planned_owes_nothing(tmp_path: Path) -> None:
    """Publishers that come and go: what was due meanwhile is counted; every echo of the rest comes."""
    ledger, series = account(tmp_path, Echo(lambda n: [n]), churn=4.0, guard=300_000_000)
    publish = series["ws publish"]
    assert series["ws connect"].ok > CONNECTIONS
    assert ledger["publishes_away"] > 50
    assert publish.count + ledger["publishes_away"] == ledger["publishes_planned"]
    assert (publish.failed, ledger["lost"]) == (0, 0)
    assert ledger["expected"] == ledger["delivered"] > 100


class CrossTalk:
    """Sends each message to the connection after the one that it came from."""

    def __init__(self) -> None:
        self.connections: list[Any] = []
        self.sent = 0

    async def serve(self, connection: Any) -> None:
        """One connection."""
        mine = len(self.connections)
        self.connections.append(connection)
        async for message in connection:
            self.sent += 1
            await self.connections[(mine + 1) % len(self.connections)].send(message)


def test_what_comes_to_another(tmp_path: Path) -> None:
    """It is lost to the one, and came unasked to the other."""
    server = CrossTalk()
    ledger, _ = account(tmp_path, server)
    assert server.sent > 100
    assert ledger["expected"] == server.sent
    assert ledger["lost"] + ledger["delivered"] == server.sent
    assert ledger["delivered"] < 20, "only before the second had connected"
    assert ledger["outside"] == ledger["lost"]


@pytest.mark.parametrize(
    "frame", ["hello", "7", '{"a": 1}', "[1, 2]", "null", "[1,2,3,4,5,6]", '["p","c","x","y","z"]']
)
def test_what_is_no_echo(frame: str) -> None:
    """Nothing that a server says of its own accord is taken for one."""
    assert EchoMember(0, {}, {}, {}).read(frame) is None


def test_a_message() -> None:
    """It bears what the ledger needs back, and is as long as it was asked to be."""
    member = EchoMember(3, {}, {"message_bytes": 100, "path": "/echo"}, {})
    sent = Publication("r.7", member.publish_channel(), 5, 10, 11)
    frame = member.publish_frame(sent)
    assert len(frame) == 100
    assert member.read(str(frame)) == Delivery(*sent) == Delivery("r.7", "echo.3", 5, 10, 11)
    assert json.loads(frame) == ["r.7", "echo.3", 5, 10, 11]
    assert (member.path, list(member.unasked_channels())) == ("/echo", ["echo.3"])
