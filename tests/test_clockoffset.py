"""Another machine's clock, faked: half a second off, running fast, over a way that is slow in one direction.

All is asked as it is asked in a run: of messages that come in between the exchanges, by what is known by then.
"""

import random
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from loadtests.clockoffset import ENOUGH, ClockOffset, Exchange

MS, S = 1_000_000, 1_000_000_000


class Far:
    """A machine whose clock is off by ``skew_ns`` at 0, runs ``ppm`` fast, and is ``there_ns`` and ``back_ns`` away.

    On each way a message waits in a queue besides, for ``queue_ns`` in the mean.
    """

    def __init__(self, skew_ns=0, ppm=0, there_ns=MS, back_ns=MS, queue_ns=2 * MS, seed=1):
        self.skew_ns, self.ppm, self.there_ns, self.back_ns, self.queue_ns = skew_ns, ppm, there_ns, back_ns, queue_ns
        self.draw = random.Random(seed)

    def reads(self, at_ns):
        """Its clock at a true moment, which is ours."""
        return round(at_ns + self.skew_ns + at_ns * self.ppm / 1e6)

    def waits(self):
        """Mostly shortly."""
        return round(self.draw.expovariate(1 / self.queue_ns)) if self.queue_ns else 0

    def exchange(self, at_ns):
        """One that is begun at a moment."""
        there, back = self.there_ns + self.waits(), self.back_ns + self.waits()
        answered = at_ns + there + 50_000
        return Exchange(at_ns, self.reads(at_ns + there), self.reads(answered), answered + back)


