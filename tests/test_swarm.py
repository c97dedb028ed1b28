"""The swarm against a WebSocket server on loopback that keeps its own record: what both count must be the same."""

import asyncio
import json
import time
from collections import defaultdict
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientConnectionResetError, WSCloseCode, web

from loadtests.interval import Interval, merge
from loadtests.job import Job
from loadtests.member import Publication
from loadtests.outbox import Outbox
from loadtests.parts import at_once
from loadtests.scenario import Scenario
from loadtests.series import stray_of
from loadtests.swarm import Swarm
from loadtests.swarmaccount import SwarmAccount

MEMBERS = """
import asyncio
import json
from loadtests.member import Acknowledged, Delivery, Member, RoundTrip, Subscribed

class Watcher(Member):
    path = "/ws"

    def headers(self):
        return {"X-Member": f"{type(self).__name__} {self.index}"}

    def channels(self):
        return ["news"]

    def subscribe_frame(self, channels):
        return json.dumps({"subscribe": channels})

    def read(self, frame):
        said = json.loads(frame)
        if "subscribed" in said:
            return Subscribed(said["subscribed"])
        if "ack" in said:
            return Acknowledged("news", said["ack"])
        return Delivery(*said["news"]) if "news" in said else None

class Publisher(Watcher):
    def publish_channel(self):
        return "news"

    def publish_frame(self, publication):
        return json.dumps({"publish": list(publication)})

class Broken(Watcher):
    def read(self, frame):
        raise KeyError(f"{self.secrets['token']} and {frame}")

class Reader(Watcher):
    def channels(self):
        return ["news", "weather"]

class Homeless(Watcher):
    path = "/nowhere"

class Asker(Watcher):
    async def prepare(self, http):
        self.asking = asyncio.create_task(self.http.get("/hang"))

class Editor(RoundTrip):
    path = "/ws"

    def headers(self):
        return {"X-Member": f"Editor {self.index}"}

    def publish_channel(self):
        return f"items.{self.index}"

    async def act(self, http, publication):
        await self.ws.send(json.dumps({"watch": publication.channel}))
        answer = await self.http.patch("/items/7", json=[publication.channel, publication.sequence])
        answer.raise_for_status()

    def read(self, frame):
        return Acknowledged(*json.loads(frame)["changed"])

class PatientAsker(Watcher):
    async def prepare(self, http):
        self.asking = asyncio.create_task(self.http.get("/hang", timeout=60))
"""


class Hub:
    """A broadcasting server: it does as its script says and remembers what it did.

    Args:
        copies: how many copies of a message each subscriber gets, given its number.
        held: whether a message waits until after the next one.
        acknowledges: which of ``subscribe`` and ``publish`` are acknowledged.
        watchers: how many subscribers must be there before a publisher's subscription is acknowledged.

    """

    def __init__(
        self,
        copies=lambda number: 1,
        held=lambda number: False,
        acknowledges=("subscribe", "publish"),
        watchers=0,
    ):
        self.copies, self.held, self.acknowledges, self.watchers = copies, held, acknowledges, watchers
        self.published = defaultdict(list)
        self.sent = defaultdict(list)
        self.members = {}
        self.connections = 0
        self.enough = asyncio.Event()
        if not watchers:
            self.enough.set()
        self._held = None

    async def serve(self, request):
        """One connection."""
        name = request.headers["X-Member"]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        async for frame in socket:
            said = json.loads(frame.data)
            if "subscribe" in said and "subscribe" in self.acknowledges:
                if name.startswith("Publisher"):
                    await self.enough.wait()
                self.members[name] = socket
                await socket.send_str(json.dumps({"subscribed": said["subscribe"]}))
                if len(self.members) >= self.watchers:
                    asyncio.get_running_loop().call_later(0.1, self.enough.set)
            elif "publish" in said:
                publisher, _, number, *_ = said["publish"]
                self.published[publisher].append(number)
                if "publish" in self.acknowledges:
                    await socket.send_str(json.dumps({"ack": number}))
                await self.broadcast(said["publish"])
        if self.members.get(name) is socket:
            del self.members[name]
        return socket

    async def broadcast(self, publication):
        """Send a message on, as the script says."""
        number, waiting = publication[2], self._held
        self._held = publication if self.held(number) and waiting is None else None
        for each in ([] if self._held else [publication]) + ([waiting] if waiting else []):
            for name, socket in list(self.members.items()):
                for _ in range(self.copies(each[2])):
                    self.sent[name, each[0]].append(each[2])
                    await socket.send_str(json.dumps({"news": each}))


