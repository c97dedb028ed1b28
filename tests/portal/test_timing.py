"""Server-Timing: self time, on a clock of the test's own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from portal.database import Database
from portal.timing import Timing, count_statement, current, timed


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now_ns = 7_000_000_000

    def __call__(self) -> int:
        """Return nanoseconds."""
        return self.now_ns

    def pass_us(self, microseconds: int) -> None:
        """Let time pass."""
        self.now_ns += microseconds * 1_000


@pytest.fixture
def clock() -> Clock:
    """The clock of `spent`."""
    return Clock()


@pytest.fixture
def spent(clock: Clock) -> Iterator[Timing]:
    """A request under way."""
    timing = Timing(clock)
    token = current.set(timing)
    yield timing
    current.reset(token)


def test_what_is_nested_counts_as_its_own_only(clock: Clock, spent: Timing) -> None:
    """1 + 4 us of db around 2 us of auth, 8 us before and 16 us after: 31 us in all."""
    clock.pass_us(8)
    with timed("db"):
        count_statement()
        clock.pass_us(1)
        with timed("auth"):
            clock.pass_us(2)
        count_statement()
        clock.pass_us(4)
    clock.pass_us(16)
    assert spent.spent_ns == {"db": 5_000, "auth": 2_000}
    assert spent.header() == 'total;dur=0.031, db;dur=0.005;desc="2", auth;dur=0.002'


def test_a_name_within_itself_is_counted_once(clock: Clock, spent: Timing) -> None:
    """And twice in a row it adds up; an exception ends a part too."""
    with timed("ext"), timed("ext"):
        clock.pass_us(1_500)
    with suppress(KeyError), timed("ext"):
        clock.pass_us(500)
        raise KeyError
    clock.pass_us(1_000)
    assert spent.header() == "total;dur=3.000, ext;dur=2.000"


def test_parts_that_overlap_are_not_counted_twice(clock: Clock, spent: Timing) -> None:
    """Two tasks: db from 0 to 3, ext from 1 to 5. While both are open the newer is charged: db 1 us, ext 4 us."""

    async def scene() -> None:
        both_open = asyncio.Event()
        db_closed = asyncio.Event()

        async def ask_database() -> None:
            with timed("db"):
                clock.pass_us(1)
                await both_open.wait()
                clock.pass_us(2)
            db_closed.set()

        async def ask_outside() -> None:
            with timed("ext"):
                both_open.set()
                await db_closed.wait()
                clock.pass_us(2)

        await asyncio.gather(ask_database(), ask_outside())

    asyncio.run(scene())
    assert spent.spent_ns == {"db": 1_000, "ext": 4_000}


def test_waiting_for_a_connection_is_no_database_time(clock: Clock, tmp_path: Path) -> None:
    """The only writer is lent for 5 us; then it is held for 2 us, and sends a statement."""
    timing = Timing(clock)

    async def scene() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/p.db")
        waits = asyncio.Event()

        async def write() -> None:
            current.set(timing)  # in this task only
            waits.set()
            async with database.write() as connection:
                await connection.execute(text("SELECT 1"))
                clock.pass_us(2)

        async with database.write():
            assert database.connections_in_use == 1
            writing = asyncio.create_task(write())
            await waits.wait()
            clock.pass_us(5)
        await writing
        assert database.connections_in_use == 0
        await database.close()

    asyncio.run(scene())
    assert timing.header() == 'total;dur=0.007, pool;dur=0.005, db;dur=0.002;desc="1"'


def test_outside_of_a_request_nothing_is_timed() -> None:
    """At start the database is seeded without one."""
    assert current.get() is None
    with timed("db"):
        count_statement()


@pytest.mark.parametrize(
    ("method", "path", "parts"),
    [
        ("GET", "/healthz", ""),
        ("GET", "/nowhere", ""),
        ("GET", "/api/v1/agents/1", ', auth;dur=0.000, cache;dur=0.000, pool;dur=0.000, db;dur=0.000;desc="1"'),
        ("GET", "/readyz", ', pool;dur=0.000, db;dur=0.000;desc="1"'),
    ],
)
def test_every_answer_says_where_its_time_went(
    open_portal: Callable[..., TestClient], method: str, path: str, parts: str
) -> None:
    """On a clock that stands still; one statement for a row that is there."""
    portal = open_portal(perf_ns=Clock())
    assert portal.request(method, path).headers["Server-Timing"] == "total;dur=0.000" + parts
