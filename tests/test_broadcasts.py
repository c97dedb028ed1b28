"""Whatever a server broadcasts, accounted for to the message: what it loses, doubles and swaps is told so."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve

from loadtests.allowance import allowed_addresses
from loadtests.errors import TargetError, UsageError
from loadtests.interval import Interval, merge
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.preflight import require_answer
from loadtests.reception import Reception
from loadtests.swarm import Swarm
from loadtests.swarmscenario import swarm_scenario
from loadtests.target import free_port

SUBSCRIBERS, FIRST, NUMBERS = 5, 1000, 400


class Broadcaster:
    """Sends ``NUMBERS`` messages on each of two channels to everybody, eight to a write, once all are there.

    Nobody gets n with ``n % 100 == 7``; everybody twice with ``n % 50 == 3``; 10 of every hundred after 11; and the
    first subscriber alone misses every ``n % 10 == 9``.
    """

    def __init__(self, *, stamps: bool) -> None:
        self.stamps = stamps
        self.connections: list[Any] = []
        self.greeted: list[Any] = []
        self.all_there = asyncio.Event()
        self.fanned: list[Any] = []
        self.most_in_a_read = 0

    async def serve(self, connection: Any) -> None:
        """One subscriber, until it goes."""
        self.greeted.append((await connection.recv(), connection.request.headers["X-Key"], connection.request.path))
        self.connections.append(connection)
        if len(self.connections) == SUBSCRIBERS:
            self.all_there.set()
        await connection.wait_closed()

    def fates(self, number: int) -> list[int]:
        """What goes out in place of a number."""
        if number % 100 in (7, 10):
            return []
        if number % 100 == 11:
            return [number, number - 1]
        return [number] * (2 if number % 50 == 3 else 1)

    async def publish(self) -> None:
        """All of them, and between two writes the others have time to read."""
        await self.all_there.wait()
        await asyncio.sleep(0.1)
        for channel in ("a", "b"):
            for first in range(0, NUMBERS, 8):
                for k, connection in enumerate(self.connections):
                    self.write(connection, [row for row in self.rows(channel, first) if k or row["n"] % 10 != 9])
                await asyncio.sleep(0)
        await self.connections[0].send('"a frame of another kind"')

    def rows(self, channel: str, first: int) -> list[dict[str, Any]]:
        """What goes out in place of eight numbers."""
        stamp = {"t": time.monotonic_ns()} if self.stamps else {}
        numbers = [each for number in range(first, first + 8) for each in self.fates(number)]
        return [{"n": FIRST + each, "at": {"ch": channel}} | stamp for each in numbers]

    def write(self, connection: Any, rows: list[dict[str, Any]]) -> None:
        """One write, a frame for each."""
        for row in rows:
            connection.protocol.send_text(json.dumps(row).encode())
        connection.transport.write(b"".join(connection.protocol.data_to_send()))


def _account(
    folder: Path, patched: pytest.MonkeyPatch, *, stamps: bool
) -> tuple[dict[str, int], Interval, Broadcaster, Any]:
    """The ledger and the deliveries of a short swarm."""
    batches: list[dict[str, Any]] = []

    async def main() -> tuple[Broadcaster, Any]:
        server = Broadcaster(stamps=stamps)
        async with serve(server.serve, "127.0.0.1", 0, compression=None) as listening:
            port = listening.sockets[0].getsockname()[1]
            settings = {"adapter": "json:seq=n,sent_ns=t,channel=at.ch", "send": ["hello"], "headers": {"X-Key": "k"}}
            url = f"ws://127.0.0.1:{port}/live?x=1"
            made = swarm_scenario(url, SUBSCRIBERS, 1000.0, 1_500_000_000, settings, ("lost == 0",))
            quick = made.swarm.model_copy(update={"guard": 1, "drain": 400_000_000})
            phases = tuple(p.model_copy(update={"duration": 100_000_000}) for p in made.phases[:1]) + made.phases[1:]
            job = Job(made.model_copy(update={"swarm": quick, "phases": phases}), "r1", "local", "s", 0, 1, folder)
            swarm = Swarm(job, time.monotonic_ns(), Outbox("s", batches.append, folder))
            whole = Reception.received

            def received(self: Reception, frames: list[str | bytes], now_ns: int) -> None:
                server.most_in_a_read = max(server.most_in_a_read, len(frames))
                whole(self, frames, now_ns)

            patched.setattr(Reception, "received", received)
            publishing = asyncio.create_task(server.publish())
            await swarm.run()
            await publishing
            return server, swarm.books.fault

    server, fault = asyncio.run(main())
    rows = [Interval.from_json(r) for b in batches for r in b.get("intervals", ()) if r["series"] == "ws deliver"]
    for name in ("duplicated", "reordered", "late"):
        tallies = [
            Interval.from_json(r) for b in batches for r in b.get("intervals", ()) if r["series"] == f"ws {name}"
        ]
        tally, ledger = merge(tallies, series=name), batches[-1]["ledger"]
        assert (tally.count, tally.errors.get(name, 0)) == (ledger["received"], ledger[name])
    server.fanned = [row for b in batches for row in b.get("fanned", ())]
    return batches[-1]["ledger"], merge(rows, series="ws deliver"), server, fault


@pytest.mark.parametrize("stamps", [True, False])
def test_scripted_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamps: bool) -> None:
    """Exact counts, by arithmetic; latency only where the server says when it sent."""
    ledger, deliveries, server, fault = _account(tmp_path, monkeypatch, stamps=stamps)
    assert fault is None
    assert server.most_in_a_read >= 8
    assert server.greeted == [("hello", "k", "/live?x=1")] * SUBSCRIBERS
    published = 2 * NUMBERS
    dropped = 2 * 4  # 7, 107, 207, 307 on each channel
    missed = 2 * NUMBERS // 10  # by the first subscriber alone
    doubled = 2 * 8  # 3, 53, ..., 353
    expected = published * SUBSCRIBERS
    lost = dropped * SUBSCRIBERS + missed
    assert ledger["duplicated"] == doubled * SUBSCRIBERS
    assert ledger["reordered"] == 2 * 4 * SUBSCRIBERS  # 10 after 11
    assert (ledger["foreign"], ledger["late"], ledger["outside"]) == (0, 0, 0)
    assert (ledger["expected"], ledger["lost"]) == (expected, lost)
    assert ledger["delivered"] == expected - lost
    assert deliveries.lost == ledger["lost"]
    assert deliveries.ok == ledger["delivered"]
    assert deliveries.untimed == (0 if stamps else ledger["delivered"])
    assert len(server.fanned) == published, "also of those that reached nobody"
    assert [row.untimed for row in server.fanned] == [not stamps] * published
    assert sum(row.lost for row in server.fanned) == lost
    assert sum(row.duplicated for row in server.fanned) == ledger["duplicated"]
    assert sum(row.reordered for row in server.fanned) == ledger["reordered"]
    assert deliveries.response.total == (ledger["delivered"] if stamps else 0)


def test_only_a_websocket() -> None:
    """Another URL is refused with what is expected."""
    for url in ("http://127.0.0.1/", "127.0.0.1:80/ws", "ws:///x"):
        with pytest.raises(UsageError, match="expected ws://HOST"):
            swarm_scenario(url, 1, 1.0, 1, {}, ())


@pytest.mark.parametrize("url", ["ws://[::1/", "ws://[zz]/", "ws://h:99999/", "wss://h:abc/", "ws://user:hunter2@h/"])
def test_an_address_that_is_none(url: str) -> None:
    """It is refused with what is expected, and no password in it is repeated."""
    with pytest.raises(UsageError, match="expected ws://HOST") as raised:
        swarm_scenario(url, 1, 1.0, 1, {}, ())
    assert "hunter2" not in str(raised.value)


def test_the_command_s_scenario() -> None:
    """All are connected, and past their guard, before the steady state; TLS by the scheme."""
    made = swarm_scenario("wss://example.org:8443/live?x=1", 1000, 500.0, 30_000_000_000, {}, ("lost == 0",))
    assert made.target.url == "https://example.org:8443"
    assert made.settings["path"] == "/live?x=1"
    assert made.address == "wss://example.org:8443/live?x=1"
    assert made.phases[0].duration >= 2_000_000_000 + made.swarm.guard
    assert (made.swarm.members[0].count, made.phases[1].duration) == (1000, 30_000_000_000)


def test_a_target_that_is_not_there_is_named_as_it_was_given() -> None:
    """By its WebSocket's address, not by that of its host over HTTP."""
    url = f"ws://127.0.0.1:{free_port()}/live"
    with pytest.raises(TargetError, match=f"^the target does not answer at {url}: "):
        asyncio.run(require_answer(swarm_scenario(url, 1, 1.0, 1_000_000_000, {}, ("lost == 0",))))
    with pytest.raises(TargetError, match=f"^{url}: 127.0.0.1 is 10.1.2.3, which is not loopback"):
        allowed_addresses("http://127.0.0.1", (), lambda host, port: ["10.1.2.3"], named=url)
