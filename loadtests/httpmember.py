"""What an author writes for an HTTP load of asyncio members (``load.driver = "members"``).

    class Reader(HttpMember):
        async def prepare(self):
            answer = await self.http.post("/login", json=self.feeds["accounts"].at(self.index))
            self.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"

        async def act(self):
            await self.http.get("/articles")
            await self.http.get("/articles/7", name="/articles/{id}")

Many members share one process and one loop; code of theirs that computes or blocks keeps all of them waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from loadtests.asyncsession import AsyncSession
from loadtests.duration import NS_PER_S
from loadtests.feed import Feed

__all__ = ["HttpMember"]


class HttpMember:
    """One user of the target, with connections and cookies of its own.

    Attributes:
        index: its number among those of its class, from 0, over all processes.
        http: its session; each request is a sample.
        feeds, settings, secrets: the scenario's.

    """

    http: AsyncSession
    cert: ClassVar[str | tuple[str, str] | None] = None
    """The client's own certificate file, or it and its key, where the target asks for one."""
    intended_ns: int | None = None
    """When the next request was meant to begin, where that was before it did; the engine's."""

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        self.index = index
        self.feeds = feeds
        self.settings = settings
        self.secrets = secrets

    async def prepare(self) -> None:
        """Once, before its first task, such as a login; what it asks is recorded like anything else."""

    async def act(self) -> None:
        """One task: what an arrival starts in an open model, and what is repeated in a closed one."""
        raise NotImplementedError(f"{type(self).__name__} must define act()")

    def pause_s(self) -> float:
        """Think time after a task, in a closed model."""
        return 0.0

    async def think(self, seconds: float) -> None:
        """Pause inside a task; the next request is intended at the pause's end, however late the pause returns."""
        due_ns = time.monotonic_ns() + int(seconds * NS_PER_S)
        await asyncio.sleep(seconds)
        self.intended_ns = due_ns
