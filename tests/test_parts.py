"""Work in parts: all of it is done, in order, and what is due goes between.

With rests, under gevent: ``locustcases``.
"""

from __future__ import annotations

import asyncio

import pytest

from loadtests.parts import at_once, by_turns


def parts(done, n=3):
    """Work that notes its parts."""
    for part in range(n):
        done.append(part)
        yield
    return len(done)


def test_at_once():
    """What comes of all parts is the answer."""
    done = []
    assert at_once(parts(done)) == 3
    assert done == [0, 1, 2]


def test_by_turns():
    """The loop goes on after each part."""
    done = []

    async def both():
        async def other():
            for _ in range(3):
                done.append("other")
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        found = await by_turns(parts(done))
        await beside
        return found

    assert asyncio.run(both()) == 6  # three of its own, and three of the other's
    assert done == [0, "other", 1, "other", 2, "other"]


def test_a_part_that_fails():
    """Its error is the work's."""

    def broken():
        yield
        raise ValueError("the second part")

    with pytest.raises(ValueError, match="the second part"):
        at_once(broken())
    with pytest.raises(ValueError, match="the second part"):
        asyncio.run(by_turns(broken()))
