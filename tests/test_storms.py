"""Connections that are lost at once, leave, stop reading or fall silent: what is told of it must be what happened."""

import asyncio
import json
import socket
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import asdict

import numpy as np
import pytest
from websockets.asyncio.server import serve
from websockets.protocol import State

from loadtests.fairness import Fairness
from loadtests.faults import Faults, StreamFaults
from loadtests.interval import Interval, merge
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.scenario import Scenario
from loadtests.swarm import Swarm
from loadtests.swarmaccount import SwarmAccount

MEMBERS = """
import json
from loadtests.member import Broadcast, ClockAnswer, Member

class Listener(Member):
    hears_broadcasts = True

    def read(self, frame):
        row = json.loads(frame)
        self.last = row["n"]
        return Broadcast("news", row["n"], row["t"])

class Far(Listener):
    path = "/far"

    def clock_question(self, token):
        return json.dumps({"clock": token})

    def read(self, frame):
        row = json.loads(frame)
        return ClockAnswer(row["clock"], row["at"], row["at"]) if "clock" in row else super().read(frame)

class Resuming(Listener):
    path = "/resuming"
    last = None

    def greetings(self):
        return [json.dumps({"after": self.last})]
"""


class Station:
    """Sends a numbered message to everybody every so often, and on request what somebody has missed.

    Args:
        every_s: between two messages.
        size: of a message, bytes.
        most_waiting: bytes that may wait for one subscriber before it is closed with 1013; None lets them wait.

    """

    def __init__(self, every_s=0.01, size=60, most_waiting=None):
        self.every_s, self.size, self.most_waiting = every_s, size, most_waiting
        self.sent = []
        self.here = []
        self.connections = 0
        self.refuses = False
        self.skew_ns = 0

    async def serve(self, connection):
        """One subscriber."""
        self.connections += 1
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        try:
            if connection.request.path == "/resuming":
                last = json.loads(await connection.recv())["after"]
                for text in self.sent[last + 1 :] if last is not None else ():
                    self.send(connection, text)  # without a pause, or what is sent meanwhile would come twice
            self.here.append(connection)
            async for text in connection:
                answer = {"clock": json.loads(text)["clock"], "at": self.clock_ns()}
                await connection.send(json.dumps(answer))
        finally:
            self.leave(connection)

    def leave(self, connection):
        """It is served no more."""
        if connection in self.here:
            self.here.remove(connection)

    def send(self, connection, text):
        """Write it, however much waits there already, unless it is being closed."""
        if connection.protocol.state is not State.OPEN:
            return
        connection.protocol.send_text(text.encode())
        connection.transport.writelines(connection.protocol.data_to_send())

    def clock_ns(self):
        """Its own clock."""
        return time.monotonic_ns() + self.skew_ns

    async def broadcast(self):
        """Until cancelled."""
        while True:
            text = json.dumps({"n": len(self.sent), "t": self.clock_ns()}).ljust(self.size)
            self.sent.append(text)
            for connection in list(self.here):
                waiting = connection.transport.get_write_buffer_size()
                if self.most_waiting and waiting > self.most_waiting:
                    self.leave(connection)
                    connection.transport.abort()
                    continue
                self.send(connection, text)
            await asyncio.sleep(self.every_s)

    async def close_everybody(self, after_s, code=1012):
        """As a server does that is about to be restarted."""
        await asyncio.sleep(after_s)
        await asyncio.gather(*(connection.close(code) for connection in list(self.here)))

    @asynccontextmanager
    async def on_air(self):
        """Serve on loopback and give the URL."""

        def refused(connection, _request):
            return connection.respond(503, "not now") if self.refuses else None

        how = {"compression": None, "ping_interval": None, "process_request": refused}
        async with serve(self.serve, "127.0.0.1", 0, **how) as server:
            sending = asyncio.create_task(self.broadcast())
            try:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                assert not sending.done(), sending.result()
            finally:
                sending.cancel()


