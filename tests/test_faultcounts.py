"""What went wrong with whose deliveries, and of which streams: the very counts that slow oracles find."""

import itertools
import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.board import Progress
from loadtests.books import Books
from loadtests.fanout import FanOuts
from loadtests.faults import KINDS, WORST, Affected, Faults
from loadtests.intake import Intake
from loadtests.ledger import Ledger, Message
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.swarmaccount import SwarmAccount
from tests.oracles.slow_ledger import SlowLedger
from tests.runs import HEADER

S = 1_000_000_000
GUARD, DRAIN = S, 3 * S
STREAMS = {"p\ta": "a", "q\ta": "a", "p\tb": "b"}


class Listeners:
    """Subscribers of one process, and by themselves the windows of their subscriptions."""

    def __init__(self, numbers):
        self.ledger = Ledger(GUARD, DRAIN)
        self.windows = {number: [] for number in numbers}
        self.streams = Counter()

    def come(self, number, channel, at_ns):
        """Subscribe."""
        self.ledger.subscribed(number, channel, at_ns)
        self.windows[number].append([channel, at_ns, 2**62])

    def go(self, number, at_ns):
        """Leave all channels."""
        self.ledger.unsubscribed(number, at_ns)
        for window in self.windows[number]:
            window[2] = min(window[2], at_ns)

    def due(self, number, channel, sent_ns):
        """Whether one of the windows was there long enough before and after."""
        return any(
            of == channel and begun + GUARD <= sent_ns and sent_ns + GUARD <= ended
            for of, begun, ended in self.windows[number]
        )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), processes=st.integers(1, 3))
def test_against_an_oracle(seed, processes):
    """However they come and go, and whoever holds them: by subscriber exact, and the worst of all are told."""
    draw = random.Random(seed)
    shards = [Listeners(range(k, 14, processes)) for k in range(processes)]
    whole = {number: shard for shard in shards for number in shard.windows}
    sent, got = [], set()
    for second in range(40):
        now = second * S
        for number, shard in whole.items():
            if draw.random() < (0.3 if second < 3 else 0.02):
                shard.come(number, draw.choice("ab"), now)
            elif draw.random() < 0.01:
                shard.go(number, now)
        for channel in "ab":
            sequence = sum(of == channel for of, _ in sent)
            at = now + S // 2
            sent.append((channel, at))
            for number, shard in whole.items():
                if draw.random() < 0.9:
                    shard.ledger.received(number, f"p\t{channel}", sequence, at)
                    got.add((number, channel, at))
            for shard in shards:
                shard.ledger.published(f"p\t{channel}", channel, sequence, [Message(at, at)])
        for shard in shards:
            list(shard.ledger.settle(now))
            shard.ledger.faults.affected()  # to be asked in between changes nothing
    for shard in shards:
        list(shard.ledger.settle(2**62))
    due = Counter(n for n, shard in whole.items() for channel, at in sent if shard.due(n, channel, at))
    lost = Counter(
        n
        for n, shard in whole.items()
        for channel, at in sent
        if shard.due(n, channel, at) and (n, channel, at) not in got
    )
    told = Affected.together([list(shard.ledger.faults.affected()) for shard in shards])
    worst = sorted(lost.items(), key=lambda pair: (-pair[1], pair[0]))[:WORST]
    assert told.n == told.lost == len(lost)
    assert told.worst == [Faults(str(n), count, due[n]) for n, count in worst]


class FaultyServer:
    """Two publishers on channel a and one on b for a minute; each fault befalls some deliveries to each subscriber.

    A delivery is lost (a tenth), comes twice (a tenth), or takes up to 7 s where others take 10 ms: it is reordered
    then, and late if the drain is over. Subscribers come, are cut off, and come back.

    Attributes:
        happenings: a moment, whom it concerns (None for all), a call and its arguments, in the order of time.

    """

    def __init__(self, seed, numbers):
        draw = random.Random(seed)
        self.happenings = []
        for number in numbers:
            for channel in draw.choice(("a", "b", "ab")):
                self.happens(draw.randrange(4 * S), number, "subscribed", number, channel)
            if draw.random() < 0.4:
                gone_ns = draw.randrange(20 * S, 40 * S)
                self.happens(gone_ns, number, "unsubscribed", number, away=draw.random() < 0.5)
                self.happens(gone_ns + draw.randrange(10 * S), number, "subscribed", number, "a")
        for stream, channel in STREAMS.items():
            for sequence in range(240):
                sent_ns = (sequence + 1) * S // 4
                message = Message(sent_ns, sent_ns)
                self.happenings.append((sent_ns, None, "published", (stream, channel, sequence, [message]), {}))
                for number in numbers:
                    for _ in range(draw.choices((0, 1, 2), (1, 8, 1))[0]):
                        took_ns = draw.randrange(7 * S) if draw.random() < 0.1 else S // 100
                        self.happens(sent_ns + took_ns, number, "received", number, stream, sequence, sent_ns=sent_ns)
        for number in numbers:
            for sequence in range(5):
                self.happens(draw.randrange(40 * S), number, "received", number, "nobody\tz", sequence)
        for second in range(70):
            self.happenings.append((second * S, None, "settle", (second * S,), {}))
        self.happenings.append((2**62, None, "settle", (2**62,), {}))
        self.happenings.sort(key=lambda one: one[0])

    def happens(self, at_ns, number, call, *args, **how):
        """Something will, to one of them."""
        self.happenings.append((at_ns, number, call, (*args, at_ns), how))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("processes", [1, 3])
