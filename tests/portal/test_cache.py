"""Copies of rows: found, forgotten, never older than what is in the database. In memory, and in a real Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from starlette.testclient import TestClient

from portal.cache import Cache, MemoryCache
from portal.local.redis import binary, redis
from portal.rediscache import PAUSE_S, RedisCache

KEY = ("agents", 7)
Scene = Callable[[Cache], Awaitable[None]]


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        """Tell nanoseconds."""
        return self.ns


class Row(SimpleNamespace):
    """As SQLAlchemy's rows are."""

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Table:
    """One row, and how often it was read."""

    def __init__(self, version: int | None = 1) -> None:
        self.version = version
        self.reads = 0

    async def load(self) -> Row | None:
        """Read the row."""
        self.reads += 1
        return None if self.version is None else Row(agent_id=7, name="ä", note=None, version=self.version)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Play a scene with a new cache of either kind."""

    def make() -> Cache:
        if request.param == "memory":
            return MemoryCache(rows=3, ttl_s=30, monotonic_ns=Clock())
        database = f"sqlite:///{request.node.name}"
        return RedisCache(request.getfixturevalue("redis_url"), database, ttl_s=30, monotonic_ns=Clock())

    async def run(scene: Scene) -> None:
        cache = make()
        try:
            await scene(cache)
        finally:
            await cache.close()

    return lambda scene: asyncio.run(run(scene))


def test_the_second_read_is_a_hit(play: Callable[[Scene], None]) -> None:
    """With the same columns, None and all; counted as what it was."""

    async def scene(cache: Cache) -> None:
        table = Table()
        first, second = await cache.read(KEY, table.load), await cache.read(KEY, table.load)
        assert vars(first) == vars(second) == {"agent_id": 7, "name": "ä", "note": None, "version": 1}
        assert (table.reads, cache.hits, cache.misses) == (1, 1, 1)
        await cache.read(("tasks", 7), table.load)
        assert (table.reads, cache.hits, cache.misses) == (2, 1, 2)

    play(scene)


def test_what_is_not_there_is_asked_for_each_time(play: Callable[[Scene], None]) -> None:
    """Or a row could not be created."""

    async def scene(cache: Cache) -> None:
        table = Table(version=None)
        assert await cache.read(KEY, table.load) is None
        table.version = 1
        assert await cache.read(KEY, table.load) is not None
        assert table.reads == 2

    play(scene)


def test_a_forgotten_row_is_read_again(play: Callable[[Scene], None]) -> None:
    """And others stay."""

    async def scene(cache: Cache) -> None:
        table = Table()
        await cache.read(KEY, table.load)
        await cache.read(("agents", 8), table.load)
        table.version = 2
        await cache.forget({KEY})
        again, other = await cache.read(KEY, table.load), await cache.read(("agents", 8), table.load)
        assert again is not None
        assert other is not None
        assert (again.version, other.version) == (2, 1)

    play(scene)


def test_a_row_read_before_a_change_is_not_left_behind_after_it(play: Callable[[Scene], None]) -> None:
    """The slow reader itself gets what it read; nobody after it does."""

    async def scene(cache: Cache) -> None:
        table, has_read, may_return = Table(), asyncio.Event(), asyncio.Event()

        async def slow() -> Row | None:
            row = await table.load()
            has_read.set()
            await may_return.wait()
            return row

        late = asyncio.ensure_future(cache.read(KEY, slow))
        await has_read.wait()
        table.version = 2
        await cache.forget({KEY})
        may_return.set()
        seen = await late
        after = await cache.read(KEY, table.load)
        assert seen is not None
        assert after is not None
        assert (seen.version, after.version) == (1, 2)

    play(scene)


def test_a_load_that_fails_leaves_nothing(play: Callable[[Scene], None]) -> None:
    """The error is the reader's; the next one reads."""

    async def scene(cache: Cache) -> None:
        async def fail() -> None:
            raise OSError("the database is gone")

        with pytest.raises(OSError, match="is gone"):
            await cache.read(KEY, fail)
        table = Table()
        await cache.read(KEY, table.load)
        assert table.reads == 1

    play(scene)