async def hang(request):
    """Never answer."""
    await asyncio.sleep(60)


@asynccontextmanager
async def listening(serve, *routes):
    """Serve on loopback and give the URL."""
    app = web.Application()
    app.router.add_get("/ws", serve)
    app.router.add_routes(routes)
    app.router.add_get("/hang", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def job(folder, url, members, *, shard=0, shards=1, duration="1s", guard="1ns", timeout="5s", **swarm):
    """Return one process's share of a run with these members: (class, count) or (class, count, rate)."""
    (folder / "members.py").write_text(MEMBERS)
    specs = [
        {"class": f"members.py:{cls}", "count": count, "arrivals": "constant"} | ({"rate": rate[0]} if rate else {})
        for cls, count, *rate in members
    ]
    scenario = Scenario.model_validate(
        {
            "name": "swarm",
            "target": {"url": url},
            "load": {"timeout": timeout},
            "phases": [{"kind": "steady", "duration": duration}],
            "swarm": {"members": specs, "connect_rate": 1000.0, "drain": "400ms", "guard": guard, **swarm},
            "secrets": {"token": "hunter2"},
            "folder": folder,
        }
    )
    return Job(scenario, "r1", "local", f"w{shard}.swarm", shard, shards, folder)


class Posts(list):
    """The batches of a swarm, and what they add up to."""

    def series(self, name):
        """All Intervals of a series together."""
        parts = [
            Interval.from_json(row) for batch in self for row in batch.get("intervals", ()) if row["series"] == name
        ]
        return merge(parts, series=name)

    @property
    def accounting(self):
        """The account that the last batch gives."""
        return self[-1]["accounting"]

    @property
    def account(self):
        """What the swarm says of itself in the end."""
        return SwarmAccount.together([self[-1]["swarm"]])

    @property
    def ledger(self):
        """The last ledger."""
        return self[-1]["ledger"]


def run(serve, folder, members, *routes, **more):
    """Run a swarm to its end, and return its batches."""
    posts = Posts()

    async def main():
        async with listening(serve, *routes) as url:
            share = job(folder, url, members, **more)
            await Swarm(share, time.monotonic_ns(), Outbox(share.source, posts.append, folder)).run()

    asyncio.run(main())
    return posts


def reordered(numbers):
    """How many first copies come after a higher number."""
    highest, seen, found = -1, set(), 0
    for number in numbers:
        if number not in seen and number < highest:
            found += 1
        seen.add(number)
        highest = max(highest, number)
    return found


def assert_books_agree(hub, ledgers, watchers):
    """Hold the swarm's ledgers against the server's record; every subscriber was there for every message."""
    total = {name: sum(ledger[name] for ledger in ledgers) for name in ledgers[0]}
    messages = {(publisher, number) for publisher, numbers in hub.published.items() for number in numbers}
    sent = [(name, publisher, number) for (name, publisher), numbers in hub.sent.items() for number in numbers]
    assert total["expected"] == len(messages) * watchers
    assert total["received"] == len(sent)
    assert total["delivered"] == len(set(sent))
    assert total["lost"] == len(messages) * watchers - len(set(sent))
    assert total["duplicated"] == len(sent) - len(set(sent))
    assert total["reordered"] == sum(map(reordered, hub.sent.values()))
    assert (total["late"], total["outside"], total["foreign"]) == (0, 0, 0)
    for numbers in hub.published.values():
        assert numbers == list(range(len(numbers)))
    return total


def test_scripted_server(tmp_path):
    """A server that drops, doubles and swaps is told so, to the message."""
    hub = Hub(lambda number: {3: 0, 5: 2}.get(number % 10, 1), lambda number: number % 6 == 0, watchers=4)
    posts = run(hub.serve, tmp_path, [("Watcher", 4), ("Publisher", 1, "100/s")], duration="1500ms")
    total = assert_books_agree(hub, [posts.ledger], watchers=5)
    assert min(total[name] for name in ("lost", "duplicated", "reordered")) >= 25
    deliver, publish = posts.series("ws deliver"), posts.series("ws publish")
    assert (deliver.ok, deliver.lost, deliver.count) == (total["delivered"], total["lost"], total["expected"])
    assert 100 < publish.count <= 150  # 100/s for 1.5 s, from when the publisher was subscribed
    assert publish.count == posts.accounting["publishes_planned"] == publish.ok == len(hub.published["r1.4"])
    assert (posts.series("ws connect").ok, posts.series("ws subscribe").ok) == (5, 5)
    assert posts.series("ws connection").count == 0
    assert max(batch["gauges"]["connections"] for batch in posts) == 5


def two_processes(folder, hub, members, duration):
    """What two processes post that tell each other what they publish."""
    posts = Posts(), Posts()

    async def main():
        async with listening(hub.serve) as url:
            shares = [job(folder, url, members, shard=shard, shards=2, duration=duration) for shard in (0, 1)]
            t0_ns = time.monotonic_ns()

            def sending(source):
                def send(batch):
                    posts[source].append(batch)
                    tell = swarms[1 - source].books.published_elsewhere
                    asyncio.get_running_loop().call_later(0.05, tell, batch.get("published", {}))

                return send

            swarms = [Swarm(share, t0_ns, Outbox(share.source, sending(k), folder)) for k, share in enumerate(shares)]
            await asyncio.gather(*(swarm.run() for swarm in swarms))

    asyncio.run(main())
    return posts


def test_two_processes(tmp_path):
    """Subscribers of one process account for what another's publish, from the logs that they exchange."""
    hub = Hub(lambda number: int(number % 10 != 3), watchers=5)
    # It ends between two reports, so that the last publications are told at the end, in time for the drain.
    posts = two_processes(tmp_path, hub, [("Watcher", 5), ("Publisher", 1, "100/s")], "1300ms")
    assert len(hub.published["r1.5"]) > 50
    total = assert_books_agree(hub, [each.ledger for each in posts], watchers=6)
    assert total["lost"] == 6 * sum(number % 10 == 3 for number in hub.published["r1.5"])
    assert [each.series("ws connect").ok for each in posts] == [3, 3]


def test_publications_leave_in_order(tmp_path):
    """Whatever is published, and told beside it, between any two parts of a batch: the logs go on where they were."""

    async def told():
        share, posts, n = job(tmp_path, "http://127.0.0.1:9", [("Publisher", 1, "1/s")], shards=2), [], 0
        swarm = Swarm(share, time.monotonic_ns(), Outbox(share.source, posts.append, tmp_path))
        for _ in swarm._posting():
            for tells in (True, False):
                swarm.books.publish_log(Publication("r1.0", "news", n, n, n))
                n += 1
                if tells:
                    posts.append({"published": swarm.books.take_published()})
        at_once(swarm._posting())
        return n, [log for post in posts for log in post.get("published", {}).get("logs", {}).values()]

    published, logs = asyncio.run(told())
    assert published >= 4
    assert [first + k for _, first, messages in logs for k in range(len(messages))] == list(range(published))


def test_a_process_without_subscribers(tmp_path):
    """It settles what others publish as it comes, not all at the end: that nobody of its own heard it is waited for."""
    posts = two_processes(tmp_path, Hub(), [("Publisher", 1, "200/s")], "2300ms")
    told = [len(batch.get("fanned", ())) for batch in posts[1]]
    assert sum(told) > 300
    assert sum(told[:-1]) > 100


def test_server_restarts(tmp_path):
    """When all connections are cut in the middle, each is told as lost and comes back; the guard accuses nobody."""
    hub = Hub()

    async def serve(request):
        if hub.connections == 0:
            asyncio.get_running_loop().call_later(0.6, cut)
        return await hub.serve(request)

    def cut():
        for socket in list(hub.members.values()):
            cutting.append(asyncio.ensure_future(socket.close(code=WSCloseCode.SERVICE_RESTART)))

    cutting = []
    posts = run(serve, tmp_path, [("Watcher", 3), ("Publisher", 1, "50/s")], duration="2s", guard="200ms")
    assert posts.series("ws connection").errors == {"closed 1012": 4}
    assert posts.series("ws connect").ok == hub.connections == 8
    assert (posts.ledger["lost"], posts.ledger["foreign"], posts.ledger["duplicated"]) == (0, 0, 0)
    assert posts.ledger["delivered"] == posts.ledger["expected"] > 50
    publish = posts.series("ws publish")
    assert publish.errors.keys() <= {"no connection", "connection reset", "closed 1012"}  # due while it was away
    assert publish.ok + publish.failed == publish.count == posts.accounting["publishes_planned"]
    assert publish.count > 80
    for numbers in hub.published.values():  # but for one that crossed the server's close on its way
        assert len(set(range(max(numbers) + 1)) - set(numbers)) <= 1
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("answer", "cls", "outcome"),
    [
        (503, "Watcher", {"handshake 503": 1}),
        (200, "Watcher", {"handshake 200": 1}),
        (None, "Homeless", {"handshake 404": 1}),
    ],
)
def test_handshake_that_fails(tmp_path, answer, cls, outcome):
    """A handshake that the server answers otherwise is an error of its status, tried again at intervals."""

    async def serve(request):
        await asyncio.sleep(0.02)
        return web.Response(status=answer)

    posts = run(serve, tmp_path, [(cls, 1)], duration="200ms")
    connect = posts.series("ws connect")
    assert connect.errors.keys() == outcome.keys()
    assert connect.count == sum(connect.errors.values())
    assert connect.ok == 0
    if answer:
        assert connect.failed_service.percentile_us(0) >= 20_000  # timed from its beginning


