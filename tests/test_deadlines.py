"""Who runs out of time, and when, by a clock and a loop of the test's own."""

import pytest

from loadtests import deadlines
from loadtests.deadlines import LOOKED_S, Deadlines


class Loop:
    """Keeps what is due later, and lets the test move its clock."""

    def __init__(self, monkeypatch):
        self.now_s, self.later = 100.0, []
        monkeypatch.setattr(deadlines.time, "monotonic", lambda: self.now_s)

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


class Request:
    """Notes when it ran out of time."""

    def __init__(self, loop):
        self.loop, self.ended_s = loop, []

    def time_up(self):
        """It did."""
        self.ended_s.append(self.loop.now_s)


@pytest.mark.parametrize("timeout_s", [0.05, 0.99, 1.0, 10.0])
def test_time_up(monkeypatch, timeout_s):
    """Once, not before its time, and late by no more than a fiftieth of it."""
    loop = Loop(monkeypatch)
    all_of_them = Deadlines(loop)
    one, other = Request(loop), Request(loop)
    all_of_them.begin(one, loop.now_s + timeout_s)
    loop.run_to(loop.now_s + timeout_s / 2)
    all_of_them.begin(other, loop.now_s + timeout_s)
    all_of_them.end(other)
    loop.run_to(150.0)
    (ended_s,) = one.ended_s
    assert 100 + timeout_s <= ended_s <= 100 + timeout_s * 1.02 + 1e-9
    assert other.ended_s == []


def test_nothing_waits(monkeypatch):
    """With nobody waiting the loop is left alone."""
    loop = Loop(monkeypatch)
    all_of_them, one = Deadlines(loop), Request(loop)
    all_of_them.begin(one, loop.now_s + 5.0)
    all_of_them.end(one)
    loop.run_to(loop.now_s + 2 * LOOKED_S)
    assert [entry for entry in loop.later if entry[2]] == []
    all_of_them.begin(one, loop.now_s + 5.0)
    loop.run_to(120.0)
    assert len(one.ended_s) == 1
