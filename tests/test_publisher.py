"""Every due publication is recorded exactly once, whatever becomes of it."""

import asyncio
import time
from types import SimpleNamespace

import aiohttp
import pytest

from loadtests.books import Books
from loadtests.interval import Interval, merge
from loadtests.member import Member, RoundTrip
from loadtests.publisher import Publisher
from loadtests.scenario import Scenario

S = 1_000_000_000


class Talker(Member):
    """Publishes on one channel."""

    def publish_channel(self):
        """The one channel."""
        return "news"

    def publish_frame(self, publication):
        """A frame of no meaning."""
        return "x"


class Socket:
    """Takes a number of messages, and the next one for ever."""

    closed = False

    def __init__(self, takes):
        self.takes = takes

    async def send(self, frame):
        """Take it, or never return."""
        self.takes -= 1
        if self.takes < 0:
            await asyncio.Event().wait()


def made(rate="100/s", seconds=1, acknowledges=True, of=Talker):
    """A publisher on a plan that starts now."""
    scenario = Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": "http://127.0.0.1:1"},
            "load": {"timeout": "2s"},
            "phases": [{"kind": "steady", "duration": seconds * S}],
            "swarm": {"members": [{"class": "m.py:M", "count": 1, "rate": rate, "arrivals": "constant"}]},
        }
    )
    job = SimpleNamespace(scenario=scenario, run_id="r1")
    books = Books(time.monotonic_ns(), lambda _series: (), S, 2 * S, shared=False)
    member = of(0, {}, {}, {})
    member.acknowledges = acknowledges
    (spec,) = scenario.swarm.members
    return Publisher(job, books, asyncio.Event(), member, spec, 0), books


def found(books, series="ws publish"):
    """What was recorded of publications."""
    return merge((i for i in books.recorder.fold() if i.series == series), series=series) or Interval("", 0)


def driven(publisher, socket, seconds):
    """Publish for so long, then stop in the middle of whatever goes on; returns when that was."""

    async def main():
        publisher.opened(socket)
        running = asyncio.create_task(publisher.run(None))
        await asyncio.sleep(seconds)
        publisher._ending.set()
        ended_ns = time.monotonic_ns()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return ended_ns

    return asyncio.run(main())


@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_socket_that_stops_taking(acknowledges):
    """What came due behind a send that never returned is unsent, not forgotten; the send itself counts once."""
    publisher, books = made(acknowledges=acknowledges)
    ended_ns = driven(publisher, Socket(takes=5), 0.3)
    account = publisher.finish(ended_ns, cut_short=False)
    publish = found(books)
    assert publish.count == account["publishes_planned"] >= 25  # 100/s for 0.3 s
    assert publish.unsent == publish.count - 6
    assert (publish.timeouts, publish.ok) == ((6, 0) if acknowledges else (0, 6))


def test_cut_short_what_waits_for_its_acknowledgement_is_in_flight():
    """A run that is cut short says of what is under way no more than that."""
    publisher, books = made()
    ended_ns = driven(publisher, Socket(takes=10**6), 0.2)
    account = publisher.finish(ended_ns, cut_short=True)
    assert account["publishes_in_flight"] + found(books).count == account["publishes_planned"] > 0


def test_an_acknowledgement_that_does_not_come():
    """It times out when its time is over, as long as that was, not when the run is."""
    publisher, books = made()
    publisher._unacknowledged = {("news", 0): (10, 20), ("news", 1): (30, S)}
    publisher.expire(20 + 2 * S)
    assert found(books).count == 0
    publisher.expire(21 + 2 * S)
    publish = found(books)
    assert (publish.count, publish.timeouts) == (1, 1)
    assert publish.failed_service.max_us == 2_000_000
    publisher.acknowledged("news", 0, 9 * S)
    assert found(books).count == 0, "too late changes nothing"


def test_a_lost_connection_owes_its_acknowledgements():
    """They are errors of its kind, at once."""
    publisher, books = made()
    publisher._unacknowledged = {("news", k): (k, k) for k in range(3)}
    publisher.closed("closed 1013")
    assert found(books).errors == {"closed 1013": 3}
    assert publisher.finish(0, cut_short=False)["publishes_in_flight"] == 0


def test_nobody_is_blamed_for_what_the_scenario_does():
    """Owed or due while a storm or the plan has it away: counted, and no error of the target's."""
    publisher, books = made()
    publisher._unacknowledged = {("news", k): (k, k) for k in range(3)}

    async def main():
        publisher.begin()
        publisher.closed("storm", away=True)
        running = asyncio.create_task(publisher.run(None))
        await asyncio.sleep(0.2)
        publisher.away = False  # an attempt to come back failed
        due_away = publisher._handled
        await asyncio.sleep(0.1)
        publisher._ending.set()
        ended_ns = time.monotonic_ns()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return due_away, ended_ns

    due_away, ended_ns = asyncio.run(main())
    account, publish = publisher.finish(ended_ns, cut_short=False), found(books)
    assert due_away >= 15
    assert account["publishes_away"] == 3 + due_away
    assert publish.errors == {"no connection": publish.error_count}
    assert publish.count + due_away == account["publishes_planned"]
    assert publish.error_count > 3