def test_nobody_listens(tmp_path):
    """A target that is not there refuses the connection."""
    posts = Posts()
    share = job(tmp_path, "http://127.0.0.1:1", [("Watcher", 2)], duration="100ms")
    asyncio.run(Swarm(share, time.monotonic_ns(), Outbox(share.source, posts.append, tmp_path)).run())
    assert posts.series("ws connect").errors.keys() == {"connection refused"}


def test_silent_server(tmp_path):
    """Subscriptions and publications that are never acknowledged are time-outs."""
    hub = Hub(acknowledges=("publish",))
    posts = run(hub.serve, tmp_path, [("Watcher", 2), ("Publisher", 1, "50/s")], duration="500ms", timeout="200ms")
    subscribe, publish = posts.series("ws subscribe"), posts.series("ws publish")
    assert (subscribe.count, subscribe.timeouts) == (3, 3)
    assert subscribe.failed_response.percentile_us(0) >= 200_000
    assert publish.errors == {"no connection": publish.count}
    assert 0 < publish.count < 20  # 50/s, from when the subscription was given up after 200 of 500 ms
    hub = Hub(acknowledges=("subscribe",))
    posts = run(hub.serve, tmp_path, [("Publisher", 1, "50/s")], duration="500ms")
    publish = posts.series("ws publish")
    assert publish.timeouts == publish.count == len(hub.published["r1.0"]) > 0
    assert posts.ledger["delivered"] == publish.timeouts  # they arrived all the same


