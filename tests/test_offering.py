"""Arrivals are offered when they are due, each once and in order, however late anybody looks."""

import select
import time

from loadtests.offering import AT_ONCE, SLICE_NS, SPIN_NS, Offering

MS = 1_000_000


def test_each_once_in_order():
    """Those that are due are offered with the moment that was meant, the others stay."""
    now_ns, taken = time.monotonic_ns(), []
    dues = [now_ns - 5 * MS, now_ns - 4 * MS, now_ns - 4 * MS, now_ns + 3600 * 1000 * MS]
    offering = Offering(iter(dues), taken.append)
    assert select.select([offering.fd], [], [], 1.0)[0]
    assert taken == []
    offering.on_due()
    assert taken == dues[:3]
    assert not select.select([offering.fd], [], [], 0)[0]
    offering.close()


def test_many_overdue():
    """A process that was held up offers all of them, and lets its loop read in between."""
    now_ns, taken = time.monotonic_ns(), []
    dues = [now_ns - k for k in range(5 * AT_ONCE // 2, 0, -1)]
    offering = Offering(iter(dues), taken.append)
    turns = 0
    while select.select([offering.fd], [], [], 0.05)[0]:
        offering.on_due()
        turns += 1
        assert len(taken) <= turns * AT_ONCE
    assert turns == 3
    assert taken == dues
    offering.close()


def test_nothing_planned():
    """It is never due."""
    offering = Offering(iter(()), print)
    assert not select.select([offering.fd], [], [], 0)[0]
    offering.close()


def test_the_rest():
    """At the end all that is planned is offered, whatever the timer has said."""
    now_ns, taken = time.monotonic_ns(), []
    dues = [now_ns + k for k in range(3 * AT_ONCE)]
    offering = Offering(iter(dues), taken.append)
    offering.on_due()
    offering.finish()
    assert taken == dues
    offering.close()


class Ticking:
    """A clock that goes on by so much each time it is read, and a timer that keeps what it is told."""

    fd = -1

    def __init__(self, now_ns, tick_ns):
        self.now_ns, self.tick_ns, self.armed = now_ns, tick_ns, []

    def __call__(self):
        """The time."""
        self.now_ns += self.tick_ns
        return self.now_ns

    def arm(self, due_ns):
        """Be readable then."""
        self.armed.append(due_ns)


def test_a_busy_wait():
    """The timer goes off a millisecond before; what is left is waited for in slices, between which the loop reads."""
    clock, taken = Ticking(0, 1_000), []
    dues = [10 * MS, 10 * MS, 20 * MS]
    offering = Offering(iter(dues), lambda due_ns: taken.append((due_ns, clock.now_ns)), SPIN_NS, clock, clock)
    assert clock.armed == [9 * MS]
    clock.now_ns, turns = 9 * MS, 0
    while not taken:
        before_ns = clock.now_ns
        offering.on_due()
        turns += 1
        assert clock.now_ns - before_ns <= SLICE_NS + 2_000
    assert [due_ns for due_ns, _ in taken] == dues[:2]
    assert 0 <= taken[0][1] - 10 * MS <= 1_000  # a tick of the clock
    assert turns >= SPIN_NS // SLICE_NS - 1
    assert clock.armed == [9 * MS, 19 * MS]
    clock.now_ns = 1000 * MS
    spun = offering.take_spin()["spin_percent"]
    assert 0.09 < spun <= 0.1  # a millisecond of a second
    clock.now_ns = 3000 * MS
    assert offering.take_spin() == {"spin_percent": 0.0}


def test_a_busy_wait_that_lost_its_processor():
    """What it stood in line for meanwhile was no wait of its own, and what came due is offered."""
    clock, taken = Ticking(9 * MS, 5 * MS), []
    offering = Offering(iter([20 * MS]), taken.append, SPIN_NS, clock, clock)
    offering.on_due()
    assert taken == [20 * MS]
    clock.now_ns = 995 * MS
    assert offering.take_spin() == {"spin_percent": 100 * SLICE_NS / 1e9}  # it looked twice: at 19 ms, and at 24


def test_no_busy_wait():
    """Unless it is asked for, the timer is armed for the moment itself, and nothing is told."""
    clock = Ticking(0, 1_000)
    offering = Offering(iter([10 * MS]), print, clock_ns=clock, timer=clock)
    assert clock.armed == [10 * MS]
    assert offering.take_spin() == {}