class Queue(Station):
    """Waits for each subscriber to take a message before it serves the next; they are stamped as they come due."""

    async def broadcast(self):
        """Until cancelled."""
        begun_ns = self.clock_ns()
        while True:
            due_ns = begun_ns + round(len(self.sent) * self.every_s * 1e9)
            await asyncio.sleep((due_ns - self.clock_ns()) / 1e9)
            self.sent.append(json.dumps({"n": len(self.sent), "t": due_ns}).ljust(self.size))
            for connection in list(self.here):
                self.send(connection, self.sent[-1])
                while connection.transport.get_write_buffer_size() > 2 * self.size:
                    await asyncio.sleep(0.002)


class Posts(list):
    """A swarm's batches, and what they add up to."""

    def series(self, name):
        """All Intervals of a series together."""
        return merge(
            [Interval.from_json(row) for batch in self for row in batch.get("intervals", ()) if row["series"] == name],
            series=name,
        )

    @property
    def account(self):
        """What the swarm says of itself in the end."""
        return SwarmAccount.together([self[-1]["swarm"]])

    @property
    def events(self):
        """Texts by kind."""
        return {event["kind"]: event["text"] for batch in self for event in batch.get("events", ())}


def run(station, folder, members, meanwhile=None, duration="2s", code=MEMBERS, **swarm):
    """Run a swarm of these members against a station, and return its batches."""
    (folder / "members.py").write_text(code)
    posts = Posts()

    async def main():
        async with station.on_air() as url:
            scenario = Scenario.model_validate(
                {
                    "name": "storm",
                    "target": {"url": url},
                    "phases": [{"kind": "steady", "duration": duration}],
                    "swarm": {"members": members, "connect_rate": 2000.0, "guard": "400ms", "drain": "1500ms", **swarm},
                    "folder": folder,
                }
            )
            job = Job(scenario, "r1", "local", "s", 0, 1, folder)
            swarming = Swarm(job, time.monotonic_ns(), Outbox("s", posts.append, folder))
            others = [asyncio.create_task(meanwhile)] if meanwhile else []
            await swarming.run()
            await asyncio.gather(*others)
            assert swarming.books.fault is None

    asyncio.run(main())
    return posts