@pytest.mark.parametrize("away", [True, False])
@pytest.mark.parametrize("acknowledges", [True, False])
def test_perhaps_published(acknowledges, away):
    """What left and was not acknowledged when we cut it off is missed by nobody if nobody has it, in any process.

    Without acknowledgements that is what left within the guard. A connection that was lost otherwise excuses nothing.
    """
    publisher, books = made(acknowledges=acknowledges)
    books._shared = True
    elsewhere = Books(0, lambda _series: (), S, 2 * S, shared=True)
    begun_ns = time.monotonic_ns()
    for each in (books, elsewhere):
        for subscriber in range(2):
            each.ledger.subscribed(subscriber, "news", begun_ns - 60 * S)

    async def main():
        publisher.opened(Socket(takes=10))
        for due_ns in range(4):
            await publisher._publish(due_ns, None)

    asyncio.run(main())
    for each in (books, elsewhere):  # of four messages the server took one, and the last to one of four alone
        for subscriber in range(2):
            each.ledger.received(subscriber, "r1.0\tnews", 0)
    publisher.acknowledged("news", 0, time.monotonic_ns())
    elsewhere.ledger.received(0, "r1.0\tnews", 3)
    publisher.closed("storm", away=away)
    elsewhere.published_elsewhere(books.take_published())
    assert not books.take_published()
    for each in (books, elsewhere):
        each.settle(2**62)
    counts = books.ledger.counts, elsewhere.ledger.counts
    assert [(each.expected, each.lost) for each in counts] == ([(2, 0), (4, 1)] if away else [(8, 6), (8, 5)])


def test_one_that_has_not_left_is_not_in_doubt():
    """Its number is the next one's, of which nobody doubts that it left: not here, nor where both are told at once."""
    publisher, books = made()
    books._shared = True
    elsewhere = Books(0, lambda _series: (), S, 2 * S, shared=True)
    for each in (books, elsewhere):
        each.ledger.subscribed(0, "news", -(10**18))

    class Struck(Socket):
        async def send(self, frame):
            publisher.closed("storm", away=True)
            raise aiohttp.ClientConnectionResetError

    async def main():
        for socket in (Struck(0), Socket(1)):
            publisher.opened(socket)
            await publisher._publish(0, None)

    asyncio.run(main())
    elsewhere.published_elsewhere(books.take_published())
    for each in (books, elsewhere):
        each.settle(2**62)
        assert (each.ledger.counts.expected, each.ledger.counts.lost) == (1, 1)


def test_nothing_counts_before_the_first_connection():
    """A member that never came so far planned nothing; its connection's failure is what is recorded."""
    publisher, books = made()
    assert publisher.finish(time.monotonic_ns() + S, cut_short=False)["publishes_planned"] == 0
    publisher.begin()
    assert publisher.finish(publisher._begun_ns + S // 2, cut_short=False)["publishes_planned"] == pytest.approx(50, 1)
    assert found(books).unsent > 0


def test_a_member_without_a_rate():
    """It has nothing to publish and nothing to account for."""
    publisher, _ = made(rate=None)
    asyncio.run(publisher.run(None))
    publisher.begin()
    assert publisher.finish(10**30, cut_short=False) == {"publishes_planned": 0, "publishes_in_flight": 0}


class Patcher(RoundTrip):
    """Every third act is refused, every third hangs, every third is told of by an event."""

    publisher = None

    def publish_channel(self):
        """The one channel."""
        return "news"

    async def act(self, http, publication):
        """As the number says."""
        if publication.sequence % 3 == 0:
            raise aiohttp.ClientResponseError(SimpleNamespace(real_url="/agents"), (), status=409)
        if publication.sequence % 3 == 1:
            await asyncio.Event().wait()
        self.publisher.acknowledged("news", publication.sequence, time.monotonic_ns())


def test_round_trip():
    """An act ends with its event or its refusal; one that hangs keeps no other waiting and times out."""
    publisher, books = made(of=Patcher)
    publisher._member.publisher = publisher
    ended_ns = driven(publisher, Socket(takes=0), 0.3)
    account = publisher.finish(ended_ns, cut_short=False)
    trips = found(books, "ws round trip")
    handled = trips.count - trips.unsent
    assert trips.count == account["publishes_planned"] >= 25
    assert handled > 3
    assert trips.errors == {"http 409": -(-handled // 3)}
    assert (trips.timeouts, trips.ok) == ((handled + 1) // 3, handled // 3)
    assert books.ledger.counts.expected == 0  # it is no delivery