def test_every_fault(tmp_path, seed, processes):
    """What a run tells of whom and of which stream is the slow ledger's; over all it adds up to the totals."""
    shards = [Books(0, lambda _: (), GUARD, DRAIN, shared=False) for _ in range(processes)]
    whole, slow = dict(enumerate(shards * (12 // processes))), SlowLedger(GUARD, DRAIN)
    writer = RunWriter(tmp_path, HEADER)
    intake = Intake(writer, Progress((), ()), lambda: 1.0, lambda reason, fault: None, FanOuts(0, lambda _: (), 1))
    posted = itertools.count(1)
    for _, number, call, args, how in FaultyServer(seed, whole).happenings:
        getattr(slow, call)(*args, **how)
        for books in shards if number is None else [whole[number]]:
            getattr(books if call == "settle" else books.ledger, call)(*args, **how)
            if call == "settle":
                account = SwarmAccount(subscribers=books.ledger.faults.affected()).to_json()
                new = {"wrong": books.ledger.faults.take_streams(), "swarm": account, **books.settlement.take()}
                batch = {"source": f"{shards.index(books)}", "sequence": next(posted), **new}
                intake.accept(json.loads(json.dumps(batch | {"ledger": books.ledger.counts.to_json()})))
    writer.close(HEADER)
    run, faulty, streams = Run(tmp_path), slow.faulty(), slow.faulty_streams()
    for told, true in ((run.swarm.subscribers, faulty), (run.swarm.streams, streams)):
        had = [sum(getattr(one, kind) > 0 for one in true) for kind in KINDS]
        assert told == Affected(len(true), true[:WORST], *had)
    assert (len(faulty), len(streams)) == (12, 4), "nobody is left out of the sums"
    everybody = [one for books in shards for one in books.ledger.faults.affected(99).worst]
    for each in (everybody, run.swarm.streams.worst):
        summed = {kind: sum(getattr(one, kind) for one in each) for kind in (*KINDS, "due")}
        assert {run.deliveries[kind] for kind in KINDS if run.deliveries[kind] < 40} == set()
        assert summed == {kind: run.deliveries[kind] for kind in KINDS} | {"due": run.deliveries["expected"]}
        assert max(one.displacement for one in each) == run.deliveries["displacement"] > 5


def test_worst():
    """Most lost comes first, then most faults of all kinds; of equals the lower number. Without a fault is nobody."""
    found = [
        Faults("10", 3, 100),
        Faults("9", 3, 50),
        Faults("8", 0, 70),
        Faults("7", 9, 9),
        Faults("6", 0, 70, reordered=90, displacement=4),
        Faults("5", 0, 70, late=1, duplicated=90),
        Faults("4", 3, 70, late=1),
        Faults("3", 0, 0, duplicated=1),
        Faults("2", 0, 0, foreign=2),
    ]
    told = Affected.of(found)
    assert [one.name for one in told.worst] == ["7", "4", "9", "10", "5"]
    assert told[2:] == (4, 2, 2, 1, 1)
    assert told.n == 8
    assert Affected.together([Affected.of(found[::2]), list(Affected.of(found[1::2]))]) == told


def test_without_a_fault():
    """A delivery that is right leaves nothing behind here, whoever gets it; nor does what is not due."""
    ledger = Ledger(GUARD, DRAIN)
    for number in range(3):
        ledger.subscribed(number, "c", 0)
    ledger.published("p\tc", "c", 0, [Message(k * S, k * S) for k in range(100)])
    for k in range(100):
        for number in range(5):
            ledger.received(number, "p\tc", k, k * S)
    list(ledger.settle(2**62))
    assert ledger.counts.delivered == 3 * 99
    assert ledger.faults.affected() == Affected(0, [])
    assert not ledger.faults.take_streams()
    assert not ledger.faults._wrong


def test_old_accounts():
    """One from before this was kept says nothing of it; one that told losses alone tells just those."""
    kept = SwarmAccount().to_json()
    assert SwarmAccount.together([kept]).subscribers == Affected(0, [])
    kept["subscribers"] = [2, [["7", 3, 10], ["8", 1, 10]]]
    assert SwarmAccount.together([kept]).subscribers == Affected(2, [Faults("7", 3, 10), Faults("8", 1, 10)], lost=2)
    del kept["subscribers"], kept["streams"]
    assert SwarmAccount.together([kept]).subscribers == Affected(0, [])
