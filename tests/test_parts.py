"""Work in parts: all of it is done, in order, and what is due goes between.

Under gevent: ``locustcases``.
"""

from __future__ import annotations

import asyncio

import pytest

from loadtests import parts as module
from loadtests.parts import at_once, by_turns, with_rests

US = 1000


class Clock:
    """Time that passes when it is told to; a sleep takes as long again as others had to do meanwhile."""

    def __init__(self):
        self.now_ns, self.busy_us, self.rests = 0, 0, []

    def monotonic_ns(self):
        """Now."""
        return self.now_ns

    def sleep(self, seconds):
        """Others go on; in no time at all, those alone whose turn it was already."""
        if seconds:
            self.rests.append(self.now_ns // US)
            self.now_ns += round(seconds * 1e9) + self.busy_us * US


@pytest.fixture
def clock(monkeypatch):
    """The one that work is timed by."""
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def work(done, clock, n, us=100):
    """So many parts, which take so long each."""
    for part in range(n):
        clock.now_ns += us * US
        done.append(part)
        yield
    return len(done)


def test_at_once(clock):
    """What comes of all parts is the answer."""
    done = []
    assert at_once(work(done, clock, 3)) == 3
    assert done == [0, 1, 2]


@pytest.mark.parametrize(
    ("busy_us", "most"),
    [
        pytest.param(50, 2, id="others that have little to do: every 200 us"),
        pytest.param(2000, 20, id="others that take 2 ms: 2 ms for each of theirs"),
    ],
)
def test_by_turns(clock, busy_us, most):
    """The loop goes on when something was done; on a loop that is busy the work has half of the time."""
    done, turns = [], []
    for _ in by_turns(work(done, clock, 100)):
        turns.append(len(done))
        clock.now_ns += busy_us * US
    assert len(done) == 100
    assert turns == list(range(2, 101, most))


@pytest.mark.parametrize(("busy_us", "most_us"), [(0, 200), (150, 200), (2000, 2000)])
def test_with_rests(clock, busy_us, most_us):
    """The same with a millisecond's rest, which is no sign of others that are busy."""
    clock.busy_us = busy_us
    assert with_rests(work([], clock, 100)) == 100
    apart_us = {after - before - 1000 - busy_us for before, after in zip(clock.rests, clock.rests[1:], strict=False)}
    assert clock.rests[0] == 200
    assert apart_us == {most_us}


def test_an_awaited_one():
    """Awaited, it lets the loop go on, and answers."""
    done = []

    def spins():
        for part in range(3):
            until_ns = module.time.monotonic_ns() + 2 * module.WORK_NS
            while module.time.monotonic_ns() < until_ns:
                pass
            done.append(part)
            yield
        return len(done)

    async def both():
        async def other():
            for _ in range(3):
                done.append("other")
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        found = await by_turns(spins())
        await beside
        return found

    assert asyncio.run(both()) == 6  # three of its own, and three of the other's
    assert done == [0, "other", 1, "other", 2, "other"]


def test_a_part_that_fails():
    """Its error is the work's."""

    def broken():
        yield
        raise ValueError("the second part")

    async def awaits():
        await by_turns(broken())

    with pytest.raises(ValueError, match="the second part"):
        at_once(broken())
    with pytest.raises(ValueError, match="the second part"):
        asyncio.run(awaits())