@pytest.mark.parametrize("cls", ["Resuming", "Listener"])
def test_three_storms(tmp_path, cls):
    """All are cut off, then half by a reset, then all by the server: nothing is lost, and what came back is counted."""
    n, station = 8, Station()
    posts = run(
        station,
        tmp_path,
        [{"class": f"members.py:{cls}", "count": n}],
        station.close_everybody(4.0),
        duration="5500ms",
        reconnect={"base": "100ms"},
        storms=[{"at": "1s"}, {"at": "2500ms", "share": 0.5, "how": "reset"}],
    )
    ledger = posts[-1]["ledger"]
    assert (ledger["lost"], ledger["duplicated"], ledger["foreign"], ledger["late"]) == (0, 0, 0, 0)
    assert ledger["received"] == ledger["delivered"] + ledger["outside"] + ledger["recovered"]
    assert ledger["away"] > 0
    if cls == "Resuming":
        assert ledger["recovered"] == ledger["away"]
        assert posts.series("ws recover").ok >= ledger["recovered"]
        assert posts.series("ws missed").failed == 0
        first = posts.series("ws deliver first").count  # of what was heard, from the first one on
        assert ledger["received"] >= n * (first - 10)  # whoever came some messages later has missed those
    else:
        assert ledger["recovered"] < ledger["away"]  # what was sent while the handshake was answered
    missed = posts.series("ws missed")
    assert (missed.count, missed.ok) == (ledger["away"], ledger["recovered"])
    assert posts.account.closes == {
        "we: storm": n + n // 2,
        "the server: closed 1012": n,
        "we: end of the run": n,
    }
    assert posts.series("ws connection").errors == {"closed 1012": n}  # the storms were ours
    restored = posts.series("ws restore")
    assert (restored.ok, restored.count) == (n + n // 2 + n, n + n // 2 + n)
    assert station.connections == posts.series("ws connect").ok == n + restored.count
    assert restored.response.max_us < 1_500_000
    spared = posts.series("ws deliver meanwhile")
    live = posts.series("ws deliver")
    assert 0 < spared.ok < live.ok
    connected = posts.series("ws connected")
    assert (
        40 <= connected.count <= 8 * 12
    )  # 8 for 5.5 s, and for a drain of 1.5 to 3 s, of which they were away for some
    assert connected.errors.get("down", 0) <= 8  # of 8 that were away for .05 s on average


class Lossy(Station):
    """Between its storms, which come every 2 s, it drops every 10th message, sends every 5th twice, and swaps pairs.

    Attributes:
        done: to how many subscribers it did each of these.

    """

    def __init__(self):
        super().__init__()
        self.done = Counter()
        self.held_back = None

    def send_to_all(self, text):
        """To everybody who is here."""
        for connection in list(self.here):
            self.send(connection, text)
        return len(self.here)

    async def broadcast(self):
        """Until cancelled; from 1.2 to 1.5 s after a storm, all have been back for longer than the guard."""
        while not self.here:
            await asyncio.sleep(0.001)
        begun = time.monotonic()
        while True:
            number, since_s = len(self.sent), time.monotonic() - begun
            calm = 2 < since_s < 7 and 1.2 < (since_s - 1) % 2 < 1.5
            text = json.dumps({"n": number, "t": self.clock_ns()})
            self.sent.append(text)
            if calm and number % 10 == 9:
                self.done["lost"] += len(self.here)
            elif calm and number % 10 == 2:
                self.held_back = text
            else:
                self.send_to_all(text)
                self.done["duplicated"] += self.send_to_all(text) if calm and number % 5 == 0 else 0
                if self.held_back:
                    self.done["reordered"] += self.send_to_all(self.held_back)
                    self.held_back = None
            await asyncio.sleep(self.every_s)


@pytest.mark.parametrize("cls", ["Resuming", "Listener"])
def test_a_lossy_server_through_three_storms(tmp_path, cls):
    """Each fault is counted exactly, and none is a storm's, whether what was missed then is sent afterwards or not."""
    n, station = 8, Lossy()
    posts = run(
        station,
        tmp_path,
        [{"class": f"members.py:{cls}", "count": n}],
        station.close_everybody(5.0),
        duration="6800ms",
        reconnect={"base": "50ms"},
        storms=[{"at": "1s"}, {"at": "3s", "share": 0.5, "how": "reset"}],
    )
    ledger = posts[-1]["ledger"]
    assert {name: ledger[name] for name in station.done} == station.done
    assert min(station.done.values()) >= 3 * n, station.done
    assert (ledger["displacement"], ledger["late"], ledger["foreign"]) == (1, 0, 0)
    assert ledger["away"] > 0
    by_size = Counter()
    for row in (row for batch in posts for row in batch.get("fanned", ())):
        by_size.update(lost=row[5], duplicated=row[10], reordered=row[11])
    by_size.update(duplicated=sum(row[3] for batch in posts for row in batch.get("afterwards", ())))
    assert by_size == station.done
    each = {name: station.done[name] // n for name in station.done}  # it did the same to all
    assert posts.account.subscribers[2:] == (n, 0, n, n, 0)
    for number, told in enumerate(posts.account.subscribers.worst):
        assert told == Faults(str(number), due=told.due, displacement=1, **each)
    streams = StreamFaults()
    for batch in posts:
        streams.settled(batch.get("streams", {}))
        streams.wrong(batch.get("wrong", {}))
    (news,) = streams.affected().worst
    assert news == Faults("*\tnews", due=ledger["expected"], displacement=1, **station.done)


def test_never_back(tmp_path):
    """Who is not taken back by the end has run out of time."""
    station = Station()

    async def close_for_good():
        await asyncio.sleep(0.5)
        station.refuses = True
        for connection in list(station.here):
            connection.transport.abort()

    posts = run(station, tmp_path, [{"class": "members.py:Listener", "count": 3}], close_for_good(), duration="1200ms")
    restored = posts.series("ws restore")
    assert (restored.ok, restored.timeouts) == (0, 3)
    assert posts.series("ws connected").errors["down"] >= 2  # 3 connections for 0.7 s
    assert posts.series("ws connect").errors.keys() == {"handshake 503"}


def test_churn(tmp_path):
    """They come and go as planned: nothing is lost, nobody is down, and everybody comes again."""
    station = Station()
    posts = run(station, tmp_path, [{"class": "members.py:Listener", "count": 6, "churn": "6/s"}], duration="3s")
    ledger = posts[-1]["ledger"]
    assert (ledger["lost"], ledger["away"]) == (0, 0)
    assert ledger["delivered"] == ledger["expected"] > 5
    left = posts.account.closes["we: left as planned"]
    assert left >= 4
    assert posts.account.closes.keys() == {"we: left as planned", "we: end of the run"}
    assert station.connections > 6
    assert posts.series("ws connection").count == 0
    connected = posts.series("ws connected")
    assert connected.errors == {}
    assert 3 <= connected.count < 6 * 4.5 - 2  # they are away half of the time, but for the drain


@pytest.mark.parametrize("most_waiting", [100_000, None])
def test_slow_reader(tmp_path, most_waiting):
    """One that stops reading: whether the server ends it or waits is told, and the others are held to account alone."""
    station = Station(every_s=0.005, size=4000, most_waiting=most_waiting)
    slow = {"start": "500ms", "duration": "1200ms"}
    members = [
        {"class": "members.py:Listener", "count": 4},
        {"class": "members.py:Listener", "count": 1, "slow": slow},
    ]
    posts = run(station, tmp_path, members, duration="2500ms", reconnect={"base": "50ms"})
    ledger, account, said = posts[-1]["ledger"], posts.account, posts.events["slow"]
    assert "connection 4 stopped reading for 1.2 s" in said
    waited = int(said.split(" s; ")[1].split(" bytes")[0].replace(",", ""))
    assert 1000 < waited < 40_000  # of some 960,000 that were sent: its kernel takes no more
    assert ledger["lost"] == 0
    kept = posts.series("ws recover").ok  # on its way when the connection came up, which the station knew before us
    assert posts.series("ws deliver").ok + kept == ledger["delivered"] + ledger["outside"]
    assert kept < 10
    assert posts.series("ws connection").count == 0
    spared = posts.series("ws deliver meanwhile")
    assert 0 < spared.ok < posts.series("ws deliver").ok  # the other four, while it did not read
    if most_waiting:
        # With its window shut the server's FIN waits behind the data, so that the moment is not known.
        assert "the server ended it meanwhile, as it saw when it read on (connection ended)" in said
        assert account.closes["nobody said: connection ended"] == 1
    else:
        assert "the connection was kept, and read on" in said
        assert account.slow["lost"] == 0
        assert account.slow["delivered"] > 100


@pytest.mark.parametrize("how", ["abort", "reset"])
def test_a_storm_strikes_a_slow_reader(tmp_path, how):
    """It is told that it stopped, and that the server did not end it."""
    members = [{"class": "members.py:Listener", "count": 2, "slow": {"start": "500ms", "duration": "800ms"}}]
    posts = run(Station(), tmp_path, members, duration="1800ms", storms=[{"at": "900ms", "how": how}])
    said = [e["text"] for batch in posts for e in batch.get("events", ()) if e["kind"] == "slow"]
    assert len(said) == 2
    assert all(text.endswith("a storm took it") for text in said), said


@pytest.mark.parametrize(("kind", "spares"), [(Station, True), (Queue, False)])
def test_slow_reader_and_the_others(tmp_path, kind, spares):
    """Where a server buffers for a slow one, nobody else waits; where all wait for it, that is seen.

    It does not read for 1.2 s, in which 240 messages come due: where all wait for it, those of the first .9 s do so for
    over .3 s, but for a few that the kernel takes in. Its own backlog is in none of the others' times.
    """
    station = kind(every_s=0.005, size=4000)
    slow = {"start": "500ms", "duration": "1200ms"}
    members = [
        {"class": "members.py:Listener", "count": 1, "slow": slow},
        {"class": "members.py:Listener", "count": 4},
    ]
    posts = run(station, tmp_path, members, duration="2500ms")
    spared, everything = posts.series("ws deliver meanwhile"), posts.series("ws deliver")
    assert spared.ok > 4 * 100
    assert (spared.response.percentile_us(95) < 300_000) == spares
    if spares:
        assert everything.response.percentile_us(99) < 300_000, "its own backlog, over a second, is not among them"
    assert posts[-1]["ledger"]["lost"] == 0
    assert posts.account.slow["delivered"] > 100
    kept = posts.series("ws recover").untimed  # those that were stamped just before their subscriber was acknowledged
    assert everything.ok + kept == posts[-1]["ledger"]["delivered"] + posts[-1]["ledger"]["outside"]
    assert "connection 0 stopped reading for 1.2 s" in posts.events["slow"]
    assert posts.series("ws connection").count == 0


def test_no_pong(tmp_path):
    """A server that no longer answers is given up by the second ping; one that does is timed."""
    station, silent = Station(), Station()
    member = {"class": "members.py:Listener", "count": 3}
    posts = run(station, tmp_path, [member], duration="1800ms", heartbeat="500ms")
    assert posts.series("ws ping").ok >= 3 * 2
    assert "we: no pong" not in posts.account.closes

    async def fall_silent():
        await asyncio.sleep(0.3)
        for connection in silent.here:
            connection.transport.pause_reading()

    posts = run(silent, tmp_path, [member], fall_silent(), duration="1800ms", heartbeat="500ms")
    assert posts.account.closes["we: no pong"] == 3
    assert posts.series("ws connection").errors == {"no pong": 3}
    assert posts.series("ws ping").timeouts == 3


@pytest.mark.parametrize("skew_s", [-3, 3])
def test_another_clock(tmp_path, skew_s):
    """A server whose clock is three seconds off answers for it: delivery times are right, and how right is told."""
    station = Station()
    station.skew_ns = skew_s * 1_000_000_000
    posts = run(station, tmp_path, [{"class": "members.py:Far", "count": 3}], duration="2500ms", connect_rate="3/s")
    clock = posts.account.clock
    assert clock["offset_ms"] == pytest.approx(skew_s * 1000, abs=200)
    assert 0 < clock["uncertainty_us"] < 200_000
    assert 0 < posts.account.stamped <= posts[-1]["ledger"]["received"]
    deliver = posts.series("ws deliver")
    assert deliver.ok > 100
    assert deliver.response.percentile_us(50) < 100_000
    assert deliver.response.underflow == 0
    assert deliver.response.max_us < 1_000_000  # what came before the first answer was not timed
    assert station.connections == 4  # one is for the clock alone


@pytest.mark.parametrize(("apart_s", "least", "most"), [(0.0, 0.85, 1.0), (0.05, 0.6, 0.85)])
def test_evenness(tmp_path, apart_s, least, most):
    """Where place i waits 50 i ms, Jain's index of 0, 50, 100 and 150 is 36 / 56; what all wait beside it raises it.

    With 20 ms more for everybody it is .74, with 60 ms .86.
    """
    station = Station(every_s=0.02)

    def late(connection, text, send=station.send):
        place = station.here.index(connection)
        asyncio.get_running_loop().call_later(apart_s * place, send, connection, text)

    if apart_s:
        station.send = late
    posts = run(station, tmp_path, [{"class": "members.py:Listener", "count": 4}], duration="2500ms")
    fairness = posts.account.fairness
    assert fairness.subscribers == 4
    assert least < fairness.index <= most


def test_the_account_of_two_processes():
    """Ends and stamps are summed, of the clocks the worse is told, of what was waited the sums."""

    def of(uncertainty_us, *averages_us):
        kept = {"closes": Counter({"a": 1}), "slow": {}, "stamped": 3, "clock": {"uncertainty_us": uncertainty_us}}
        return kept | {"fairness": asdict(Fairness.of(np.array([averages_us, averages_us], dtype=float).T))}

    both = SwarmAccount.together([of(2.0, 1.0, 2.0), of(3.0, 3.0)])
    assert both.fairness.index == pytest.approx(36 / (3 * 14))
    assert both.closes == {"a": 2}
    assert (both.stamped, both.clock) == (6, {"uncertainty_us": 3.0})
    assert SwarmAccount.together([both.to_json()]) == both
    assert SwarmAccount.together([]).fairness.index is None