def test_memory_keeps_the_rows_that_were_read_last() -> None:
    """Three of them, as it was told."""

    async def scene() -> None:
        cache, table = MemoryCache(rows=3, ttl_s=30, monotonic_ns=Clock()), Table()
        for number in (1, 2, 3, 1, 4):
            await cache.read(("agents", number), table.load)
        assert len(cache) == 3
        reads = table.reads
        await cache.read(("agents", 1), table.load)
        assert table.reads == reads
        await cache.read(("agents", 2), table.load)
        assert table.reads == reads + 1

    asyncio.run(scene())


def test_memory_keeps_no_row_longer_than_its_time() -> None:
    """The 30th second is one too many."""

    async def scene() -> None:
        clock, table = Clock(), Table()
        cache = MemoryCache(rows=3, ttl_s=30, monotonic_ns=clock)
        await cache.read(KEY, table.load)
        clock.ns = 30 * 10**9 - 1
        await cache.read(KEY, table.load)
        assert table.reads == 1
        clock.ns += 1
        await cache.read(KEY, table.load)
        assert table.reads == 2

    asyncio.run(scene())


@pytest.mark.services
def test_two_portals_share_one_redis_and_two_databases_do_not(redis_url: str) -> None:
    """What one portal changes, the other does not show."""

    async def scene() -> None:
        one, two, other = (
            RedisCache(redis_url, database, ttl_s=30, monotonic_ns=Clock())
            for database in (
                "postgresql+asyncpg://reader:old@db/portal",
                "postgresql+asyncpg://writer:new@db/portal",
                "postgresql+asyncpg://reader:old@db/other",
            )
        )
        table, elsewhere = Table(), Table(version=50)
        await two.read(KEY, table.load)  # the first use of each removes what an earlier life left
        await one.read(KEY, table.load)
        await two.read(KEY, table.load)
        assert (table.reads, two.hits) == (2, 1)
        found = await other.read(KEY, elsewhere.load)
        assert found is not None
        assert found.version == 50
        table.version = 2
        await one.forget({KEY})
        found = await two.read(KEY, table.load)
        assert found is not None
        assert found.version == 2
        for cache in (one, two, other):
            await cache.close()

    asyncio.run(scene())


