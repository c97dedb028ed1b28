"""Arrivals are offered when they are due, each once and in order, however late anybody looks."""

import select
import time

from loadtests.offering import AT_ONCE, Offering

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
