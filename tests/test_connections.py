"""Who runs out of time, and when, by a clock and a loop of the test's own."""

import pytest

from loadtests import connections
from loadtests.connections import LOOKED_S, NEVER_S, Connections


class Loop:
    """Keeps what is due later, and lets the test move its clock."""

    def __init__(self, monkeypatch):
        self.now_s, self.later = 100.0, []
        monkeypatch.setattr(connections.time, "monotonic", lambda: self.now_s)

    def call_later(self, delay_s, call):
        """As a loop does."""
        entry = [self.now_s + delay_s, call, True]
        self.later.append(entry)
        return Handle(entry)

    def run_to(self, until_s):
        """Everything that is due until then, in order."""
        while due := [entry for entry in self.later if entry[2] and entry[0] <= until_s]:
            entry = min(due, key=lambda one: one[0])
            self.later.remove(entry)
            self.now_s = entry[0]
            entry[1]()
        self.now_s = until_s


class Handle:
    """Of one entry."""

    def __init__(self, entry):
        self.entry = entry

    def cancel(self):
        """It is not called."""
        self.entry[2] = False


class Connection:
    """Notes when it ran out of time; may ask again at once, for so long."""

    def __init__(self, loop, of, again_s=None):
        self.loop, self.of, self.again_s, self.due_s, self.ended_s = loop, of, again_s, NEVER_S, []
        of.watch(self)

    def wait(self, timeout_s):
        """As a connection does when it sends."""
        self.due_s = self.loop.now_s + timeout_s
        if self.due_s < self.of.next_s:
            self.of.look_at(self.due_s)

    def time_up(self):
        """It did."""
        self.ended_s.append(self.loop.now_s)
        if self.again_s is not None:
            self.wait(self.again_s)


@pytest.mark.parametrize("timeout_s", [0.05, 0.99, 1.0, 10.0])
def test_time_up(monkeypatch, timeout_s):
    """Once, not before its time, and after it by one look at most; who was answered or is gone, never."""
    loop = Loop(monkeypatch)
    of = Connections(loop.call_later)
    one, other, third, gone = (Connection(loop, of) for _ in range(4))
    one.wait(timeout_s)
    loop.run_to(loop.now_s + timeout_s / 2)
    for each in (other, third, gone):
        each.wait(timeout_s)
    other.due_s = NEVER_S
    of.forget(gone)
    loop.run_to(150.0)
    assert one.ended_s == [pytest.approx(100 + timeout_s)]
    (ended_s,) = third.ended_s
    assert 100 + 1.5 * timeout_s <= ended_s <= 100 + 1.5 * timeout_s + LOOKED_S + 1e-9
    assert (other.ended_s, gone.ended_s) == ([], [])


def test_a_shorter_wait_comes_in_between(monkeypatch):
    """Who waits for less than the others is not kept until their time."""
    loop = Loop(monkeypatch)
    of = Connections(loop.call_later)
    long, short = Connection(loop, of), Connection(loop, of)
    long.wait(60.0)
    short.wait(0.1)
    loop.run_to(200.0)
    assert (short.ended_s, long.ended_s) == ([pytest.approx(100.1)], [pytest.approx(160.0)])


def test_asked_again_when_its_time_was_up(monkeypatch):
    """A look in which somebody begins to wait again is followed by one for it."""
    loop = Loop(monkeypatch)
    of = Connections(loop.call_later)
    one = Connection(loop, of, again_s=0.5)
    one.wait(0.5)
    loop.run_to(102.1)
    assert one.ended_s == [pytest.approx(100 + 0.5 * k) for k in (1, 2, 3, 4)]


def test_nothing_waits(monkeypatch):
    """With nobody waiting the loop is left alone, and looks are as seldom as time-outs are long."""
    loop = Loop(monkeypatch)
    of = Connections(loop.call_later)
    one, looks = Connection(loop, of), []
    look = of._look
    of._look = lambda: (looks.append(loop.now_s), look())
    for _ in range(1000):  # a thousand requests within 10 s, each answered at once
        one.wait(5.0)
        one.due_s = NEVER_S
        loop.run_to(loop.now_s + 0.01)
    assert len(looks) <= 3
    loop.run_to(200.0)
    assert [entry for entry in loop.later if entry[2]] == []