def asked_ns(seconds, start_ns=0):
    """Return when exchanges are begun: eight at once, then one every half second."""
    return [start_ns + k * 50 * MS for k in range(ENOUGH)] + [start_ns + S // 2 * k for k in range(1, 2 * seconds)]


def online(far, offset, seconds, each=10, start_ns=0):
    """Yield by how much messages are misdated that come in between exchanges; sent 10 ms to 30 ms before they come."""
    draw = random.Random(99)
    times = asked_ns(seconds, start_ns)
    for at_ns, next_ns in pairwise(times):
        exchange = far.exchange(at_ns)
        offset.add(exchange)
        for _ in range(each if offset.known else 0):
            sent_ns = draw.randrange(exchange.back_ns, max(next_ns, exchange.back_ns + 1)) - draw.randrange(30 * MS)
            yield offset.ours_ns(far.reads(sent_ns)) - sent_ns


@pytest.mark.parametrize("skew_ns", [500 * MS, -500 * MS])
@pytest.mark.parametrize("ppm", [0, 50, -50])
@pytest.mark.parametrize(("there_ms", "back_ms"), [(1, 1), (4, 1), (1, 4)])
def test_skew_drift_and_asymmetry(skew_ns, ppm, there_ms, back_ms):
    """Without queues each exchange is wrong by half the asymmetry, and half a second of drift comes to it."""
    far, offset = Far(skew_ns, ppm, there_ms * MS, back_ms * MS, queue_ns=0), ClockOffset()
    wrong_ns = list(online(far, offset, 60))
    assert len(wrong_ns) == 10 * (2 * 60 - 1)
    assert max(map(abs, wrong_ns)) <= offset.uncertainty_ns
    drifted_ns = (S / 2 + 40 * MS) * abs(ppm) / 1e6 + 2
    for each in wrong_ns:  # late by our clock when the way back was the slow one
        assert each == pytest.approx((back_ms - there_ms) * MS / 2, abs=drifted_ns)
    assert offset.uncertainty_ns <= (there_ms + back_ms) * MS / 2 + (S / 2 + 40 * MS) * 100e-6
    assert offset.drift * 1e6 == pytest.approx(ppm, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ppm", [0, 50, -50])
@pytest.mark.parametrize(("there_ms", "back_ms"), [(1, 1), (4, 1), (1, 4)])
def test_queues(seed, ppm, there_ms, back_ms):
    """Where most exchanges wait in queues, no message is misdated by more than is said, and that is little."""
    far, offset = Far(500 * MS, ppm, there_ms * MS, back_ms * MS, seed=seed), ClockOffset()
    wrong_ns = list(online(far, offset, 120, each=3))
    assert max(map(abs, wrong_ns)) <= offset.uncertainty_ns
    # The best of eight waits 1.2 ms or so in both queues, and 100 ppm of some ten seconds come to it.
    assert offset.uncertainty_ns < (there_ms + back_ms) * MS / 2 + 3 * MS
    assert sum(wrong_ns) / len(wrong_ns) == pytest.approx((back_ms - there_ms) * MS / 2, abs=0.5 * MS)


ANSWERS = """
import sys, time
skew_ns, ppm, start_ns = map(int, sys.argv[1:])
for line in sys.stdin:
    true_ns = time.monotonic_ns()
    print(round(true_ns + skew_ns + (true_ns - start_ns) * ppm / 1e6), true_ns, flush=True)
"""


@pytest.mark.parametrize(("skew_ms", "ppm"), [(500, 50), (-500, -50)])
def test_two_processes(skew_ms, ppm):
    """Another process whose clock is skewed and drifts, and to which it seems to take 20 ms more than back from it.

    Both really have one clock, so it is known how wrong the other's moments are by ours: by half the asymmetry, and
    beyond that by no more than half of what the real way took.
    """
    start_ns, more_ns = time.monotonic_ns(), 20 * MS
    command = [sys.executable, "-S", "-c", ANSWERS, str(skew_ms * MS), str(ppm), str(start_ns)]
    offset, said = ClockOffset(), []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as far:
        for _ in range(2 * ENOUGH):
            asked_ns = time.monotonic_ns()
            far.stdin.write("?\n")
            far.stdin.flush()
            theirs_ns, true_ns = map(int, far.stdout.readline().split())
            offset.add(Exchange(asked_ns - more_ns, theirs_ns, theirs_ns, time.monotonic_ns()))
            said.append((theirs_ns, true_ns))
        far.stdin.close()
    for theirs_ns, true_ns in said:
        wrong_ns = offset.ours_ns(theirs_ns) - true_ns
        assert abs(wrong_ns) <= offset.uncertainty_ns
        assert abs(wrong_ns + more_ns / 2) <= offset.uncertainty_ns - more_ns / 2


def test_slow_exchanges_say_little():
    """One that took long is worth less than a quick one of seconds ago, and is replaced by the next that is quick."""
    offset = ClockOffset()
    offset.add(Exchange(0, 100 * MS, 100 * MS, 40 * MS))  # 80 +- 20
    offset.add(Exchange(S, S + 91 * MS, S + 91 * MS, S + 2 * MS))  # 90 +- 1
    for second in range(2, 2 + ENOUGH):  # 80 +- 20 again
        at_ns = second * S
        offset.add(Exchange(at_ns, at_ns + 100 * MS, at_ns + 100 * MS, at_ns + 40 * MS))
    assert offset.ours_ns(S + 90 * MS) == S
    assert offset.uncertainty_ns == pytest.approx(MS + 100e-6 * MS)
    assert offset.ours_ns(11 * S + 90 * MS) == 11 * S
    assert offset.uncertainty_ns == pytest.approx(2 * MS, rel=1e-3)  # 100 ppm of ten seconds are another
    offset.add(Exchange(12 * S, 12 * S + 103 * MS, 12 * S + 103 * MS, 12 * S + 4 * MS))  # 101 +- 2: so it had drifted
    assert offset.to_json(12 * S)["offset_ms"] == 101


def test_what_is_here_was_sent_before():
    """What comes quicker than any exchange was sent when it came, where none knows better: no time is negative.

    There in no time and back in 4 ms: half of that is what the offset is wrong by, and may be.
    """
    far, offset = Far(skew_ns=S, there_ns=0, back_ns=4 * MS, queue_ns=0), ClockOffset()
    offset.add(far.exchange(0))
    sent_ns, wrong_ns = 10 * MS, 2 * MS
    assert offset.ours_ns(far.reads(sent_ns)) == pytest.approx(sent_ns + wrong_ns, abs=2000)
    assert offset.before_ns(far.reads(sent_ns), sent_ns + MS) == sent_ns + MS
    assert offset.before_ns(far.reads(sent_ns), sent_ns + 3 * MS) == offset.ours_ns(far.reads(sent_ns))
    later_ns = sent_ns + 100_000  # more than that it cannot be wrong by: this clock runs backwards, and it is said
    assert offset.before_ns(far.reads(later_ns), sent_ns - 100_000) > sent_ns + MS


def test_slow_beginning():
    """That the first exchanges were slow, as on a connection just made, is not held against the run."""
    far, offset = Far(queue_ns=0), ClockOffset()
    for at_ns, there_ms in ((0, 60), (30 * MS, 59)):
        offset.add(Far(queue_ns=0, there_ns=there_ms * MS).exchange(at_ns))
    assert not offset.known
    list(online(far, offset, 20, start_ns=100 * MS))
    assert abs(offset.ours_ns(far.reads(0))) < 0.1 * MS
    assert offset.uncertainty_ns < 1.1 * MS


def test_nobody_answers_for_a_time():
    """While the clock is not heard, it may drift: 100 ppm of thirty seconds are 3 ms, and no more is said."""
    far, offset = Far(ppm=90, queue_ns=0), ClockOffset()
    list(online(far, offset, 10))
    for second in range(10, 40):
        wrong_ns = offset.ours_ns(far.reads(second * S)) - second * S
        assert abs(wrong_ns) <= offset.uncertainty_ns
    assert offset.uncertainty_ns == pytest.approx(MS + 3 * MS, rel=0.05)
    assert abs(wrong_ns) > 2 * MS


def test_what_was_sent_long_ago():
    """A message that the server had kept is dated by the exchanges of its own time."""
    far, offset = Far(500 * MS, ppm=90, queue_ns=0), ClockOffset()
    list(online(far, offset, 300, each=1))
    for second in (1, 40, 200):
        assert abs(offset.ours_ns(far.reads(second * S)) - second * S) < 0.1 * MS
    assert offset.uncertainty_ns < 1.1 * MS
    assert len(offset._kept) <= 2 * 300 + ENOUGH


def test_memory():
    """What was exchanged over ten minutes ago is forgotten."""
    far, offset = Far(queue_ns=0), ClockOffset()
    list(online(far, offset, 700, each=0))
    assert len(offset._kept) == 2 * 600 + 1


def test_a_clock_is_set():
    """Where exchanges contradict each other a clock was set: from then on the new time holds, and the error is told."""
    far, offset = Far(queue_ns=0), ClockOffset()
    list(online(far, offset, 10))
    far.skew_ns = 40 * MS
    slow = Far(40 * MS, queue_ns=10 * MS)  # none of which is as quick as those before
    offset.add(slow.exchange(10 * S))
    assert offset.uncertainty_ns > 40 * MS - 1.1 * MS
    wrong_ns = offset.ours_ns(far.reads(10 * S + 100 * MS)) - (10 * S + 100 * MS)
    assert abs(wrong_ns) < 30 * MS
    list(online(far, offset, 60, start_ns=11 * S))
    assert offset.drift == pytest.approx(0, abs=1e-9)  # that was none


def test_nothing_known():
    """Before there were enough exchanges nothing is known."""
    offset = ClockOffset()
    assert offset.drift is None
    for second in range(ENOUGH):
        assert not offset.known
        assert offset.to_json(0) == {}
        offset.add(Far(queue_ns=0).exchange(second * S))
    assert offset.known
    assert offset.to_json(7 * S) == {"offset_ms": 0, "uncertainty_us": pytest.approx(1000, rel=1e-3)}
    offset.add(Far(queue_ns=0).exchange(30 * S))
    assert offset.to_json(30 * S)["drift_ppm"] == 0
