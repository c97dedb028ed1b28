"""The ledger's counts for each subscriber of a server that drops, doubles and swaps, while they come and go at random.

What is true is known from the server's own doings, and once more from the slow ledger, which asks pair by pair.
"""

import random
from collections import Counter, defaultdict

import pytest

from loadtests.ledger import Ledger, Message
from tests.oracles.slow_ledger import SlowLedger

S, MS = 1_000_000_000, 1_000_000
GUARD, DRAIN = 2 * S, 5 * S
SUBSCRIBERS, MESSAGES = range(8), 400


class LossyServer:
    """What it does in a minute, as happenings: a moment, whom they concern (None for all), a call and its arguments.

    It begins and ends to send up to 0.9 s before a subscriber knows, and a message takes up to 0.9 s to it and from it.
    Of each twenty deliveries it drops one and sends one twice; it never keeps an order. A subscriber whose connection
    was lost is sent what it missed as soon as it is back, with the same faults.

    Attributes:
        lost, copies, recovered: by subscriber, what is to be counted of it.
        came: by subscriber, the numbers that came live, in order.

    """

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.lost, self.copies, self.recovered = defaultdict(list), Counter(), Counter()
        self.happenings = []
        self.sent = [k * 60 * S // MESSAGES + self.delay() // 9 for k in range(MESSAGES)]
        self.at_server = [at + self.delay() for at in self.sent]
        for k, at in enumerate(self.sent):
            self.happens(at, None, "published", "p", "c", k, [Message(at, at)])
        for subscriber in SUBSCRIBERS:
            self.comes_and_goes(subscriber)
        for second in range(80):
            self.happens(second * S, None, "settle", second * S)
        self.happenings.sort(key=lambda one: one[0])
        arrivals = [(who, args[2]) for _, who, call, args, how in self.happenings if call == "received" and how["live"]]
        self.came = {one: list(dict.fromkeys(k for who, k in arrivals if who == one)) for one in SUBSCRIBERS}

    def delay(self):
        """Up to 0.9 s."""
        return self.draw.randrange(900 * MS)

    def happens(self, at_ns, who, call, *args, **how):
        """Something will."""
        self.happenings.append((at_ns, who, call, args, how))

    def comes_and_goes(self, one):
        """One subscriber's minute."""
        begins, missed, lost_ns, absences = self.draw.randrange(20 * S), [], None, []
        while begins < 60 * S:
            acknowledged = begins + self.delay()
            ended = acknowledged + self.draw.randrange(15 * S)
            ends = ended - self.delay()
            self.happens(acknowledged, one, "subscribed", one, "c", acknowledged)
            absences += [(lost_ns, acknowledged)] if lost_ns else []
            for k, at in enumerate(self.at_server):
                sends = k in missed or begins <= at < ends
                kept = lost_ns and self.sent[k] < acknowledged
                came = sends and self.delivers(one, k, max(at, acknowledged), ended, live=not kept)
                self.recovered[one] += came and any(gone <= self.sent[k] < back for gone, back in absences)
                if acknowledged + GUARD <= self.sent[k] <= ended - GUARD and not came:
                    self.lost[one].append(k)
            away = self.draw.random() < 0.5
            self.happens(ended, one, "unsubscribed", one, ended, away=away)
            begins, lost_ns = ended + self.draw.randrange(12 * S), ended if away else None
            missed = [k for k, at in enumerate(self.at_server) if away and ends <= at < begins]

    def delivers(self, one, k, from_ns, until_ns, *, live):
        """Whether any of so many copies arrives while the connection is there."""
        times = self.draw.choices((0, 1, 2), (1, 18, 1))[0]
        arrivals = [at for at in (from_ns + self.delay() for _ in range(times)) if at < until_ns]
        for at in arrivals:
            self.happens(at, one, "received", one, "p", k, at, live=live, sent_ns=self.sent[k])
        self.copies[one] += max(0, len(arrivals) - 1)
        return bool(arrivals)


def reordered(numbers):
    """How many come after a higher one (RFC 4737), and by how much at most."""
    far = [max(numbers[:place]) - k for place, k in enumerate(numbers) if any(j > k for j in numbers[:place])]
    return len(far), max(far, default=0)


def happen(book, call, args, how):
    """Tell a ledger; what it settled."""
    told = getattr(book, call)(*args, **how)
    return list(told) if call == "settle" else []


@pytest.mark.parametrize("seed", range(12))
def test_each_subscriber(seed):
    """Lost, duplicated, recovered and reordered are what the server did to each; all counts are the slow ledger's."""
    server = LossyServer(seed)
    whole, slow = Ledger(GUARD, DRAIN), SlowLedger(GUARD, DRAIN)
    alone = {one: Ledger(GUARD, DRAIN) for one in SUBSCRIBERS}
    lost, faults = defaultdict(list), Counter()
    for _, who, *happening in server.happenings:
        happen(slow, *happening)
        for each in happen(whole, *happening):
            faults.update(duplicated=each.duplicated, reordered=each.reordered)
            for one in each.lost:
                lost[one].append(each.sequence)
        for one in SUBSCRIBERS if who is None else [who]:
            happen(alone[one], *happening)
    assert lost == server.lost
    assert whole.counts == slow.counts()
    assert whole.faults.affected(99).worst == slow.faulty()
    for _, (late, again) in whole.take_afterwards():
        faults.update(late=late, duplicated=again)
    told = whole.counts
    assert faults == {"late": told.late, "duplicated": told.duplicated, "reordered": told.reordered}
    for one, ledger in alone.items():
        counts = ledger.counts
        assert counts == slow.counts(one)
        assert counts.lost == len(server.lost[one])
        assert counts.duplicated == server.copies[one]
        assert counts.recovered == server.recovered[one]
        assert (counts.reordered, counts.displacement) == reordered(server.came[one])
    assert whole.counts.lost > 30
    assert whole.counts.duplicated > 30
    assert whole.counts.recovered > 30
    assert whole.counts.reordered > 300