def test_what_members_ask_at_the_end(tmp_path):
    """A target that never answers has run out of time, whether a member gave it that of the run or more."""
    asked = [("Asker", 3), ("PatientAsker", 2)]
    posts = run(Hub().serve, tmp_path, asked, duration="200ms", timeout="1s")
    page, stray = posts.series("GET /hang"), posts.series(stray_of("PatientAsker"))
    assert (page.count, page.timeouts) == (3, 3)
    assert (stray.count, stray.timeouts) == (2, 2)
    counted = posts.accounting
    assert (counted["requests_begun"], counted["requests_in_flight"]) == (5, 0)


def test_a_change_by_http_that_its_connection_hears(tmp_path):
    """A member asks on its own connection for what it is about to change by its own session, and hears of each."""
    watched, changes = {}, []

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            watched[json.loads(frame.data)["watch"]] = socket
        return socket

    async def patch(request):
        channel, number = await request.json()
        changes.append((channel, number))
        await watched[channel].send_str(json.dumps({"changed": [channel, number]}))
        return web.Response()

    members = [("Editor", 2, "50/s")]
    posts = run(serve, tmp_path, members, web.patch("/items/7", patch), duration="700ms")
    asked, heard = posts.series("PATCH /items/{id}"), posts.series("ws round trip")
    assert (asked.count, heard.count) == (asked.ok, heard.ok) == (len(changes), len(changes))
    assert len(changes) == posts.accounting["publishes_planned"] == posts.accounting["requests_begun"] > 30
    assert len(set(changes)) == len(changes)
    assert set(watched) == {"items.0", "items.1"}


