"""Which subscribers lost most, and of whose messages: the very counts that a slow oracle finds."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.ledger import Ledger, Message
from loadtests.losses import WORST, Losers, Loss
from loadtests.swarmaccount import SwarmAccount

S = 1_000_000_000
GUARD, DRAIN = S, 3 * S


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
            shard.ledger.losses.losers()  # to be asked in between changes nothing
    for shard in shards:
        list(shard.ledger.settle(2**62))
    due = Counter(n for n, shard in whole.items() for channel, at in sent if shard.due(n, channel, at))
    lost = Counter(
        n
        for n, shard in whole.items()
        for channel, at in sent
        if shard.due(n, channel, at) and (n, channel, at) not in got
    )
    told = Losers.together([list(shard.ledger.losses.losers()) for shard in shards])
    worst = sorted(lost.items(), key=lambda pair: (-pair[1], pair[0]))[:WORST]
    assert told.n == len(lost)
    assert told.worst == [Loss(str(n), count, due[n]) for n, count in worst]


def test_of_streams():
    """Those of which nothing was lost are not among them; of equals the lower number comes first."""
    counted = {"p.10\tc": [100, 3], "p.9\tc": [50, 3], "p.8\tc": [70, 0], "p.7\tc": [9, 9]}
    told = Losers.of(counted)
    assert told == Losers(3, [Loss("p.7\tc", 9, 9), Loss("p.9\tc", 3, 50), Loss("p.10\tc", 3, 100)])
    assert len(Losers.of({str(k): [k, k] for k in range(1, 100)}).worst) == WORST


def test_old_accounts():
    """An account from before this was kept says nothing of it."""
    kept = SwarmAccount().to_json()
    assert SwarmAccount.together([kept]).subscribers == Losers(0, [])
    del kept["subscribers"], kept["streams"]
    assert SwarmAccount.together([kept]).subscribers == Losers(0, [])
