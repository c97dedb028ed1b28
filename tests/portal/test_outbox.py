"""The bounded queue of one socket."""

import asyncio

from portal.outbox import Outbox


def test_frames_leave_in_the_order_they_came() -> None:
    """First in, first out, also when the taker came first."""

    async def scene() -> list[str]:
        outbox = Outbox(10, 100, lambda: None)
        waiting = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        outbox.put("a")
        outbox.put("b")
        return [await waiting, await outbox.take()]

    assert asyncio.run(scene()) == ["a", "b"]


def test_one_frame_too_many_overflows_once_and_for_all() -> None:
    """The queue is emptied, the owner told once, and nothing is ever taken again."""

    async def scene() -> None:
        told: list[str] = []
        outbox = Outbox(3, 1000, lambda: told.append("overflow"))
        assert [outbox.put(frame) for frame in "abc"] == [True, True, True]
        assert told == []
        assert outbox.put("d") is False
        assert outbox.overflowed
        assert len(outbox) == 0
        assert outbox.put("e") is False
        assert told == ["overflow"]

    asyncio.run(scene())


def test_bytes_are_bounded_as_well() -> None:
    """Ten bytes fit exactly, the eleventh does not; what was taken makes room."""

    async def scene() -> None:
        outbox = Outbox(100, 10, lambda: None)
        assert outbox.put("12345")
        assert outbox.put("67890")
        assert await outbox.take() == "12345"
        assert outbox.put("abcde")
        assert not outbox.put("f")

    asyncio.run(scene())