def test_server_closes_before_it_subscribes(tmp_path):
    """A subscription that ends with its connection is an error of its own, and of no later connection."""

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        return socket

    posts = run(serve, tmp_path, [("Watcher", 1)], duration="600ms", timeout="150ms")
    subscribe, connection = posts.series("ws subscribe"), posts.series("ws connection")
    assert subscribe.errors == connection.errors == {"closed 1013": posts.series("ws connect").ok}
    assert subscribe.timeouts == 0


@pytest.mark.parametrize("names", [["news", "weather"], ["news"]])
def test_one_of_two_channels_is_never_acknowledged(tmp_path, names):
    """Each in a frame of its own: it is subscribed with the last of them, and not with the first."""

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        for name in names:
            await socket.send_str(json.dumps({"subscribed": [name]}))
        await socket.receive()
        return socket

    posts = run(serve, tmp_path, [("Reader", 2)], duration="300ms", timeout="150ms")
    subscribe = posts.series("ws subscribe")
    assert (subscribe.count, subscribe.ok, subscribe.timeouts) == ((2, 2, 0) if len(names) == 2 else (2, 0, 2))
    assert bool(posts.series("ws connected").errors.get("down")) == (len(names) < 2)


def test_a_storm_of_ours_while_it_subscribes(tmp_path):
    """What was asked for went with the connection, and is no error of the server's."""
    posts = run(
        Hub(acknowledges=()).serve, tmp_path, [("Watcher", 2)], duration="1200ms", storms=[{"at": "1s"}], guard="1ns"
    )
    assert posts.account.closes["we: storm"] == 2
    assert posts.series("ws subscribe").errors == {}


@pytest.mark.parametrize(("base", "tried"), [("60s", False), ("1ms", True)])
def test_a_storm_at_the_end(tmp_path, base, tried):
    """Nobody has failed to come back that had no time to try; who tried, and was not taken back by the end, has."""
    hub = Hub()

    async def serve(request):
        return await hub.serve(request) if hub.connections < 2 else web.Response(status=503)

    again = {"base": base, "cap": "60s", "jitter": False}
    posts = run(serve, tmp_path, [("Watcher", 2)], duration="400ms", storms=[{"at": "300ms"}], reconnect=again)
    restored = posts.series("ws restore")
    assert (restored.count, restored.timeouts) == ((2, 2) if tried else (0, 0))
    assert posts.accounting.get("restores_untried", 0) == (0 if tried else 2)


