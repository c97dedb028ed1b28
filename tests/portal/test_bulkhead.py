"""The bulkhead: who runs, who waits, who is refused."""

import asyncio

import pytest

from portal.mcp.bulkhead import Bulkhead
from portal.mcp.failures import Unavailable


def test_two_run_one_waits_and_the_fourth_is_refused() -> None:
    """Places and line are exact, whoever leaves makes room for one, and a cancelled wait leaves no trace."""

    async def main() -> None:
        bulkhead = Bulkhead(calls=2, waiting=1)
        ends = asyncio.Event()

        async def call() -> None:
            async with bulkhead.place():
                await ends.wait()

        async def settled() -> tuple[int, int]:
            for _ in range(5):
                await asyncio.sleep(0)
            return bulkhead.running, bulkhead.waiting

        first = asyncio.create_task(call())
        second = asyncio.create_task(call())
        third = asyncio.create_task(call())
        assert await settled() == (2, 1)
        with pytest.raises(Unavailable, match=r"2 calls .* 1 wait") as caught:
            await call()
        assert caught.value.headers == {"Retry-After": "1"}
        third.cancel()
        assert await settled() == (2, 0)
        fourth = asyncio.create_task(call())
        assert await settled() == (2, 1)
        first.cancel()
        assert await settled() == (2, 0)
        ends.set()
        await asyncio.gather(second, fourth)
        assert await settled() == (0, 0)

    asyncio.run(main())
