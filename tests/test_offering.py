"""Arrivals are offered when they are due, each once and in order, however late anybody looks."""

import select
import time
from itertools import accumulate, chain, cycle

from hypothesis import given
from hypothesis import strategies as st

from loadtests.offering import AT_ONCE, EVEN_NS, NEVER_NS, SLICE_NS, SPIN_NS, Offering

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

    def arm(self, due_ns, every_ns=0):
        """Be readable then, and so often from then on, as timerfd_create(2) has it."""
        self.armed.append(due_ns)
        self.due_ns, self.every_ns = due_ns, every_ns

    def heard(self):
        """How often it went off: the next is after now."""
        times = (self.now_ns - self.due_ns) // self.every_ns + 1
        self.due_ns += times * self.every_ns
        return times


def offered(dues, late_ns, spin_ns=0):
    """When each arrival was offered, and the timer, to which the loop comes so late each time that it goes off."""
    clock, taken = Ticking(0, 10), []
    offering = Offering(iter(dues), lambda due_ns: taken.append((due_ns, clock.now_ns)), spin_ns, clock, clock)
    for late in late_ns:
        clock.now_ns = max(clock.now_ns, clock.due_ns) + late
        offering.on_due()
        if len(taken) == len(dues):
            break
    return taken, clock


@given(
    gaps=st.lists(
        st.tuples(st.one_of(st.integers(0, 5 * MS), st.sampled_from([MS, MS + 1, 10 * MS // 3])), st.integers(1, 40)),
        min_size=1,
        max_size=8,
    ),
    late_ns=st.lists(st.one_of(st.just(0), st.integers(0, 12 * MS)), min_size=1, max_size=20),
)
def test_evenly_or_not(gaps, late_ns):
    """Whatever the timer does by itself, each is offered once, in order, when it is due or the loop comes to it."""
    dues = list(accumulate(gap for gap, times in gaps for _ in range(times)))
    taken, _ = offered(dues, cycle(late_ns))
    assert [due_ns for due_ns, _ in taken] == dues
    for due_ns, at_ns in taken:
        assert 0 <= at_ns - due_ns <= max(late_ns) + EVEN_NS + 1000  # and what the clock ticked meanwhile


def test_the_timer_goes_on_by_itself():
    """Once arrivals are seen to come evenly, to a microsecond, it is not armed again until they cease to."""

    def armed(dues, spin_ns=0):
        return offered(dues, cycle([0]), spin_ns)[1].armed

    assert armed([MS * k for k in range(1, 100)]) == [MS, 2 * MS, 3 * MS, NEVER_NS]
    assert len(armed([MS * k // 3 for k in range(1, 900)])) == 4  # it is a third of a ns earlier each time
    assert 5 <= len(armed([MS * k // 3 for k in range(1, 9000)])) <= 12  # some 3 us, of which it may be wrong by one
    assert len(armed([MS * k + k % 2 * 1001 for k in range(1, 100)])) == 100
    assert len(armed([MS * k for k in range(1, 100)], SPIN_NS)) == 100  # it is to go off as the one before is offered
    even, later = [MS * k for k in range(1, 50)], [MS * (50 + 2 * k) for k in range(50)]
    assert armed(even + later) == [MS, 2 * MS, 3 * MS, 52 * MS, 54 * MS, NEVER_NS]


def test_held_up_among_even_ones():
    """Those that came due meanwhile are offered at once, and the timer is where the next is."""
    taken, clock = offered([MS * k for k in range(1, 50)], chain([0] * 10, [7 * MS], cycle([0])))
    assert len(clock.armed) == 4
    at_ns = dict(taken)
    assert all(at_ns[MS * k] - MS * k < 1000 for k in (1, 10, 19, 30, 49))
    assert at_ns[11 * MS] - 11 * MS >= 7 * MS


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