def test_slow_handshake(tmp_path):
    """A handshake that is not answered in time is a time-out, as long as it was waited for."""

    async def serve(request):
        await asyncio.sleep(2)

    posts = run(serve, tmp_path, [("Watcher", 1)], duration="400ms", timeout="300ms")
    connect = posts.series("ws connect")
    assert connect.timeouts == connect.count >= 1
    assert connect.failed_response.percentile_us(0) >= 300_000


def test_member_that_raises(tmp_path):
    """An author's mistake is told once, with its line and without secrets."""
    hub = Hub()
    posts = run(hub.serve, tmp_path, [("Broken", 2)], duration="300ms")
    (event,) = [event for batch in posts for event in batch.get("events", [])]
    assert event["kind"] == "member error"
    line = next(number for number, text in enumerate(MEMBERS.splitlines(), 1) if "raise KeyError" in text)
    said = """'*** and {"subscribed": ["news"]}'"""
    assert event["text"] == f"swarm member Broken raised KeyError: {said} (members.py:{line})"


def test_no_connection_of_its_own(tmp_path):
    """A process whose share of a small swarm is nothing runs to the end, with no account of anything."""
    posts = run(Hub().serve, tmp_path, [("Watcher", 1)], shard=1, shards=2, duration="100ms")
    assert not {"ledger", "swarm", "fanned"} & set(posts[-1])
    assert posts[-1]["accounting"]["requests_begun"] == 0


def test_report_that_fails(tmp_path):
    """A process that cannot report any more ends with the error, and does not go on in silence."""

    def full(batch):
        raise OSError("No space left on device")

    async def main():
        async with listening(Hub().serve) as url:
            share = job(tmp_path, url, [("Watcher", 1)], duration="60s")
            await Swarm(share, time.monotonic_ns(), Outbox(share.source, full, tmp_path)).run()

    with pytest.raises(OSError, match="No space left"):
        asyncio.run(main())


def test_stopped_early(tmp_path):
    """When the run is stopped, what is not settled yet is neither lost nor foreign."""
    hub, posts = Hub(lambda number: 0), Posts()

    async def main():
        async with listening(hub.serve) as url:
            share = job(tmp_path, url, [("Publisher", 1, "100/s")], duration="60s")
            swarm = Swarm(share, time.monotonic_ns(), Outbox(share.source, posts.append, tmp_path))
            asyncio.get_running_loop().call_later(0.3, swarm.ending.set)
            await swarm.run()

    asyncio.run(main())
    assert hub.published["r1.0"]
    assert posts.ledger["expected"] == posts.ledger["lost"] == 0


class FakeSocket:
    """A socket whose connection breaks for every third message."""

    closed = False

    def __init__(self):
        self.sent, self.asked = [], 0

    async def send(self, frame):
        """Send, or fail."""
        self.asked += 1
        if self.asked % 3 == 0:
            raise ClientConnectionResetError("Cannot write to closing transport")
        self.sent.append(json.loads(frame)["publish"][2])


def test_publication_that_does_not_leave(tmp_path):
    """A message that could not be sent is an error of its own, missed by nobody, and its number is the next one's."""
    share = job(tmp_path, "http://127.0.0.1:1", [("Publisher", 1, "1/s")])
    swarm = Swarm(share, 0, Outbox(share.source, Posts().append, tmp_path))
    (connection,) = swarm._connections
    publisher, socket = connection.publisher, FakeSocket()

    async def publish():
        publisher.opened(socket)
        for due_ns in range(9):
            await publisher._publish(due_ns, None)

    asyncio.run(publish())
    assert socket.sent == list(range(6))
    assert len(publisher._unacknowledged) == 6
    swarm.books.ledger.subscribed(7, "news", -(10**18))
    swarm.books.settle(2**62)
    assert swarm.books.ledger.counts.expected == 6
    found = {interval.series: interval for interval in swarm.books.recorder.fold() if interval.count}
    assert found["ws publish"].errors == {"connection reset": 3}