@pytest.mark.services
def test_one_name_in_two_folders_is_two_files(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's relative URLs mean another database in each folder; a full path means one in all."""

    def open_in(folder: str, url: str) -> RedisCache:
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        return RedisCache(redis_url, url, ttl_s=30, monotonic_ns=Clock())

    async def scene() -> None:
        here, there = (open_in(folder, "sqlite+aiosqlite:///p.db") for folder in ("here", "there"))
        also_here = open_in("there", f"sqlite+aiosqlite:///{tmp_path}/here/p.db")
        for cache in (here, there, also_here):  # the first use of each removes what an earlier life left
            await cache.forget({KEY})
        table = Table()
        for cache in (here, there, also_here):
            await cache.read(KEY, table.load)
        assert (here.hits, there.hits, also_here.hits) == (0, 0, 1)
        for cache in (here, there, also_here):
            await cache.close()

    asyncio.run(scene())


@pytest.mark.services
@pytest.mark.skipif(binary() is None, reason="no Redis: python -m portal.local.install installs it")
def test_without_redis_the_database_is_read_and_afterwards_no_copy_is_trusted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A change that Redis could not be told of is not shown stale when it answers again; one warning an outage."""

    async def scene(url: str) -> None:
        clock, table = Clock(), Table()
        cache = RedisCache(url, "sqlite:///a", ttl_s=3_600, monotonic_ns=clock)
        await cache.read(KEY, table.load)
        await cache.read(KEY, table.load)
        assert table.reads == 1
        (server,) = [
            child for child in psutil.Process().children() if urlsplit(url).netloc in " ".join(child.cmdline())
        ]
        server.suspend()
        try:
            table.version = 2
            await cache.forget({KEY})
            for _ in range(3):
                row = await cache.read(KEY, table.load)
                assert row is not None
                assert row.version == 2
        finally:
            server.resume()
        clock.ns += int(PAUSE_S * 1e9)
        row = await cache.read(KEY, table.load)
        assert row is not None
        assert row.version == 2
        hits = cache.hits
        await cache.read(KEY, table.load)
        assert cache.hits == hits + 1
        await cache.close()

    with redis() as url, caplog.at_level(logging.WARNING, "portal.cache"):
        asyncio.run(scene(url))
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Redis does not answer",
        "Redis answers again",
    ]


WRITES: list[tuple[str, str, Any, str]] = [
    ("PATCH", "/api/v1/agents/1", {"name": "new"}, "/api/v1/agents/1"),
    ("PATCH", "/api/v2/agents/1", {"name": "newer"}, "/api/v2/agents/1"),
    ("POST", "/api/v1/agents/1/heartbeat", None, "/api/v1/agents/1"),
    ("POST", "/api/v2/agents/1/heartbeat", None, "/api/v2/agents/1"),
    ("PATCH", "/api/v1/tasks/1", {"title": "new"}, "/api/v1/tasks/1"),
    ("PATCH", "/api/v2/tasks/1", {"title": "newer"}, "/api/v2/tasks/1"),
    ("POST", "/api/v1/tasks/{open}/assign", {"agent_id": 2}, "/api/v1/tasks/{open}"),
    ("POST", "/api/v2/tasks/{open}/assign", {"agent_id": 3}, "/api/v2/tasks/{open}"),
    (
        "POST",
        "/graphql",
        {"query": 'mutation { updateAgent(id: "1", changes: {name: "newest"}) { name } }'},
        "/api/v1/agents/1",
    ),
    (
        "POST",
        "/graphql",
        {"query": 'mutation { assignTask(taskId: "{open}", agentId: "4") { id } }'},
        "/api/v1/tasks/{open}",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "shown"), WRITES)
def test_every_write_is_seen_by_the_next_read(
    open_portal: Callable[..., TestClient], method: str, path: str, body: Any, shown: str
) -> None:
    """What was cached before the write is not what is read after it, and its tag can be written on at once."""
    seconds = iter(range(10**9, 10**10))
    portal = open_portal(clock=lambda: float(next(seconds)))
    task = portal.get("/api/v1/tasks?status=open").json()["items"][0]["task_id"]
    path, shown = path.replace("{open}", str(task)), shown.replace("{open}", str(task))
    if body and "query" in body:
        body = {"query": body["query"].replace("{open}", str(task))}
    before = portal.get(shown)
    assert portal.get(shown).json() == before.json()
    services = portal.app.state.services  # type: ignore[attr-defined]
    assert services.cache.hits == 1
    done = portal.request(method, path, json=body)
    assert done.status_code in (200, 204), done.text
    assert "errors" not in done.text
    after = portal.get(shown)
    assert after.json() != before.json()
    if "tasks" in shown:
        again = portal.patch(shown, json={"title": "again"}, headers={"If-Match": after.headers["ETag"]})
        assert again.status_code == 200


def test_the_metrics_tell_of_the_cache(open_portal: Callable[..., TestClient]) -> None:
    """Two reads of one row are a miss and a hit; a change makes it forget the row."""
    portal = open_portal()
    for _ in range(2):
        portal.get("/api/v1/agents/3")
    portal.post("/api/v1/agents/3/heartbeat")
    metrics = TestClient(portal.app, client=("127.0.0.1", 1)).get("/metrics").text
    assert "portal_cache_hits_total 1.0" in metrics
    assert "portal_cache_misses_total 1.0" in metrics
    assert "portal_cache_forgotten_total 1.0" in metrics
